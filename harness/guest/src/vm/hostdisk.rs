// SPDX-License-Identifier: BSD-2-Clause
//! This machine's disks under a guest: where what a guest writes goes, and what it is called when they fail.
//!
//! QEMU stops a guest whose write finds no room (`werror=enospc`, its default), tells that over QMP, and then waits for
//! somebody to make room and say `cont`. Any other error it passes on to the guest, whose kernel is then no witness
//! any more.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use nlproof_files::free_bytes;

use super::config::VmConfig;
use super::disk::DiskWrites;

/// A file system with less room than this is full for a guest: its disk grows by 64 KiB, and a log by a page.
const LITTLE: u64 = 1024 * 1024;
/// What to do about a full disk with the guest's own writes.
pub const TEMPORARY_REMEDY: &str = "make room, or name another directory in TMPDIR";
/// What to do about a full disk with the cache.
pub const CACHE_REMEDY: &str = "make room, or put the cache elsewhere with XDG_CACHE_HOME";
const LOG_REMEDY: &str = "make room there, or name another directory";

/// A disk of this machine failed a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDisk {
    /// What could not be done, or was seen instead.
    pub what: String,
    /// There is no room; otherwise it failed in another way.
    pub full: bool,
    /// The directory that was written to, or read.
    pub place: PathBuf,
    /// Bytes that are free there, if its file system says so.
    pub free: Option<u64>,
    /// What to do about a full one.
    pub remedy: &'static str,
}

impl HostDisk {
    /// Names in reports for a full disk and for one that failed in another way.
    pub const KINDS: [&str; 2] = ["host-disk-full", "host-disk-failed"];

    /// The name of this failure.
    pub fn kind(&self) -> &'static str {
        Self::KINDS[usize::from(!self.full)]
    }
}

impl fmt::Display for HostDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, full, place, free, remedy } = self;
        if !full {
            return write!(f, "this machine's disk failed under the guest: {what}; {}", place.display());
        }
        write!(f, "this machine's disk is full: {what}; {}: ", place.display())?;
        match free {
            Some(free) => write!(f, "{free} bytes free; {remedy}"),
            None => f.write_str(remedy),
        }
    }
}

/// A directory on this machine that a guest's QEMU writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    directory: PathBuf,
    remedy: &'static str,
}

impl Place {
    /// Where a machine like this writes: first to its disk.
    pub(super) fn all(config: &VmConfig, serial_log: &Path) -> Vec<Place> {
        let parent = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        // The run directory is nobody's to make room in.
        let base = |path: &Path| parent(&parent(path));
        let disk = config.boot_disk().map(|disk| match disk.writes {
            DiskWrites::Discard => Place { directory: overlay_directory(), remedy: TEMPORARY_REMEDY },
            DiskWrites::Scratch => Place { directory: base(&disk.path), remedy: TEMPORARY_REMEDY },
            DiskWrites::Keep => Place { directory: parent(&disk.path), remedy: CACHE_REMEDY },
        });
        let memory = config.kept_memory().filter(|memory| memory.shared);
        let memory = memory.map(|file| Place { directory: parent(&file.path), remedy: CACHE_REMEDY });
        let log = Place { directory: parent(serial_log), remedy: LOG_REMEDY };
        disk.into_iter().chain(memory).chain([log]).collect()
    }

    /// What `what` means when it happens here.
    pub(super) fn failed(&self, what: String, full: bool) -> HostDisk {
        let free = free_bytes(&self.directory).ok();
        HostDisk { what, full, place: self.directory.clone(), free, remedy: self.remedy }
    }

    pub(super) fn is_full(&self) -> bool {
        free_bytes(&self.directory).is_ok_and(|free| free < LITTLE)
    }
}

/// Where what a guest writes to a disk that is not kept is put, by QEMU and by nlproof.
pub fn overlay_directory() -> PathBuf {
    overlay_directory_of(std::env::var_os("TMPDIR").as_deref())
}

/// QEMU's own rule (block.c, `create_tmp_file`): /tmp may be small, and such an overlay large.
fn overlay_directory_of(tmpdir: Option<&OsStr>) -> PathBuf {
    let named = tmpdir.filter(|value| !value.is_empty() && *value != "/tmp");
    named.map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_place_bytes_and_remedy() {
        let place = Place { directory: "/nonexistent".into(), remedy: TEMPORARY_REMEDY };
        assert!(!place.is_full(), "nobody can tell");
        let mut disk = place.failed("qemu cannot write".into(), true);
        assert_eq!(disk.kind(), "host-disk-full");
        assert_eq!(
            disk.to_string(),
            "this machine's disk is full: qemu cannot write; /nonexistent: make room, or name another directory in \
             TMPDIR"
        );
        disk.free = Some(4096);
        assert!(disk.to_string().contains("/nonexistent: 4096 bytes free; make room"), "{disk}");
        let failed = place.failed("read: Input/output error".into(), false);
        assert_eq!(failed.kind(), "host-disk-failed");
        assert!(failed.to_string().ends_with("read: Input/output error; /nonexistent"), "{failed}");
    }

    #[test]
    fn the_overlay_is_where_qemu_puts_it() {
        let of = |value: &str| overlay_directory_of(Some(OsStr::new(value)));
        assert_eq!(of("/mnt/large"), Path::new("/mnt/large"));
        assert_eq!(of("/tmp"), Path::new("/var/tmp"));
        assert_eq!(of(""), Path::new("/var/tmp"));
        assert_eq!(overlay_directory_of(None), Path::new("/var/tmp"));
    }

    #[test]
    fn a_machine_writes_where_its_disk_memory_and_log_are() {
        let mut config = VmConfig::default();
        config.raw_disk("/images/disk.raw", DiskWrites::Keep).memory_file("/cache/memory", true);
        let directories = |config: &VmConfig| {
            let places = Place::all(config, Path::new("/report/console"));
            places.into_iter().map(|place| place.directory).collect::<Vec<_>>()
        };
        assert_eq!(directories(&config), ["/images", "/cache", "/report"].map(PathBuf::from));
        config.raw_disk("/images/disk.raw", DiskWrites::Discard).memory_file("/cache/memory", false);
        assert_eq!(directories(&config), [overlay_directory(), PathBuf::from("/report")]);
        config.overlay_disk("/var/tmp/nlproof-vm-1/disk.qcow2", DiskWrites::Scratch);
        assert_eq!(directories(&config), ["/var/tmp", "/report"].map(PathBuf::from));
    }
}
