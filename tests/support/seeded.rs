// SPDX-License-Identifier: BSD-2-Clause
//! A project whose module has a fault that a test put there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const NO_BUGS: &str = "# Bugs\n\n| bug | releases | vector | upstream reference |\n|---|---|---|---|\n";

/// The project's own files, without its known bugs, and but for `from` in a file of `kmod-src`, which is `to` instead. The project lives as long as the directory;
/// its tests are in the second.
pub(crate) fn seeded(file: &str, from: &str, to: &str) -> (TempDir, PathBuf) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let place = tempfile::tempdir().unwrap();
    copy(&own.join("kmod-src"), &place.path().join("kmod-src"));
    let seeded = place.path().join("kmod-src").join(file);
    let text = fs::read_to_string(&seeded).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{file}: `{from}`");
    fs::write(&seeded, text.replace(from, to)).unwrap();
    symlink(own.join("harness"), place.path().join("harness")).unwrap();
    let tests = place.path().join("tests");
    fs::create_dir(&tests).unwrap();
    for entry in fs::read_dir(own.join("tests")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "bugs.md" {
            symlink(entry.path(), tests.join(entry.file_name())).unwrap();
        }
    }
    // Their vectors are run before a campaign.
    fs::write(tests.join("bugs.md"), NO_BUGS).unwrap();
    (place, tests)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
