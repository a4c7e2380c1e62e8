// SPDX-License-Identifier: BSD-2-Clause
//! What a copy consists of.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// One file, directory or link of a copy.
#[derive(Debug)]
pub(super) struct Entry {
    /// Path on this machine.
    pub(super) source: PathBuf,
    /// Below the path that is copied; empty for that one itself.
    pub(super) below: PathBuf,
    /// What it is.
    pub(super) kind: Kind,
    /// Permissions, without set-user-ID and the like: in the guest all is root's.
    pub(super) mode: u32,
    /// In seconds since 1970.
    pub(super) modified: u64,
}

/// What there is to copy.
#[derive(Debug)]
pub(super) enum Kind {
    /// A file, with its length in bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link, with where it leads.
    Link(PathBuf),
}

/// The bytes of a path, for an archive.
pub(super) fn joined(name: &OsStr, below: &Path) -> PathBuf {
    let name = Path::new(OsStr::from_bytes(name.as_bytes()));
    if below.as_os_str().is_empty() { name.to_owned() } else { name.join(below) }
}
