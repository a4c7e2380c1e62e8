// SPDX-License-Identifier: BSD-2-Clause
//! The module `nlproof_faultnic.ko`, whose network interfaces have faults: for tests only.

use std::path::Path;
use tokio_util::sync::CancellationToken;

use crate::c_part::{CPart, add_to_key};
use crate::error::KmodError;
use crate::headers::{HeaderSource, Headers};
use crate::key::Key;
use crate::module::Module;
use crate::parts::FAULTNIC as TREE;
use crate::toolchain::CTools;

/// The name by which the kernel and vectors know the module.
pub const FAULTNIC: &str = "nlproof_faultnic";

/// Builds the module with the faulty interfaces for a release, or finds it in the cache. `checkout` is the directory that
/// holds `kmod-src`: see [`Checkout`](crate::Checkout).
///
/// # Errors
/// See [`KmodError`].
pub fn build_faultnic(
    tools: &CTools,
    headers: HeaderSource<'_>,
    checkout: &Path,
    cache: &Path,
    cancel: &CancellationToken,
) -> Result<Module, KmodError> {
    find_or_make(tools, headers, checkout, cache, cancel).map_err(|error| error.explained(cache))
}

fn find_or_make(
    tools: &CTools,
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
    let (directory, file) = (format!("faultnic-{}", key.finish()), format!("{FAULTNIC}.ko"));
    Module::kept(cache, &directory, &file, &headers, |out| {
        let part = CPart { tools, headers: &headers, out, cancel };
        part.link(&file, &part.compile(&tree, "/faultnic", &[])?)
    })
}
