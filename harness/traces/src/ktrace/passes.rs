// SPDX-License-Identifier: BSD-2-Clause
//! Passes that rename what differs between two runs of one kernel and keep its identity, as those of messages do
//! (`trace`). Each pass is a pure function over the events; the table says which arguments it is about.

use std::collections::HashMap;

use iface_core::Happening;
use nlproof_agent::{Body, Record};

use super::event::{Event, KernelTrace, Value};
use super::table::{Arg, Redaction};

/// Facts about the program that the passes need.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The request socket's port.
    pub pid: u32,
    /// Names that the guest resolved, in order.
    pub names: Vec<(u32, String)>,
}

impl Program {
    /// Collects these facts from a program's records.
    pub fn of(records: &[Record]) -> Program {
        let mut program = Program::default();
        for record in records {
            match &record.body {
                Body::Start { pid } => program.pid = *pid,
                Body::Resolved { ifname, ifindex } => program.names.push((*ifindex, ifname.clone())),
                _ => {}
            }
        }
        program
    }
}

/// Applies all passes. `base` gives the first `nlmsg_seq` of each step.
pub fn normalise(trace: &mut KernelTrace, program: &Program, base: impl Fn(u32) -> u32) {
    threads(trace);
    interfaces(trace, program);
    sequence_numbers(trace, base);
    ports(trace, program.pid);
    pointers(trace);
    dropped(trace);
}

/// Threads are numbered from 0 in the order in which they first appear.
fn threads(trace: &mut KernelTrace) {
    let mut known: Vec<u32> = Vec::new();
    for event in &mut trace.events {
        event.tid = place(&mut known, event.tid);
    }
    for firing in &mut trace.own {
        firing.tid = place(&mut known, firing.tid);
    }
}

/// An index becomes the name that the interface has then (`$lo10`). Interfaces are known by what the guest resolved,
/// and from then on by the events that name them. An index that nobody names stays a number.
fn interfaces(trace: &mut KernelTrace, program: &Program) {
    let mut current: HashMap<u64, String> = HashMap::new();
    for (index, name) in &program.names {
        current.entry(u64::from(*index)).or_insert_with(|| name.clone());
    }
    for event in &mut trace.events {
        if let (Some(index), Some(Value::Name(name)), true) =
            (event.number("index"), event.get("name"), event.probe.name == "event-begin")
        {
            current.insert(index, name.clone());
        }
        each(event, Redaction::Interface, |value| match value {
            Value::Number(index) if *index != 0 => {
                current.get(index).map(|name| Value::Text(format!("${name}")))
            }
            _ => None,
        });
    }
}

/// `+0` is the step's first request. A number that no request of the step bears stays.
fn sequence_numbers(trace: &mut KernelTrace, base: impl Fn(u32) -> u32) {
    for event in &mut trace.events {
        let Some(base) = event.step.map(&base) else { continue };
        each(event, Redaction::Relative, |value| match value {
            Value::Number(seq) => seq
                .checked_sub(u64::from(base))
                .filter(|offset| *offset < u64::from(crate::vector::SEQ_STEP))
                .map(|offset| Value::Text(format!("+{offset}"))),
            _ => None,
        });
    }
}

/// The vector's own port is `$self`.
fn ports(trace: &mut KernelTrace, own: u32) {
    for event in &mut trace.events {
        each(event, Redaction::Own, |value| match value {
            Value::Number(pid) if *pid == u64::from(own) && own != 0 => Some(Value::Text("$self".into())),
            _ => None,
        });
    }
}

/// The first pointer is `p0`, the same one again `p0`, the next `p1`. A null pointer stays one. Memory that was given
/// back may be what the next interface gets, or not: an interface that has arrived is a new one.
fn pointers(trace: &mut KernelTrace) {
    let mut known: Vec<(u64, u64)> = Vec::new();
    // How many interfaces with this index have arrived; the index itself is already a name.
    let mut arrived: HashMap<String, u64> = HashMap::new();
    for event in &mut trace.events {
        let index = event.argument("index").unwrap_or_default();
        if event.probe.name == "event-begin" && event.number("what") == Some(Happening::Arrived as u64) {
            *arrived.entry(index.clone()).or_default() += 1;
        }
        let which = arrived.get(&index).copied().unwrap_or(0);
        each(event, Redaction::Rename, |value| match value {
            Value::Number(pointer) if *pointer != 0 => {
                Some(Value::Text(format!("p{}", place(&mut known, (*pointer, which)))))
            }
            _ => None,
        });
    }
}

/// The events without the requests of other programs, such as a command of the vector. What happened because of them
/// stays.
pub(super) fn of_the_vector(trace: &KernelTrace) -> Vec<&Event> {
    // Threads that are inside another's request: how many events deep.
    let mut others: HashMap<u32, u32> = HashMap::new();
    let mut kept = Vec::new();
    for event in &trace.events {
        let name = event.probe.name.as_str();
        let renamed = |arg: &str| matches!(event.get(arg), Some(Value::Text(_)));
        if name == "request-in" && !renamed("pid") && !renamed("seq") {
            others.insert(event.tid, 0);
        }
        match others.get_mut(&event.tid) {
            None => kept.push(event),
            Some(depth) => {
                *depth += u32::from(name == "event-begin");
                if *depth > 0 {
                    kept.push(event);
                }
                *depth = depth.saturating_sub(u32::from(name == "event-end"));
            }
        }
        if name == "request-out" {
            others.remove(&event.tid);
        }
    }
    kept
}

/// Hides arguments that differ between kernels, as the table says.
fn dropped(trace: &mut KernelTrace) {
    for event in &mut trace.events {
        each(event, Redaction::Drop, |_| Some(Value::Text(String::new())));
    }
}

/// The position of a value among the known ones, to which it is added if it is new.
fn place<T: PartialEq>(known: &mut Vec<T>, value: T) -> u32 {
    let place = known.iter().position(|other| *other == value).unwrap_or_else(|| {
        known.push(value);
        known.len() - 1
    });
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Renames the values of arguments with that redaction for which there is a new one.
fn each(event: &mut Event, redaction: Redaction, mut rename: impl FnMut(&Value) -> Option<Value>) {
    let of = |arg: &Arg| arg.redaction == redaction;
    for (_, slot) in event.probe.args.iter().zip(&mut event.values).filter(|(arg, _)| of(arg)) {
        if let Some(renamed) = slot.as_ref().and_then(&mut rename) {
            *slot = Some(renamed);
        }
    }
}

#[cfg(test)]
mod tests {
    use iface_core::{Name, Probe};

    use super::super::event::tests::record;
    use super::*;

    fn texts(records: &[Record], program: &Program) -> Vec<String> {
        let mut trace = KernelTrace::from_records(records);
        normalise(&mut trace, program, |step| 100 * (step + 1));
        trace.events.iter().map(|event| format!("T{} {}", event.tid, event.text())).collect()
    }

    fn taken(t_ns: u64, index: u32, interface: u64) -> Record {
        record(0, t_ns, 4711, Probe::ReferenceTaken { index, interface })
    }

    #[test]
    fn identities_are_kept_and_values_are_not() {
        let program = Program { pid: 9, names: vec![(3, "lo0".into())] };
        let request = |pid, seq| Probe::RequestIn { message: 18, flags: 1, seq, pid, len: 32 };
        let records = [
            taken(1, 3, 0xffff_f800_0000_1000),
            taken(2, 4, 0xffff_f800_0000_2000),
            taken(3, 3, 0xffff_f800_0000_1000),
            taken(4, 0, 0),
            record(1, 5, 7, request(9, 201)),
            record(1, 6, 7, request(8, 99)),
        ];
        assert_eq!(
            texts(&records, &program),
            [
                "T0 reference-taken index=$lo0 interface=p0",
                "T0 reference-taken index=4 interface=p1",
                "T0 reference-taken index=$lo0 interface=p0",
                "T0 reference-taken index=0 interface=0x0",
                "T1 request-in message=getlink flags=request seq=+1 pid=$self len=32",
                "T1 request-in message=getlink flags=request seq=99 pid=8 len=32",
            ]
        );
    }

    #[test]
    fn an_index_that_is_given_again_has_the_name_of_that_time() {
        let program = Program { pid: 0, names: vec![(4, "lo10".into()), (4, "epair0a".into())] };
        let event = |t_ns, name: &[u8]| {
            let name = Name::truncated(name);
            record(0, t_ns, 1, Probe::EventBegin { what: Happening::Arrived, index: 4, change: 0, name })
        };
        let records = [taken(1, 4, 0), event(2, b"epair0a"), taken(3, 4, 0)];
        let texts = texts(&records, &program);
        assert!(texts[0].contains("$lo10") && texts[2].contains("$epair0a"), "{texts:?}");
    }

    #[test]
    fn what_differs_between_kernels_is_not_shown() {
        let records = [record(0, 1, 1, Probe::TakeOver { osreldate: 1_400_507, errno: 0 })];
        assert_eq!(texts(&records, &Program::default()), ["T0 take-over errno=0"]);
    }

    #[test]
    fn an_interface_that_has_arrived_is_a_new_one_wherever_its_memory_was() {
        let arrived = |t_ns| {
            let name = Name::truncated(b"lo10");
            record(0, t_ns, 4711, Probe::EventBegin { what: Happening::Arrived, index: 4, change: 0, name })
        };
        let program = Program { pid: 0, names: vec![(4, "lo10".into())] };
        let pointers = |second: u64| -> Vec<String> {
            let records =
                [arrived(1), taken(2, 4, 0x1000), arrived(3), taken(4, 4, second), taken(5, 4, second)];
            texts(&records, &program)
                .iter()
                .filter_map(|text| text.split("interface=").nth(1).map(str::to_owned))
                .collect()
        };
        assert_eq!(pointers(0x1000), ["p0", "p1", "p1"]);
        assert_eq!(pointers(0x2000), ["p0", "p1", "p1"]);
    }

    #[test]
    fn how_others_ask_is_left_out_and_what_comes_of_it_is_not() {
        let request = |t_ns, tid, pid, seq| {
            record(0, t_ns, tid, Probe::RequestIn { message: 18, flags: 1, seq, pid, len: 32 })
        };
        let out = |t_ns, tid, seq| record(0, t_ns, tid, Probe::RequestOut { message: 18, seq, errno: 0 });
        let event = |t_ns, tid| {
            let name = Name::truncated(b"lo10");
            record(0, t_ns, tid, Probe::EventBegin { what: Happening::Changed, index: 4, change: 0, name })
        };
        let end = |t_ns, tid| record(0, t_ns, tid, Probe::EventEnd { what: Happening::Changed, index: 4 });
        let records = [
            request(1, 7, 0, 5),
            record(0, 2, 7, Probe::ReferenceTaken { index: 4, interface: 1 }),
            event(3, 7),
            record(0, 4, 7, Probe::EventOut { message: 16, group: 1, index: 4 }),
            end(5, 7),
            record(0, 6, 7, Probe::ReferenceReleased { index: 4, interface: 1 }),
            out(7, 7, 5),
            // The vector's own: by its port, or by its sequence number.
            request(8, 7, 9, 5),
            out(9, 7, 5),
            request(10, 8, 0, 101),
            out(11, 8, 101),
        ];
        let mut trace = KernelTrace::from_records(&records);
        normalise(&mut trace, &Program { pid: 9, names: Vec::new() }, |_| 100);
        let kept: Vec<_> = of_the_vector(&trace).iter().map(|event| event.t_ns).collect();
        assert_eq!(kept, [3, 4, 5, 8, 9, 10, 11]);
    }
}
