// SPDX-License-Identifier: BSD-2-Clause
//! The kernel file of a release, in which a module's imports are looked up before it is loaded.

use std::path::{Path, PathBuf};

use nlproof_image::ReleaseDir;

use crate::archive::Part;
use crate::error::KmodError;

/// Where the kernel stands in kernel.txz.
const KERNEL: &str = "boot/kernel/kernel";

/// The kernel alone; its modules stay in the archive.
const PART: Part = Part {
    archive: "kernel.txz",
    kept_as: "kernel",
    place: |path| (path == Path::new(KERNEL)).then(|| PathBuf::from("kernel")),
};

/// The release's kernel, from the cache or unpacked there from kernel.txz.
///
/// # Errors
/// The release has no kernel.txz, its digest is not that of MANIFEST, or it cannot be read.
pub fn kernel(release: &ReleaseDir, cache: &Path) -> Result<PathBuf, KmodError> {
    let (directory, _) =
        PART.of(release, cache)?.ok_or_else(|| KmodError::NoKernel { path: release.path.clone() })?;
    let kernel = directory.join("kernel");
    if kernel.is_file() { Ok(kernel) } else { Err(KmodError::NoKernel { path: release.path.clone() }) }
}

/// Where the debug information of the kernel stands in kernel-dbg.txz.
const DEBUG: &str = "usr/lib/debug/boot/kernel/kernel.debug";

/// The kernel's debug information alone; that of its modules stays in the archive.
const DEBUG_PART: Part = Part {
    archive: "kernel-dbg.txz",
    kept_as: "kernel-dbg",
    place: |path| (path == Path::new(DEBUG)).then(|| PathBuf::from("kernel.debug")),
};

/// The debug information of the release's kernel: `kernel.debug` beside the archives, or out of kernel-dbg.txz. `None`: it
/// has neither.
///
/// # Errors
/// The digest of kernel-dbg.txz is not that of MANIFEST, or it cannot be read.
pub fn kernel_debug(release: &ReleaseDir, cache: &Path) -> Result<Option<PathBuf>, KmodError> {
    let beside = release.path.join("kernel.debug");
    if beside.is_file() {
        return Ok(Some(beside));
    }
    let unpacked = DEBUG_PART.of(release, cache)?;
    Ok(unpacked.map(|(directory, _)| directory.join("kernel.debug")).filter(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_taken_and_its_modules_are_not() {
        assert_eq!((PART.place)(Path::new("boot/kernel/kernel")), Some(PathBuf::from("kernel")));
        assert_eq!((PART.place)(Path::new("boot/kernel/if_epair.ko")), None);
        assert_eq!((DEBUG_PART.place)(Path::new(DEBUG)), Some(PathBuf::from("kernel.debug")));
        assert_eq!((DEBUG_PART.place)(Path::new("usr/lib/debug/boot/kernel/if_epair.ko.debug")), None);
    }
}
