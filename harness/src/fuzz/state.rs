// SPDX-License-Identifier: BSD-2-Clause
//! What a campaign knows, kept in its directory: whatever ends it, it goes on where it was.
//!
//! ```text
//! DIR/state.json         where it is, what was reached, the findings
//! DIR/findings/*.yaml    a vector for each finding, with its story
//! DIR/corpus/*.yaml      requests that reached something new, as vectors
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nlproof_files::write_whole;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::world::OS;
use crate::draft::Draft;
use crate::file::{FileError, Limit, parse_json, read, read_text};
use crate::vector::parse_vector;

/// The version of [`State`].
const SCHEMA: &str = "nlproof-fuzz-1";

/// Where a campaign is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct State {
    pub(super) schema: String,
    pub(super) seed: u64,
    pub(super) sides: Vec<String>,
    /// Seeds that were run.
    pub(super) seeded: usize,
    /// Rounds that were run.
    pub(super) round: u64,
    pub(super) executions: u64,
    pub(super) milliseconds: u64,
    /// Entries of the corpus.
    pub(super) corpus: usize,
    pub(super) shapes: BTreeSet<u64>,
    /// By side.
    pub(super) blocks: BTreeMap<String, BTreeSet<u64>>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: BTreeSet<String>,
}

impl State {
    pub(super) fn new(seed: u64, sides: Vec<String>) -> State {
        State {
            schema: SCHEMA.to_owned(),
            seed,
            sides,
            seeded: 0,
            round: 0,
            executions: 0,
            milliseconds: 0,
            corpus: 0,
            shapes: BTreeSet::new(),
            blocks: BTreeMap::new(),
            findings: Vec::new(),
            notes: BTreeSet::new(),
        }
    }
}

/// Why a directory cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read, or is not what it should be.
    #[error("{0}")]
    File(#[from] FileError),
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// The directory has a campaign in it.
    #[error("{0} has a campaign in it")]
    Used(PathBuf),
    /// There is nothing to go on with.
    #[error("{0} has no campaign in it")]
    Unused(PathBuf),
    /// The campaign is another one.
    #[error("the campaign in {path} has {what}")]
    Other {
        /// The directory.
        path: PathBuf,
        /// What is not the same.
        what: String,
    },
}

/// A campaign's directory.
#[derive(Debug, Clone)]
pub struct FindingsDir {
    path: PathBuf,
}

impl FindingsDir {
    /// The directory; it need not exist yet.
    pub fn new(path: &Path) -> FindingsDir {
        FindingsDir { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn state_file(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Whether a campaign is in it.
    pub fn is_used(&self) -> bool {
        self.state_file().exists()
    }

    pub(super) fn load(&self) -> Result<(State, Vec<Draft>), StateError> {
        if !self.is_used() {
            return Err(StateError::Unused(self.path.clone()));
        }
        let path = self.state_file();
        let state: State = parse_json(&path, &read(&path, Limit::REPORT)?)?;
        if state.schema != SCHEMA {
            let what = format!("another version: {} and not {SCHEMA}", state.schema);
            return Err(StateError::Other { path: self.path.clone(), what });
        }
        let mut corpus = Vec::new();
        // What was written behind the state's own count belongs to a round that is run again.
        for number in 0..state.corpus {
            corpus.push(self.draft(&self.corpus_file(number))?);
        }
        Ok((state, corpus))
    }

    /// The findings of a campaign, with their vectors.
    pub fn findings(&self) -> Result<Vec<(Finding, Draft)>, StateError> {
        if !self.is_used() {
            return Err(StateError::Unused(self.path.clone()));
        }
        let path = self.state_file();
        let state: State = parse_json(&path, &read(&path, Limit::REPORT)?)?;
        let with_draft = |finding: Finding| {
            let draft = self.draft(&self.path.join("findings").join(&finding.vector))?;
            Ok((finding, draft))
        };
        state.findings.into_iter().map(with_draft).collect()
    }

    fn draft(&self, path: &Path) -> Result<Draft, FileError> {
        let vector = parse_vector("fuzz/kept", path, &read_text(path, Limit::YAML)?)?;
        Draft::of(&vector, OS).ok_or_else(|| FileError::whole(path, "is no request that could be changed"))
    }

    fn corpus_file(&self, number: usize) -> PathBuf {
        self.path.join("corpus").join(format!("{number:06}.yaml"))
    }

    pub(super) fn save(&self, state: &State) -> Result<(), StateError> {
        let mut text = serde_json::to_vec(state).map_err(|error| self.unwritten(error.into()))?;
        text.push(b'\n');
        self.write(&self.state_file(), &text)
    }

    /// Keeps a request, and gives it as it is read back: what a file cannot say is gone, in this run as in the next one.
    /// `None`: it cannot be read back.
    pub(super) fn keep(&self, number: usize, draft: &Draft) -> Result<Option<Draft>, StateError> {
        let about = "a request that reached something new";
        let path = self.corpus_file(number);
        self.write(&path, draft.to_yaml(OS, about, &[])?.as_bytes())?;
        Ok(self.draft(&path).ok())
    }

    pub(super) fn found(&self, finding: &Finding, draft: &Draft) -> Result<(), StateError> {
        let about = format!("{}: {}", finding.oracle, finding.key.lines().next().unwrap_or_default());
        let text = draft.to_yaml(OS, &about, &finding.story())?;
        self.write(&self.path.join("findings").join(&finding.vector), text.as_bytes())
    }

    fn unwritten(&self, error: std::io::Error) -> StateError {
        StateError::Write { path: self.path.clone(), error }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StateError> {
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| write_whole(path, bytes))
            .map_err(|error| StateError::Write { path: path.to_owned(), error })
    }
}
