// SPDX-License-Identifier: BSD-2-Clause
//! What was found: one for each fault, however often it is met.

use serde::{Deserialize, Serialize};

use super::oracle::Oracle;

/// What a fault is known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nobody knew it.
    New,
    /// This vector of the project shows it.
    Known(String),
    /// The finding was seen once, and not when the request was made again.
    NotReproduced,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Finding {
    /// Names the fault, in every release.
    pub fingerprint: String,
    /// How it is known to be wrong.
    pub oracle: Oracle,
    /// The cells in which it is.
    pub cells: Vec<String>,
    /// What names it, in words.
    pub key: String,
    /// All that is known.
    pub text: String,
    /// Whether it is known, and whether it comes again.
    pub status: Status,
    /// The file of the vector that shows it, beside this one.
    pub vector: String,
    /// Messages of the vector.
    pub messages: usize,
    /// Requests that were made before it was found.
    pub executions: u64,
    /// Seconds until it was found.
    pub seconds: u64,
    /// Drafts that the reduction looked at.
    pub reduced_in: usize,
    /// Nothing more can be left out of the vector.
    pub whole: bool,
    /// How often it was met.
    pub met: u64,
}

impl Finding {
    /// Whether nobody knew it and it comes again.
    pub fn is_new(&self) -> bool {
        self.status == Status::New
    }

    /// The name of its vector's file.
    pub(super) fn file_name(oracle: Oracle, fingerprint: &str) -> String {
        format!("{}-{fingerprint}.yaml", oracle.word())
    }

    /// What stands above the vector, a line each.
    pub(super) fn story(&self) -> Vec<String> {
        let status = match &self.status {
            Status::New => "Nobody knew it.".to_owned(),
            Status::Known(vector) => format!("Known: {vector} shows the same."),
            Status::NotReproduced => "Not reproduced: seen once, and not when it was asked again.".to_owned(),
        };
        let mut story = vec![
            format!("{} ({}).", capital(&self.oracle.to_string()), self.cells.join(", ")),
            status,
            format!(
                "Found by nlproof fuzz after {} requests ({} s); {}reduced in {} steps.",
                self.executions,
                self.seconds,
                if self.whole { "" } else { "not wholly " },
                self.reduced_in
            ),
            format!("Fingerprint {}: {}", self.fingerprint, self.key),
        ];
        story.extend(self.text.lines().take(40).map(|line| format!("    {line}")));
        story
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What a kept finding came to when it was run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The finding.
    pub finding: Finding,
    /// The cells in which it is still.
    pub cells: Vec<String>,
    /// What else is wrong, in words.
    pub others: Vec<String>,
}
