// SPDX-License-Identifier: BSD-2-Clause
//! The images that were built: `<cache>/images/<key>/`.
//!
//! The key is a digest over everything that goes into an image. An image is built in
//! `<key>.partial` beside it and renamed when it is complete, so a directory without that suffix is a
//! whole image. Whoever builds holds a lock on `<key>.lock`; the lock goes with the process, so what a
//! killed build left behind is recognised by its lock being free.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use tokio_util::sync::CancellationToken;

use crate::{
    digest::Sha256,
    error::ImageError,
    image::{INFO, Image, ImageInfo},
    lock::Lock,
    options::{Progress, Stage},
    space,
    tree::make_dir,
};

/// Pause between two attempts at another process's lock.
const TICK: Duration = Duration::from_millis(100);

/// The cache of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    images: PathBuf,
}

/// An image in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// The digest it is found by: the name of its directory.
    pub key: String,
    /// Size on the host's disk in bytes.
    pub bytes: u64,
    /// The image.
    pub image: Image,
}

impl CacheEntry {
    /// When it was used last, where the file system says so.
    #[must_use]
    pub fn last_use(&self) -> Option<SystemTime> {
        fs::metadata(self.image.dir.join(INFO)).and_then(|data| data.modified()).ok()
    }
}

impl Cache {
    /// The cache below `dir`; nothing is created before something is built.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { images: dir.join("images") }
    }

    /// Directory of releases' /boot.
    pub(crate) fn boot_files(&self) -> PathBuf {
        self.images.with_file_name("boot")
    }

    /// The images that are there, in the order of release and key.
    ///
    /// # Errors
    /// When the cache exists and cannot be read.
    pub fn list(&self) -> Result<Vec<CacheEntry>, ImageError> {
        let mut entries = Vec::new();
        for (name, dir) in self.names()? {
            if let Some(info) = ImageInfo::read(&dir) {
                let bytes = bytes_on_disk(&dir).map_err(|error| ImageError::io("read", &dir, error))?;
                entries.push(CacheEntry { key: name, bytes, image: Image { dir, info, cached: true } });
            }
        }
        entries.sort_by(|a, b| (&a.image.info.release, &a.key).cmp(&(&b.image.info.release, &b.key)));
        Ok(entries)
    }

    /// The image of that key, when it is whole.
    fn get(&self, key: &Sha256) -> Option<Image> {
        let dir = self.images.join(key.to_string());
        let info = ImageInfo::read(&dir)?;
        // For the choice of what stays; a cache that cannot be written to is still of use.
        drop(File::open(dir.join(INFO)).and_then(|file| file.set_modified(SystemTime::now())));
        Some(Image { info, dir, cached: true })
    }

    /// The image of that key: the one that is there, also if another process makes it at this moment, or the one that
    /// `make` makes in the directory that it is given. `needed` says how many bytes that takes. On any error nothing
    /// of the image remains.
    pub(crate) fn find_or_make(
        &self,
        key: &Sha256,
        cancel: &CancellationToken,
        progress: &mut dyn FnMut(Progress),
        needed: impl FnOnce() -> Result<u64, ImageError>,
        make: impl FnOnce(&Path, &mut dyn FnMut(Progress)) -> Result<ImageInfo, ImageError>,
    ) -> Result<Image, ImageError> {
        if let Some(image) = self.get(key) {
            return Ok(image);
        }
        let _lock = self.wait_for_lock(key, cancel, progress)?;
        if let Some(image) = self.get(key) {
            return Ok(image);
        }
        self.sweep()?;
        let needed = needed()?;
        space::require(&self.images, needed)?;
        let work = WorkDir::create(self, key)?;
        let info =
            make(work.path(), progress).map_err(|error| space::explain(error, &self.images, needed))?;
        let dir = work.keep(self, key)?;
        Ok(Image { dir, info, cached: false })
    }

    fn wait_for_lock(
        &self,
        key: &Sha256,
        cancel: &CancellationToken,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Lock, ImageError> {
        loop {
            if let Some(lock) = self.try_lock(key)? {
                return Ok(lock);
            }
            if cancel.is_cancelled() {
                return Err(ImageError::Cancelled);
            }
            progress(Progress { stage: Stage::Wait, bytes_done: 0, bytes_total: 0 });
            thread::sleep(TICK);
        }
    }

    /// Removes an image. A guest that runs from it keeps its disk until it ends.
    ///
    /// # Errors
    /// [`ImageError::Busy`] when somebody builds that image at this moment, or it cannot be removed.
    pub fn remove(&self, entry: &CacheEntry) -> Result<(), ImageError> {
        let busy = || ImageError::Busy { path: entry.image.dir.clone() };
        let key: Sha256 = entry.key.parse().map_err(|_| busy())?;
        let _lock = self.try_lock(&key)?.ok_or_else(busy)?;
        // Renamed first: whatever interrupts the removal leaves a leftover, not half an image.
        let partial = self.images.join(format!("{key}{PARTIAL}"));
        remove_if_there(&partial)?;
        fs::rename(&entry.image.dir, &partial)
            .map_err(|error| ImageError::io("rename", &entry.image.dir, error))?;
        remove_if_there(&partial)
    }

    /// Takes the lock of `key` if nobody has it.
    fn try_lock(&self, key: &Sha256) -> Result<Option<Lock>, ImageError> {
        fs::create_dir_all(&self.images).map_err(|error| ImageError::io("create", &self.images, error))?;
        Lock::try_take(self.images.join(format!("{key}{LOCK}")))
    }

    /// Removes the remains of killed builds.
    fn sweep(&self) -> Result<(), ImageError> {
        for (name, path) in self.names()? {
            let Some(key) = name.strip_suffix(PARTIAL).or_else(|| name.strip_suffix(LOCK)) else {
                continue;
            };
            // Taking the lock and letting it go also removes its file. What belongs to another user and
            // cannot be locked or removed is no reason not to build.
            let lock = Lock::try_take(self.images.join(format!("{key}{LOCK}")));
            if matches!(lock, Ok(Some(_))) && name.ends_with(PARTIAL) {
                fs::remove_dir_all(&path).ok();
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<(String, PathBuf)>, ImageError> {
        let read = |error| ImageError::io("read", &self.images, error);
        let dir = match fs::read_dir(&self.images) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            dir => dir.map_err(read)?,
        };
        let mut names = Vec::new();
        for entry in dir {
            let entry = entry.map_err(read)?;
            if let Ok(name) = entry.file_name().into_string() {
                names.push((name, entry.path()));
            }
        }
        Ok(names)
    }
}

/// Suffix of an image that is being built.
const PARTIAL: &str = ".partial";
/// Suffix of a lock file.
const LOCK: &str = ".lock";

/// The directory in which an image is built. Unless it is kept, it goes when it is dropped.
#[derive(Debug)]
struct WorkDir {
    path: PathBuf,
    kept: bool,
}

impl WorkDir {
    /// An empty directory for `key`, whose lock the caller holds.
    fn create(cache: &Cache, key: &Sha256) -> Result<Self, ImageError> {
        let path = cache.images.join(format!("{key}{PARTIAL}"));
        remove_if_there(&path)?;
        make_dir(&path)?;
        Ok(Self { path, kept: false })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it the image of `key`.
    fn keep(mut self, cache: &Cache, key: &Sha256) -> Result<PathBuf, ImageError> {
        let dir = cache.images.join(key.to_string());
        // What is there is not whole, or it would have been found.
        remove_if_there(&dir)?;
        fs::rename(&self.path, &dir).map_err(|error| ImageError::io("rename", &self.path, error))?;
        self.kept = true;
        Ok(dir)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed by the next build.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

fn remove_if_there(dir: &Path) -> Result<(), ImageError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ImageError::io("remove", dir, error)),
        _ => Ok(()),
    }
}

fn bytes_on_disk(dir: &Path) -> io::Result<u64> {
    fs::read_dir(dir)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.blocks() * 512))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path());
        (dir, cache)
    }

    #[test]
    fn an_image_is_removed_whole_unless_it_is_being_built() {
        let (_dir, cache) = cache();
        let key = Sha256::of(b"image");
        let dir = cache.images.join(key.to_string());
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("disk.raw"), "x").unwrap();
        let info = ImageInfo {
            schema: crate::image::SCHEMA,
            release: "r".into(),
            freebsd_version: None,
            kernel: crate::KernelInfo { version: "v".into(), sha256: key },
            stock_rc: false,
            modules: vec![],
            loader_module: None,
            inputs: vec![],
            disk_sha256: key,
            disk_bytes: 1,
            base: None,
        };
        let image = Image { dir: dir.clone(), info, cached: true };
        let entry = CacheEntry { key: key.to_string(), bytes: 1, image };
        let lock = cache.try_lock(&key).unwrap().unwrap();
        assert!(matches!(cache.remove(&entry), Err(ImageError::Busy { .. })));
        assert!(dir.exists());
        drop(lock);
        cache.remove(&entry).unwrap();
        assert_eq!(cache.names().unwrap(), []);
    }

    #[test]
    fn one_builder_at_a_time() {
        let (_dir, cache) = cache();
        let key = Sha256::of(b"one");
        let lock = cache.try_lock(&key).unwrap();
        assert!(lock.is_some());
        assert!(cache.try_lock(&key).unwrap().is_none());
        assert!(cache.try_lock(&Sha256::of(b"two")).unwrap().is_some());
        drop(lock);
        assert!(cache.try_lock(&key).unwrap().is_some());
        assert_eq!(cache.names().unwrap(), []);
    }

    #[test]
    fn leftovers_of_killed_builds_go_and_running_ones_stay() {
        let (_dir, cache) = cache();
        let (dead, running) = (Sha256::of(b"dead"), Sha256::of(b"running"));
        let lock = cache.try_lock(&running).unwrap().unwrap();
        let work = WorkDir::create(&cache, &running).unwrap();
        for left in [format!("{dead}.partial/base"), format!("{dead}.partial/kernel")] {
            fs::create_dir_all(cache.images.join(left)).unwrap();
        }
        fs::write(cache.images.join(format!("{dead}.lock")), "").unwrap();
        cache.sweep().unwrap();
        let mut names: Vec<String> = cache.names().unwrap().into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, [format!("{running}.lock"), format!("{running}.partial")]);
        drop((work, lock));
        assert_eq!(cache.names().unwrap(), []);
    }

    #[test]
    fn what_is_not_a_whole_image_is_not_found() {
        let (_dir, cache) = cache();
        let key = Sha256::of(b"x");
        assert_eq!(cache.list().unwrap(), []);
        fs::create_dir_all(cache.images.join(key.to_string())).unwrap();
        fs::write(cache.images.join(key.to_string()).join("image.json"), "{}").unwrap();
        assert_eq!(cache.get(&key), None);
        assert_eq!(cache.list().unwrap(), []);
    }
}
