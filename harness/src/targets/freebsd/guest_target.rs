// SPDX-License-Identifier: BSD-2-Clause
//! A FreeBSD guest as a target: image, QEMU, ssh, agent.
//!
//! A guest is booted once per image: as soon as the agent is in place, its state is saved (see
//! [`start`](super::start)), and later runs go on from there.

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use nlproof_agent::{Batch, Record};
use nlproof_guest::Tasks;
use nlproof_image::{Image, ReleaseDir};
use nlproof_kmod::kernel;

use super::cards::{has_cards, patience, run_with_cards};
use super::connection::Link;
use super::console::{Blame, console_since};
use super::keys::Keys;
use super::loaded_module::Loaded;
use super::lost::{LostConsole, loss};
use super::symbols::{Functions, functions_named};
use super::threads::{SilentThreads, places};
use super::traced::traced;
use crate::guest::{ExecOutput, SshError};
use crate::targets::{DtraceOutput, Facts, Finish, StartPart, Target, TargetError};
use crate::vm::{CardRack, GuestFailure, StatedHang, Vm, Wait};

/// Limit for a batch, beside the time of each of its programs.
const BATCH_LIMIT: Duration = Duration::from_secs(30);
/// Limit for each program of a batch; most take milliseconds.
const PROGRAM_LIMIT: Duration = Duration::from_secs(5);

/// A booted guest with the agent in place.
pub struct FreebsdTarget {
    pub(super) vm: Vm,
    /// The vectors' network cards in it.
    pub(super) rack: CardRack,
    pub(super) link: Link,
    pub(super) facts: Facts,
    pub(super) module: Option<Loaded>,
    pub(super) kernel_trace: bool,
    /// How much of the console's log was there before the first vector, in bytes.
    pub(super) console_from: usize,
    /// Attribution of the kernel's complaints to vectors.
    pub(super) blame: Blame,
    /// Source of the kernel's file; a ready image has none.
    pub(super) kernel_file: Option<KernelFile>,
    pub(super) keys: Keys,
    /// Path at which the console is kept if the guest is lost.
    pub(super) lost_console: Option<LostConsole>,
    pub(super) tasks: Tasks,
    /// The image that it was booted from.
    pub(super) image: Image,
    pub(super) parts: Vec<StartPart>,
}

/// Source of a kernel's file.
pub(super) enum KernelFile {
    /// In a release's kernel.txz, with a place to unpack it.
    Release(ReleaseDir, PathBuf),
    /// There.
    Own(PathBuf),
}

impl FreebsdTarget {
    /// The machine, for those who look at it from outside or do something to it.
    pub fn vm(&mut self) -> &mut Vm {
        &mut self.vm
    }

    /// Gives up the guest when its agent says nothing for so long: nothing that is run in it may take longer.
    pub(crate) fn bound_silence(&mut self, limit: Duration) {
        self.link.bound_silence(limit);
    }

    /// What the kernel and the module complained of on the console up to now. Nothing is asked of the guest, which may be
    /// lost.
    pub(crate) fn overheard(&mut self) -> Finish {
        let said = console_since(&self.vm, self.console_from);
        let (console, complaints) = self.blame.told(&said);
        Finish { console, complaints, ..Finish::default() }
    }

    /// Runs a script with the guest's `/bin/sh`, as root.
    pub(crate) fn shell(&mut self, script: &str, limit: Duration) -> Result<ExecOutput, TargetError> {
        let wait = Wait::new("a script in the guest", limit);
        let mut input = Cursor::new(script);
        let run = self.tasks.drive(async {
            let ssh = self.link.ssh(&mut self.vm).await?;
            ssh.run_with("/bin/sh -s", &mut input, &wait, &mut self.vm).await
        });
        run.map_err(|error| self.lost(error))
    }

    /// Writes a file into the guest; `what` names it in messages.
    ///
    /// # Errors
    /// The guest was lost.
    pub(crate) fn upload(
        &mut self,
        what: &str,
        bytes: &[u8],
        path: &str,
        limit: Duration,
    ) -> Result<(), TargetError> {
        let wait = Wait::new(format!("{what}'s upload"), limit);
        let uploaded = self.tasks.drive(async {
            self.link.ssh(&mut self.vm).await?.upload(bytes, path, &wait, &mut self.vm).await
        });
        uploaded.map_err(|error| self.lost(error))
    }

    pub(super) fn lost(&mut self, error: SshError) -> TargetError {
        let failure = error.into_failure(&self.vm);
        self.lost_by(failure)
    }

    pub(super) fn lost_by(&mut self, mut failure: GuestFailure) -> TargetError {
        let mut threads = None;
        match &mut failure {
            GuestFailure::Interrupted { .. } => return TargetError::Interrupted,
            GuestFailure::Busy(busy) => {
                if let Some(kernel) = self.kernel() {
                    let addresses = busy.stacks.iter().flatten().copied();
                    busy.calls = Functions::around(&kernel, addresses).common_calls(&busy.stacks);
                }
            }
            GuestFailure::LostSsh { .. } | GuestFailure::Hung(_) => threads = self.silent_threads(),
            _ => {}
        }
        TargetError::Guest(loss(failure, threads.as_ref(), &self.vm, self.lost_console.as_ref()))
    }

    /// The threads of a guest that fell silent; `None` if its kernel's file or its memory does not tell them.
    fn silent_threads(&mut self) -> Option<SilentThreads> {
        let kernel = self.kernel()?;
        let found = self.tasks.drive(self.vm.threads(&places(&kernel)?));
        (!found.is_empty()).then(|| SilentThreads::tell(&found, &kernel))
    }

    /// Path of the kernel's file, if there is one.
    pub fn kernel_path(&self) -> Option<PathBuf> {
        match self.kernel_file.as_ref()? {
            KernelFile::Release(release, cache) => kernel(release, cache).ok(),
            KernelFile::Own(path) => Some(path.clone()),
        }
    }

    /// The kernel's file. Without it a loss is told without the names of functions.
    fn kernel(&self) -> Option<Vec<u8>> {
        std::fs::read(self.kernel_path()?).ok()
    }
}

impl Target for FreebsdTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn start_parts(&self) -> &[StartPart] {
        &self.parts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let programs = u32::try_from(batch.programs.len()).unwrap_or(u32::MAX);
        let limit = BATCH_LIMIT + PROGRAM_LIMIT.saturating_mul(programs) + patience(batch);
        let wait = Wait::new("the vectors", limit);
        let traced = (self.kernel_trace && self.module.is_some()).then(|| traced(batch));
        let blame = &mut self.blame;
        let mut on_record = |record: Record| {
            blame.hear(batch, &record);
            on_record(record);
        };
        let batch = traced.as_ref().unwrap_or(batch);
        let run = self.tasks.drive(async {
            match has_cards(batch) {
                true => {
                    let machine = (&mut self.vm, &self.rack);
                    run_with_cards(&mut self.link, machine, batch, &wait, &mut on_record).await
                }
                false => self.link.run(batch, &wait, &mut self.vm, &mut on_record).await,
            }
        });
        run.map_err(|error| self.lost(error))
    }

    fn expect_hang(&mut self, calls: &[String]) {
        let calls = self.kernel().and_then(|kernel| functions_named(&kernel, calls)).unwrap_or_default();
        self.link.expect_hang(StatedHang { calls });
    }

    fn begin_dtrace(&mut self, script: &str) -> Result<(), TargetError> {
        self.start_dtrace(script)
    }

    fn end_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        self.stop_dtrace()
    }

    fn finish(&mut self) -> Finish {
        let mut finish = match self.module.take() {
            None => Finish::default(),
            Some(module) => self.tasks.drive(module.finish(&mut self.link, &mut self.vm)),
        };
        let overheard = self.overheard();
        finish.console.extend(overheard.console);
        finish.complaints.extend(overheard.complaints);
        finish
    }
}
