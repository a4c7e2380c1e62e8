// SPDX-License-Identifier: BSD-2-Clause
//! `tests/bugs.md`: the stock kernels' bugs that goldens keep, one row of its table each.

use std::path::Path;

use crate::file::{FileError, Limit, Position, read_text};

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bug {
    /// The bug, in the row's words.
    pub what: String,
    /// The releases that have it, such as `14.0`.
    pub releases: Vec<String>,
    /// The vectors that show it.
    pub vectors: Vec<String>,
    /// Names of findings of `nlproof fuzz` that show it, such as `malformed-cc37eae2ce43`: what no golden may hold has no vector.
    pub findings: Vec<String>,
    /// Where it is reported, or the release that fixed it; may be empty.
    pub reference: String,
}

impl Bug {
    /// Whether that release, by its whole name, is one of those that have it.
    pub fn is_in(&self, release: &str) -> bool {
        self.releases.iter().any(|known| {
            release.strip_prefix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}

/// Reads the table; without the file there is none.
///
/// # Errors
/// The file cannot be read, or a row has not four columns.
pub fn load_bugs(path: &Path) -> Result<Vec<Bug>, FileError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = read_text(path, Limit::YAML)?;
    let mut bugs = Vec::new();
    // The first row has the columns' names, the second only dashes.
    let rows = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with('|')).skip(2);
    for (number, row) in rows {
        let cells: Vec<_> = row.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [what, releases, vectors, reference] = cells[..] else {
            let what =
                format!("a row with {} columns: it has bug, releases, vector and reference", cells.len());
            return Err(FileError::at(path, Position::at_line(number), what));
        };
        // Words may stand behind a vector: `race/x with --cpus 2, ...`.
        let word = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
        let ids = vectors.split(',').map(str::trim).map(word).filter(|id| id.contains('/'));
        bugs.push(Bug {
            what: what.to_owned(),
            releases: releases.split(',').map(|release| release.trim().to_owned()).collect(),
            vectors: ids.collect(),
            findings: vectors.split('`').filter(|name| is_finding(name)).map(str::to_owned).collect(),
            reference: reference.to_owned(),
        });
    }
    Ok(bugs)
}

/// Whether that is a finding's name: a word, and the twelve digits of its fingerprint.
fn is_finding(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(word, digits)| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && digits.len() == 12
            && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_table_is_read() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bugs.md");
        let bugs = load_bugs(&own).unwrap();
        let up = bugs.iter().find(|bug| bug.vectors.contains(&"event/up".to_owned())).unwrap();
        assert_eq!((up.vectors.len(), up.reference.as_str()), (2, "fixed in 15.0"));
        assert!(up.is_in("14.0-STABLE") && up.is_in("14.0") && !up.is_in("15.1-RELEASE"));
        let racing = bugs.iter().find(|bug| bug.what.contains("two processors")).unwrap();
        assert_eq!(racing.vectors[0], "race/address-and-destroy");
        let leak = bugs.iter().find(|bug| bug.what.contains("the cookie of a creation stays")).unwrap();
        assert!(leak.findings.contains(&"malformed-cc37eae2ce43".to_owned()) && leak.vectors.is_empty());
        let vectors = own.with_file_name("vectors");
        for vector in bugs.iter().flat_map(|bug| &bug.vectors) {
            assert!(vectors.join(format!("{vector}.yaml")).exists(), "{vector}");
        }
    }

    #[test]
    fn findings_have_a_word_and_twelve_digits() {
        assert!(is_finding("malformed-cc37eae2ce43") && is_finding("no-end-0123456789ab"));
        let others =
            ["malformed", "malformed-cc37eae2ce4", "malformed-CC37EAE2CE43", "-cc37eae2ce43", "npt_clear"];
        assert!(!others.iter().any(|name| is_finding(name)));
    }

    #[test]
    fn a_row_that_is_not_whole_is_refused_with_its_line_and_no_file_is_no_table() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bugs.md");
        assert_eq!(load_bugs(&path).unwrap(), []);
        std::fs::write(&path, "# x\n\n| a | b | c | d |\n|---|---|---|---|\n| e | 1.0 | f/g |\n").unwrap();
        let error = load_bugs(&path).unwrap_err();
        assert_eq!(error.place, Some(Position { line: 5, column: 1 }));
        let bug = Bug {
            what: "x".into(),
            releases: vec!["14.0".into()],
            vectors: vec![],
            findings: vec![],
            reference: String::new(),
        };
        assert!(!bug.is_in("14.05-STABLE") && !bug.is_in("14"));
    }
}
