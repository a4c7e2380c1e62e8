// SPDX-License-Identifier: BSD-2-Clause
//! A tree of sources that the user has, of which lines are shown beside what ran of them.

use std::path::{Component, Path, PathBuf};

use crate::file::{FileError, Limit, read};

/// A directory that holds `sys`, as FreeBSD's `/usr/src` does.
#[derive(Debug, Clone)]
pub struct SourceTree {
    root: PathBuf,
}

impl SourceTree {
    /// The tree in this directory.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn open(root: &Path) -> Result<Self, FileError> {
        match root.is_dir() {
            true => Ok(Self { root: root.to_owned() }),
            false => Err(FileError::whole(root, "is no directory").help("name the one that holds sys/")),
        }
    }

    /// The lines of a file, as debug information names it: `sys/netlink/route/iface.c`.
    ///
    /// # Errors
    /// The tree has no such file; or the name leads out of it, as none of a kernel does.
    pub fn lines(&self, file: &str) -> Result<Vec<String>, FileError> {
        let name = Path::new(file);
        if file.is_empty() || !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(FileError::whole(name, "is no path inside of a tree of sources"));
        }
        let bytes = read(&self.root.join(name), Limit::LISTING)?;
        Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_inside_are_read_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("src");
        std::fs::create_dir_all(root.join("sys/netlink")).unwrap();
        std::fs::write(root.join("sys/netlink/a.c"), b"int\nf(void) /* \xff */\n").unwrap();
        std::fs::write(directory.path().join("secret"), "x").unwrap();
        let tree = SourceTree::open(&root).unwrap();
        assert_eq!(tree.lines("sys/netlink/a.c").unwrap(), ["int", "f(void) /* \u{fffd} */"]);
        assert!(tree.lines("sys/netlink/b.c").unwrap_err().to_string().contains("b.c"));
        let absolute = directory.path().join("secret");
        for name in ["../secret", "sys/../../secret", "", absolute.to_str().unwrap()] {
            let told = tree.lines(name).unwrap_err().to_string();
            assert!(told.contains("is no path inside of a tree of sources"), "{told}");
        }
        assert!(SourceTree::open(&absolute).unwrap_err().to_string().contains("is no directory"));
    }
}
