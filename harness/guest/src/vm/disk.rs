// SPDX-License-Identifier: BSD-2-Clause
//! The disks of a machine: the one that it boots from, and the one with what a run has for itself.

use std::fmt;
use std::path::PathBuf;

/// Fate of the guest's writes to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskWrites {
    /// Lost when the VM ends; the image is opened read-only.
    Discard,
    /// Into an image that is this VM's alone and goes with it: nothing of it has to reach the disk of this machine.
    Scratch,
    /// Kept in the image.
    Keep,
}

/// A disk image, seen by the guest as its first virtio block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The image file.
    pub path: PathBuf,
    /// `raw` or `qcow2`: never guessed, a guest could write a header of its own.
    pub format: &'static str,
    /// What happens to writes.
    pub writes: DiskWrites,
}

impl Disk {
    /// Whether machines that run at once start from it, each with writes of its own. Only an overlay is small.
    pub(super) fn is_shared_overlay(&self) -> bool {
        self.format == "qcow2" && self.writes == DiskWrites::Discard
    }
}

/// A disk with what one run of a guest has for itself: keys, addresses. Nobody writes to it.
#[derive(Clone, PartialEq, Eq)]
pub enum Seed {
    /// Bytes of the disk, which are private: they are put into the machine's run directory and go with it.
    Bytes(Vec<u8>),
    /// A raw image that stays.
    File(PathBuf),
}

/// Never shows the keys.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}
