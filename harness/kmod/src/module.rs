// SPDX-License-Identifier: BSD-2-Clause
//! A module in the cache: made once, checked before it is kept and whenever it is handed out.

use std::fs;
use std::path::{Path, PathBuf};

use nlproof_files::work_directory_in;

use crate::archive::keep;
use crate::check::check;
use crate::error::KmodError;
use crate::headers::Headers;

/// A module that may be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// `nlproof_iface.ko`, or another module's file.
    pub path: PathBuf,
    /// Size of the module in bytes, debug information included.
    pub bytes: u64,
    /// `__FreeBSD_version` of the headers it was compiled against. It loads on kernels of this major from this
    /// version on.
    pub freebsd_version: u32,
    /// Symbols that it imports from the kernel, sorted.
    pub imports: Vec<String>,
    /// The module was found in the cache.
    pub cached: bool,
}

impl Module {
    /// The module in `cache/directory/file`. If it is not there, `make` makes it in an empty directory and says where.
    pub(crate) fn kept(
        cache: &Path,
        directory: &str,
        file: &str,
        headers: &Headers,
        make: impl FnOnce(&Path) -> Result<PathBuf, KmodError>,
    ) -> Result<Self, KmodError> {
        let place = cache.join(directory);
        let cached = place.is_dir();
        if !cached {
            let new_directory = || work_directory_in(cache).map_err(KmodError::io("create", cache));
            let work = new_directory()?;
            let made = make(work.path())?;
            check(&fs::read(&made).map_err(KmodError::io("read", &made))?)?;
            let finished = new_directory()?;
            fs::rename(&made, finished.path().join(file)).map_err(KmodError::io("move", &made))?;
            keep(finished, &place)?;
        }
        let path = place.join(file);
        let bytes = fs::read(&path).map_err(KmodError::io("read", &path))?;
        let imports = check(&bytes)?;
        Ok(Self { path, bytes: bytes.len() as u64, freebsd_version: headers.version, imports, cached })
    }
}
