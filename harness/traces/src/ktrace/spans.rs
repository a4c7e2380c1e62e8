// SPDX-License-Identifier: BSD-2-Clause
//! The spans of a kernel trace, each with its duration and the spans around it.

use std::collections::{BTreeMap, HashMap};

use super::event::{Event, KernelTrace};
use super::table::{ArgType, Simple, Span};

/// Something that began and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The span's name in the table: `request`.
    pub name: String,
    /// The labels of the spans around it and its own: `request newlink`, `cloner create`.
    pub stack: Vec<String>,
    /// The thread.
    pub tid: u32,
    /// Nanoseconds of the guest's clock.
    pub begin_ns: u64,
    /// Nanoseconds of the guest's clock.
    pub end_ns: u64,
    /// Nanoseconds that no span inside it took.
    pub own_ns: u64,
}

struct Open<'a> {
    name: &'a str,
    label: String,
    begin_ns: u64,
    inside_ns: u64,
}

/// The spans that began and ended, in the order of their ends. One that did not end is no span.
pub fn spans(trace: &KernelTrace) -> Vec<Spent> {
    let mut threads: HashMap<u32, Vec<Open<'_>>> = HashMap::new();
    let mut found = Vec::new();
    for event in &trace.events {
        let open = threads.entry(event.tid).or_default();
        match &event.probe.span {
            Some(Span::Opens(name)) => {
                open.push(Open { name, label: label(name, event), begin_ns: event.t_ns, inside_ns: 0 });
            }
            Some(Span::Closes(name)) => {
                let Some(place) = open.iter().rposition(|open| open.name == name) else { continue };
                open.truncate(place + 1);
                let stack = open.iter().map(|open| open.label.clone()).collect();
                let Some(Open { begin_ns, inside_ns, .. }) = open.pop() else { continue };
                let took = event.t_ns.saturating_sub(begin_ns);
                if let Some(around) = open.last_mut() {
                    around.inside_ns += took;
                }
                let own_ns = took.saturating_sub(inside_ns);
                let (tid, end_ns) = (event.tid, event.t_ns);
                found.push(Spent { name: name.clone(), stack, tid, begin_ns, end_ns, own_ns });
            }
            None => {}
        }
    }
    found
}

/// A span's name, with its first argument if that is a word or message.
pub(super) fn label(name: &str, event: &Event) -> String {
    let first = event.probe.args.first();
    match first.filter(|arg| {
        matches!(arg.kind, ArgType::Word(_) | ArgType::Simple(Simple::Message))
            && event.get(&arg.name).is_some()
    }) {
        Some(arg) => format!("{name} {}", event.argument(&arg.name).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// Folded stacks, `T0;request newlink;cloner create 1234`: the nanoseconds that each stack took by itself. What flame
/// graph programs read.
pub fn folded(trace: &KernelTrace) -> String {
    let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
    for span in spans(trace) {
        *stacks.entry(format!("T{};{}", span.tid, span.stack.join(";"))).or_default() += span.own_ns;
    }
    stacks.into_iter().map(|(stack, own_ns)| format!("{stack} {own_ns}\n")).collect()
}

/// How often each probe fired, and for each kind of span how long it took, by powers of two.
pub fn aggregate(trace: &KernelTrace) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &trace.events {
        *counts.entry(&event.probe.name).or_default() += 1;
    }
    for firing in &trace.own {
        *counts.entry(&firing.probe).or_default() += 1;
    }
    let mut text = format!("{:<24} {:>8}\n", "probe", "count");
    for (name, count) in counts {
        text.push_str(&format!("{name:<24} {count:>8}\n"));
    }
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for span in spans(trace) {
        kinds.entry(span.name).or_default().push(span.end_ns.saturating_sub(span.begin_ns));
    }
    for (name, times) in kinds {
        text.push_str(&format!("\n{name}: nanoseconds from beginning to end\n{}", histogram(&times)));
    }
    text
}

/// A histogram by powers of two, with the empty rows between the first and the last.
fn histogram(values: &[u64]) -> String {
    const WIDTH: usize = 40;
    // 0 has a row of its own.
    let row = |value: u64| if value == 0 { 0 } else { 1 + value.ilog2() };
    let mut rows: BTreeMap<u32, usize> = BTreeMap::new();
    for value in values {
        *rows.entry(row(*value)).or_default() += 1;
    }
    let (Some(first), Some(last)) = (rows.keys().next().copied(), rows.keys().last().copied()) else {
        return String::new();
    };
    let mut text = format!("{:>16}  {:-<WIDTH$} {:>8}\n", "at least", " distribution ", "count");
    for row in first..=last {
        let count = rows.get(&row).copied().unwrap_or(0);
        let from = if row == 0 { 0 } else { 1_u64 << (row - 1) };
        let bar = "@".repeat((count * WIDTH).div_ceil(values.len()));
        text.push_str(&format!("{from:>16} |{bar:<WIDTH$} {count:>8}\n"));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use iface_core::{CloneOp, Name, Probe};

    use super::super::event::tests::record;
    use super::*;

    /// A request of 1000 ns in which a cloner takes 600.
    pub(in crate::ktrace) fn sample() -> KernelTrace {
        let op = CloneOp::Create;
        KernelTrace::from_records(&[
            record(0, 1000, 0, Probe::RequestIn { message: 16, flags: 1, seq: 0, pid: 0, len: 16 }),
            record(0, 1100, 0, Probe::ClonerIn { op, index: 0, name: Name::truncated(b"lo10") }),
            record(0, 1200, 1, Probe::EpochEnter { depth: 1 }),
            record(0, 1700, 0, Probe::ClonerOut { op, index: 0, errno: 0 }),
            record(0, 2000, 0, Probe::RequestOut { message: 16, seq: 0, errno: 0 }),
        ])
    }

    #[test]
    fn time_is_told_apart_by_stack() {
        assert_eq!(folded(&sample()), "T0;request newlink 400\nT0;request newlink;cloner create 600\n");
        let spans = spans(&sample());
        assert_eq!(spans.len(), 2, "what did not end is no span");
        assert_eq!((spans[1].begin_ns, spans[1].end_ns, spans[1].own_ns), (1000, 2000, 400));
    }

    #[test]
    fn counts_and_histograms() {
        let text = aggregate(&sample());
        assert!(text.contains("cloner-in                       1\n"), "{text}");
        assert!(text.contains("request: nanoseconds"), "{text}");
        assert!(text.contains(&format!("{:>16} |{} {:>8}\n", 512, "@".repeat(40), 1)), "{text}");
        let rows = histogram(&[0, 1, 9, 9]);
        let rows: Vec<_> =
            rows.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(rows.first().map(|row| row[0]), Some("0"));
        assert_eq!(rows.last().map(|row| (row[0], row[2])), Some(("8", "2")));
        assert_eq!(rows.len(), 5, "empty rows are shown: {rows:?}");
    }
}
