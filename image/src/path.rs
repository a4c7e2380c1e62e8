// SPDX-License-Identifier: BSD-2-Clause
//! Paths inside the guest's root tree.

use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

/// A path below the guest's root: components joined by `/`, none of them empty, `.` or `..`. The root
/// itself is the empty path. Ordered by bytes, so that a directory comes before what is in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TreePath(Vec<u8>);

impl TreePath {
    /// A path that this crate itself names.
    pub(crate) fn known(path: &'static str) -> Self {
        Self(path.as_bytes().to_vec())
    }

    /// The path that an archive's entry names, or why it must not be written.
    pub(crate) fn from_archive(name: &[u8]) -> Result<Self, &'static str> {
        if name.contains(&0) {
            return Err("its name holds a zero byte");
        }
        if name.first() == Some(&b'/') {
            return Err("its path is absolute");
        }
        let mut path = Vec::with_capacity(name.len());
        for part in name.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err("its path leaves the root tree through `..`"),
                _ => {}
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        Ok(Self(path))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last component.
    pub(crate) fn name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or(&[])
    }

    /// The directory that holds it; the root has none.
    pub(crate) fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    /// Whether it is `dir` or something below it.
    pub(crate) fn is_under(&self, dir: &str) -> bool {
        self.0.strip_prefix(dir.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    }

    /// Where it is on the host, below `root`.
    pub(crate) fn on_host(&self, root: &Path) -> PathBuf {
        root.join(OsStr::from_bytes(&self.0))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_names_are_normalised() {
        for (name, path) in [("./etc/rc", "etc/rc"), ("etc//rc/", "etc/rc"), ("./", ""), ("a/./b", "a/b")] {
            assert_eq!(TreePath::from_archive(name.as_bytes()), Ok(TreePath::known(path)), "{name}");
        }
    }

    #[test]
    fn names_that_leave_the_tree_are_refused() {
        for name in ["/etc/passwd", "../x", "a/../../x", "a/..", "a\0b"] {
            assert!(TreePath::from_archive(name.as_bytes()).is_err(), "{name:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_leads_out_of_the_tree(name in "[./a\0-]{0,12}") {
            if let Ok(path) = TreePath::from_archive(name.as_bytes()) {
                let host = path.on_host(Path::new("/root-tree"));
                proptest::prop_assert!(host.starts_with("/root-tree"));
                let plain = |part| matches!(part, std::path::Component::Normal(_));
                proptest::prop_assert!(host.components().skip(1).all(plain), "{host:?}");
            }
        }
    }

    #[test]
    fn parents_and_prefixes_end_at_components() {
        let path = TreePath::known("usr/share/man");
        assert_eq!(path.parent(), Some(TreePath::known("usr/share")));
        assert_eq!(TreePath::known("usr").parent(), Some(TreePath::known("")));
        assert_eq!(TreePath::known("").parent(), None);
        assert!(path.is_under("usr/share") && path.is_under("usr/share/man"));
        assert!(!path.is_under("usr/sha"));
        assert_eq!(path.name(), b"man");
    }
}
