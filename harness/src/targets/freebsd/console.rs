// SPDX-License-Identifier: BSD-2-Clause
//! Complaints of a guest's kernel on its console, with the vector in which each came.

use std::collections::{HashMap, VecDeque};
use std::fs;

use nlproof_agent::{Batch, Body, NO_STEP, Record};

use crate::targets::Complaint;
use crate::vm::{Vm, without_build};

/// Texts of a kernel that checks itself when something is wrong (sys/kern/subr_witness.c, kern_malloc.c,
/// vm/uma_core.c, kern_shutdown.c; ufs/ffs/ffs_alloc.c), and what the module says when it cannot do something.
const COMPLAINTS: [&str; 11] = [
    "lock order reversal",
    "acquiring duplicate lock",
    "non-sleepable lock",
    "witness_",
    "KASSERT",
    "panic:",
    "Fatal trap",
    "leaked memory",
    "Freed UMA keg",
    ": filesystem full",
    "nlproof_iface: not ",
];

/// Beginning of the module's lines.
const MODULE: &str = "nlproof_iface";

/// The console's log so far. One that cannot be read is noticed by the machine's own watch.
pub(crate) fn console(vm: &Vm) -> Vec<u8> {
    fs::read(vm.serial_log()).unwrap_or_default()
}

/// The console's log from this byte on.
pub(crate) fn console_since(vm: &Vm, from: usize) -> String {
    let text = console(vm);
    String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
}

/// Frames of a backtrace (`#0 0xffffffff80b9e976 at witness_checkorder+0xac6`) are no complaints of their own.
fn is_complaint(line: &str) -> bool {
    COMPLAINTS.iter().any(|text| line.contains(text)) && !line.trim_start().starts_with('#')
}

/// Lines with which a kernel complains of something.
pub(crate) fn complaints(console: &str) -> impl Iterator<Item = &str> {
    console.lines().filter(|line| is_complaint(line))
}

/// Lines after a complaint of witness(4) that belong to it: the locks.
fn is_detail(line: &str) -> bool {
    [" 1st ", " 2nd ", " 3rd ", "exclusive ", "shared "].iter().any(|start| line.starts_with(start))
}

/// A detail without the addresses of locks.
fn without_addresses(detail: &str) -> String {
    let words = detail.split_whitespace().filter(|word| !word.trim_start_matches('(').starts_with("0x"));
    words.collect::<Vec<_>>().join(" ")
}

/// The vectors and steps in which the kernel complained. Its message buffer tells the time, the console's log does not.
#[derive(Debug, Default)]
pub(crate) struct Blame {
    /// For each line, where it was printed, in the order of time.
    places: HashMap<String, VecDeque<String>>,
}

impl Blame {
    /// Takes a record of a batch: whether a complaint is in it, and whose.
    pub(crate) fn hear(&mut self, batch: &Batch, record: &Record) {
        let Body::Console(line) = &record.body else { return };
        let text = String::from_utf8_lossy(&line.text).trim().to_owned();
        if !is_complaint(&text) {
            return;
        }
        let program = batch.programs.iter().find(|program| program.id == record.program);
        let name = program.map_or("", |program| program.name.as_str());
        let place = match record.step {
            NO_STEP => format!("{name}, outside its steps"),
            step => format!("{name}, step {step}"),
        };
        self.places.entry(text).or_default().push_back(place);
    }

    /// The console's complaints, each with its vector and step if known; the first of two equal ones belongs to the
    /// first vector. First the kernel's, then the module's.
    pub(super) fn told(&mut self, console: &str) -> (Vec<Complaint>, Vec<String>) {
        let (mut kernel, mut module) = (Vec::new(), Vec::new());
        let mut lines = console.lines().peekable();
        while let Some(line) = lines.next() {
            if !is_complaint(line) {
                continue;
            }
            let line = line.trim();
            let mut details = Vec::new();
            while let Some(detail) = lines.next_if(|line| is_detail(line)) {
                details.push(without_addresses(detail));
            }
            let said = [&[line.to_owned()], details.as_slice()].concat();
            let text = match self.places.get_mut(line).and_then(VecDeque::pop_front) {
                Some(place) => format!("the console says in {place}: {}", said.join(" ")),
                None => format!("the console says: {}", said.join(" ")),
            };
            if line.contains(MODULE) {
                module.push(text);
            } else {
                let words = [&[line.to_owned()], details.as_slice()].concat();
                let fingerprint =
                    words.iter().map(|line| without_build(line)).collect::<Vec<_>>().join(" | ");
                kernel.push(Complaint { text, fingerprint });
            }
        }
        (kernel, module)
    }
}

/// Complaints in lines that kernels printed, as raw traces keep them: `console[info]: TEXT`.
pub fn complaints_in_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Complaint> {
    let bare = lines.into_iter().map(|line| match line.split_once(": ") {
        Some((mark, text)) if mark.starts_with("console") => text,
        _ => line,
    });
    let (mut kernel, module) = Blame::default().told(&bare.collect::<Vec<_>>().join("\n"));
    kernel.extend(module.into_iter().map(|text| Complaint { fingerprint: without_build(&text), text }));
    kernel
}

/// What the kernel complained of in one program's records; `name` is the program's.
pub fn complaints_in(name: &str, records: &[Record]) -> Vec<Complaint> {
    let line = |record: &Record| match &record.body {
        Body::Console(line) => Some(String::from_utf8_lossy(&line.text).into_owned()),
        _ => None,
    };
    let said: Vec<_> = records.iter().filter_map(line).collect();
    let (mut kernel, module) = Blame::default().told(&said.join("\n"));
    kernel.extend(module.into_iter().map(|text| Complaint { fingerprint: without_build(&text), text }));
    for complaint in &mut kernel {
        complaint.text = format!("{name}: {}", complaint.text);
    }
    kernel
}

#[cfg(test)]
mod tests {
    use nlproof_agent::{ConsoleLine, Program};

    use super::super::host_stack::in_host_stack;
    use super::*;

    #[test]
    fn the_kernels_complaints_are_found_and_its_chatter_is_not() {
        let console = "lo10: link state changed to UP\r\nlock order reversal:\r\n 1st 0xfffff800 ifnet_sx\r\n\
            nlproof_iface: interface messages and events are answered in Rust\r\n\
            #0 0xffffffff80b9e976 at witness_checkorder+0xac6\r\n\
            nlproof_iface: not unloaded: 1 handlers are still running\r\n";
        let found: Vec<_> = complaints(console).collect();
        assert_eq!(
            found,
            ["lock order reversal:", "nlproof_iface: not unloaded: 1 handlers are still running"]
        );
    }

    #[test]
    fn a_complaint_is_told_with_the_step_that_it_came_in() {
        let programs = vec![
            Program { id: 0, ..in_host_stack("link/a", Vec::new()) },
            Program { id: 1, ..in_host_stack("link/b", Vec::new()) },
        ];
        let batch = Batch { programs };
        let mut blame = Blame::default();
        for (program, step, text) in [
            (0, 2, "lock order reversal:"),
            (0, 2, "lo10: link state changed to UP"),
            (1, NO_STEP, "lock order reversal:"),
        ] {
            let line = ConsoleLine { priority: None, text: text.into(), cut: 0, whole: true };
            blame.hear(&batch, &Record { program, step, t_ns: 0, body: Body::Console(line) });
        }
        let (kernel, module) = blame.told(
            "lock order reversal:\r\nlo10: link state changed to UP\r\nlock order reversal:\r\n\
             lock order reversal:\r\npanic: here\r\n",
        );
        assert_eq!(module, [""; 0]);
        assert_eq!(
            kernel.into_iter().map(|complaint| complaint.text).collect::<Vec<_>>(),
            [
                "the console says in link/a, step 2: lock order reversal:",
                "the console says in link/b, outside its steps: lock order reversal:",
                "the console says: lock order reversal:",
                "the console says: panic: here",
            ]
        );
    }

    #[test]
    fn the_same_reversal_is_the_same_at_other_addresses_and_another_pair_is_not() {
        let reversal = |address: &str, second: &str| {
            let console = format!(
                "lock order reversal:\r\n 1st 0x{address}01 in_multi_sx (in_multi_sx, sx) @ /usr/src/sys/in.c:12\r\n \
                 2nd 0x{address}02 {second} ({second}, sleep mutex) @ /usr/src/sys/b.c:34\r\n\
                 lock order {second} -> in_multi_sx established at:\r\n#0 0x{address}03 at witness+0x1\r\n"
            );
            let (mut kernel, _) = Blame::default().told(&console);
            assert_eq!(kernel.len(), 1, "{kernel:?}");
            kernel.remove(0)
        };
        let one = reversal("ffffffff81", "carp_softc");
        assert_eq!(
            one.text,
            "the console says: lock order reversal: 1st in_multi_sx (in_multi_sx, sx) @ /usr/src/sys/in.c:12 2nd \
             carp_softc (carp_softc, sleep mutex) @ /usr/src/sys/b.c:34"
        );
        assert_eq!(one, reversal("fffff80003", "carp_softc"));
        assert_ne!(one.fingerprint, reversal("ffffffff81", "nlproof_mtx").fingerprint);
        let leak = |count| {
            Blame::default().told(&format!("memory type ifnet leaked memory ({count} allocations)")).0
        };
        assert_eq!(leak(3)[0].fingerprint, leak(4)[0].fingerprint);
    }

    #[test]
    fn the_modules_own_words_are_its_own() {
        let (kernel, module) =
            Blame::default().told("nlproof_iface: not unloaded: 1 handlers are still running\n");
        assert_eq!(kernel, []);
        assert_eq!(module, ["the console says: nlproof_iface: not unloaded: 1 handlers are still running"]);
    }
}
