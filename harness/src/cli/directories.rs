// SPDX-License-Identifier: BSD-2-Clause
//! The directories that the environment names.

use std::path::PathBuf;

use nlproof_image::{Cache, CacheRoot, Dists};

use super::exit::CliError;

/// The releases and the images, from the environment.
pub(super) fn places() -> Result<(Dists, Cache), CliError> {
    let root = root("there is no place for images")?;
    let named = std::env::var_os("NLPROOF_DISTS");
    Ok((Dists::new(named.as_deref(), Some(&root)), Cache::new(root.path())))
}

/// `$XDG_CACHE_HOME/nlproof`, else `~/.cache/nlproof`.
pub(super) fn cache_directory() -> Result<PathBuf, CliError> {
    Ok(root("there is no cache")?.path().to_owned())
}

fn root(otherwise: &str) -> Result<CacheRoot, CliError> {
    let none = || CliError::Usage(format!("neither XDG_CACHE_HOME nor HOME is set: {otherwise}"));
    CacheRoot::from_env().ok_or_else(none)
}
