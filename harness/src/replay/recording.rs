// SPDX-License-Identifier: BSD-2-Clause
//! `recording.json`: what was recorded, and what a replay needs.

use std::io;
use std::path::{Path, PathBuf};

use nlproof_files::write_whole;
use serde::{Deserialize, Serialize};

use super::death::Died;
use crate::file::{FileError, Limit, parse_json, read};
use crate::targets::{RecordingPlace, ReplayedMachine};
use crate::vm::log_version;

/// Name of the file.
pub const RECORDING: &str = "recording.json";
/// Version of its contents.
pub const SCHEMA: &str = "nlproof-recording-1";

/// A file of a recording, or beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// How many bytes it has.
    pub bytes: u64,
    /// SHA-256 of them, in hex.
    pub sha256: String,
}

impl Kept {
    /// The file as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let hashed = || -> io::Result<Self> {
            let bytes = nlproof_base::open(path).map_err(io::Error::other)?.metadata()?.len();
            Ok(Self { bytes, sha256: nlproof_image::Sha256::of_whole_file(path)?.to_string() })
        };
        hashed().map_err(|error| FileError::whole(path, format!("cannot be read: {error}")))
    }

    /// Demands that the file is what it was.
    fn demand(&self, path: &Path, what: &str, help: &str) -> Result<(), FileError> {
        let now = Self::of(path).map_err(|error| error.help(help))?;
        if now == *self {
            return Ok(());
        }
        let how = match now.bytes.cmp(&self.bytes) {
            std::cmp::Ordering::Less => format!("it has {} of {} bytes", now.bytes, self.bytes),
            _ => format!("its digest is {}, and was {}", now.sha256, self.sha256),
        };
        Err(FileError::whole(path, format!("is not {what}: {how}")).help(help))
    }
}

/// A disk that the guest had, which stays where it is: nobody writes to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// The image.
    pub path: PathBuf,
    /// The file's contents.
    pub contents: Kept,
}

/// The QEMU that recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QemuKept {
    /// The version in QEMU's own words.
    pub version: String,
    /// The version of its log's format.
    pub log_version: u32,
    /// How it was started, to read.
    pub command: Vec<String>,
}

/// Numbers of instructions that had been run at moments of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instructions {
    /// Shortly before the vector was sent.
    pub begin: u64,
    /// When its conversation had ended. None if the guest was lost.
    pub end: Option<u64>,
}

/// A run that can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// [`SCHEMA`].
    pub schema: String,
    /// The vector that was sent.
    pub vector: String,
    /// The cell in which.
    pub cell: String,
    /// What became of it, in words.
    pub outcome: String,
    /// SHA-256 of the kernel's file, in hex.
    pub kernel_sha256: String,
    /// The kernel's file with its symbols, if there is one.
    pub kernel_file: Option<PathBuf>,
    /// What is known of the Rust-backed module, if it was loaded: it came over the network, and is in the log.
    pub module: Option<String>,
    /// The QEMU that recorded, and that replays.
    pub qemu: QemuKept,
    /// The guest's memory in MiB.
    pub memory_mib: u32,
    /// The disk with the root file system.
    pub root_disk: Disk,
    /// The disk that it boots from, where that is another one.
    pub kernel_disk: Option<Disk>,
    /// QEMU's log, `events.log`.
    pub log: Kept,
    /// The seed disk, `seed.raw`.
    pub seed: Kept,
    /// What the guest printed, `console`.
    pub console: Kept,
    /// Where the vector is.
    pub instructions: Instructions,
    /// Where the kernel died, if it did and a replay has found the place.
    pub died: Option<Died>,
}

impl Recording {
    /// Reads the recording in this directory.
    ///
    /// # Errors
    /// There is none, or it is of another version.
    pub fn load(directory: &Path) -> Result<Self, FileError> {
        let path = directory.join(RECORDING);
        if directory.is_dir() && !path.exists() {
            let what = "there is no recording here, or one that is being made, or that was interrupted";
            let help = "`nlproof run VECTOR --record DIR` and `nlproof repro REPORT#N --record` make one";
            return Err(FileError::whole(&path, what).help(help));
        }
        let recording: Self = parse_json(&path, &read(&path, Limit::REPORT)?)?;
        if recording.schema != SCHEMA {
            let what = format!("is of schema {}, not {SCHEMA}", recording.schema);
            return Err(FileError::whole(&path, what));
        }
        Ok(recording)
    }

    /// Writes it.
    ///
    /// # Errors
    /// The disk is full, say.
    pub fn write(&self, directory: &Path) -> Result<(), FileError> {
        let path = directory.join(RECORDING);
        let failed =
            |error: &dyn std::fmt::Display| FileError::whole(&path, format!("cannot be written: {error}"));
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(&error))?;
        text.push(b'\n');
        write_whole(&path, &text).map_err(|error| failed(&error))
    }

    /// Demands that everything is there, and is what it was.
    ///
    /// # Errors
    /// The log was cut, an image was built anew and is another one, ...
    pub fn demand_whole(&self, directory: &Path) -> Result<(), FileError> {
        let place = RecordingPlace::new(directory);
        let again = "record the vector again";
        let log = place.log();
        self.log.demand(&log, "the log that was recorded", again)?;
        let version =
            log_version(&log).map_err(|error| FileError::whole(&log, error.to_string()).help(again))?;
        if version != self.qemu.log_version {
            let what =
                format!("is of format {version:#x}, and {RECORDING} says {:#x}", self.qemu.log_version);
            return Err(FileError::whole(&log, what).help(again));
        }
        self.seed.demand(&place.seed(), "the seed disk that the guest had", again)?;
        self.console.demand(&place.console(), "the console that was recorded", again)?;
        let help = "`nlproof image build RELEASE` makes an image again, of the same bytes if nothing has changed; else record \
                    the vector again";
        for disk in [Some(&self.root_disk), self.kernel_disk.as_ref()].into_iter().flatten() {
            disk.contents.demand(&disk.path, "the image that the guest had", help)?;
        }
        Ok(())
    }

    /// The machine that lives through it.
    pub fn machine(&self, directory: &Path) -> ReplayedMachine {
        ReplayedMachine {
            place: RecordingPlace::new(directory),
            memory_mib: self.memory_mib,
            root_disk: self.root_disk.path.clone(),
            kernel_disk: self.kernel_disk.as_ref().map(|disk| disk.path.clone()),
        }
    }

    /// The instruction that a replay is of interest for: where the kernel died, else the vector's end, else its beginning.
    pub fn of_interest(&self) -> (u64, &'static str) {
        match (&self.died, self.instructions.end) {
            (Some(died), _) => (died.instruction, "where the kernel died"),
            (None, Some(end)) => (end, "the vector's end"),
            (None, None) => (self.instructions.begin, "the vector's beginning"),
        }
    }

    /// The instruction before which a replay stops: `back` before this one, or before the one of interest.
    ///
    /// # Errors
    /// There are not so many before it.
    pub fn stop(&self, at: Option<u64>, back: u64) -> Result<u64, String> {
        let from = at.unwrap_or_else(|| self.of_interest().0);
        let stop = from.checked_sub(back).filter(|stop| *stop > 0);
        stop.ok_or_else(|| format!("there are no {back} instructions before instruction {from}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recording whose files are in the directory.
    fn recorded(directory: &Path) -> Recording {
        let place = RecordingPlace::new(directory);
        let image = directory.join("disk.raw");
        let log = [&0x00e0_200c_u32.to_be_bytes()[..], &[0; 8], b"events"].concat();
        for (path, bytes) in [
            (place.log(), &log[..]),
            (place.seed(), b"keys"),
            (place.console(), b"boot\n"),
            (image.clone(), b"disk"),
        ] {
            std::fs::write(path, bytes).unwrap();
        }
        let kept = |path: PathBuf| Kept::of(&path).unwrap();
        let recording = Recording {
            schema: SCHEMA.into(),
            vector: "limits/kind-of-1120".into(),
            cell: "freebsd/14.0-STABLE/stock".into(),
            outcome: "panicked".into(),
            kernel_sha256: "d44f".into(),
            kernel_file: None,
            module: None,
            qemu: QemuKept { version: "7.2.22".into(), log_version: 0x00e0_200c, command: Vec::new() },
            memory_mib: 512,
            root_disk: Disk { path: image.clone(), contents: kept(image) },
            kernel_disk: None,
            log: kept(place.log()),
            seed: kept(place.seed()),
            console: kept(place.console()),
            instructions: Instructions { begin: 900, end: None },
            died: None,
        };
        recording.write(directory).unwrap();
        recording
    }

    #[test]
    fn a_recording_is_read_as_it_was_written_and_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let recording = recorded(directory.path());
        assert_eq!(Recording::load(directory.path()).unwrap(), recording);
        recording.demand_whole(directory.path()).unwrap();
    }

    #[test]
    fn what_is_no_longer_what_it_was_is_told_with_what_helps() {
        let directory = tempfile::tempdir().unwrap();
        let recording = recorded(directory.path());
        let place = RecordingPlace::new(directory.path());
        let told = || recording.demand_whole(directory.path()).unwrap_err().to_string();
        let whole = std::fs::read(place.log()).unwrap();
        std::fs::write(place.log(), &whole[..14]).unwrap();
        assert!(
            told().contains("events.log: is not the log that was recorded: it has 14 of 18 bytes"),
            "{}",
            told()
        );
        std::fs::write(place.log(), &whole).unwrap();
        std::fs::write(directory.path().join("disk.raw"), "dusk").unwrap();
        assert!(
            told().contains("disk.raw: is not the image that the guest had: its digest is"),
            "{}",
            told()
        );
        assert!(told().contains("nlproof image build"), "{}", told());
        std::fs::remove_file(place.seed()).unwrap();
        assert!(told().contains("seed.raw: cannot be read"), "{}", told());
        let killed = Recording { log: Kept { ..recording.log.clone() }, ..recording.clone() };
        std::fs::write(place.log(), [0; 18]).unwrap();
        let killed = Recording { log: Kept::of(&place.log()).unwrap(), ..killed };
        let error = killed.demand_whole(directory.path()).unwrap_err().to_string();
        assert!(error.contains("QEMU was killed while it recorded"), "{error}");
    }

    #[test]
    fn a_directory_without_a_recording_or_with_another_ones_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let error = Recording::load(directory.path()).unwrap_err().to_string();
        assert!(error.contains("no recording here") && error.contains("--record"), "{error}");
        let recording = recorded(directory.path());
        Recording { schema: "nlproof-recording-9".into(), ..recording }.write(directory.path()).unwrap();
        let error = Recording::load(directory.path()).unwrap_err().to_string();
        assert!(error.contains("is of schema nlproof-recording-9"), "{error}");
    }

    #[test]
    fn a_replay_stops_so_many_instructions_before() {
        let directory = tempfile::tempdir().unwrap();
        let mut recording = recorded(directory.path());
        assert_eq!(recording.stop(None, 0), Ok(900));
        recording.instructions.end = Some(1500);
        assert_eq!((recording.stop(None, 0), recording.of_interest().1), (Ok(1500), "the vector's end"));
        let address = "0xffffffff80d7eeb5".to_owned();
        let (function, entered) = ("trap_fatal".to_owned(), 1300);
        recording.died = Some(Died { instruction: 1200, address, place: None, function, entered });
        assert_eq!(recording.stop(None, 1000), Ok(200));
        assert_eq!(recording.stop(Some(1100), 1), Ok(1099));
        let error = recording.stop(None, 1200).unwrap_err();
        assert_eq!(error, "there are no 1200 instructions before instruction 1200");
    }
}
