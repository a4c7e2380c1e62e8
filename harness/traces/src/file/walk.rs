// SPDX-License-Identifier: BSD-2-Clause
//! All files below a directory.

use std::path::{Path, PathBuf};

use super::FileError;

/// The files below `root`, sorted by path. Names that begin with a dot are left out: editors and version control keep
/// theirs so. Links are followed.
///
/// # Errors
/// Every directory that cannot be listed, and every link that leads to a directory in which it stands itself.
pub fn files_below(root: &Path) -> Result<Vec<PathBuf>, Vec<FileError>> {
    let mut walk = Walk::default();
    walk.directory(root);
    walk.files.sort();
    if walk.errors.is_empty() { Ok(walk.files) } else { Err(walk.errors) }
}

#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    errors: Vec<FileError>,
    /// The real paths of the directories from the root to where the walk is.
    inside: Vec<PathBuf>,
}

impl Walk {
    fn directory(&mut self, path: &Path) {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) => return self.cannot_list(path, &error),
        };
        if self.inside.contains(&real) {
            let what = "leads to a directory that it stands in: there is no end below it";
            return self.errors.push(FileError::whole(path, what).help("remove the link"));
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.cannot_list(path, &error),
        };
        self.inside.push(real);
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
                Ok(entry) => {
                    let path = entry.path();
                    // The directory tells mostly; of a link and where it does not, the file itself has to be asked.
                    let is_directory = match entry.file_type() {
                        Ok(kind) if kind.is_file() => false,
                        Ok(kind) if kind.is_dir() => true,
                        _ => path.is_dir(),
                    };
                    if is_directory {
                        self.directory(&path);
                    } else {
                        self.files.push(path);
                    }
                }
                Err(error) => self.cannot_list(path, &error),
            }
        }
        self.inside.pop();
    }

    fn cannot_list(&mut self, path: &Path, error: &std::io::Error) {
        self.errors.push(FileError::whole(path, format!("cannot be listed: {error}")));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_file_is_found_behind_links_too_and_hidden_ones_are_not() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("root/b")).unwrap();
        fs::create_dir_all(at("elsewhere")).unwrap();
        for name in ["root/b/2", "root/1", "root/.hidden", "elsewhere/3"] {
            fs::write(at(name), "").unwrap();
        }
        symlink(at("elsewhere"), at("root/c")).unwrap();
        symlink("nowhere", at("root/dangling")).unwrap();
        let found = files_below(&at("root")).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(at("root")).unwrap()).collect();
        assert_eq!(names, ["1", "b/2", "c/3", "dangling"].map(Path::new));
    }

    #[test]
    fn a_link_into_its_own_directory_and_a_directory_that_is_not_there_are_errors() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        symlink("..", inner.join("up")).unwrap();
        let errors = files_below(place.path()).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].path.ends_with("a/b/up") && errors[0].what.contains("no end"), "{errors:?}");
        let errors = files_below(&place.path().join("none")).unwrap_err();
        assert!(errors[0].what.starts_with("cannot be listed: "), "{errors:?}");
    }
}
