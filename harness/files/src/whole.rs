// SPDX-License-Identifier: BSD-2-Clause
//! Files that appear whole or not at all.
//!
//! They have the mode that the umask gives any new file (tempfile's own is 0600, for secrets): whoever may read the
//! directory may read them. Secrets are not written with this.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The mode of new files and directories, before the umask takes its part.
const FILE_MODE: u32 = 0o666;
const DIRECTORY_MODE: u32 = 0o777;

/// Writes a file whole or not at all.
///
/// # Errors
/// It cannot be written; what stood there before still does.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    fill_whole(path, |file| file.write_all(content))
}

/// Writes a file whole or not at all, as `fill` does. A link stays, and what it leads to is replaced. A device or a pipe
/// is written to as it is.
///
/// # Errors
/// It cannot be written, or `fill` fails; what stood there before still does.
pub fn fill_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return buffered(&mut OpenOptions::new().write(true).open(path)?, fill);
    }
    let path = behind_links(path);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new();
    let mut file = new.permissions(Permissions::from_mode(FILE_MODE)).tempfile_in(directory)?;
    buffered(&mut file, fill)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// A directory in which something is made that is then moved to its place: gone when it is dropped, and like what is
/// written in it for everybody who may come there.
///
/// # Errors
/// It cannot be made.
pub fn work_directory_in(parent: &Path) -> io::Result<tempfile::TempDir> {
    let mut new = tempfile::Builder::new();
    new.permissions(Permissions::from_mode(DIRECTORY_MODE)).tempdir_in(parent)
}

fn buffered(file: &mut impl Write, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::new(file);
    let filled = fill(&mut buffered).and_then(|()| buffered.flush());
    // What could not be written is not tried again.
    drop(buffered.into_parts());
    filled
}

fn behind_links(path: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let target = is_link.then(|| path.canonicalize().ok()).flatten();
    target.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode()
    }

    #[test]
    fn a_file_has_the_mode_of_any_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| directory.path().join(name));
        File::create(&plain).unwrap();
        write_whole(&ours, b"text").unwrap();
        assert_eq!(mode(&ours), mode(&plain), "{:o}", mode(&ours));
        assert_eq!(fs::read(&ours).unwrap(), b"text");
        let made = directory.path().join("made");
        fs::create_dir(&made).unwrap();
        let work = work_directory_in(directory.path()).unwrap();
        assert_eq!(mode(work.path()), mode(&made), "{:o}", mode(work.path()));
    }

    #[test]
    fn what_fails_half_way_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_whole(&path, b"old").unwrap();
        let failed = fill_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_link_stays_and_a_device_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link] = ["file", "link"].map(|name| directory.path().join(name));
        write_whole(&path, b"old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        write_whole(Path::new("/dev/null"), b"nothing").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
