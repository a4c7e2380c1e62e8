// SPDX-License-Identifier: BSD-2-Clause
//! Releases made by the tests: two small archives and a MANIFEST.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nlproof_image::{BuildOptions, Cache, Image, ImageError, Progress, ReleaseDir, Sha256, build};
use tar::{Builder, EntryType, Header};
use tokio_util::sync::CancellationToken;

#[path = "../../../tests/support/kernel.rs"]
mod file;

/// A place for one test: releases on one side, a cache on the other.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// What is in an archive: path, type, mode, owner, contents or link target.
pub(crate) type Entry<'a> = (&'a str, EntryType, u32, u64, &'a [u8]);

/// A base system that passes for one: what an image needs, and something of every kind.
pub(crate) const BASE: &[Entry<'static>] = &[
    ("./", EntryType::Directory, 0o755, 0, b""),
    ("./bin", EntryType::Directory, 0o755, 0, b""),
    ("./bin/sh", EntryType::Regular, 0o555, 0, b"#!sh"),
    ("./bin/[", EntryType::Regular, 0o555, 0, b"[ has a name that mtree must not take for a pattern"),
    ("./bin/test", EntryType::Link, 0o555, 0, b"./bin/["),
    ("./boot/pmbr", EntryType::Regular, 0o444, 0, &[0x90; 512]),
    ("./boot/gptboot", EntryType::Regular, 0o444, 0, b"gptboot, or so it says"),
    ("./boot/loader", EntryType::Regular, 0o444, 0, b"loader"),
    ("./etc", EntryType::Directory, 0o555, 0, b""),
    ("./etc/rc", EntryType::Regular, 0o644, 0, b"stock"),
    ("./etc/pwd.db", EntryType::Regular, 0o644, 0, b"pwd"),
    ("./etc/spwd.db", EntryType::Regular, 0o600, 0, b"spwd"),
    ("./sbin/init", EntryType::Regular, 0o500, 0, b"init"),
    ("./tmp", EntryType::Directory, 0o1777, 0, b""),
    ("./sys", EntryType::Symlink, 0o755, 0, b"usr/src/sys"),
    ("./bin/pax", EntryType::Regular, 0o555, 0, b"pax"),
    ("./usr/bin/su", EntryType::Regular, 0o4555, 66, b"setuid"),
    ("./usr/include/sys/param.h", EntryType::Regular, 0o444, 0, b"#define __FreeBSD_version 1400507\n"),
    ("./usr/sbin/sshd", EntryType::Regular, 0o555, 0, b"sshd"),
    ("./usr/share/man/man1/ls.1", EntryType::Regular, 0o444, 0, b"left out"),
];

/// A kernel directory likewise.
pub(crate) const KERNEL: &[Entry<'static>] = &[
    ("./boot/kernel", EntryType::Directory, 0o755, 0, b""),
    ("./boot/kernel/kernel", EntryType::Regular, 0o555, 0, b"\x7fELF@(#)FreeBSD 14.0-STABLE #0: now\n\0"),
    ("./boot/kernel/if_epair.ko", EntryType::Regular, 0o555, 0, b"epair"),
];

/// A kernel file of 14.0-STABLE that boots nowhere.
pub(crate) fn own_kernel(revision: &str) -> Vec<u8> {
    file::kernel(object::Architecture::X86_64, 1_400_507, "14.0-STABLE", revision)
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn cache(&self) -> Cache {
        Cache::new(&self.path().join("cache"))
    }

    /// Writes a release of these two archives.
    pub(crate) fn release(&self, base: &[u8], kernel: &[u8]) -> ReleaseDir {
        let dir = self.path().join("14.0-TEST");
        fs::create_dir_all(&dir).unwrap();
        let mut manifest = String::new();
        for (name, bytes) in [("base", base), ("kernel", kernel)] {
            fs::write(dir.join(format!("{name}.txz")), bytes).unwrap();
            manifest += &format!("{name}.txz\t{}\t1\t{name}\t\"{name}\"\ton\n", Sha256::of(bytes));
        }
        fs::write(dir.join("MANIFEST"), manifest).unwrap();
        ReleaseDir::open(&dir).unwrap()
    }

    /// Names of everything that is in the cache.
    pub(crate) fn cached(&self) -> Vec<String> {
        let Ok(dir) = fs::read_dir(self.path().join("cache/images")) else { return Vec::new() };
        dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Builds with a `makefs` that must not be reached, and returns the error.
    pub(crate) fn fails(&self, release: &ReleaseDir) -> ImageError {
        let options =
            BuildOptions { makefs: Some(PathBuf::from("/nonexistent/makefs")), ..BuildOptions::default() };
        let result = build(release, &options, &self.cache(), &CancellationToken::new(), &mut |_| {});
        assert_eq!(self.cached(), Vec::<String>::new(), "a failed build left something behind");
        result.unwrap_err()
    }
}

/// Small images.
pub(crate) fn small() -> BuildOptions {
    BuildOptions { free_mib: 1, ..BuildOptions::default() }
}

pub(crate) fn run(release: &ReleaseDir, options: &BuildOptions, cache: &Cache) -> Result<Image, ImageError> {
    build(release, options, cache, &CancellationToken::new(), &mut |_: Progress| {})
}

/// A tar archive, uncompressed.
pub(crate) fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, mode, uid, contents) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(*uid);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        // Written by hand: the crate's own setters refuse the names that some tests are about.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        let data = if matches!(kind, EntryType::Link | EntryType::Symlink) {
            header.as_mut_bytes()[157..157 + contents.len()].copy_from_slice(contents);
            &[][..]
        } else {
            contents
        };
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn txz(entries: &[Entry<'_>]) -> Vec<u8> {
    xz(&tar(entries))
}

/// Whether `makefs` is there; otherwise says that `test` is skipped.
pub(crate) fn have_makefs(test: &str) -> bool {
    let runs = |program: &&str| {
        let quiet =
            Command::new(program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok()
    };
    let found = ["makefs", "/usr/sbin/makefs"].iter().any(runs);
    if !found {
        skipped(test, "no makefs here");
    }
    found
}

/// Says that `test` is skipped, past the capture of the output of tests that pass.
#[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
pub(crate) fn skipped(test: &str, reason: &str) {
    std::io::stderr().write_all(format!("skipped: {test}: {reason}\n").as_bytes()).unwrap();
}
