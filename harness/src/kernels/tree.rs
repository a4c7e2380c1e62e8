// SPDX-License-Identifier: BSD-2-Clause
//! A source tree, and what git knows of it.

use std::path::{Path, PathBuf};

use super::git::git_says;

/// A source tree of FreeBSD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Directory of the tree, without symbolic links.
    pub path: PathBuf,
    /// The commit that is checked out; `None`: git knows of none.
    pub revision: Option<String>,
    /// Whether files that git tracks were changed.
    pub dirty: bool,
}

/// A directory that is no source tree.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: {what}\n  help: name the directory that has FreeBSD's Makefile and sys in it, such as /usr/src", path.display()
)]
pub struct NoTree {
    path: PathBuf,
    what: String,
}

impl Tree {
    /// Looks at a tree.
    ///
    /// # Errors
    /// The directory is not there, or has no `sys` or no build in it.
    pub fn open(path: &Path) -> Result<Self, NoTree> {
        let no_tree = |what: String| NoTree { path: path.to_owned(), what };
        let path = path.canonicalize().map_err(|error| no_tree(format!("cannot be read: {error}")))?;
        if !path.join("sys").is_dir() {
            return Err(no_tree("is no source tree of FreeBSD: it has no sys".into()));
        }
        if !path.join("tools/build/make.py").is_file() {
            return Err(no_tree("has no tools/build/make.py, which builds FreeBSD on other systems".into()));
        }
        // Without git, and outside of a repository, it is not known.
        let revision =
            git_says(&path, &["rev-parse", "--short=12", "HEAD"]).ok().filter(|hash| !hash.is_empty());
        let changed = git_says(&path, &["status", "--porcelain", "--untracked-files=no"]).ok();
        Ok(Self { dirty: changed.is_some_and(|files| !files.is_empty()), path, revision })
    }

    /// The revision for reports: `77205dbc1397-dirty`.
    pub fn told(&self) -> String {
        match &self.revision {
            Some(revision) if self.dirty => format!("{revision}-dirty"),
            Some(revision) => revision.clone(),
            None => "unknown to git".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_tree_is_said_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let message = |path: &Path| Tree::open(path).unwrap_err().to_string();
        assert!(message(&dir.path().join("absent")).contains("cannot be read"));
        let no_sys = message(dir.path());
        assert!(no_sys.contains("it has no sys\n  help: name the directory"), "{no_sys}");
        fs::create_dir_all(dir.path().join("sys")).unwrap();
        assert!(message(dir.path()).contains("has no tools/build/make.py"));
        fs::create_dir_all(dir.path().join("tools/build")).unwrap();
        fs::write(dir.path().join("tools/build/make.py"), "").unwrap();
        assert_eq!(Tree::open(dir.path()).unwrap().told(), "unknown to git");
    }
}
