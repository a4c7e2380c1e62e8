// SPDX-License-Identifier: BSD-2-Clause
//! What the threads of a guest wait for that does not answer any more, in words.

use std::fmt::Write as _;

use nlproof_verify::MemberOffsets;

use super::symbols::{Functions, addresses};
use crate::vm::{Thread, ThreadPlaces};

/// Calls in which every thread leaves the processor.
const LEAVING: [&str; 12] = [
    "sched_switch",
    "mi_switch",
    "sleepq_switch",
    "sleepq_wait",
    "sleepq_wait_sig",
    "sleepq_timedwait",
    "sleepq_timedwait_sig",
    "sleepq_catch_signals",
    "turnstile_wait",
    "_sleep",
    "msleep_spin_sbt",
    "_cv_wait",
];
/// Calls of each thread that are told beside the loss; a file has all.
const SHOWN: usize = 6;

/// Where this kernel keeps its threads; `None` if its file does not tell types and symbols.
pub(super) fn places(kernel: &[u8]) -> Option<ThreadPlaces> {
    let offsets = MemberOffsets::of_kernel(kernel, &["proc", "thread", "pcb"]).ok()??;
    Some(ThreadPlaces {
        allproc: *addresses(kernel, &["allproc"]).get("allproc")?,
        next_process: offsets.of("proc", "p_list.le_next")?,
        first_thread: offsets.of("proc", "p_threads.tqh_first")?,
        pid: offsets.of("proc", "p_pid")?,
        flags: offsets.of("proc", "p_flag")?,
        command: offsets.of("proc", "p_comm")?,
        next_thread: offsets.of("thread", "td_plist.tqe_next")?,
        name: offsets.of("thread", "td_name")?,
        state: offsets.of("thread", "td_state")?,
        sleeps_on: offsets.of("thread", "td_wmesg")?,
        lock: offsets.of("thread", "td_lockname")?,
        registers: offsets.of("thread", "td_pcb")?,
        frame: offsets.of("pcb", "pcb_rbp")?,
        instruction: offsets.of("pcb", "pcb_rip")?,
    })
}

/// The threads of a kernel that fell silent, in words.
pub(super) struct SilentThreads {
    /// Threads of interest beside the loss, a line each: those of programs, and those of the kernel that wait for a lock.
    pub(super) notable: String,
    /// All threads with all their calls, a line each.
    pub(super) all: String,
}

impl SilentThreads {
    /// The words for these threads of the kernel in this file.
    pub(super) fn tell(threads: &[Thread], kernel: &[u8]) -> Self {
        let names = Functions::around(kernel, threads.iter().flat_map(|thread| &thread.stack).copied());
        let notable = threads.iter().filter(|thread| !thread.of_kernel || thread.lock.is_some());
        Self { notable: told(notable, &names, Some(SHOWN)), all: told(threads.iter(), &names, None) }
    }
}

fn told<'t>(threads: impl Iterator<Item = &'t Thread>, names: &Functions, shown: Option<usize>) -> String {
    let mut text = String::new();
    for thread in threads {
        let Thread { process, pid, name, .. } = thread;
        let own = if name == process { String::new() } else { format!(", {name}") };
        let what = match (&thread.lock, &thread.sleeps_on) {
            _ if thread.runs => "runs".to_owned(),
            (Some(lock), _) => format!("waits for the lock {lock}"),
            (None, Some(what)) => format!("sleeps on {what}"),
            (None, None) if thread.ready => "is ready to run".to_owned(),
            // A thread of the kernel for its interrupt.
            (None, None) => "waits".to_owned(),
        };
        let calls: Vec<String> = thread.stack.iter().map(|address| named(names, *address)).collect();
        let leaving = calls.iter().take_while(|call| LEAVING.contains(&call.as_str())).count();
        let calls = match shown {
            Some(shown) => calls.get(leaving..).unwrap_or_default().iter().take(shown).cloned().collect(),
            None => calls,
        };
        let calls = if calls.is_empty() { String::new() } else { format!(": {}", calls.join(" < ")) };
        _ = writeln!(text, "{process} ({pid}{own}) {what}{calls}");
    }
    text
}

/// The function at an address, or the address: modules' symbols are not in the kernel's file.
fn named(names: &Functions, address: u64) -> String {
    names.name(address).map_or_else(|| format!("{address:#x}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(process: &str, of_kernel: bool, lock: Option<&str>) -> Thread {
        Thread {
            process: process.into(),
            pid: 12,
            of_kernel,
            name: process.into(),
            lock: lock.map(str::to_owned),
            ..Thread::default()
        }
    }

    #[test]
    fn programs_and_whoever_waits_for_a_lock_are_told() {
        let threads = [
            Thread {
                sleeps_on: Some("nlwait".into()),
                stack: vec![0xffff_ffff_8000_0010],
                ..thread("agent", false, None)
            },
            Thread { sleeps_on: Some("-".into()), ..thread("kernel", true, None) },
            Thread { name: "swi1: netisr 0".into(), ..thread("intr", true, Some("in_multi_sx")) },
            Thread { runs: true, ..thread("idle", true, None) },
        ];
        let told = SilentThreads::tell(&threads, b"no kernel");
        assert_eq!(
            told.notable,
            "agent (12) sleeps on nlwait: 0xffffffff80000010\n\
             intr (12, swi1: netisr 0) waits for the lock in_multi_sx\n"
        );
        let everything = told.all;
        assert_eq!(everything.lines().count(), 4, "{everything}");
        assert!(everything.ends_with("idle (12) runs\n"), "{everything}");
        let ready = Thread { ready: true, ..thread("sh", false, None) };
        assert_eq!(
            SilentThreads::tell(&[ready, thread("cc", false, None)], b"").notable,
            "sh (12) is ready to run\ncc (12) waits\n"
        );
    }

    #[test]
    fn a_file_without_symbols_has_no_places() {
        assert_eq!(places(b"no kernel"), None);
    }
}
