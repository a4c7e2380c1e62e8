// SPDX-License-Identifier: BSD-2-Clause
//! A target that says after each vector which instructions of the kernel ran for the first time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nlproof_agent::{Batch, Record};

use super::log::{BEFORE, LogError, TranslationLogReader};
use super::reach::Hits;
use crate::targets::{DtraceOutput, Facts, Finish, Target, TargetError};

/// Code that the guests of a cell ran.
#[derive(Debug, Default)]
pub struct Heard {
    /// Instructions by address.
    pub kernel: Hits,
    /// Instructions of the module, counted from where it was loaded.
    pub module: Hits,
    /// Why a log does not say everything, each once.
    pub holes: Vec<String>,
}

impl Heard {
    /// What is shared by the guests of a cell. A holder that panicked leaves it as it was.
    pub fn of(shared: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hole(&mut self, why: String) {
        if !self.holes.contains(&why) {
            self.holes.push(why);
        }
    }
}

/// Where a module lies in a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Address of its first byte.
    pub base: u64,
    /// Length of the module in bytes.
    pub length: u64,
}

/// A target under whose QEMU a log of translated blocks is kept. Its vectors run one by one, so that each is known to have
/// been the one that ran.
pub struct Covered {
    inner: Box<dyn Target>,
    reader: TranslationLogReader,
    module: Option<Loaded>,
    heard: Arc<Mutex<Heard>>,
    running: String,
}

impl Covered {
    /// The target, whose log this reader reads.
    pub fn new(
        inner: Box<dyn Target>,
        reader: TranslationLogReader,
        module: Option<Loaded>,
        heard: Arc<Mutex<Heard>>,
    ) -> Covered {
        let mut covered = Covered { inner, reader, module, heard, running: BEFORE.to_owned() };
        covered.harvest();
        covered
    }

    fn harvest(&mut self) {
        let read = self.reader.read_new();
        let mut heard = Heard::of(&self.heard);
        match read {
            Ok(addresses) => {
                if let Some(Loaded { base, length }) = self.module {
                    let inside = addresses.iter().filter_map(|address| address.checked_sub(base));
                    heard.module.add(inside.filter(|offset| *offset < length), &self.running);
                }
                heard.kernel.add(addresses, &self.running);
            }
            // QEMU makes the file with the first block; a guest whose vectors reach nothing has none.
            Err(LogError::None(_)) => {}
            Err(error) => heard.hole(error.to_string()),
        }
    }
}

impl Target for Covered {
    fn facts(&self) -> &Facts {
        self.inner.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        for program in &batch.programs {
            program.name.clone_into(&mut self.running);
            let run = self.inner.run(&Batch { programs: vec![program.clone()] }, on_record);
            self.harvest();
            run?;
        }
        if batch.programs.is_empty() {
            self.inner.run(batch, on_record)?;
        }
        Ok(())
    }

    fn expect_hang(&mut self, calls: &[String]) {
        self.inner.expect_hang(calls);
    }

    fn begin_dtrace(&mut self, script: &str) -> Result<(), TargetError> {
        self.inner.begin_dtrace(script)
    }

    fn end_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        self.inner.end_dtrace()
    }

    fn finish(&mut self) -> Finish {
        // What it asks the guest is no vector, but jails of the last one may still be going.
        let finish = self.inner.finish();
        self.harvest();
        finish
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::{Side, rows};
    use crate::targets::SimTarget;
    use iface_core::Profile;
    use nlproof_agent::{Body, Privilege, Program, SocketOptions};
    use nlproof_verify::{Block, BlockFunction};
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::path::PathBuf;

    /// A simulator that writes a log as QEMU does: each program has its own instruction, and one runs in all.
    struct Logging {
        sim: SimTarget,
        log: PathBuf,
        lost: bool,
    }

    impl Target for Logging {
        fn facts(&self) -> &Facts {
            self.sim.facts()
        }

        fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
            assert!(batch.programs.len() < 2, "nobody could say which of them ran");
            let mut log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
            for program in &batch.programs {
                writeln!(log, "IN:\n0x1000:  90  nop\n0x{:x}:  90  nop\n", 0x2000 + program.id).unwrap();
                if self.lost {
                    return Err(TargetError::Interrupted);
                }
            }
            self.sim.run(batch, on_record)
        }
    }

    fn program(id: u32, name: &str) -> Program {
        Program {
            id,
            name: name.into(),
            privilege: Privilege::Root,
            socket: SocketOptions::default(),
            groups: vec![],
            cards: vec![],
            settings: vec![],
            steps: vec![],
            limit_ms: 1000,
            kernel_trace: false,
        }
    }

    fn first(hits: &Hits, address: u64) -> Option<String> {
        let blocks = vec![Block { start: address, end: address + 1, source: None }];
        let function =
            BlockFunction { name: "f".into(), file: None, start: address, end: address + 1, blocks };
        rows(&[function], Side::Kernel, hits)[0].blocks[0].first.clone()
    }

    #[test]
    fn each_vector_of_a_batch_is_known_by_what_it_ran_first_even_if_it_loses_the_guest() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        std::fs::write(&log, "0x1fff: 90 nop\n").unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let module = Some(Loaded { base: 0x2000, length: 2 });
        for lost in [false, true] {
            let sim = SimTarget::new(Profile::ALL[0]);
            let inner = Box::new(Logging { sim, log: log.clone(), lost });
            let mut covered =
                Covered::new(inner, TranslationLogReader::new(&log), module, Arc::clone(&heard));
            let programs = vec![program(0, "link/a"), program(1, "link/b"), program(2, "link/c")];
            let mut ended = 0;
            let run = covered.run(&Batch { programs }, &mut |record| {
                ended += u32::from(matches!(record.body, Body::End { .. }))
            });
            assert_eq!((run.is_err(), ended), (lost, if lost { 0 } else { 3 }));
            std::fs::write(&log, "").unwrap();
        }
        let heard = Heard::of(&heard);
        let known = |address| first(&heard.kernel, address).unwrap();
        assert_eq!([0x1fff, 0x1000, 0x2001].map(known), [BEFORE, "link/a", "link/b"]);
        assert_eq!(first(&heard.module, 1).unwrap(), "link/b");
        assert_eq!((first(&heard.module, 2), heard.holes.len()), (None, 0));
    }
}
