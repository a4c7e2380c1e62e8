// SPDX-License-Identifier: BSD-2-Clause
//! DTrace's side of the table: a D program that says when stock code passes the points at which the Rust code fires
//! probes, and what it said, as a kernel trace.
//!
//! A line of its output is `k TIME CPU THREAD VNET PROBE ARG...`: time in nanoseconds of DTrace's clock, the network stack
//! and arguments in hexadecimal, `-` for an argument that is not known there. `begin` and `end` stand around all of them:
//! without either the trace has a hole. DTrace puts records into one buffer for each processor, and says on standard
//! error when one had no room (dtrace(1), "drops").

use std::collections::HashMap;
use std::fmt::Write as _;

use nlproof_agent::{Body, Record};

use super::event::{Event, KernelTrace, word_value};
use super::table::{Place, Span, table};

/// The D program for the functions of a major.
pub fn script(major: u32) -> String {
    let major = major.to_string();
    let mut text = String::from(
        "#pragma D option quiet\n#pragma D option temporal\n#pragma D option bufsize=4m\n#pragma D option \
         switchrate=50hz\nBEGIN { printf(\"begin\\n\"); }\n",
    );
    for (number, probe) in table().probes.iter().enumerate() {
        for stock in probe.stock.iter().filter(|stock| stock.releases.contains(&major)) {
            let place = match stock.at {
                Place::Entry => "entry",
                Place::Return => "return",
            };
            let inside = stock.of.as_ref().map_or(String::new(), |span| format!(" /self->{span}/"));
            let (mut formats, mut values) = (String::new(), String::new());
            for arg in &probe.args {
                match stock.values.get(&arg.name) {
                    Some(value) => {
                        formats.push_str(" %x");
                        // Errors' numbers keep their sign.
                        write!(values, ", (uint64_t)(int64_t)({value})").ok();
                    }
                    None => formats.push_str(" -"),
                }
            }
            // Threads know which spans they are in.
            let span = match &probe.span {
                Some(Span::Opens(span)) => format!(" self->{span} = 1;"),
                Some(Span::Closes(span)) => format!(" self->{span} = 0;"),
                None => String::new(),
            };
            writeln!(
                text,
                "fbt::{}:{place}{inside} {{{span} printf(\"k %d %d %d %x {number}{formats}\\n\", timestamp, cpu, tid, \
                 (uint64_t)curthread->td_vnet{values}); }}",
                stock.function
            )
            .ok();
        }
    }
    text.push_str("END { printf(\"end\\n\"); }\n");
    text
}

/// What a D program of [`script`] said, in the network stack of the program whose records these are. `seqs` gives the
/// sequence numbers of a step.
pub fn from_dtrace(
    stdout: &str,
    stderr: &str,
    records: &[Record],
    seqs: impl Fn(u32) -> std::ops::Range<u32>,
) -> KernelTrace {
    let mut trace = KernelTrace { present: true, lost: drops(stderr), ..KernelTrace::default() };
    let lines = stdout.lines().map(str::trim).filter(|line| !line.is_empty());
    let whole = lines.clone().any(|line| line == "begin") && lines.clone().any(|line| line == "end");
    trace.lost += u64::from(!whole);
    let mut heard = Vec::new();
    for line in lines.filter(|line| !matches!(*line, "begin" | "end")) {
        match parse(line) {
            Some(event) => heard.push(event),
            None => trace.lost += 1,
        }
    }
    let sent = sent(records);
    let step_of = |seq: u64| {
        let step_has = |step: &u32| u32::try_from(seq).is_ok_and(|seq| seqs(*step).contains(&seq));
        sent.keys().copied().find(step_has)
    };
    // The vector's own requests tell its network stack, and how DTrace's clock stands to the agent's: a request comes
    // to its handler after it was sent, and soon after once at least.
    let own: Vec<(u64, u64, u32)> = heard
        .iter()
        .filter(|(_, event)| event.probe.name == "request-in")
        .filter_map(|(vnet, event)| Some((*vnet, event.t_ns, step_of(event.number("seq")?)?)))
        .collect();
    let Some((vnet, ..)) = own.first().copied() else { return trace };
    let ahead =
        own.iter().filter_map(|(_, t_ns, step)| Some(i128::from(*t_ns) - i128::from(*sent.get(step)?))).min();
    let ahead = ahead.unwrap_or_default();
    let ends = ends(records);
    for (_, mut event) in heard.into_iter().filter(|(other, _)| *other == vnet) {
        event.t_ns = u64::try_from(i128::from(event.t_ns) - ahead).unwrap_or_default();
        // What comes after the last step is the end of the network stack.
        if let Some((step, _)) = ends.iter().find(|(_, end)| event.t_ns <= *end) {
            event.step = Some(*step);
            trace.events.push(event);
        }
    }
    trace.events.sort_by_key(|event| event.t_ns);
    trace
}

/// `k TIME CPU THREAD VNET PROBE ARG...`: the network stack and the event.
fn parse(line: &str) -> Option<(u64, Event)> {
    let mut words = line.strip_prefix("k ")?.split(' ');
    let mut decimal = || words.next()?.parse::<u64>().ok();
    let (t_ns, cpu, tid) = (decimal()?, decimal()?, decimal()?);
    let vnet = u64::from_str_radix(words.next()?, 16).ok()?;
    let probe = table().by_number(words.next()?.parse().ok()?)?;
    let mut values = Vec::new();
    for arg in &probe.args {
        values.push(match words.next()? {
            "-" => None,
            word => Some(word_value(arg, u64::from_str_radix(word, 16).ok()?)),
        });
    }
    if words.next().is_some() {
        return None;
    }
    let (cpu, tid) = (u16::try_from(cpu).ok()?, u32::try_from(tid).ok()?);
    Some((vnet, Event { step: None, t_ns, cpu, tid, probe, values }))
}

/// `dtrace: 12 drops on CPU 0`, and other kinds of drops; what else DTrace complains of counts as one.
fn drops(stderr: &str) -> u64 {
    stderr
        .lines()
        .filter(|line| line.contains("drop") || line.contains("error"))
        .map(|line| line.split(' ').find_map(|word| word.parse::<u64>().ok()).unwrap_or(1).max(1))
        .sum()
}

/// When each step's first datagram was sent.
fn sent(records: &[Record]) -> HashMap<u32, u64> {
    let mut sent = HashMap::new();
    for record in records {
        if let Body::Sent { .. } = &record.body {
            sent.entry(record.step).or_insert(record.t_ns);
        }
    }
    sent
}

/// When each step was over, in order.
fn ends(records: &[Record]) -> Vec<(u32, u64)> {
    let mut ends: Vec<(u32, u64)> = Vec::new();
    for record in records.iter().filter(|record| record.step != u32::MAX) {
        match ends.last_mut().filter(|(step, _)| *step == record.step) {
            Some((_, end)) => *end = (*end).max(record.t_ns),
            None => ends.push((record.step, record.t_ns)),
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(step: u32, t_ns: u64) -> Record {
        Record { program: 0, step, t_ns, body: Body::Sent { data: vec![0; 16] } }
    }

    fn over(step: u32, t_ns: u64) -> Record {
        Record { program: 0, step, t_ns, body: Body::Resolved { ifname: "lo0".into(), ifindex: 1 } }
    }

    fn heard(stdout: &str, stderr: &str) -> KernelTrace {
        let records = [sent(0, 1_000), over(0, 2_000), sent(1, 3_000), over(1, 4_000)];
        from_dtrace(stdout, stderr, &records, |step| 10 * step..10 * step + 10)
    }

    const WHOLE: &str = "begin\n\nk 50500 0 7 ff80 0 12 1 0 0 20\nk 50600 0 8 ff90 8 0 5 - -\nk 50900 0 7 ff80 7 - - \
                         ffffffffffffffff\nk 52500 0 7 ff80 0 12 1 a 0 20\nk 54000 0 9 ff80 8 1 4 - -\nend\n";

    #[test]
    fn what_was_heard_is_the_vectors_by_stack_and_step_and_on_the_agents_clock() {
        let trace = heard(WHOLE, "dtrace: buffer size lowered to 2m\n");
        assert!(trace.present && trace.lost == 0, "{trace:?}");
        let events: Vec<_> =
            trace.events.iter().map(|event| (event.step, event.t_ns, event.text())).collect();
        // The second request shows that DTrace is 49,500 ahead; another stack's event, and what comes after the last
        // step, are not the vector's.
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!((events[0].0, events[0].1), (Some(0), 1_000));
        assert_eq!(events[0].2, "request-in message=getlink flags=request seq=0 pid=0 len=32");
        assert_eq!((events[1].0, events[1].2.as_str()), (Some(0), "request-out errno=-1"));
        assert_eq!((events[2].0, events[2].1), (Some(1), 3_000));
    }

    #[test]
    fn holes_are_counted() {
        assert_eq!(heard(WHOLE, "dtrace: 12 drops on CPU 0\n").lost, 12);
        assert_eq!(heard(WHOLE.trim_end_matches("end\n"), "").lost, 1);
        assert_eq!(heard(&WHOLE.replace("begin\n", ""), "").lost, 1);
        for bad in ["k 1 2", "k 1 0 7 ff80 999", "nonsense", "k 1 0 7 ff80 7 - - x", "k 1 0 7 ff80 7 - - 0 0"]
        {
            assert_eq!(heard(&format!("{bad}\n{WHOLE}"), "").lost, 1, "{bad}");
        }
    }

    #[test]
    fn the_program_is_made_of_the_table() {
        let script = script(14);
        assert!(
            script
                .contains("fbt::rtnl_handle_message:entry { self->request = 1; printf(\"k %d %d %d %x 0 %x")
        );
        assert!(script.contains("fbt::if_clone_destroy:entry /self->request/ {"), "{script}");
        assert!(script.contains("fbt::rtnl_handle_ifevent:return {"), "{script}");
        let of_15 = super::script(15);
        assert!(
            !of_15.contains("rtnl_handle_ifevent") && of_15.contains("fbt::rtnl_handle_ifattach:return {")
        );
        assert!(!super::script(13).contains("fbt::"));
    }
}
