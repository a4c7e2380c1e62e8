// SPDX-License-Identifier: BSD-2-Clause
//! The guest's root tree on the host.
//!
//! Files lie in a directory of the host, owned by the user that builds; their properties in the
//! guest (owner, mode, times) are kept beside them and handed to `makefs`. The tree knows every node
//! because it made every one of them, so it never has to ask the host whether a parent is a symbolic
//! link, and never writes through one.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use crate::{error::ImageError, path::TreePath};

/// Properties of a node in the guest. File flags (`schg` on libraries, `SCHILY.fflags` in the archive)
/// are left out: in a guest that is thrown away they protect nothing, and a test could not replace such a
/// file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Seconds since the epoch.
    pub(crate) mtime: u64,
}

impl Meta {
    /// root:wheel, at the epoch: what this crate writes itself has no time of its own.
    pub(crate) fn ours(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0, mtime: 0 }
    }
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Dir,
    /// Hard links are several files that are one on the host.
    File,
    /// With its target.
    Symlink(Vec<u8>),
}

/// Why a node could not be made.
#[derive(Debug)]
pub(crate) enum TreeError {
    /// The entry must not be made.
    Refused(String),
    /// Making it failed.
    Image(ImageError),
}

impl TreeError {
    /// The error of a file of ours that the tree has no place for.
    pub(crate) fn no_place(self, path: &str) -> ImageError {
        match self {
            Self::Image(error) => error,
            Self::Refused(reason) => ImageError::NoPlace { file: path.to_owned(), reason },
        }
    }
}

impl From<ImageError> for TreeError {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

/// A root tree under construction.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    nodes: BTreeMap<TreePath, (Kind, Meta)>,
}

impl Tree {
    /// An empty tree in the new directory `root`.
    pub(crate) fn create(root: PathBuf) -> Result<Self, ImageError> {
        make_dir(&root)?;
        let nodes = BTreeMap::from([(TreePath::known(""), (Kind::Dir, Meta::ours(0o755)))]);
        Ok(Self { root, nodes })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&TreePath, &Kind, &Meta)> {
        self.nodes.iter().map(|(path, (kind, meta))| (path, kind, meta))
    }

    pub(crate) fn kind(&self, path: &TreePath) -> Option<&Kind> {
        self.nodes.get(path).map(|(kind, _)| kind)
    }

    /// Where the regular file `path` is on the host; `None` when there is no such file.
    pub(crate) fn file(&self, path: &'static str) -> Option<PathBuf> {
        let path = TreePath::known(path);
        (self.kind(&path) == Some(&Kind::File)).then(|| path.on_host(&self.root))
    }

    /// Makes a directory, or gives an existing one these properties.
    pub(crate) fn dir(&mut self, path: TreePath, meta: Meta) -> Result<(), TreeError> {
        if self.kind(&path) != Some(&Kind::Dir) {
            self.clear_place(&path)?;
            make_dir(&path.on_host(&self.root))?;
        }
        self.nodes.insert(path, (Kind::Dir, meta));
        Ok(())
    }

    /// Makes an empty regular file, in place of what is there, and opens it for writing.
    pub(crate) fn create_file(&mut self, path: TreePath, meta: Meta) -> Result<File, TreeError> {
        self.clear_place(&path)?;
        let host = path.on_host(&self.root);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&host);
        let file = file.map_err(|error| ImageError::io("create", &host, error))?;
        self.nodes.insert(path, (Kind::File, meta));
        Ok(file)
    }

    /// Makes a regular file with these contents.
    pub(crate) fn write(&mut self, path: TreePath, meta: Meta, contents: &[u8]) -> Result<(), TreeError> {
        let host = path.on_host(&self.root);
        let mut file = self.create_file(path, meta)?;
        Ok(file.write_all(contents).map_err(|error| ImageError::io("write", &host, error))?)
    }

    /// Writes a file of root's: one of ours.
    pub(crate) fn put(&mut self, path: &str, mode: u32, contents: &[u8]) -> Result<(), ImageError> {
        let place = TreePath::from_archive(path.as_bytes());
        let place = place.map_err(|reason| TreeError::Refused(reason.to_owned()).no_place(path))?;
        self.write(place, Meta::ours(mode), contents).map_err(|error| error.no_place(path))
    }

    /// Makes a symbolic link. Its target is text, for the guest alone.
    pub(crate) fn symlink(&mut self, path: TreePath, meta: Meta, target: &[u8]) -> Result<(), TreeError> {
        use std::os::unix::ffi::OsStrExt as _;
        if target.is_empty() || target.contains(&0) {
            return Err(TreeError::Refused("its target is empty or holds a zero byte".to_owned()));
        }
        self.clear_place(&path)?;
        let host = path.on_host(&self.root);
        symlink(std::ffi::OsStr::from_bytes(target), &host)
            .map_err(|error| ImageError::io("create", &host, error))?;
        self.nodes.insert(path, (Kind::Symlink(target.to_vec()), meta));
        Ok(())
    }

    /// Makes another name of the regular file `target`.
    pub(crate) fn hard_link(&mut self, path: TreePath, target: &TreePath) -> Result<(), TreeError> {
        let Some((Kind::File, meta)) = self.nodes.get(target).cloned() else {
            return Err(TreeError::Refused(format!("it is a hard link to `{target}`, which is no file")));
        };
        if path == *target {
            return Ok(());
        }
        self.clear_place(&path)?;
        let host = path.on_host(&self.root);
        fs::hard_link(target.on_host(&self.root), &host)
            .map_err(|error| ImageError::io("link", &host, error))?;
        self.nodes.insert(path, (Kind::File, meta));
        Ok(())
    }

    /// Removes a regular file.
    pub(crate) fn remove_file(&mut self, path: &TreePath) -> Result<(), ImageError> {
        let host = path.on_host(&self.root);
        fs::remove_file(&host).map_err(|error| ImageError::io("remove", &host, error))?;
        self.nodes.remove(path);
        Ok(())
    }

    /// Moves everything in `other` into this tree. Where both have a node, `other`'s stays.
    pub(crate) fn absorb(&mut self, other: Self) -> Result<(), TreeError> {
        for (path, (kind, meta)) in other.nodes {
            match kind {
                Kind::Dir if path.is_root() => {}
                Kind::Dir if self.kind(&path) == Some(&Kind::Dir) => {}
                Kind::Dir => self.dir(path, meta)?,
                Kind::Symlink(target) => self.symlink(path, meta, &target)?,
                Kind::File => {
                    self.clear_place(&path)?;
                    let host = path.on_host(&self.root);
                    fs::rename(path.on_host(&other.root), &host)
                        .map_err(|error| ImageError::io("move", &host, error))?;
                    self.nodes.insert(path, (Kind::File, meta));
                }
            }
        }
        fs::remove_dir_all(&other.root)
            .map_err(|error| ImageError::io("remove", &other.root, error))
            .map_err(TreeError::from)
    }

    /// Bytes that the tree takes in a file system with blocks of `block` bytes, hard links once.
    pub(crate) fn bytes(&self, block: u64) -> Result<u64, ImageError> {
        use std::os::unix::fs::MetadataExt as _;
        let mut seen = std::collections::HashSet::new();
        let mut total = 0;
        for (path, (kind, _)) in &self.nodes {
            let size = match kind {
                Kind::Dir => 1,
                Kind::Symlink(_) => 0,
                Kind::File => {
                    let host = path.on_host(&self.root);
                    let data = fs::metadata(&host).map_err(|error| ImageError::io("read", &host, error))?;
                    if data.nlink() > 1 && !seen.insert(data.ino()) { 0 } else { data.len() }
                }
            };
            total += size.next_multiple_of(block);
        }
        Ok(total)
    }

    /// Makes sure that `path` can be made: its parents are directories and the place is free.
    fn clear_place(&mut self, path: &TreePath) -> Result<(), TreeError> {
        let Some(parent) = path.parent() else {
            return Err(TreeError::Refused("it would replace the root directory".to_owned()));
        };
        match self.kind(&parent) {
            Some(Kind::Dir) => {}
            // Archives made from a list of files may leave out the directories in between.
            None => self.dir(parent, Meta::ours(0o755))?,
            Some(Kind::Symlink(_)) => {
                return Err(TreeError::Refused(format!(
                    "its path leads through the symbolic link `{parent}`"
                )));
            }
            Some(Kind::File) => {
                return Err(TreeError::Refused(format!("its path leads through the file `{parent}`")));
            }
        }
        match self.kind(path) {
            None => Ok(()),
            Some(Kind::Dir) => Err(TreeError::Refused("it would replace a directory".to_owned())),
            Some(Kind::File | Kind::Symlink(_)) => {
                let host = path.on_host(&self.root);
                fs::remove_file(&host).map_err(|error| ImageError::io("replace", &host, error))?;
                self.nodes.remove(path);
                Ok(())
            }
        }
    }
}

/// Makes a directory that its owner alone may use, whatever the umask and the archive say.
pub(crate) fn make_dir(path: &Path) -> Result<(), ImageError> {
    let made: io::Result<()> = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| ImageError::io("create", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(result: Result<(), TreeError>) -> String {
        match result {
            Err(TreeError::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn tree() -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::create(dir.path().join("root")).unwrap();
        (dir, tree)
    }

    #[test]
    fn nothing_is_written_through_a_symbolic_link() {
        let (dir, mut tree) = tree();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let target = outside.to_str().unwrap().as_bytes().to_vec();
        tree.symlink(TreePath::known("etc"), Meta::ours(0o755), &target).unwrap();
        let reason = refused(tree.write(TreePath::known("etc/passwd"), Meta::ours(0o644), b"x"));
        assert!(reason.contains("symbolic link `etc`"), "{reason}");
        refused(tree.dir(TreePath::known("etc/deep/er"), Meta::ours(0o755)));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        // The link itself may be replaced, and then it is not followed either.
        tree.write(TreePath::known("etc"), Meta::ours(0o644), b"y").unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn directories_without_write_permission_can_be_filled() {
        let (_dir, mut tree) = tree();
        tree.dir(TreePath::known("ro"), Meta::ours(0o555)).unwrap();
        tree.write(TreePath::known("ro/file"), Meta::ours(0o444), b"1").unwrap();
        tree.write(TreePath::known("ro/file"), Meta::ours(0o400), b"2").unwrap();
        assert_eq!(fs::read(tree.file("ro/file").unwrap()).unwrap(), b"2");
        let (_, _, meta) = tree.nodes().find(|(path, ..)| path.as_bytes() == b"ro").unwrap();
        assert_eq!(meta.mode, 0o555);
    }

    #[test]
    fn replacing_one_hard_link_leaves_the_other() {
        let (_dir, mut tree) = tree();
        tree.write(TreePath::known("a"), Meta::ours(0o4755), b"old").unwrap();
        tree.hard_link(TreePath::known("b"), &TreePath::known("a")).unwrap();
        assert_eq!(tree.bytes(4096).unwrap(), 4096 + 4096);
        tree.write(TreePath::known("a"), Meta::ours(0o644), b"new").unwrap();
        assert_eq!(fs::read(tree.file("b").unwrap()).unwrap(), b"old");
        refused(tree.hard_link(TreePath::known("c"), &TreePath::known("absent")));
    }

    #[test]
    fn directories_and_the_root_are_not_replaced() {
        let (_dir, mut tree) = tree();
        tree.write(TreePath::known("d/file"), Meta::ours(0o644), b"").unwrap();
        refused(tree.write(TreePath::known("d"), Meta::ours(0o644), b""));
        refused(tree.write(TreePath::known(""), Meta::ours(0o644), b""));
        refused(tree.write(TreePath::known("d/file/below"), Meta::ours(0o644), b""));
    }

    #[test]
    fn absorbing_overrides_files_and_keeps_directories() {
        let (dir, mut base) = tree();
        base.dir(TreePath::known("boot"), Meta::ours(0o711)).unwrap();
        base.write(TreePath::known("boot/x"), Meta::ours(0o600), b"base").unwrap();
        let mut kernel = Tree::create(dir.path().join("kernel")).unwrap();
        kernel.write(TreePath::known("boot/x"), Meta::ours(0o555), b"kernel").unwrap();
        base.absorb(kernel).unwrap();
        assert_eq!(fs::read(base.file("boot/x").unwrap()).unwrap(), b"kernel");
        assert_eq!(base.nodes.get(&TreePath::known("boot")).unwrap().1.mode, 0o711);
        assert!(!dir.path().join("kernel").exists());
    }
}
