// SPDX-License-Identifier: BSD-2-Clause
//! QEMU's log of everything that came to a machine from outside, and machines that live through it again.
//!
//! Source: QEMU's docs/system/replay.rst and replay/replay-internal.h. A machine whose clock is its count of instructions
//! (`-icount`) does the same again if it hears the same at the same instructions: what the clocks of this machine said,
//! packets of the network, ends of reads and writes. QEMU writes that into one file, and only puts a header in front of
//! it when it ends in order:
//!
//! ```text
//! 0   4   version of the format, big-endian; zero until QEMU has ended
//! 4   8   zero
//! 12      events
//! ```

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Nanoseconds of the guest's time that an instruction takes, as a power of two: 32, so that a guest of 30 million
/// instructions a second, which is what TCG does, has the time of this machine.
pub(super) const CLOCK_SHIFT: u32 = 5;
/// Time of the machine's clock when it is switched on, in UTC: the same in a replay.
pub(super) const SWITCHED_ON: &str = "2026-01-01T00:00:00";
/// Bytes before the first event.
const HEADER: usize = 12;

/// Whether a log is written or lived through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogUse {
    /// QEMU writes it.
    Record,
    /// QEMU takes from it what comes to the machine.
    Replay,
}

/// A machine whose every instruction can be come to again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    /// The file.
    pub path: PathBuf,
    /// What is done with it.
    pub how: LogUse,
}

impl EventLog {
    /// QEMU's words for what is done.
    pub(super) fn verb(&self) -> &'static str {
        match self.how {
            LogUse::Record => "record",
            LogUse::Replay => "replay",
        }
    }
}

/// Why nothing can be replayed from a log.
#[derive(Debug, thiserror::Error)]
pub enum BadLog {
    /// The log cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The log.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The log ends before its first event.
    #[error("{}: {bytes} bytes are no log of QEMU's; a header alone has {HEADER}", path.display())]
    Short {
        /// The log.
        path: PathBuf,
        /// How many bytes it has.
        bytes: usize,
    },
    /// QEMU did not end in order.
    #[error("{}: the log has no header: QEMU was killed while it recorded, and writes the header when it ends", path.display())]
    NoHeader {
        /// The log.
        path: PathBuf,
    },
}

/// The version of a log's format. Each QEMU reads its own alone.
///
/// # Errors
/// See [`BadLog`].
pub fn log_version(path: &Path) -> Result<u32, BadLog> {
    let unreadable = |source| BadLog::Unreadable { path: path.to_owned(), source };
    // A piece of a file is there as a whole.
    let mut head = [0; HEADER + 1];
    let length = File::open(path).and_then(|mut file| file.read(&mut head)).map_err(unreadable)?;
    let head = &head[..length];
    match head.first_chunk::<4>() {
        Some(version) if head.len() > HEADER => match u32::from_be_bytes(*version) {
            0 => Err(BadLog::NoHeader { path: path.to_owned() }),
            version => Ok(version),
        },
        _ => Err(BadLog::Short { path: path.to_owned(), bytes: head.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_a_header_once_qemu_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let version = |bytes: &[u8]| {
            std::fs::write(&log, bytes).unwrap();
            log_version(&log)
        };
        // As QEMU 7.2 begins.
        let whole = [0x00, 0xe0, 0x20, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0x1c];
        assert_eq!(version(&whole).unwrap(), 0x00e0_200c);
        assert!(matches!(version(&[0; 64]), Err(BadLog::NoHeader { .. })));
        for cut in [0, 3, 12] {
            assert!(matches!(version(&whole[..cut]), Err(BadLog::Short { bytes, .. }) if bytes == cut));
        }
        assert!(matches!(log_version(Path::new("/nonexistent")), Err(BadLog::Unreadable { .. })));
    }
}
