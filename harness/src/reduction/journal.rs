// SPDX-License-Identifier: BSD-2-Clause
//! What the tries of a reduction came to, a line each: whatever ends it, the same search goes the same way again without asking
//! what was asked before.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::draft::Draft;
use crate::file::{FileError, Limit, parse_json, read_text};

/// The version of a journal.
const SCHEMA: &str = "nlproof-reduce-1";

/// Which reduction a journal is of: its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct About {
    schema: String,
    /// The digest of the draft that is reduced.
    draft: String,
    /// The cells that answer.
    cells: Vec<String>,
    /// What has to stay.
    keep: String,
    /// The name of what the first run showed.
    wanted: Option<String>,
}

/// What one try came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Line {
    draft: String,
    shows: bool,
    milliseconds: u64,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal cannot be read, or is none.
    #[error("{0}")]
    File(#[from] FileError),
    /// The journal is that of another reduction.
    #[error(
        "{0} belongs to another reduction: of another vector, in other cells, or of something else to keep"
    )]
    Other(PathBuf),
    /// The journal cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

/// The journal of a reduction.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    about: About,
    known: HashMap<String, bool>,
    milliseconds: u64,
    file: Option<File>,
}

/// The digest of a draft.
fn digest(draft: &Draft) -> String {
    let digest = Sha256::digest(format!("{draft:?}"));
    nlproof_base::hex(&digest[..16])
}

impl Journal {
    /// The journal in this file, or a new one if there is no file.
    ///
    /// # Errors
    /// The file is that of another reduction, or none at all.
    pub fn open(path: &Path, draft: &Draft, cells: Vec<String>, keep: &str) -> Result<Journal, JournalError> {
        let about = About {
            schema: SCHEMA.to_owned(),
            draft: digest(draft),
            cells,
            keep: keep.to_owned(),
            wanted: None,
        };
        let mut journal =
            Journal { path: path.to_owned(), about, known: HashMap::new(), milliseconds: 0, file: None };
        if !path.exists() {
            return Ok(journal);
        }
        let text = read_text(path, Limit::REPORT)?;
        let (first, lines) = text.split_once('\n').unwrap_or((&text, ""));
        let found: About = parse_json(path, first.as_bytes())?;
        if (About { wanted: None, ..found.clone() }) != journal.about {
            return Err(JournalError::Other(path.to_owned()));
        }
        journal.about = found;
        // A line that was cut short by what ended the search was not written.
        let whole = lines.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let line: Line = parse_json(path, line.as_bytes())?;
            journal.milliseconds = line.milliseconds;
            journal.known.insert(line.draft, line.shows);
        }
        let kept = format!("{first}\n{whole}{}", if whole.is_empty() { "" } else { "\n" });
        journal.write_all(kept.as_bytes(), true)?;
        Ok(journal)
    }

    /// Whether an earlier run has begun it.
    pub fn is_begun(&self) -> bool {
        self.file.is_some()
    }

    /// The name of what the first run showed.
    pub fn wanted(&self) -> Option<&str> {
        self.about.wanted.as_deref()
    }

    /// How many tries it has.
    pub fn tries(&self) -> usize {
        self.known.len()
    }

    /// What earlier runs took, in milliseconds.
    pub fn milliseconds(&self) -> u64 {
        self.milliseconds
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&mut self, wanted: Option<String>) -> Result<(), JournalError> {
        self.about.wanted = wanted;
        let line = self.line(&self.about)?;
        self.write_all(line.as_bytes(), true)
    }

    /// What a draft came to earlier.
    pub fn known(&self, draft: &Draft) -> Option<bool> {
        self.known.get(&digest(draft)).copied()
    }

    /// Notes what a draft came to, and how long all tries have taken.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, draft: &Draft, shows: bool, milliseconds: u64) -> Result<(), JournalError> {
        let draft = digest(draft);
        let line = self.line(&Line { draft: draft.clone(), shows, milliseconds })?;
        self.known.insert(draft, shows);
        self.write_all(line.as_bytes(), false)
    }

    /// Removes it: the reduction is done.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn end(&mut self) -> Result<(), JournalError> {
        self.file = None;
        fs::remove_file(&self.path).map_err(|error| JournalError::Write { path: self.path.clone(), error })
    }

    fn line(&self, value: &impl Serialize) -> Result<String, JournalError> {
        let failed = |error: serde_json::Error| JournalError::Write {
            path: self.path.clone(),
            error: io::Error::other(error),
        };
        Ok(serde_json::to_string(value).map_err(failed)? + "\n")
    }

    fn write_all(&mut self, bytes: &[u8], anew: bool) -> Result<(), JournalError> {
        let failed = |error| JournalError::Write { path: self.path.clone(), error };
        if anew {
            let options = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path);
            self.file = Some(options.map_err(failed)?);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(failed),
            None => Ok(()),
        }
    }
}
