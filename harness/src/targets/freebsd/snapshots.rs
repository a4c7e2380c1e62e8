// SPDX-License-Identifier: BSD-2-Clause
//! The snapshots of booted guests: `<cache>/snapshots/<key>/`.
//!
//! A snapshot is made in `<key>.partial`, by whoever holds the lock on `<key>.lock`, and renamed when it is
//! whole; a process that is killed meanwhile leaves nothing that would be taken for a snapshot. Its
//! `snapshot.json` has the sizes of the files, so one that was cut short later is not used either.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nlproof_agent::TOKEN_LEN;
use nlproof_base::Limit;
use nlproof_image::punch_zeros;
use sha2::{Digest, Sha256};

use super::keys::Keys;
use super::loaded_module::Loaded;
use crate::targets::RunningKernel;

/// Version of what is kept and how; part of every key.
const FORMAT: &str = "nlproof snapshot 4";
const PARTIAL: &str = ".partial";
const LOCK: &str = ".lock";
const INFO: &str = "snapshot.json";
/// Number of snapshots of one image that stay, the ones used last: that for vectors, the same with the module, and the
/// plain one of `shell`. Each new agent makes other keys.
const KEPT: usize = 3;

/// The files of a snapshot: the disk's overlay, the machine's state, the console up to that moment, the memory, the disk
/// with its keys.
const FILES: [&str; 5] = ["overlay.qcow2", "state", "console", "memory", "seed"];

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

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    /// The image's directory.
    image: PathBuf,
    /// Bytes of each file.
    files: BTreeMap<String, u64>,
    saved: Saved,
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

/// The snapshots of one cache.
pub(super) struct Snapshots {
    dir: PathBuf,
}

/// Bytes on disk and number of the saved states of guests of the images in this cache; `sweep` removes those
/// that no run will ask for.
pub fn saved_guests(cache: &Path, sweep: bool) -> (usize, u64) {
    let store = Snapshots { dir: cache.join("snapshots") };
    if sweep {
        store.sweep();
    }
    let whole = fs::read_dir(&store.dir).into_iter().flatten().flatten().filter_map(|entry| {
        let dir = entry.path();
        info(&dir).ok()?;
        // The memory has holes: blocks count, not lengths.
        let files = fs::read_dir(&dir).into_iter().flatten().flatten();
        Some(files.filter_map(|file| Some(file.metadata().ok()?.blocks() * 512)).sum::<u64>())
    });
    whole.fold((0, 0), |(count, bytes), more| (count + 1, bytes + more))
}

/// Bytes of each state that a sweep would remove once the images in these directories are gone.
pub fn unwanted_guests(cache: &Path, gone: &[&Path]) -> Vec<u64> {
    let store = Snapshots { dir: cache.join("snapshots") };
    let bytes = |dir: &Path| {
        let files = fs::read_dir(dir).into_iter().flatten().flatten();
        files.filter_map(|file| Some(file.metadata().ok()?.blocks() * 512)).sum::<u64>()
    };
    store.unwanted(gone).iter().map(|name| bytes(&store.dir.join(name))).collect()
}

/// When a state was used last; `None`: the directory holds no state.
pub(super) fn last_use(dir: &Path) -> Option<SystemTime> {
    fs::metadata(dir.join(INFO)).and_then(|data| data.modified()).ok()
}

/// Removes the state of that key in this cache.
pub(super) fn remove_saved(cache: &Path, key: &str) {
    Snapshots { dir: cache.join("snapshots") }.remove(key);
}

/// A digest over everything that decides whether a snapshot can be restored and what it contains.
pub(super) fn key(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in [FORMAT].iter().chain(parts) {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    nlproof_base::hex(&digest.finalize())
}

/// A whole snapshot, or one that is being made.
pub(super) struct Snapshot {
    dir: PathBuf,
}

impl Snapshot {
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

    fn sizes(&self) -> io::Result<BTreeMap<String, u64>> {
        FILES.iter().map(|name| Ok((name.to_string(), fs::metadata(self.dir.join(name))?.len()))).collect()
    }
}

impl Snapshots {
    /// The snapshots beside the directory of this image: `<cache>/images/<key>`.
    pub(super) fn beside(image: &Path) -> Option<Self> {
        Some(Self { dir: image.parent()?.parent()?.join("snapshots") })
    }

    /// The snapshot of that key, if there is one.
    ///
    /// # Errors
    /// There is one, and it is not whole.
    pub(super) fn find(&self, key: &str) -> Result<Option<(Snapshot, Saved)>, BadSnapshot> {
        let snapshot = Snapshot { dir: self.dir.join(key) };
        if !snapshot.dir.exists() {
            return Ok(None);
        }
        private(&snapshot.dir)?;
        private(&snapshot.dir.join(INFO))?;
        let info = info(&snapshot.dir).map_err(BadSnapshot::Info)?;
        let sizes = snapshot.sizes().map_err(BadSnapshot::Missing)?;
        if let Some((name, _)) = info.files.iter().find(|(name, size)| sizes.get(*name) != Some(size)) {
            return Err(BadSnapshot::Size { name: name.clone() });
        }
        // For the choice of what stays; a cache that cannot be written to is still of use.
        drop(File::open(snapshot.dir.join(INFO)).and_then(|file| file.set_modified(SystemTime::now())));
        Ok(Some((snapshot, info.saved)))
    }

    /// Removes a snapshot that turned out bad. Whoever uses it has its files open.
    pub(super) fn remove(&self, key: &str) {
        let gone = self.dir.join(format!("{key}.{}{PARTIAL}", std::process::id()));
        // Renamed first: half a removal would be half a snapshot.
        drop(fs::rename(self.dir.join(key), &gone).and_then(|()| fs::remove_dir_all(&gone)));
    }

    /// Begins a snapshot; `None`: another process is making it.
    pub(super) fn begin(&self, key: &str) -> io::Result<Option<Making>> {
        fs::create_dir_all(&self.dir)?;
        let Some(lock) = Lock::try_take(self.dir.join(format!("{key}{LOCK}")))? else { return Ok(None) };
        let partial = self.dir.join(format!("{key}{PARTIAL}"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        // The guest's memory has the token and its private keys in it.
        DirBuilder::new().mode(0o700).create(&partial)?;
        let whole = self.dir.join(key);
        Ok(Some(Making { snapshot: Snapshot { dir: partial }, whole, _lock: lock }))
    }

    /// Removes what no run will ask for again: of images that are gone, and all but the last used ones of
    /// each image.
    pub(super) fn sweep(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some(key) = name.strip_suffix(PARTIAL) else { continue };
            let lock = Lock::try_take(self.dir.join(format!("{key}{LOCK}")));
            if matches!(lock, Ok(Some(_))) {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
        self.unwanted(&[]).iter().for_each(|key| self.remove(key));
    }

    /// The states that no run will ask for again, if the images in these directories were gone too.
    fn unwanted(&self, gone: &[&Path]) -> Vec<String> {
        let mut unwanted = Vec::new();
        let mut by_image: BTreeMap<PathBuf, Vec<(SystemTime, String)>> = BTreeMap::new();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            match info(&path) {
                _ if name.ends_with(PARTIAL) => {}
                Ok(info) if info.image.exists() && !gone.contains(&info.image.as_path()) => {
                    let used = last_use(&path).unwrap_or(SystemTime::UNIX_EPOCH);
                    by_image.entry(info.image).or_default().push((used, name));
                }
                Ok(_) => unwanted.push(name),
                // Of another version of this program, which nobody will ask for.
                Err(_) if path.join(INFO).exists() => unwanted.push(name),
                Err(_) => {}
            }
        }
        for mut snapshots in by_image.into_values() {
            snapshots.sort();
            unwanted.extend(snapshots.into_iter().rev().skip(KEPT).map(|(_, key)| key));
        }
        unwanted
    }
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

fn info(dir: &Path) -> io::Result<Info> {
    Ok(serde_json::from_slice(&nlproof_base::read(&dir.join(INFO), Limit::REPORT)?)?)
}

/// A snapshot that is being made; unless it is kept, it goes when it is dropped.
pub(super) struct Making {
    pub(super) snapshot: Snapshot,
    whole: PathBuf,
    _lock: Lock,
}

impl Making {
    /// Makes it the snapshot of its key.
    pub(super) fn keep(self, image: &Path, saved: Saved) -> io::Result<()> {
        // The machine stands still, and a hole reads as zeros. Of 14.0-STABLE's guest 40 to 50 % of what it has touched are
        // zeros. A file system without holes keeps the file as it is.
        drop(punch_zeros(&self.snapshot.memory()));
        let info = Info { image: image.to_owned(), files: self.snapshot.sizes()?, saved };
        // The token opens the guest to whoever can read it.
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.snapshot.dir.join(INFO))?;
        io::Write::write_all(&mut file, &serde_json::to_vec(&info)?)?;
        // The running machine has it open.
        fs::remove_file(self.snapshot.live())?;
        fs::rename(&self.snapshot.dir, &self.whole)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // After a rename there is nothing; what cannot be removed now is removed by a later sweep.
        drop(fs::remove_dir_all(&self.snapshot.dir));
    }
}

/// The right to make the snapshot of one key. Its file goes when it is dropped.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn try_take(path: PathBuf) -> io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had the lock may have removed the file between our opening and locking it.
            let held = file.metadata()?;
            if fs::metadata(&path).is_ok_and(|named| (named.ino(), named.dev()) == (held.ino(), held.dev())) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn make(store: &Snapshots, key: &str, image: &Path) {
        let making = store.begin(key).unwrap().unwrap();
        for name in FILES.iter().chain(&["live.qcow2"]) {
            fs::write(making.snapshot.dir.join(name), name).unwrap();
        }
        let kernel =
            RunningKernel { osreldate: 1, version: "FreeBSD".into(), modules: vec![], settings: vec![] };
        let (keys, _) = Keys::fresh(nlproof_image::SeedCard::Virtio).unwrap();
        making
            .keep(image, Saved { token: [7; TOKEN_LEN], keys, kernel, module: None, models: vec![] })
            .unwrap();
    }

    fn names(store: &Snapshots) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&store.dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_part_is_in_the_key() {
        let all = key(&["image", "qemu", "agent"]);
        assert_eq!(all, key(&["image", "qemu", "agent"]));
        for other in [&["image2", "qemu", "agent"][..], &["imageq", "emu", "agent"], &["image", "qemu"]] {
            assert_ne!(all, key(other));
        }
    }

    #[test]
    fn a_snapshot_is_found_whole_and_refused_when_cut() {
        let dir = tempfile::tempdir().unwrap();
        let store = Snapshots::beside(&dir.path().join("images/i")).unwrap();
        assert!(store.find("k").unwrap().is_none());
        make(&store, "k", dir.path());
        let (snapshot, saved) = store.find("k").unwrap().unwrap();
        assert_eq!(saved.token, [7; TOKEN_LEN]);
        let mode = fs::metadata(store.dir.join("k").join(INFO)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "others could read the token");
        let mode = fs::metadata(store.dir.join("k")).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "others could read it in the guest's memory");
        assert!(!snapshot.live().exists());
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(store.dir.join("k"), open).unwrap();
        let error = store.find("k").err().unwrap();
        assert_eq!(error.to_string(), "others can read the state: k has mode 0755");
        fs::set_permissions(store.dir.join("k"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(snapshot.state(), "").unwrap();
        let error = store.find("k").err().unwrap();
        assert!(matches!(&error, BadSnapshot::Size { name } if name == "state"), "{error}");
        store.remove("k");
        assert!(store.find("k").unwrap().is_none());
        assert_eq!(names(&store), [""; 0]);
    }

    #[test]
    fn one_maker_at_a_time_and_a_dead_one_leaves_nothing_that_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let store = Snapshots::beside(&dir.path().join("images/i")).unwrap();
        let making = store.begin("k").unwrap();
        assert!(store.begin("k").unwrap().is_none());
        store.sweep();
        assert_eq!(names(&store), ["k.lock", "k.partial"]);
        drop(making);
        // As after kill -9: the directory is there, the lock is free.
        fs::create_dir_all(store.dir.join("k.partial")).unwrap();
        fs::write(store.dir.join("k.partial/state"), "half").unwrap();
        assert!(store.find("k").unwrap().is_none());
        store.sweep();
        assert_eq!(names(&store), [""; 0]);
    }

    #[test]
    fn only_the_last_used_of_an_image_that_is_there_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = Snapshots::beside(&dir.path().join("images/i")).unwrap();
        for (age, key) in ["new", "mid", "late", "old"].into_iter().enumerate() {
            make(&store, key, dir.path());
            let at = SystemTime::now() - std::time::Duration::from_secs(60 * age as u64);
            File::open(store.dir.join(key).join(INFO)).unwrap().set_modified(at).unwrap();
        }
        make(&store, "gone", &dir.path().join("images/gone"));
        assert_eq!(saved_guests(dir.path(), false).0, 5);
        make(&store, "older", dir.path());
        fs::write(store.dir.join("older").join(INFO), "{}").unwrap();
        store.sweep();
        assert_eq!(names(&store), ["late", "mid", "new"]);
    }
}
