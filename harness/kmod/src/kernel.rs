// SPDX-License-Identifier: BSD-2-Clause
//! The kernel file of a release: what a module's imports are looked up in before it is loaded.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_taken_and_its_modules_are_not() {
        assert_eq!((PART.place)(Path::new("boot/kernel/kernel")), Some(PathBuf::from("kernel")));
        assert_eq!((PART.place)(Path::new("boot/kernel/if_epair.ko")), None);
    }
}
