// SPDX-License-Identifier: BSD-2-Clause
//! A guest whose every instruction can be come to again: its recording, and the machine that lives through it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nlproof_files::require;

use super::guest_target::FreebsdTarget;
use crate::targets::{OpenError, TargetError};
use crate::vm::{DiskWrites, EventLog, HostPort, LogUse, QemuExit, Seed, VmConfig};

/// Bytes of a log for which there has to be room: a boot and a vector have 5 MiB.
const LOG_ROOM: u64 = 64 * 1024 * 1024;

/// The directory of a recording. Only its owner can use it: the guest's keys are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingPlace {
    directory: PathBuf,
}

impl RecordingPlace {
    /// A recording in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// QEMU's log of what came to the guest.
    pub fn log(&self) -> PathBuf {
        self.directory.join("events.log")
    }

    /// The guest's seed disk.
    pub fn seed(&self) -> PathBuf {
        self.directory.join("seed.raw")
    }

    /// What the guest printed.
    pub fn console(&self) -> PathBuf {
        self.directory.join("console")
    }

    /// Has the machine that is started with this configuration recorded here.
    pub(super) fn record(&self, config: &mut VmConfig, seed: &[u8]) -> Result<(), OpenError> {
        let failed =
            |error: std::io::Error| OpenError::Guest(format!("{}: {error}", self.seed().display()).into());
        require(&self.directory, LOG_ROOM, "make room there, or name another directory")
            .map_err(|error| OpenError::Guest(error.into()))?;
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.seed());
        opened.and_then(|mut file| file.write_all(seed)).map_err(failed)?;
        config.seed(Seed::File(self.seed()));
        config.event_log(EventLog { path: self.log(), how: LogUse::Record });
        Ok(())
    }
}

/// A machine that lives through a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedMachine {
    /// The recording.
    pub place: RecordingPlace,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// The disk with the root file system, which is not written to.
    pub root_disk: PathBuf,
    /// The disk that it boots from, where that is another one.
    pub kernel_disk: Option<PathBuf>,
}

impl ReplayedMachine {
    /// The machine, with a disk as fresh as that of the recorded one was.
    pub fn config(&self) -> VmConfig {
        let mut config = VmConfig::default();
        config.memory_mib(self.memory_mib).cpus(1).ssh(HostPort::Any);
        config.raw_disk(&self.root_disk, DiskWrites::Discard).kernel_disk(self.kernel_disk.clone());
        config.seed(Seed::File(self.place.seed()));
        config.event_log(EventLog { path: self.place.log(), how: LogUse::Replay });
        config
    }
}

impl FreebsdTarget {
    /// The number of instructions that a recorded guest has run.
    ///
    /// # Errors
    /// QEMU has ended, or the guest is not recorded.
    pub fn instructions(&mut self) -> Result<u64, TargetError> {
        let count = self.tasks.drive(self.vm.instructions());
        count.map_err(|error| TargetError::Lost(error.to_string()))
    }

    /// Ends QEMU in order, even after Ctrl-C: its log is whole then. How it ended, and its words.
    ///
    /// # Errors
    /// It does not end.
    pub fn end_in_order(&mut self) -> Result<(QemuExit, String), TargetError> {
        let ended = self.tasks.drive(self.vm.end_in_order());
        ended.map_err(|error| TargetError::Lost(error.to_string()))
    }

    /// The disk with the root file system, and the one that it boots from where that is another one.
    pub fn disks(&self) -> (PathBuf, Option<PathBuf>) {
        (self.image.root_disk(), self.image.kernel_disk())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::vm::{AcceleratorKind, CommandLine};

    fn text(config: &VmConfig) -> String {
        let line = CommandLine {
            accelerator: AcceleratorKind::Tcg,
            qmp_socket: None,
            serial_log: Path::new("/serial"),
        };
        config.arguments(line).iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_machine_that_lives_through_a_recording_is_the_recorded_one() {
        let directory = tempfile::tempdir().unwrap();
        let place = RecordingPlace::new(directory.path());
        let mut recorded = VmConfig::default();
        recorded.memory_mib(768).cpus(1).ssh(HostPort::Any).raw_disk("/image", DiskWrites::Discard);
        place.record(&mut recorded, b"keys").unwrap();
        let mode = std::fs::metadata(place.seed()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(place.record(&mut recorded, b"keys").is_err(), "another recording is there");
        let machine =
            ReplayedMachine { place, memory_mib: 768, root_disk: "/image".into(), kernel_disk: None };
        assert_eq!(text(&machine.config()), text(&recorded).replace("rr=record", "rr=replay"));
    }
}
