// SPDX-License-Identifier: BSD-2-Clause
//! The snapshots of booted guests: `<cache>/snapshots/<key>/`.
//!
//! A snapshot is made in `<key>.partial`, by whoever holds the lock on `<key>.lock`, and renamed when it is
//! whole; a process that is killed meanwhile leaves nothing that would be taken for a snapshot. Its
//! `snapshot.json` has the sizes of the files, so one that was cut short later is not used either.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nlproof_files::bytes_below;
use sha2::{Digest, Sha256};

use super::making::{Making, PARTIAL};
use super::snapshot::{BadSnapshot, INFO, Saved, Snapshot, last_use};

/// Version of what is kept and how; part of every key.
const FORMAT: &str = "nlproof snapshot 4";
/// Number of snapshots of one image that stay, the ones used last: that for vectors, the same with the module, and the
/// plain one of `shell`. Each new agent makes other keys.
const KEPT: usize = 3;

/// The snapshots of one cache.
pub(super) struct Snapshots {
    dir: PathBuf,
}

/// Bytes on disk and number of the saved states of guests of the images in this cache; `sweep` removes those
/// that no run will ask for.
pub fn saved_guests(cache: &Path, sweep: bool) -> (usize, u64) {
    let store = Snapshots::of(cache);
    if sweep {
        store.sweep();
    }
    let whole = fs::read_dir(&store.dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let whole = whole.filter(|dir| Snapshot { dir: dir.clone() }.info().is_ok());
    whole.fold((0, 0), |(count, bytes), dir| (count + 1, bytes + bytes_below(&dir)))
}

/// Bytes of each state that a sweep would remove once the images in these directories are gone.
pub fn unwanted_guests(cache: &Path, gone: &[&Path]) -> Vec<u64> {
    let store = Snapshots::of(cache);
    store.unwanted(gone).iter().map(|name| bytes_below(&store.dir.join(name))).collect()
}

/// Removes the state of that key in this cache.
pub(super) fn remove_saved(cache: &Path, key: &str) {
    Snapshots::of(cache).remove(key);
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

impl Snapshots {
    fn of(cache: &Path) -> Self {
        Self { dir: cache.join("snapshots") }
    }

    /// The snapshots beside the directory of this image: `<cache>/images/<key>`.
    pub(super) fn beside(image: &Path) -> Option<Self> {
        Some(Self::of(image.parent()?.parent()?))
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
        let saved = snapshot.saved()?;
        // For the choice of what stays; a cache that cannot be written to is still of use.
        drop(File::open(snapshot.dir.join(INFO)).and_then(|file| file.set_modified(SystemTime::now())));
        Ok(Some((snapshot, saved)))
    }

    /// Removes a snapshot that turned out bad. Whoever uses it has its files open.
    pub(super) fn remove(&self, key: &str) {
        let gone = self.dir.join(format!("{key}.{}{PARTIAL}", std::process::id()));
        // Renamed first: half a removal would be half a snapshot.
        drop(fs::rename(self.dir.join(key), &gone).and_then(|()| fs::remove_dir_all(&gone)));
    }

    /// Begins a snapshot; `None`: another process is making it.
    pub(super) fn begin(&self, key: &str) -> std::io::Result<Option<Making>> {
        Making::begin(&self.dir, key)
    }

    /// Removes what no run will ask for again: of images that are gone, and all but the last used ones of
    /// each image.
    pub(super) fn sweep(&self) {
        Making::sweep(&self.dir);
        self.unwanted(&[]).iter().for_each(|key| self.remove(key));
    }

    /// The states that no run will ask for again, if the images in these directories were gone too.
    fn unwanted(&self, gone: &[&Path]) -> Vec<String> {
        let mut unwanted = Vec::new();
        let mut by_image: BTreeMap<PathBuf, Vec<(SystemTime, String)>> = BTreeMap::new();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            match (Snapshot { dir: path.clone() }).info() {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use nlproof_agent::TOKEN_LEN;

    use super::super::keys::Keys;
    use super::super::snapshot::FILES;
    use super::*;
    use crate::targets::RunningKernel;

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
