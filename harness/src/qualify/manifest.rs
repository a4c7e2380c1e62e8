// SPDX-License-Identifier: BSD-2-Clause
//! `MANIFEST.sha256`: every file of a bundle with its digest, in the form of sha256sum(1).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::inputs::digest_of;

/// Name of the file.
pub(super) const MANIFEST: &str = "MANIFEST.sha256";

/// The text for these files below `directory`, in the order of their names.
///
/// # Errors
/// A file cannot be read.
pub(super) fn manifest(directory: &Path, names: &[String]) -> io::Result<String> {
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort();
    let mut text = String::new();
    for name in sorted {
        let digest = digest_of(&directory.join(name))?;
        // Writing to a String cannot fail.
        writeln!(text, "{digest}  {name}").unwrap_or_default();
    }
    Ok(text)
}

/// What the manifest `said` and the one that is `found` differ in, one line each; empty: in nothing.
pub(super) fn differences(said: &str, found: &str) -> Vec<String> {
    if said == found {
        return Vec::new();
    }
    let read = |text: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.split_once("  "));
        lines.map(|(digest, name)| (name.to_owned(), digest.to_owned())).collect()
    };
    let (said, found) = (read(said), read(found));
    let mut all = Vec::new();
    for (name, digest) in &said {
        match found.get(name) {
            None => all.push(format!("{name}: is missing")),
            Some(other) if other != digest => {
                all.push(format!("{name}: is altered: its digest is {other}, and {MANIFEST} has {digest}"));
            }
            Some(_) => {}
        }
    }
    all.extend(
        found
            .keys()
            .filter(|name| !said.contains_key(*name))
            .map(|name| format!("{name}: is no file of this bundle: {MANIFEST} does not list it")),
    );
    if all.is_empty() {
        all.push(format!("{MANIFEST}: is no list of files in their order"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_one_less_and_an_altered_one_are_told_by_name() {
        let said = "aa  a\nbb  b\n";
        assert_eq!(differences(said, said), Vec::<String>::new());
        let told = |found: &str| differences(said, found).join("; ");
        assert_eq!(told("aa  a\n"), "b: is missing");
        assert_eq!(told("aa  a\nbc  b\n"), "b: is altered: its digest is bc, and MANIFEST.sha256 has bb");
        assert!(told("aa  a\nbb  b\ncc  c\n").starts_with("c: is no file of this bundle"));
        // Nothing but order or form.
        assert!(told("bb  b\naa  a\n").starts_with("MANIFEST.sha256: is no list"));
    }

    #[test]
    fn it_lists_files_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = manifest(directory.path(), &["b".into(), "a".into()]).unwrap();
        assert_eq!(text, format!("{empty}  a\n{empty}  b\n"));
    }
}
