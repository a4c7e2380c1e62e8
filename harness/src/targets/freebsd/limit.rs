// SPDX-License-Identifier: BSD-2-Clause
//! The size limit of the cache. Recently used entries stay. Saved states go first, because they are large and a boot
//! makes them anew, then the disks of kernels of one's own. Images of releases, downloads and objects of builds are
//! left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nlproof_files::bytes_below;
use nlproof_image::Cache;

use super::snapshot::last_use;
use super::snapshots::remove_saved;

/// Bytes that the cache may have if nobody says otherwise.
pub const CACHE_LIMIT: u64 = 10 << 30;
/// What counts, below `$XDG_CACHE_HOME/nlproof`.
const COUNTED: [&str; 4] = ["images", "snapshots", "kernels", "boot"];
/// What of it does not, objects of builds and worktrees: they are removed by name only.
const BY_NAME: [&str; 2] = ["kernels/objects", "kernels/bisect"];

/// Something that has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Victim {
    /// The state of a guest.
    State {
        /// Name of its directory.
        key: String,
        /// On the host's disk.
        bytes: u64,
    },
    /// The disk of a kernel of one's own.
    KernelDisk {
        /// The digest that it is found by.
        key: String,
        /// What the kernel was called.
        name: String,
        /// On the host's disk.
        bytes: u64,
    },
}

impl Victim {
    /// Bytes on the host's disk.
    pub fn bytes(&self) -> u64 {
        match self {
            Victim::State { bytes, .. } | Victim::KernelDisk { bytes, .. } => *bytes,
        }
    }
}

/// Entries to remove so that the cache has no more than `limit` bytes, in that order. `spared` is a state that was
/// made just now.
pub fn over_limit(root: &Path, limit: u64, spared: Option<&str>) -> Vec<Victim> {
    let bytes = |names: &[&str]| names.iter().map(|name| bytes_below(&root.join(name))).sum::<u64>();
    let mut over = bytes(&COUNTED).saturating_sub(bytes(&BY_NAME)).saturating_sub(limit);
    let mut victims = Vec::new();
    let mut candidates: Vec<(SystemTime, Victim)> = directories(&root.join("snapshots"))
        .filter_map(|dir| {
            let key = dir.file_name()?.to_str()?.to_owned();
            let used = last_use(&dir).filter(|_| Some(key.as_str()) != spared)?;
            Some((used, Victim::State { key, bytes: bytes_below(&dir) }))
        })
        .collect();
    candidates.sort_by_key(|(used, _)| *used);
    let mut disks: Vec<(SystemTime, Victim)> = Cache::new(root)
        .list()
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| entry.image.info.base.is_some() && entry.last_use().is_some())
        .filter_map(|entry| {
            let name = entry.image.info.release.clone();
            Some((entry.last_use()?, Victim::KernelDisk { key: entry.key, name, bytes: entry.bytes }))
        })
        .collect();
    disks.sort_by_key(|(used, _)| *used);
    // The disk that the spared state belongs to is the one that was used last.
    disks.pop();
    for (_, victim) in candidates.into_iter().chain(disks) {
        if over == 0 {
            break;
        }
        over = over.saturating_sub(victim.bytes());
        victims.push(victim);
    }
    victims
}

/// Removes it. A guest that runs from it has its files open.
pub fn remove_victim(root: &Path, victim: &Victim) {
    match victim {
        Victim::State { key, .. } => remove_saved(root, key),
        Victim::KernelDisk { key, .. } => {
            let cache = Cache::new(root);
            let entries = cache.list().unwrap_or_default();
            // One that somebody makes anew at this moment stays.
            entries.iter().filter(|entry| entry.key == *key).for_each(|entry| drop(cache.remove(entry)));
        }
    }
}

fn directories(path: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn state(root: &Path, key: &str, age: u64) {
        let dir = root.join("snapshots").join(key);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("memory"), vec![1; 100_000]).unwrap();
        fs::write(dir.join("snapshot.json"), "{}").unwrap();
        let at = SystemTime::now() - Duration::from_secs(age);
        fs::File::open(dir.join("snapshot.json")).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn the_states_that_were_used_least_lately_go_first_and_no_more_than_needed() {
        let root = tempfile::tempdir().unwrap();
        for (key, age) in [("new", 1), ("old", 300), ("mid", 20)] {
            state(root.path(), key, age);
        }
        for by_name in ["kernels/objects", "kernels/bisect"] {
            fs::create_dir_all(root.path().join(by_name)).unwrap();
            fs::write(root.path().join(by_name).join("big"), vec![1; 1_000_000]).unwrap();
        }
        let names = |limit, spared| -> Vec<String> {
            let of = |victim: Victim| match victim {
                Victim::State { key, .. } | Victim::KernelDisk { key, .. } => key,
            };
            over_limit(root.path(), limit, spared).into_iter().map(of).collect()
        };
        assert_eq!(names(CACHE_LIMIT, None), [""; 0]);
        assert_eq!(names(250_000, None), ["old"]);
        assert_eq!(names(150_000, None), ["old", "mid"]);
        assert_eq!(names(0, Some("new")), ["old", "mid"]);
        for victim in over_limit(root.path(), 250_000, None) {
            remove_victim(root.path(), &victim);
        }
        assert!(!root.path().join("snapshots/old").exists() && root.path().join("snapshots/mid").exists());
    }
}
