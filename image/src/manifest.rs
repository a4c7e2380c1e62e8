// SPDX-License-Identifier: BSD-2-Clause
//! `MANIFEST`: which files a release consists of and what their digests are.
//!
//! One line a file, six fields separated by tabs (FreeBSD's `release/scripts/make-manifest.sh`):
//!
//! ```text
//! base.txz <sha256> <number of entries> base "Base system (MANDATORY)" on
//! ```

use std::path::{Path, PathBuf};

use crate::digest::Sha256;

/// A parsed `MANIFEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The lines, in the order of the file.
    pub entries: Vec<ManifestEntry>,
}

/// One line of a `MANIFEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// File name, for instance `base.txz`. Never a path.
    pub file: String,
    /// Digest of the compressed file.
    pub sha256: Sha256,
    /// Number of entries in the archive.
    pub entries: u64,
    /// Name of the distribution set, for instance `base`.
    pub name: String,
    /// What the installer shows, without its quotes.
    pub description: String,
    /// Whether the installer selects it by default.
    pub default_on: bool,
}

/// A `MANIFEST` that is not in FreeBSD's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {reason}", path.display())]
pub struct ManifestError {
    /// The file.
    pub path: PathBuf,
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Manifest {
    /// Parses the text of a `MANIFEST`; `path` is only for the error.
    ///
    /// # Errors
    /// The first line that does not have six fields of the right kind, or that names a file twice.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        let mut entries: Vec<ManifestEntry> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let fail = |reason| ManifestError { path: path.to_owned(), line: index + 1, reason };
            let entry = parse_line(line).map_err(fail)?;
            if entries.iter().any(|earlier| earlier.file == entry.file) {
                return Err(fail(format!("`{}` is listed a second time", entry.file)));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// The line of `file`, if there is one.
    #[must_use]
    pub fn entry(&self, file: &str) -> Option<&ManifestEntry> {
        self.entries.iter().find(|entry| entry.file == file)
    }
}

fn parse_line(line: &str) -> Result<ManifestEntry, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [file, digest, count, name, description, default] = fields[..] else {
        return Err(format!("expected 6 fields separated by tabs, found {}", fields.len()));
    };
    if file.is_empty() || file.contains('/') || file == "." || file == ".." {
        return Err(format!("`{file}` is not a file name"));
    }
    let sha256 = digest.parse().map_err(|error| format!("the digest `{digest}` {error}"))?;
    let entries = count.parse().map_err(|_| format!("the number of entries `{count}` is not a number"))?;
    let default_on = match default.trim_end() {
        "on" => true,
        "off" => false,
        other => return Err(format!("the last field is `{other}`, expected `on` or `off`")),
    };
    Ok(ManifestEntry {
        file: file.to_owned(),
        sha256,
        entries,
        name: name.to_owned(),
        description: description.trim_matches('"').to_owned(),
        default_on,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(Path::new("rel/MANIFEST"), text)
    }

    #[test]
    fn reads_freebsds_own_lines() {
        let text = format!(
            "base.txz\t{DIGEST}\t27000\tbase\t\"Base system (MANDATORY)\"\ton\n\
             src.txz\t{DIGEST}\t90000\tsrc\t\"System source tree\"\toff\n"
        );
        let manifest = parse(&text).unwrap();
        let base = manifest.entry("base.txz").unwrap();
        assert_eq!(base.entries, 27000);
        assert_eq!(base.description, "Base system (MANDATORY)");
        assert!(base.default_on);
        assert!(!manifest.entry("src.txz").unwrap().default_on);
        assert_eq!(manifest.entry("kernel.txz"), None);
    }

    #[test]
    fn every_bad_line_names_file_line_and_cause() {
        let good = format!("base.txz\t{DIGEST}\t1\tbase\t\"Base\"\ton\n");
        for (line, expected) in [
            ("base.txz abc 1 base x on".to_owned(), "expected 6 fields separated by tabs, found 1"),
            (format!("a/b\t{DIGEST}\t1\tb\tb\ton"), "`a/b` is not a file name"),
            (format!("..\t{DIGEST}\t1\tb\tb\ton"), "`..` is not a file name"),
            ("k.txz\tabcd\t1\tb\tb\ton".to_owned(), "the digest `abcd` is not 64 hexadecimal digits"),
            (format!("k.txz\t{DIGEST}\tmany\tb\tb\ton"), "the number of entries `many` is not a number"),
            (format!("k.txz\t{DIGEST}\t1\tb\tb\tyes"), "the last field is `yes`, expected `on` or `off`"),
            (format!("base.txz\t{DIGEST}\t1\tb\tb\ton"), "`base.txz` is listed a second time"),
        ] {
            let error = parse(&format!("{good}{line}\n")).unwrap_err();
            assert_eq!(error.to_string(), format!("rel/MANIFEST:2: {expected}"));
        }
    }

    proptest::proptest! {
        #[test]
        fn lines_read_back(file in "[a-z.]{3,9}txz", entries: u64, on: bool, description in "[ -!#-~]{0,30}") {
            let on_off = if on { "on" } else { "off" };
            let manifest = parse(&format!("{file}\t{DIGEST}\t{entries}\tname\t\"{description}\"\t{on_off}\n")).unwrap();
            let entry = manifest.entry(&file).unwrap();
            proptest::prop_assert_eq!((entry.entries, entry.default_on), (entries, on));
            proptest::prop_assert_eq!(&entry.description, &description);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "[ab\t\n0\"/é]{0,200}") {
            if let Err(error) = parse(&text) {
                proptest::prop_assert!((1..=text.lines().count()).contains(&error.line));
            }
        }
    }
}
