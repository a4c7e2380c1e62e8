// SPDX-License-Identifier: BSD-2-Clause
//! The headers of a release: sys/ of its src.txz, unpacked once.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use liblzma::read::XzDecoder;
use nlproof_image::ReleaseDir;
use sha2::{Digest as _, Sha256};

use crate::error::KmodError;
use crate::key::hex;

/// Where sys/ stands in src.txz.
const SYS: &str = "usr/src/sys";
/// The linker script of modules, which keeps code and data on pages of their own.
const LINKER_SCRIPT: &str = "conf/ldscript.kmod.amd64";

/// sys/ of a release, headers only.
#[derive(Debug, Clone)]
pub(crate) struct Headers {
    /// The directory.
    pub(crate) sys: PathBuf,
    /// `__FreeBSD_version`.
    pub(crate) version: u32,
    /// sha256 of src.txz.
    pub(crate) digest: String,
}

impl Headers {
    /// Finds the headers in the cache or unpacks them there.
    pub(crate) fn of(release: &ReleaseDir, cache: &Path) -> Result<Self, KmodError> {
        let archive = release.path.join("src.txz");
        let Some(entry) = release.manifest.entry("src.txz").filter(|_| archive.is_file()) else {
            return Err(KmodError::NoSource { path: release.path.clone() });
        };
        let expected = entry.sha256.to_string();
        let directory = cache.join(format!("headers-{expected}"));
        if !directory.is_dir() {
            fs::create_dir_all(cache).map_err(KmodError::io("create", cache))?;
            let unpacked = tempfile::tempdir_in(cache).map_err(KmodError::io("create", cache))?;
            let got = unpack(&archive, unpacked.path()).map_err(KmodError::io("unpack", &archive))?;
            if got != expected {
                return Err(KmodError::Digest { path: archive, expected, got });
            }
            keep(unpacked, &directory)?;
        }
        let sys = directory.join("sys");
        let version = version(&sys.join("sys/param.h"))?;
        match version / 100_000 {
            14 | 15 => Ok(Self { sys, version, digest: expected }),
            major => Err(KmodError::Untried { release: release.name.clone(), major }),
        }
    }

    /// The linker script of modules.
    pub(crate) fn linker_script(&self) -> PathBuf {
        self.sys.join(LINKER_SCRIPT)
    }
}

/// Moves a finished directory to its place. Who comes second finds it there and drops their own.
pub(crate) fn keep(finished: tempfile::TempDir, place: &Path) -> Result<(), KmodError> {
    match fs::rename(finished.path(), place) {
        Err(_) if place.is_dir() => Ok(()),
        result => {
            result.map_err(KmodError::io("create", place))?;
            // It is no longer where it would be removed from.
            drop(finished.keep());
            Ok(())
        }
    }
}

/// Unpacks headers and linker script to `sys` in `directory`, and returns the archive's sha256.
fn unpack(archive: &Path, directory: &Path) -> io::Result<String> {
    let mut hashed = Hashed { inner: BufReader::new(File::open(archive)?), digest: Sha256::new() };
    let mut tar = tar::Archive::new(XzDecoder::new(&mut hashed));
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let path = path.strip_prefix(".").unwrap_or(&path);
        let Ok(inside) = path.strip_prefix(SYS) else { continue };
        let wanted =
            inside.extension().is_some_and(|ending| ending == "h") || inside == Path::new(LINKER_SCRIPT);
        let safe = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if wanted && safe && entry.header().entry_type().is_file() {
            let target = directory.join("sys").join(inside);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            io::copy(&mut entry, &mut File::create(target)?)?;
        }
    }
    drop(tar);
    // What follows the archive's end counts for the digest too.
    io::copy(&mut hashed, &mut io::sink())?;
    Ok(hex(&hashed.digest.finalize()))
}

/// Digests what is read through it.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.digest.update(&buffer[..n]);
        Ok(n)
    }
}

fn version(param_h: &Path) -> Result<u32, KmodError> {
    let missing = || KmodError::NotFreebsd { path: param_h.to_owned() };
    let text = fs::read_to_string(param_h).map_err(|_| missing())?;
    text.lines()
        .find_map(|line| line.strip_prefix("#define __FreeBSD_version "))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_param_h() {
        let place = tempfile::tempdir().unwrap();
        let header = place.path().join("param.h");
        fs::write(&header, "#undef __FreeBSD_version\n#define __FreeBSD_version 1400507\t/* x */\n").unwrap();
        assert_eq!(version(&header).unwrap(), 1_400_507);
        fs::write(&header, "int x;\n").unwrap();
        assert!(version(&header).unwrap_err().to_string().contains("does not say __FreeBSD_version"));
    }
}
