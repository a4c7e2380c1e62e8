// SPDX-License-Identifier: BSD-2-Clause
//! Kernel traces from dtrace(1): the lines of a D program (`script.rs`), sorted by the vector that they belong to.
//!
//! DTrace puts records into one buffer for each processor, and says on standard error when one had no room (dtrace(1),
//! "drops"): without any of these, or without `begin` or `end`, a trace has a hole.

use std::collections::HashMap;
use std::ops::Range;

use nlproof_agent::{Body, Record};

use super::dtrace_line::{Line, What, drops, meant, parse};
use super::event::{Event, KernelTrace, OwnFiring};

/// The whole output of a D program.
#[derive(Debug, Default)]
pub struct DtraceLog {
    /// In the order of time.
    lines: Vec<Line>,
    /// How much is missing.
    pub lost: u64,
}

/// Offset of DTrace's clock from the agent's while one program runs. DTrace counts the processor's cycles, and over a
/// minute the two drift apart by milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    /// Nanoseconds that DTrace's clock is ahead; too many by the time that the quickest request took to its handler.
    ahead: i128,
}

impl DtraceLog {
    /// Reads what it printed and what dtrace(1) complained of.
    pub fn parse(stdout: &str, stderr: &str) -> DtraceLog {
        let mut log = DtraceLog { lines: Vec::new(), lost: drops(stderr) };
        let lines = || stdout.lines().map(str::trim).filter(|line| !line.is_empty());
        let whole = lines().any(|line| line == "begin") && lines().any(|line| line == "end");
        log.lost += u64::from(!whole);
        let mut heard = Vec::new();
        for line in lines().filter(|line| !matches!(*line, "begin" | "end")) {
            match parse(line) {
                Some(parsed) => heard.push(parsed),
                None => log.lost += 1,
            }
        }
        // The sort is stable, and DTrace's order is right where times are equal.
        heard.sort_by_key(|(line, _)| line.t_ns);
        log.lines = meant(heard);
        log
    }

    /// Offset of DTrace's clock from that of a program with these records. The ring tells when a request reached its
    /// handler; without a ring, that is after it was sent, and soon after in at least one case. `None` if the program's
    /// own requests are not among what was heard.
    fn clock(&self, records: &[Record], seqs: &impl Fn(u32) -> Range<u32>) -> Option<Clock> {
        let mut sent = sent(records);
        for event in KernelTrace::from_records(records).events.iter().rev() {
            // The first of each step: others, of other programs, come to it later or have other numbers.
            let own = event.number("seq").and_then(|seq| u32::try_from(seq).ok());
            if let (Some(step), "request-in") = (event.step, event.probe.name.as_str())
                && own.is_some_and(|seq| seqs(step).contains(&seq))
            {
                sent.insert(step, event.t_ns);
            }
        }
        let mut own: Vec<_> = self.own_requests(records, seqs).collect();
        own.dedup_by_key(|(_, _, step)| *step);
        own.into_iter()
            .filter_map(|(_, t_ns, step)| Some(i128::from(t_ns) - i128::from(*sent.get(&step)?)))
            .min()
            .map(|ahead| Clock { ahead })
    }

    /// The kernel trace of the program with these records, in its own network stack. `None` if none of the program's own
    /// requests was heard: nothing tells its stack then.
    ///
    /// What a request does belongs to its step, whatever the clocks say; anything else to the step that had begun last.
    pub fn of_program(&self, records: &[Record], seqs: impl Fn(u32) -> Range<u32>) -> Option<KernelTrace> {
        let requests: Vec<_> = self.own_requests(records, &seqs).collect();
        let (vnet, ..) = *requests.first()?;
        let Clock { ahead } = self.clock(records, &seqs)?;
        let mut trace = KernelTrace { present: true, lost: self.lost, ..KernelTrace::default() };
        let steps = Steps::of(records);
        // The steps of the requests that threads are in the middle of.
        let mut inside: HashMap<u32, u32> = HashMap::new();
        let first = requests.first().map_or(0, |(_, t_ns, _)| *t_ns);
        let gone = |line: &&Line| matches!(line.what, What::Gone) && line.vnet == vnet && line.t_ns >= first;
        let end = self.lines.iter().position(|line| gone(&line)).unwrap_or(self.lines.len());
        for line in self.lines.iter().take(end) {
            let t_ns = u64::try_from(i128::from(line.t_ns) - ahead).unwrap_or_default();
            match &line.what {
                What::Probe(event) if line.vnet == vnet => {
                    if event.probe.name == "request-in"
                        && let Some((_, _, step)) = requests.iter().find(|(_, begun, _)| *begun == line.t_ns)
                    {
                        inside.insert(event.tid, *step);
                    }
                    if let Some(step) = inside.get(&event.tid).copied().or_else(|| steps.at(t_ns)) {
                        trace.events.push(Event { step: Some(step), t_ns, ..event.clone() });
                    }
                    if event.probe.name == "request-out" {
                        inside.remove(&event.tid);
                    }
                }
                // A thread outside any network stack may work for this one.
                What::Own(firing) if line.vnet == vnet || line.vnet == 0 => {
                    if let Some(step) = inside.get(&firing.tid).copied().or_else(|| steps.at(t_ns)) {
                        trace.own.push(OwnFiring { step: Some(step), t_ns, ..firing.clone() });
                    }
                }
                What::Probe(_) | What::Own(_) | What::Gone => {}
            }
        }
        Some(trace)
    }

    /// The program's own requests: their network stack, time, and step.
    fn own_requests<'a>(
        &'a self,
        records: &'a [Record],
        seqs: &'a impl Fn(u32) -> Range<u32>,
    ) -> impl Iterator<Item = (u64, u64, u32)> + 'a {
        let own = records.iter().find_map(|record| match record.body {
            Body::Start { pid } => Some(u64::from(pid)),
            _ => None,
        });
        let mut steps: Vec<u32> = sent(records).into_keys().collect();
        steps.sort_unstable();
        self.lines.iter().filter_map(move |line| {
            let What::Probe(event) = &line.what else { return None };
            let (pid, seq) = (event.number("pid"), event.number("seq")?);
            if event.probe.name != "request-in" || (own.is_some() && pid != own) {
                return None;
            }
            let seq = u32::try_from(seq).ok()?;
            let step = steps.iter().copied().find(|step| seqs(*step).contains(&seq))?;
            Some((line.vnet, line.t_ns, step))
        })
    }
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

/// When a program's steps began, and when the last of them was over: what comes after it is the end of the network stack.
struct Steps {
    begun: Vec<(u32, u64)>,
    over: u64,
}

impl Steps {
    fn of(records: &[Record]) -> Steps {
        let mut steps = Steps { begun: Vec::new(), over: records.first().map_or(0, |record| record.t_ns) };
        // The kernel's lines come when the steps are over.
        let in_steps =
            |record: &&Record| record.in_step().is_some() && !matches!(record.body, Body::Console(_));
        for record in records.iter().filter(in_steps) {
            if record.body == Body::Begin {
                steps.begun.push((record.step, record.t_ns));
            }
            steps.over = steps.over.max(record.t_ns);
        }
        steps
    }

    /// The step at that time.
    fn at(&self, t_ns: u64) -> Option<u32> {
        let begun = self.begun.iter().rfind(|(_, begun)| *begun <= t_ns).map(|(step, _)| *step);
        begun.filter(|_| t_ns <= self.over)
    }
}

#[cfg(test)]
mod tests {
    use nlproof_agent::NO_STEP;

    use super::*;

    fn record(step: u32, t_ns: u64, body: Body) -> Record {
        Record { program: 0, step, t_ns, body }
    }

    fn sent(step: u32, t_ns: u64) -> Record {
        record(step, t_ns, Body::Sent { data: vec![0; 16] })
    }

    fn over(step: u32, t_ns: u64) -> Record {
        record(step, t_ns, Body::Resolved { ifname: "lo0".into(), ifindex: 1 })
    }

    fn begin(step: u32, t_ns: u64) -> Record {
        record(step, t_ns, Body::Begin)
    }

    fn records() -> [Record; 7] {
        [
            record(NO_STEP, 900, Body::Start { pid: 9 }),
            begin(0, 1_000),
            sent(0, 1_000),
            over(0, 2_000),
            begin(1, 3_000),
            sent(1, 3_000),
            over(1, 4_000),
        ]
    }

    fn heard(stdout: &str, stderr: &str) -> Option<KernelTrace> {
        let seqs = |step| 10 * step..10 * step + 10;
        DtraceLog::parse(stdout, stderr).of_program(&records(), seqs)
    }

    const WHOLE: &str = "begin\n\nk 50400 0 7 ff80 7.0 - - - 0\nk 50500 0 7 ff80 0.0 - 12 1 0 9 20\nk 50550 0 8 ff90 \
                         0.0 - 12 1 0 8 20\nk 50600 0 8 ff90 8.0 - 0 5 - -\nu 50700 0 7 ff80 0 fbt:kernel:f:entry a \
                         b\nu 50700 0 7 ff90 0 fbt:kernel:f:entry a b\nu 50800 0 6 0 0 fbt:kernel:g:return a b\nk \
                         50900 0 7 ff80 7.0 - - - ffffffffffffffff\nk 52500 0 7 ff80 0.0 - 12 1 a 9 20\nk 54000 0 9 \
                         ff80 8.0 - 1 4 - -\nend\n";

    #[test]
    fn what_was_heard_is_the_vectors_by_stack_and_step_and_on_the_agents_clock() {
        let trace = heard(WHOLE, "dtrace: buffer size lowered to 2m\n").unwrap();
        assert!(trace.present && trace.lost == 0, "{trace:?}");
        let events: Vec<_> =
            trace.events.iter().map(|event| (event.step, event.t_ns, event.text())).collect();
        // The second request shows that DTrace is 49,500 ahead; what came before the program, another stack's event, and
        // what comes after the last step, are not the vector's.
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!((events[0].0, events[0].1), (Some(0), 1_000));
        assert_eq!(events[0].2, "request-in message=getlink flags=request seq=0 pid=9 len=32");
        assert_eq!((events[1].0, events[1].2.as_str()), (Some(0), "request-out errno=-1"));
        assert_eq!((events[2].0, events[2].1), (Some(1), 3_000));
        let own: Vec<_> = trace.own.iter().map(|own| (own.t_ns, own.probe.as_str(), own.args)).collect();
        assert_eq!(own, [(1_200, "fbt:kernel:f:entry", [10, 11]), (1_300, "fbt:kernel:g:return", [10, 11])]);
    }

    #[test]
    fn a_step_lasts_until_the_next_one_begins_and_the_last_one_until_all_was_seen() {
        let exec = Body::Exec { status: 0, stdout: Vec::new(), stderr: Vec::new() };
        let line =
            Body::Console(nlproof_agent::ConsoleLine { priority: None, text: vec![], cut: 0, whole: true });
        let steps = Steps::of(&[
            begin(0, 100),
            over(0, 200),
            begin(1, 250),
            record(1, 900, exec),
            begin(2, 1_000),
            over(2, 1_100),
            begin(NO_STEP, 1_200),
            // What the kernel printed comes last.
            record(2, 1_190, line),
        ]);
        let at = |t_ns| steps.at(t_ns);
        assert_eq!(
            [at(99), at(150), at(249), at(250), at(950), at(1_000), at(1_101)],
            [None, Some(0), Some(0), Some(1), Some(1), Some(2), None]
        );
    }

    #[test]
    fn the_ring_tells_the_clock_exactly() {
        let args = [18, 1, 0, 9, 32];
        let ring = nlproof_agent::KernelEvent { cpu: 0, tid: 7, probe: 0, args };
        let mut records = records().to_vec();
        records.insert(2, record(0, 1_300, Body::Kernel(ring)));
        let seqs = |step| 10 * step..10 * step + 10;
        let log = DtraceLog::parse(&WHOLE.replace("k 52500", "k 59999"), "");
        let clock = log.clock(&records, &seqs).unwrap();
        assert_eq!(clock, Clock { ahead: 49_200 });
    }

    #[test]
    fn the_end_of_the_network_stack_is_no_work_of_the_vector() {
        // The end of an earlier one in the same memory is none of this one.
        let gone = WHOLE
            .replace("k 50900", "d 50850 0 9 ff80\nk 50900")
            .replace("begin\n", "begin\nd 40 0 9 ff80\n");
        let trace = heard(&gone, "").unwrap();
        let last = trace.events.last().map(|event| event.probe.name.clone());
        assert_eq!((last.as_deref(), trace.lost), (Some("request-in"), 0));
    }

    #[test]
    fn holes_are_counted() {
        assert_eq!(heard(WHOLE, "dtrace: 12 drops on CPU 0\n").unwrap().lost, 12);
        assert_eq!(heard(WHOLE.trim_end_matches("end\n"), "").unwrap().lost, 1);
        assert_eq!(heard(&WHOLE.replace("begin\n", ""), "").unwrap().lost, 1);
        for bad in [
            "k 1 2",
            "k 1 0 7 ff80 999.0",
            "nonsense",
            "k 1 0 7 ff80 7.0 - - - x",
            "k 1 0 7 ff80 7.0 - - - 0 0",
            "k 1 0 7 ff80 7.9 - - - 0",
            "u 1 0 7 ff80 0 fbt:kernel:f:entry a",
        ] {
            assert_eq!(heard(&format!("{bad}\n{WHOLE}"), "").unwrap().lost, 1, "{bad}");
        }
        assert!(heard("begin\nend\n", "").is_none(), "no request of the program was heard");
    }

    #[test]
    fn only_what_the_table_means_is_kept() {
        // Lookups and references of the interface code itself, and the end of an event that has begun.
        let lines = "begin\nk 1 0 7 1 2.0 kernel`rtnl_handle_addr+0x9e - - 3\nk 2 0 7 1 2.2 kernel`get_aifp+0x26 - - \
                     3\nk 3 0 7 1 10.0 - - -\nk 4 0 7 1 8.0 - 0 3 - 306f6c 0\nk 5 0 7 1 10.0 - - -\nk 6 0 7 1 10.0 - \
                     - -\nend\n";
        let log = DtraceLog::parse(lines, "");
        let texts: Vec<_> = log
            .lines
            .iter()
            .filter_map(|line| match &line.what {
                What::Probe(event) => Some((line.t_ns, event.text())),
                What::Own(_) | What::Gone => None,
            })
            .collect();
        assert_eq!(
            texts,
            [
                (1, "interface-looked-up found=3".to_owned()),
                (4, "event-begin what=arrived index=3 name=lo0".to_owned()),
                (5, "event-end what=arrived".to_owned()),
            ]
        );
        assert_eq!(log.lost, 0);
    }
}
