// SPDX-License-Identifier: BSD-2-Clause
//! Rules that hold in every kernel trace, whatever the vector: checked without a golden.

use std::collections::HashMap;

use nlproof_agent::Record;
use nlproof_wire::consts::RTM_GETLINK;

use super::event::{Event, KernelTrace};
use super::heard::{Ended, Heard, unheard, without_cause};
use super::rule::{Rule, Violation};
use super::table::{Probe, Span, table};

impl Rule {
    /// The probes without which it says nothing.
    fn of(self) -> &'static [&'static str] {
        match self {
            Rule::ReferenceReleased | Rule::ReferenceTaken => &["reference-taken", "reference-released"],
            Rule::EpochBalance | Rule::NoSleepInEpoch => &["epoch-enter", "epoch-exit"],
            Rule::Nesting => &["request-in", "request-out"],
            Rule::OneEnd | Rule::EndIsHeard => &["message-written", "dump-end", "error"],
            Rule::EventHasCause => &["event-begin", "event-out", "event-end"],
        }
    }
}

/// Checks the rules that apply to a trace of stock code on that major: those whose probes all have functions there.
pub fn check_stock(trace: &KernelTrace, records: &[Record], major: u32) -> Vec<Violation> {
    let major = major.to_string();
    let told = |probe: &Probe| probe.stock_of(&major).next().is_some();
    let all_told = |rule: Rule| rule.of().iter().all(|name| table().by_name(name).is_some_and(told));
    // A span whose beginning nobody tells cannot end out of turn.
    let whole = |violation: &Violation| {
        let span = |probe: &Probe| match &probe.span {
            Some(Span::Opens(span) | Span::Closes(span)) => Some(span.clone()),
            None => None,
        };
        let of = violation.probe.and_then(span);
        of.is_some() && table().probes.iter().filter(|probe| span(probe) == of).all(told)
    };
    let mut violations = check(trace, records);
    violations.retain(|violation| {
        all_told(violation.rule) && (violation.rule != Rule::Nesting || whole(violation))
    });
    violations
}

/// Checks all rules. `records` are those of the whole program: with the kernel's also what the sockets heard. The
/// violations come in the order of their culprits.
pub fn check(trace: &KernelTrace, records: &[Record]) -> Vec<Violation> {
    let mut checker = Checker::default();
    for (place, event) in trace.events.iter().enumerate() {
        checker.event(place, event);
    }
    checker.end(trace);
    for place in unheard(&checker.ended, records) {
        if let Some(event) = trace.events.get(place) {
            checker.break_rule(Rule::EndIsHeard, place, event);
        }
    }
    let without = without_cause(trace, records);
    checker.found.extend(without.into_iter().map(|violation| (trace.events.len(), violation)));
    checker.found.sort_by_key(|(place, violation)| (*place, violation.rule));
    checker.found.into_iter().map(|(_, violation)| violation).collect()
}

/// Open spans, references and epochs of a thread.
#[derive(Default)]
struct Thread<'a> {
    /// Spans that have begun: name, where, and the event.
    open: Vec<(&'a str, usize, &'a Event)>,
    /// References taken and not released.
    references: Vec<(usize, &'a Event)>,
    /// The end of its request so far.
    ends: Ends,
}

#[derive(Default, Clone, Copy)]
struct Ends {
    dumps: u32,
    errors: u32,
    replies: u32,
}

#[derive(Default)]
struct Checker<'a> {
    threads: HashMap<u32, Thread<'a>>,
    found: Vec<(usize, Violation)>,
    /// Requests that have ended and that somebody hears of.
    ended: Vec<Ended<'a>>,
}

impl<'a> Checker<'a> {
    fn break_rule(&mut self, rule: Rule, place: usize, culprit: &Event) {
        let within = self.threads.get(&culprit.tid).and_then(|thread| {
            let around = |(name, _, _): &&(&str, usize, &Event)| matches!(*name, "request" | "event");
            let (_, at, event) = thread.open.iter().find(around)?;
            (*at != place).then(|| event.text())
        });
        let violation = Violation {
            rule,
            step: culprit.step,
            probe: Some(culprit.probe),
            culprit: culprit.text(),
            within,
        };
        self.found.push((place, violation));
    }

    fn event(&mut self, place: usize, event: &'a Event) {
        let thread = self.threads.entry(event.tid).or_default();
        let within = |span: &str| thread.open.iter().any(|(name, _, _)| *name == span);
        let (in_epoch, in_dump, in_event) = (within("epoch"), within("dump"), within("event"));
        if event.probe.sleeps && in_epoch {
            self.break_rule(Rule::NoSleepInEpoch, place, event);
        }
        match event.probe.name.as_str() {
            "reference-taken" => self.thread(event).references.push((place, event)),
            "reference-released" => {
                let references = &mut self.thread(event).references;
                let same = |(_, taken): &(usize, &Event)| taken.get("interface") == event.get("interface");
                match references.iter().rposition(same) {
                    Some(found) => {
                        references.remove(found);
                    }
                    None => self.break_rule(Rule::ReferenceTaken, place, event),
                }
            }
            "message-written" if !in_dump && !in_event => self.thread(event).ends.replies += 1,
            "dump-end" => self.thread(event).ends.dumps += 1,
            "error" => self.thread(event).ends.errors += 1,
            "event-out" if !in_event => self.break_rule(Rule::EventHasCause, place, event),
            _ => {}
        }
        match &event.probe.span {
            Some(Span::Opens(span)) => {
                let thread = self.thread(event);
                if span == "request" {
                    thread.ends = Ends::default();
                }
                thread.open.push((span, place, event));
                if span == "event" && event.step.is_none() {
                    self.break_rule(Rule::EventHasCause, place, event);
                }
            }
            Some(Span::Closes(span)) => self.close(span, place, event),
            None => {}
        }
    }

    fn thread(&mut self, event: &Event) -> &mut Thread<'a> {
        self.threads.entry(event.tid).or_default()
    }

    /// A span ends. What it held inside must have ended before; when a request or event ends, nothing may be left.
    fn close(&mut self, span: &str, place: usize, event: &'a Event) {
        let open = self.thread(event).open.iter().rposition(|(name, _, _)| *name == span);
        let Some(open) = open else {
            let rule = if span == "epoch" { Rule::EpochBalance } else { Rule::Nesting };
            return self.break_rule(rule, place, event);
        };
        let left: Vec<_> = self.thread(event).open.drain(open + 1..).collect();
        for (name, at, begun) in left {
            let rule = if name == "epoch" { Rule::EpochBalance } else { Rule::Nesting };
            self.break_rule(rule, at, begun);
        }
        if span == "request" {
            let begun = self.thread(event).open.get(open).map(|(_, _, begun)| *begun);
            self.request_ended(place, event, begun);
        }
        self.thread(event).open.truncate(open);
    }

    fn request_ended(&mut self, place: usize, event: &'a Event, begun: Option<&'a Event>) {
        let thread = self.thread(event);
        let ends = thread.ends;
        for (at, taken) in std::mem::take(&mut thread.references) {
            self.break_rule(Rule::ReferenceReleased, at, taken);
        }
        let errno = event.errno().unwrap_or(0);
        let is_get = begun.and_then(|begun| begun.number("message")) == Some(u64::from(RTM_GETLINK));
        // A dump that failed says so in NLMSG_DONE. A request that is carried out has nothing to say but that.
        let fine = match ends {
            Ends { dumps: 1, errors: 0, replies: 0 } => true,
            Ends { dumps: 0, errors: 1, replies: 0 } => errno != 0,
            Ends { dumps: 0, errors: 0, replies } => errno == 0 && replies == u32::from(is_get),
            _ => false,
        };
        let Some(begun) = begun.filter(|_| fine) else {
            return self.break_rule(Rule::OneEnd, place, event);
        };
        let heard = match ends {
            Ends { dumps: 1, .. } => Heard::Done,
            Ends { errors: 1, .. } => Heard::Error(errno),
            Ends { replies: 1, .. } => Heard::Message,
            _ => return,
        };
        self.ended.push(Ended { place, begun, heard });
    }

    /// Checks that nothing is left when the program is over.
    fn end(&mut self, trace: &KernelTrace) {
        let mut left = Vec::new();
        for thread in self.threads.values() {
            left.extend(thread.references.iter().map(|(at, _)| (Rule::ReferenceReleased, *at)));
            for (name, at, _) in &thread.open {
                let rule = match *name {
                    "epoch" => Rule::EpochBalance,
                    "request" => Rule::OneEnd,
                    _ => Rule::Nesting,
                };
                left.push((rule, *at));
            }
        }
        for (rule, at) in left {
            if let Some(event) = trace.events.get(at) {
                self.break_rule(rule, at, event);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use iface_core::{CloneOp, Name, Probe};
    use nlproof_wire::consts::RTM_NEWLINK;

    use super::super::event::tests::record;
    use super::*;

    pub(in super::super) const GET: u16 = RTM_GETLINK;

    pub(in super::super) fn begin(message: u16) -> Probe {
        Probe::RequestIn { message, flags: 1, seq: 7, pid: 9, len: 32 }
    }

    pub(in super::super) fn end(message: u16, errno: i32) -> Probe {
        Probe::RequestOut { message, seq: 7, errno }
    }

    fn written(flags: u16) -> Probe {
        Probe::MessageWritten { message: RTM_NEWLINK, flags, seq: 7, index: 3 }
    }

    const TAKEN: Probe = Probe::ReferenceTaken { index: 3, interface: 0x1000 };
    const RELEASED: Probe = Probe::ReferenceReleased { index: 3, interface: 0x1000 };
    const ENTER: Probe = Probe::EpochEnter { depth: 1 };
    const EXIT: Probe = Probe::EpochExit { depth: 1 };

    pub(in super::super) fn records(probes: &[Probe]) -> Vec<Record> {
        (1..).zip(probes).map(|(t_ns, probe)| record(0, t_ns, 1, *probe)).collect()
    }

    fn broken(probes: &[Probe]) -> Vec<(Rule, String)> {
        let records = records(probes);
        let violations = check(&KernelTrace::from_records(&records), &records);
        violations.into_iter().map(|violation| (violation.rule, violation.culprit)).collect()
    }

    fn rules(probes: &[Probe]) -> Vec<Rule> {
        broken(probes).into_iter().map(|(rule, _)| rule).collect()
    }

    #[test]
    fn each_reference_taken_is_released() {
        assert_eq!(broken(&[begin(GET), TAKEN, written(1), RELEASED, end(GET, 0)]), []);
        let leak = broken(&[begin(GET), TAKEN, written(1), end(GET, 0)]);
        assert_eq!(leak, [(Rule::ReferenceReleased, "reference-taken index=3 interface=0x1000".into())]);
        assert_eq!(rules(&[begin(GET), written(1), RELEASED, end(GET, 0)]), [Rule::ReferenceTaken]);
        // Also outside of a request, once the program is over.
        assert_eq!(rules(&[TAKEN]), [Rule::ReferenceReleased]);
    }

    #[test]
    fn the_epoch_is_left_as_often_as_it_is_entered() {
        assert_eq!(broken(&[begin(GET), ENTER, EXIT, written(1), end(GET, 0)]), []);
        assert_eq!(rules(&[begin(GET), ENTER, written(1), end(GET, 0)]), [Rule::EpochBalance]);
        assert_eq!(rules(&[begin(GET), EXIT, written(1), end(GET, 0)]), [Rule::EpochBalance]);
        assert_eq!(rules(&[ENTER]), [Rule::EpochBalance]);
    }

    #[test]
    fn nothing_sleeps_inside_the_epoch() {
        let op = CloneOp::Destroy;
        let ask = Probe::ClonerIn { op, index: 3, name: Name::truncated(b"lo0") };
        let answer = Probe::ClonerOut { op, index: 3, errno: 0 };
        assert_eq!(broken(&[begin(17), ENTER, EXIT, ask, answer, end(17, 0)]), []);
        let asleep = broken(&[begin(17), ENTER, ask, answer, EXIT, end(17, 0)]);
        assert_eq!(asleep, [(Rule::NoSleepInEpoch, "cloner-in op=destroy index=3 name=lo0".into())]);
    }

    #[test]
    fn a_request_ends_once() {
        let error = Probe::Error { message: GET, seq: 7, errno: 2 };
        let dump = [
            Probe::DumpBegin { message: RTM_NEWLINK, seq: 7 },
            written(3),
            Probe::DumpEnd { message: RTM_NEWLINK, seq: 7, errno: 0 },
        ];
        let [dump_begin, part, dump_end] = dump;
        assert_eq!(rules(&[begin(GET), dump_begin, part, dump_end, end(GET, 0)]), []);
        assert_eq!(rules(&[begin(GET), error, end(GET, 2)]), []);
        assert_eq!(rules(&[begin(16), end(16, 0)]), [], "carried out");
        for both in [
            vec![begin(GET), end(GET, 0)],
            vec![begin(GET), end(GET, 2)],
            vec![begin(GET), written(1), written(1), end(GET, 0)],
            vec![begin(GET), written(1), error, end(GET, 2)],
            vec![begin(GET), dump_begin, dump_end, error, end(GET, 2)],
            vec![begin(GET), dump_begin, dump_end, dump_begin, dump_end, end(GET, 0)],
            vec![begin(GET), error],
        ] {
            assert_eq!(rules(&both), [Rule::OneEnd], "{both:?}");
        }
    }

    #[test]
    fn spans_nest() {
        let dump = Probe::DumpBegin { message: RTM_NEWLINK, seq: 7 };
        let found = rules(&[begin(GET), dump, written(1), end(GET, 0)]);
        assert!(found.contains(&Rule::Nesting), "{found:?}");
        assert_eq!(rules(&[end(GET, 0)]), [Rule::Nesting]);
    }

    #[test]
    fn a_violation_names_request_and_line() {
        let records = records(&[begin(GET), TAKEN, written(1), end(GET, 0)]);
        let violations = check(&KernelTrace::from_records(&records), &records);
        assert_eq!(
            violations[0].to_string(),
            "a reference was taken and not released: step 0: reference-taken index=3 interface=0x1000\n    \
             in request-in message=getlink flags=request seq=7 pid=9 len=32"
        );
    }
}
