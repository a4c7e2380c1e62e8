// SPDX-License-Identifier: BSD-2-Clause
//! A record as one line of JSON, bytes in hex: kept beside a report for whoever doubts the decoder.
//!
//! Every line has `v` (1), `vec` (the vector), `step` (null: outside any), `t_ns` (CLOCK_MONOTONIC of the guest), and
//! `src`, which tells what else it has. Lines stand in the order in which they came, not in that of their times: those of
//! `kern` follow their step, those of `cons` the last step, those of `dtrace` all others.
//!
//! | `src` | is | with |
//! |---|---|---|
//! | `start` | sockets are open, groups joined | `text`: the request socket's `nl_pid` |
//! | `begin` | the step begins; without a step: the last one is over | |
//! | `resolved` | an interface's name and index | `text` |
//! | `sent`, `reply`, `race` | a datagram | `raw` |
//! | `mcast` | an event | `group`, `raw` |
//! | `hardware` | something is done with a network card, or the kernel did not notice | `text` |
//! | `raced` | how long a race was | `text` |
//! | `counted` | what many requests came to | `text` |
//! | `exec` | a command ended | `raw`: its output; `text`: status, standard error |
//! | `kern` | a probe of the module's or the simulator's; without `probe`: how many were lost | `cpu`, `tid`, `probe`, `args` |
//! | `dtrace` | a probe that dtrace(1) told; without `probe`: how many were lost | as `kern` |
//! | `cons` | a line that the kernel printed, in whole microseconds; without `raw`: how much is left out, or why they cannot be read | `priority`, `raw`, `text` |
//! | `drop`, `timeout`, `error` | something is missing, and what | `group`, `text` |
//! | `spent` | nanoseconds of one of the program's two processes, by phases | `text` |
//! | `end` | nothing more comes | `text`: how it died, if it did |

use nlproof_agent::{Body, Counted, DropSource, Record};
use nlproof_base::hex;
use serde::Serialize;

use super::console::{console_text, priority_name};
use crate::ktrace::{Event, OwnFiring, raw_args};

/// Version of the raw format.
pub(super) const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize)]
pub struct RawLine<'a> {
    v: u32,
    vec: &'a str,
    /// Null outside any step.
    step: Option<u32>,
    t_ns: u64,
    src: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    /// A probe's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<String>,
    /// Arguments of the probe by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<serde_json::Map<String, serde_json::Value>>,
    /// Severity of a line printed by log(9): `info`, or `console.info` if a program wrote it to the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    /// The datagram in hex, or the line that was printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// Everything else, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl<'a> RawLine<'a> {
    /// The line of a record of this vector.
    pub fn new(vector: &'a str, record: &Record) -> Self {
        let step = record.in_step();
        let mut line = RawLine::empty(vector, step, record.t_ns);
        match &record.body {
            Body::Start { pid } => {
                line.src = "start";
                line.text = Some(format!("pid={pid}"));
            }
            Body::Begin => line.src = "begin",
            Body::Console(console) => {
                line.src = "cons";
                line.priority = console.priority.map(priority_name);
                line.raw = Some(hex(&console.text));
                line.text = Some(console_text(console));
            }
            Body::ConsoleRead { lines, bytes, overrun } => {
                line.src = "cons";
                line.text = Some(format!("left out: lines={lines} bytes={bytes} overrun={overrun}"));
            }
            Body::NoConsole { errno, text } => {
                line.src = "cons";
                line.text = Some(format!("not available: errno={errno}: {text}"));
            }
            Body::Resolved { ifname, ifindex } => {
                line.src = "resolved";
                line.text = Some(format!("{ifname}={ifindex}"));
            }
            Body::Sent { data } => {
                line.src = "sent";
                line.raw = Some(hex(data));
            }
            Body::Reply { data, full_len } => {
                line.src = "reply";
                line.raw = Some(hex(data));
                if *full_len as usize > data.len() {
                    line.text = Some(format!("cut, {full_len} bytes in all"));
                }
            }
            Body::Race { round, lane, data } => {
                line.src = "race";
                line.raw = Some(hex(data));
                line.text = Some(format!("round={round} lane={lane}"));
            }
            Body::Hardware { card, name, deed, told } => {
                line.src = "hardware";
                line.text = Some(format!("{name} {} card={card} told={told}", deed.name()));
            }
            Body::Unnoticed { wait, limit_ms, foreknown } => {
                line.src = "hardware";
                line.text = Some(format!("not noticed: {wait} limit_ms={limit_ms} foreknown={foreknown}"));
            }
            Body::Raced { rounds, acts } => {
                line.src = "raced";
                line.text = Some(format!("rounds={rounds} acts={acts}"));
            }
            Body::Counted(counted) => {
                line.src = "counted";
                line.text = Some(counted_text(counted));
            }
            Body::Event { group, data } => {
                line.src = "mcast";
                line.group = Some(*group);
                line.raw = Some(hex(data));
            }
            Body::Exec { status, stdout, stderr } => {
                line.src = "exec";
                line.raw = Some(hex(stdout));
                line.text = Some(format!("status={status} stderr={}", String::from_utf8_lossy(stderr)));
            }
            Body::Output { stderr, data } => {
                line.src = "output";
                line.raw = Some(hex(data));
                line.text = Some(format!("stderr={stderr}"));
            }
            Body::Traced { data } => {
                line.src = "traced";
                line.raw = Some(hex(data));
            }
            Body::Drop { source, errno } => {
                line.src = "drop";
                if let DropSource::Group(group) = source {
                    line.group = Some(*group);
                }
                line.text = Some(format!("errno={errno}"));
            }
            Body::Kernel(event) => {
                line.src = "kern";
                line.cpu = Some(event.cpu);
                line.tid = Some(event.tid);
                let (probe, args) = raw_args(event);
                line.probe = Some(probe);
                line.args = Some(args);
            }
            Body::KernelLost { count } => {
                line.src = "kern";
                line.text = Some(format!("lost={count}"));
            }
            Body::Timeout => line.src = "timeout",
            Body::Error { stage, errno, text } => {
                line.src = "error";
                line.text = Some(format!("{stage:?} errno={errno}: {text}"));
            }
            Body::Spent(spent) => {
                line.src = "spent";
                let each = spent.iter().map(|(phase, ns)| format!("{}={ns}", phase.name()));
                line.text = Some(each.collect::<Vec<_>>().join(" "));
            }
            Body::End { died } => {
                line.src = "end";
                line.text = died.map(|status| format!("died={status}"));
            }
        }
        line
    }

    /// The line of a probe that DTrace heard of; its time is the agent's clock's.
    pub fn heard(vector: &'a str, event: &Event) -> Self {
        RawLine {
            src: "dtrace",
            cpu: Some(event.cpu),
            tid: Some(event.tid),
            probe: Some(event.probe.name.clone()),
            args: Some(event.raw_args()),
            ..RawLine::empty(vector, event.step, event.t_ns)
        }
    }

    /// The line of a probe of the user's.
    pub fn own(vector: &'a str, firing: &OwnFiring) -> Self {
        let args = ["arg0", "arg1"].into_iter().zip(firing.args);
        RawLine {
            src: "dtrace",
            cpu: Some(firing.cpu),
            tid: Some(firing.tid),
            probe: Some(firing.probe.clone()),
            args: Some(args.map(|(name, value)| (name.to_owned(), value.into())).collect()),
            ..RawLine::empty(vector, firing.step, firing.t_ns)
        }
    }

    /// The line that says how much DTrace lost.
    pub fn lost(vector: &'a str, count: u64) -> Self {
        RawLine { src: "dtrace", text: Some(format!("lost={count}")), ..RawLine::empty(vector, None, 0) }
    }

    fn empty(vector: &'a str, step: Option<u32>, t_ns: u64) -> Self {
        RawLine {
            v: VERSION,
            vec: vector,
            step,
            t_ns,
            src: "",
            group: None,
            cpu: None,
            tid: None,
            probe: None,
            args: None,
            priority: None,
            raw: None,
            text: None,
        }
    }
}

/// The numbers of what many requests came to, by name.
fn counted_text(counted: &Counted) -> String {
    let Counted { asked, answered, errors, messages, bytes, uneven, events, ticks } = counted;
    format!(
        "asked={asked} answered={answered} errors={errors} messages={messages} bytes={bytes} uneven={uneven} \
         events={events} ticks={ticks}"
    )
}

#[cfg(test)]
mod tests {
    use nlproof_agent::NO_STEP;

    use super::*;

    #[test]
    fn what_the_kernel_printed_has_its_priority_bytes_and_text() {
        let line = |body| {
            let record = Record { program: 0, step: NO_STEP, t_ns: 7, body };
            serde_json::to_string(&RawLine::new("link/x", &record)).unwrap()
        };
        let text = vec![b'l', b'o', 0xff];
        let console = nlproof_agent::ConsoleLine { priority: Some(6), text, cut: 3, whole: true };
        assert_eq!(
            line(Body::Console(console)),
            r#"{"v":1,"vec":"link/x","step":null,"t_ns":7,"src":"cons","priority":"info","raw":"6c6fff","text":"console[info]: lo\\xff ... (3 bytes more)"}"#
        );
        assert_eq!(
            line(Body::NoConsole { errno: 16, text: "/dev/klog cannot be opened".into() }),
            r#"{"v":1,"vec":"link/x","step":null,"t_ns":7,"src":"cons","text":"not available: errno=16: /dev/klog cannot be opened"}"#
        );
        assert_eq!(line(Body::Begin), r#"{"v":1,"vec":"link/x","step":null,"t_ns":7,"src":"begin"}"#);
    }

    #[test]
    fn bytes_are_kept() {
        let record = Record {
            program: 0,
            step: 2,
            t_ns: 7,
            body: Body::Reply { data: vec![0x14, 0, 0, 0xff], full_len: 9 },
        };
        let line = serde_json::to_string(&RawLine::new("link/x", &record)).unwrap();
        assert_eq!(
            line,
            r#"{"v":1,"vec":"link/x","step":2,"t_ns":7,"src":"reply","raw":"140000ff","text":"cut, 9 bytes in all"}"#
        );
    }
}
