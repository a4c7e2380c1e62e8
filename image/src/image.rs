// SPDX-License-Identifier: BSD-2-Clause
//! A finished image, and its description in `image.json`.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nlproof_base::Limit;

use crate::{digest::Sha256, error::ImageError, kernel::KernelInfo};

/// Version of `image.json`. An image with another one is built again.
pub const SCHEMA: u32 = 2;

/// A finished image in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `<cache>/images/<key>`.
    pub dir: PathBuf,
    /// What it was built from.
    pub info: ImageInfo,
    /// Whether it was found in the cache, rather than built now.
    pub cached: bool,
}

impl Image {
    /// The raw disk. Never to be written to: a guest gets a snapshot of it.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.dir.join(DISK)
    }

    /// The digest that it is found by: the name of its directory.
    #[must_use]
    pub fn key(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The disk with the root file system: that of the release below, where this is only a kernel's.
    #[must_use]
    pub fn root_disk(&self) -> PathBuf {
        match &self.info.base {
            Some(base) => self.dir.with_file_name(base).join(DISK),
            None => self.disk(),
        }
    }

    /// The disk that the guest boots from and that is never written to, where that is another one.
    #[must_use]
    pub fn kernel_disk(&self) -> Option<PathBuf> {
        self.info.base.as_ref().map(|_| self.disk())
    }
}

/// The disk of an image.
pub(crate) const DISK: &str = "disk.raw";
/// [`ImageInfo`] as JSON.
pub(crate) const INFO: &str = "image.json";

/// `image.json`: an image's contents and sources.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInfo {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the release directory, for instance `14.0-STABLE`.
    pub release: String,
    /// `__FreeBSD_version` of the base system, when its `sys/param.h` is there.
    pub freebsd_version: Option<u32>,
    /// The kernel.
    pub kernel: KernelInfo,
    /// Whether the release's own `/etc/rc` starts the guest.
    pub stock_rc: bool,
    /// The kernel modules that were asked for, sorted: those that the kernel has as files are loaded at the start. None in
    /// an image of an older nlproof, which did not write them down.
    #[serde(default)]
    pub modules: Vec<String>,
    /// The module that the loader loads beside the kernel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader_module: Option<Input>,
    /// The files of the release that went into it.
    pub inputs: Vec<Input>,
    /// Digest of the disk. The same inputs give the same on every machine, but for a ready image, which was booted once.
    pub disk_sha256: Sha256,
    /// Size of the disk in bytes; it is sparse and takes less on the host.
    pub disk_bytes: u64,
    /// The key of the image that has the root file system, where this is only a kernel with its modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// A file that an image was made of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name of the file in the release directory.
    pub file: String,
    /// Verified digest of the file.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub bytes: u64,
}

impl ImageInfo {
    /// Reads the `image.json` of the image in `dir`; `None` when there is none that is of use, or when
    /// the disk is not the one it describes.
    pub(crate) fn read(dir: &Path) -> Option<Self> {
        let info: Self =
            serde_json::from_slice(&nlproof_base::read(&dir.join(INFO), Limit::REPORT).ok()?).ok()?;
        let disk = fs::metadata(dir.join(DISK)).ok()?;
        (info.schema == SCHEMA && disk.len() == info.disk_bytes).then_some(info)
    }

    /// Writes `image.json` into `dir`, last of all: it makes the image whole.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), ImageError> {
        let path = dir.join(INFO);
        let fail = |error| ImageError::io("write", &path, error);
        let json = serde_json::to_vec_pretty(self).map_err(|error| fail(error.into()))?;
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        opened.and_then(|mut file| file.write_all(&json)).map_err(fail)
    }
}
