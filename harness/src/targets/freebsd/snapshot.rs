// SPDX-License-Identifier: BSD-2-Clause
//! A saved guest: its files, and what is known of it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nlproof_agent::TOKEN_LEN;
use nlproof_base::Limit;

use super::keys::Keys;
use super::loaded_module::Loaded;
use crate::targets::RunningKernel;

/// The file with what is known of a snapshot.
pub(super) const INFO: &str = "snapshot.json";
/// The files of a snapshot: the disk's overlay, the machine's state, the console up to that moment, the memory, the disk
/// with its keys.
pub(super) const FILES: [&str; 5] = ["overlay.qcow2", "state", "console", "memory", "seed"];

/// The description of a saved guest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    /// What a connection to the agent must show.
    pub(super) token: [u8; TOKEN_LEN],
    /// The keys that the guest was booted with.
    pub(super) keys: Keys,
    /// The kernel's description of itself.
    pub(super) kernel: RunningKernel,
    /// The module that was loaded before.
    pub(super) module: Option<Loaded>,
    /// The models of cards that this QEMU has: to ask it for each takes longer than to read them here. The key names the QEMU
    /// and all models.
    pub(super) models: Vec<String>,
}

/// What is known of a snapshot.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Info {
    /// The image's directory.
    pub(super) image: PathBuf,
    /// Bytes of each file.
    pub(super) files: BTreeMap<String, u64>,
    pub(super) saved: Saved,
}

/// Why a snapshot that is there cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadSnapshot {
    /// What is known of it cannot be read.
    #[error("{INFO}: {0}")]
    Info(#[source] io::Error),
    /// A file of it is gone.
    #[error("a file is missing: {0}")]
    Missing(#[source] io::Error),
    /// A file of it was cut, or has grown.
    #[error("{name} has not the size that it was saved with")]
    Size {
        /// Name of the file.
        name: String,
    },
    /// The state is another user's.
    #[error("the state is another user's: {name} belongs to uid {uid}")]
    NotOurs {
        /// Name of the file.
        name: String,
        /// Who owns it.
        uid: u32,
    },
    /// Others can look into it.
    #[error("others can read the state: {name} has mode {mode:04o}")]
    Exposed {
        /// Name of the file.
        name: String,
        /// The file's mode.
        mode: u32,
    },
}

/// A whole snapshot, or one that is being made.
pub(super) struct Snapshot {
    pub(super) dir: PathBuf,
}

impl Snapshot {
    /// The guest that it holds, if all of it is there and nobody else can look into it.
    pub(super) fn saved(&self) -> Result<Saved, BadSnapshot> {
        private(&self.dir)?;
        private(&self.dir.join(INFO))?;
        let info = self.info().map_err(BadSnapshot::Info)?;
        let sizes = self.sizes().map_err(BadSnapshot::Missing)?;
        match info.files.into_iter().find(|(name, size)| sizes.get(name) != Some(size)) {
            Some((name, _)) => Err(BadSnapshot::Size { name }),
            None => Ok(info.saved),
        }
    }

    /// What is known of it; an error if it is no snapshot of this version.
    pub(super) fn info(&self) -> io::Result<Info> {
        Ok(serde_json::from_slice(&nlproof_base::read(&self.dir.join(INFO), Limit::REPORT)?)?)
    }

    /// The disk's overlay in the moment of the snapshot.
    pub(super) fn overlay(&self) -> PathBuf {
        self.dir.join(FILES[0])
    }

    /// The machine's state.
    pub(super) fn state(&self) -> PathBuf {
        self.dir.join(FILES[1])
    }

    /// The console's log up to the snapshot.
    pub(super) fn console(&self) -> PathBuf {
        self.dir.join(FILES[2])
    }

    /// The guest's memory.
    pub(super) fn memory(&self) -> PathBuf {
        self.dir.join(FILES[3])
    }

    /// The seed disk that the guest was booted with.
    pub(super) fn seed(&self) -> PathBuf {
        self.dir.join(FILES[4])
    }

    /// Writes the seed disk, for its owner alone.
    pub(super) fn keep_seed(&self, bytes: &[u8]) -> io::Result<()> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.seed());
        opened.and_then(|mut file| io::Write::write_all(&mut file, bytes))
    }

    /// The overlay that the running machine writes to while the snapshot is made.
    pub(super) fn live(&self) -> PathBuf {
        self.dir.join("live.qcow2")
    }

    pub(super) fn sizes(&self) -> io::Result<BTreeMap<String, u64>> {
        FILES.iter().map(|name| Ok((name.to_string(), fs::metadata(self.dir.join(name))?.len()))).collect()
    }
}

/// When a state was used last; `None`: the directory holds no state.
pub(super) fn last_use(dir: &Path) -> Option<SystemTime> {
    fs::metadata(dir.join(INFO)).and_then(|data| data.modified()).ok()
}

/// Whether this is ours, and nobody else can look into it: who has a state's token and keys has every guest that goes on
/// from it.
fn private(path: &Path) -> Result<(), BadSnapshot> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let data = fs::metadata(path).map_err(BadSnapshot::Missing)?;
    if data.uid() != rustix::process::geteuid().as_raw() {
        return Err(BadSnapshot::NotOurs { name, uid: data.uid() });
    }
    match data.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(BadSnapshot::Exposed { name, mode: data.mode() & 0o7777 }),
    }
}
