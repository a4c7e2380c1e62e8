// SPDX-License-Identifier: BSD-2-Clause
//! The directory of everything that can be made again.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/nlproof`, else `$HOME/.cache/nlproof`. Releases, images, saved states and modules lie below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRoot(PathBuf);

impl CacheRoot {
    /// The root that the environment names; `None` when neither variable is set.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let [xdg, home] = ["XDG_CACHE_HOME", "HOME"].map(std::env::var_os);
        Self::from_values(xdg.as_deref(), home.as_deref())
    }

    /// The root that these values of `XDG_CACHE_HOME` and `HOME` name. Empty values count as unset.
    #[must_use]
    pub fn from_values(xdg_cache_home: Option<&OsStr>, home: Option<&OsStr>) -> Option<Self> {
        let set = |value: Option<&OsStr>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set(xdg_cache_home).or_else(|| Some(set(home)?.join(".cache")))?;
        Some(Self(cache.join("nlproof")))
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The directory of releases, where `NLPROOF_DISTS` names no other.
    #[must_use]
    pub fn dists(&self) -> PathBuf {
        self.0.join("dists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_where_the_values_say() {
        let at = |xdg: &str, home: &str| CacheRoot::from_values(Some(xdg.as_ref()), Some(home.as_ref()));
        assert_eq!(at("/c", "/h").unwrap().path(), Path::new("/c/nlproof"));
        assert_eq!(at("", "/h").unwrap().dists(), Path::new("/h/.cache/nlproof/dists"));
        assert_eq!(at("", ""), None);
        assert_eq!(CacheRoot::from_values(None, None), None);
    }
}
