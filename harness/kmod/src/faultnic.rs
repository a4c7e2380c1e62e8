// SPDX-License-Identifier: BSD-2-Clause
//! The module `nlproof_faultnic.ko`, whose network interfaces have faults: for tests only.

use std::fs;
use std::path::Path;
use tokio_util::sync::CancellationToken;

use nlproof_files::work_directory_in;

use crate::archive::keep;
use crate::build::Module;
use crate::c_part::{CPart, add_to_key};
use crate::check::check;
use crate::error::KmodError;
use crate::headers::{HeaderSource, Headers};
use crate::key::Key;
use crate::parts::FAULTNIC as TREE;
use crate::toolchain::Toolchain;

/// The name by which the kernel and vectors know the module.
pub const FAULTNIC: &str = "nlproof_faultnic";

/// Builds the module with the faulty interfaces for a release, or finds it in the cache. `checkout` is the directory that
/// holds `kmod-src`: see [`Checkout`](crate::Checkout).
///
/// # Errors
/// See [`KmodError`].
pub fn build_faultnic(
    tools: &Toolchain,
    headers: HeaderSource<'_>,
    checkout: &Path,
    cache: &Path,
    cancel: &CancellationToken,
) -> Result<Module, KmodError> {
    find_or_make(tools, headers, checkout, cache, cancel).map_err(|error| error.explained(cache))
}

fn find_or_make(
    tools: &Toolchain,
    headers: HeaderSource<'_>,
    checkout: &Path,
    cache: &Path,
    cancel: &CancellationToken,
) -> Result<Module, KmodError> {
    let (tree, endings) = TREE;
    let tree = checkout.join(tree);
    if !tree.is_dir() {
        return Err(KmodError::NoCheckout { path: tree });
    }
    let headers = Headers::of(headers, cache)?;
    let mut key = Key::default();
    key.text(FAULTNIC);
    add_to_key(&mut key, tools, &headers);
    key.tree(&tree, endings)?;
    let place = cache.join(format!("faultnic-{}", key.finish()));
    let file = format!("{FAULTNIC}.ko");
    let cached = place.is_dir();
    if !cached {
        let work = work_directory_in(cache).map_err(KmodError::io("create", cache))?;
        let part = CPart { tools, headers: &headers, out: work.path(), cancel };
        let objects = part.compile(&tree, "/faultnic", &[])?;
        let module = part.link(&file, &objects)?;
        let finished = work_directory_in(cache).map_err(KmodError::io("create", cache))?;
        fs::rename(&module, finished.path().join(&file)).map_err(KmodError::io("move", &module))?;
        keep(finished, &place)?;
    }
    let path = place.join(file);
    let bytes = fs::read(&path).map_err(KmodError::io("read", &path))?;
    let imports = check(&bytes)?;
    Ok(Module { path, bytes: bytes.len() as u64, freebsd_version: headers.version, imports, cached })
}
