// SPDX-License-Identifier: BSD-2-Clause
//! Records of the agent or the simulator to a trace.

use nlproof_agent::{Body, DropSource, ErrorStage, Record};
use nlproof_wire::Os;
use nlproof_wire::schema::group_name;

use super::console::ConsoleStatus;
use super::decode::{Role, decode_datagram};
use super::item::{Item, Kind, Lossy, Trace};
use super::text::errno_text;

impl Trace {
    /// The trace of one program's records.
    pub fn from_records(os: Os, records: &[Record], ordered: bool) -> Trace {
        let mut trace = Trace { ordered, ..Trace::default() };
        trace.console.status = ConsoleStatus::of(os, records);
        for record in records {
            if let Body::Start { pid } = record.body {
                trace.pid = pid;
            }
            let step = record.in_step();
            let item = |kind| Item { step, t_ns: record.t_ns, kind };
            trace.items.extend(kinds(os, &record.body).into_iter().map(item));
        }
        trace
    }
}

/// What a record says; a datagram says one thing a message.
fn kinds(os: Os, body: &Body) -> Vec<Kind> {
    match body {
        // What a race came to is said when its rounds are over.
        Body::Start { .. }
        | Body::Begin
        | Body::End { died: None }
        | Body::Race { .. }
        | Body::Raced { .. }
        // What a watched program writes is shown as it comes, and its calls by what reads the kernel's records.
        | Body::Output { .. }
        | Body::Traced { .. }
        | Body::Counted(_)
        // When each thing happened is told by its own record.
        | Body::Spent(_) => Vec::new(),
        // Kernel traces are looked at by themselves (`ktrace`).
        Body::Kernel(_) | Body::KernelLost { .. } => Vec::new(),
        Body::Console(line) => vec![Kind::Console(line.clone())],
        // The whole of the records says it (`ConsoleStatus`).
        Body::ConsoleRead { .. } | Body::NoConsole { .. } => Vec::new(),
        Body::Hardware { told: false, .. } => Vec::new(),
        Body::Hardware { name, deed, .. } => vec![Kind::Note(format!("{name} {}", deed.name()))],
        Body::Unnoticed { wait, limit_ms, foreknown } => {
            let text = format!("{wait} was not noticed within {limit_ms} ms");
            vec![if *foreknown { Kind::Note(text) } else { Kind::Lossy(Lossy::Unnoticed(text)) }]
        }
        Body::Resolved { ifname, ifindex } => vec![Kind::Resolved(ifname.clone(), *ifindex)],
        Body::Sent { data } => decode_datagram(os, Role::Request, data).into_iter().map(Kind::Sent).collect(),
        Body::Reply { data, full_len } => {
            let mut kinds: Vec<_> =
                decode_datagram(os, Role::Reply, data).into_iter().map(Kind::Reply).collect();
            if *full_len as usize > data.len() {
                kinds.push(Kind::Lossy(Lossy::Dropped(format!(
                    "request (a reply of {full_len} bytes was cut to {})",
                    data.len()
                ))));
            }
            kinds
        }
        Body::Event { group, data } => {
            let name = group_label(os, *group);
            decode_datagram(os, Role::Event, data)
                .into_iter()
                .map(|node| Kind::Event(name.clone(), node))
                .collect()
        }
        Body::Exec { status, stdout, stderr } => vec![Kind::Exec {
            status: *status,
            stdout: String::from_utf8_lossy(stdout).into_owned(),
            stderr: String::from_utf8_lossy(stderr).into_owned(),
        }],
        Body::Drop { source, .. } => vec![Kind::Lossy(Lossy::Dropped(match source {
            DropSource::Request => "request".into(),
            DropSource::Group(group) => group_label(os, *group),
        }))],
        Body::Timeout => vec![Kind::Lossy(Lossy::Timeout)],
        Body::Error { stage, errno, text } => {
            let error = errno_text(os, *errno);
            vec![match stage {
                // What a kernel does to a send call is an observation like any other. The text is the agent's
                // or the simulator's own, and no part of it.
                ErrorStage::Send => Kind::Note(format!("send failed: {error}")),
                ErrorStage::Socket => {
                    Kind::Lossy(Lossy::NoSocket { error: error.clone(), text: text.clone() })
                }
                ErrorStage::Resolve => Kind::Note("not sent: it names an interface that is not there".into()),
                _ => Kind::Lossy(Lossy::NotRun(format!("{text} ({error})"))),
            }]
        }
        Body::End { died: Some(status) } => vec![Kind::Lossy(Lossy::Died(*status))],
    }
}

fn group_label(os: Os, group: u32) -> String {
    group_name(os, group).map_or_else(|| format!("group#{group}"), str::to_owned)
}
