// SPDX-License-Identifier: BSD-2-Clause
//! A silent kernel's threads, read from the guest's memory: what each waits for, and where.
//!
//! The kernel is asked nothing. QEMU's monitor reads its memory, with the addresses of whatever the processor last ran; those
//! of the kernel are the same for all. The way is that of `sys/sys/proc.h`: `allproc` is a list of processes, each has
//! its threads in `p_threads`, and one that does not run has its registers in `td_pcb` (`sys/amd64/include/pcb.h`).

use super::machine::Vm;
use super::stack::KERNEL;

/// A guest of ours has some fifty processes and a hundred threads.
const MOST: usize = 2_000;
/// `TDS_CAN_RUN` and `TDS_RUNQ` of `enum td_states`: nothing keeps it from running but others that run.
const READY: [u64; 2] = [2, 3];
/// `TDS_RUNNING`: on the processor, so that its saved registers are old ones.
const RUNNING: u64 = 4;
/// `P_KPROC` of `p_flag`.
const KERNEL_PROCESS: u64 = 0x4;

/// Where a kernel keeps its threads: an address, and offsets in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadPlaces {
    /// Address of the list of processes.
    pub allproc: u64,
    /// `p_list.le_next` of `struct proc`.
    pub next_process: u64,
    /// `p_threads.tqh_first` of it.
    pub first_thread: u64,
    /// `p_pid` of it.
    pub pid: u64,
    /// `p_flag` of it.
    pub flags: u64,
    /// `p_comm` of it.
    pub command: u64,
    /// `td_plist.tqe_next` of `struct thread`.
    pub next_thread: u64,
    /// `td_name` of it.
    pub name: u64,
    /// `td_state` of it.
    pub state: u64,
    /// `td_wmesg` of it.
    pub sleeps_on: u64,
    /// `td_lockname` of it.
    pub lock: u64,
    /// `td_pcb` of it.
    pub registers: u64,
    /// `pcb_rbp` of `struct pcb`.
    pub frame: u64,
    /// `pcb_rip` of it.
    pub instruction: u64,
}

/// A thread of a kernel that stands still.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Name of the process (`p_comm`).
    pub process: String,
    /// Number of the process.
    pub pid: u64,
    /// Whether the process is one of the kernel's own.
    pub of_kernel: bool,
    /// Name of the thread (`td_name`).
    pub name: String,
    /// On the processor.
    pub runs: bool,
    /// Nothing keeps it from running but others that run.
    pub ready: bool,
    /// What it sleeps on, by the kernel's name for it (`td_wmesg`).
    pub sleeps_on: Option<String>,
    /// The lock that it waits for without sleeping (`td_lockname`).
    pub lock: Option<String>,
    /// Where it left the processor, innermost address first; empty for one that runs.
    pub stack: Vec<u64>,
}

impl Vm {
    /// The threads of the guest's kernel, as far as its memory can be followed. The guest stands still meanwhile.
    pub async fn threads(&mut self, places: &ThreadPlaces) -> Vec<Thread> {
        let mut threads = Vec::new();
        if self.qmp().stop().await.is_ok() {
            // What was found until then is told, wherever the way ends.
            let _: Option<()> = self.walk(places, &mut threads).await;
            drop(self.qmp().cont().await);
        }
        threads
    }

    async fn walk(&mut self, places: &ThreadPlaces, threads: &mut Vec<Thread>) -> Option<()> {
        let mut process = self.pointer(places.allproc).await?;
        let mut processes = 0;
        while process != 0 && processes < MOST {
            processes += 1;
            let command = self.text(process + places.command).await?;
            let pid = self.half(process + places.pid).await?;
            let of_kernel = self.half(process + places.flags).await? & KERNEL_PROCESS != 0;
            let mut thread = self.pointer(process + places.first_thread).await?;
            while thread != 0 && threads.len() < MOST {
                let found = self.thread(places, thread).await?;
                threads.push(Thread { process: command.clone(), pid, of_kernel, ..found });
                thread = self.pointer(thread + places.next_thread).await?;
            }
            process = self.pointer(process + places.next_process).await?;
        }
        Some(())
    }

    async fn thread(&mut self, places: &ThreadPlaces, at: u64) -> Option<Thread> {
        let state = self.half(at + places.state).await?;
        let (runs, ready) = (state == RUNNING, READY.contains(&state));
        let mut stack = Vec::new();
        if !runs {
            let registers = self.pointer(at + places.registers).await?;
            stack.push(self.pointer(registers + places.instruction).await?);
            let frame = self.pointer(registers + places.frame).await?;
            self.callers(Some(frame), &mut stack).await;
        }
        let name = self.text(at + places.name).await?;
        let sleeps_on = self.named(at + places.sleeps_on).await;
        let lock = self.named(at + places.lock).await;
        Some(Thread { name, runs, ready, sleeps_on, lock, stack, ..Thread::default() })
    }

    /// The text to which the pointer at this address leads; `None` if it leads nowhere.
    async fn named(&mut self, at: u64) -> Option<String> {
        let text = self.pointer(at).await.filter(|text| text & KERNEL != 0)?;
        self.text(text).await.filter(|text| !text.is_empty())
    }

    /// The text at this address, at most 24 bytes of it: names of threads and processes have 19 (`MAXCOMLEN`).
    async fn text(&mut self, at: u64) -> Option<String> {
        self.words::<3>(at).await.map(|words| text_of(&words))
    }

    async fn pointer(&mut self, at: u64) -> Option<u64> {
        self.words::<1>(at).await.map(|[word]| word)
    }

    /// The number of 32 bits at this address.
    async fn half(&mut self, at: u64) -> Option<u64> {
        self.pointer(at).await.map(|word| word & u64::from(u32::MAX))
    }
}

/// The text in these words of memory, up to its zero.
fn text_of(words: &[u64]) -> String {
    let bytes: Vec<u8> =
        words.iter().flat_map(|word| word.to_le_bytes()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_its_zero_or_with_the_words() {
        let words = |bytes: &[u8; 16]| {
            bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect::<Vec<_>>()
        };
        assert_eq!(text_of(&words(b"nlproof-agent\0xy")), "nlproof-agent");
        assert_eq!(text_of(&words(b"sixteen letters!")), "sixteen letters!");
        assert_eq!(text_of(&[0]), "");
    }
}
