// SPDX-License-Identifier: BSD-2-Clause
//! `qualification.json`: what a qualification found, for machines. The page is made of it.

use std::path::Path;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::own_tests::OwnTests;
use crate::file::{FileError, Limit, parse_json, read, schema_of};
use crate::golden::{CapabilityChange, CapabilityForm};
use crate::report::json_file;

/// Version of `qualification.json`. It rises when a reader would misread.
pub(super) const QUALIFICATION_SCHEMA: u32 = 1;

/// What became of a qualification: what differs between two kernels, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Qualification {
    /// Version of the format.
    pub schema: u32,
    /// The version of nlproof that wrote it.
    pub nlproof: String,
    /// Nothing is unexplained.
    pub passed: bool,
    /// The kernel that is known.
    pub baseline: Party,
    /// The kernel that is to be decided on.
    pub candidate: Party,
    /// What differs between the two, and what was not compared.
    pub wire: Comparison,
    /// The Rust-backed module in the candidate, beside the candidate's own code; null: it was not asked for.
    pub module: Option<Module>,
    /// What else speaks against the candidate: lost guests, complaints of its kernel, cells that did not run.
    pub troubles: Vec<Trouble>,
    /// What the candidate's answers reach of the inventory.
    pub coverage: Coverage,
    /// What `nlproof bench kmod` printed; null: it was not run, which `not_run` says.
    pub bench: Option<Bench>,
    /// FreeBSD's own tests; null: they were not run, which `not_run` says.
    pub own_tests: Option<OwnTests>,
    /// What was not run, and why.
    pub not_run: Vec<NotRun>,
}

/// A kernel that answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// The cell.
    pub cell: String,
    /// The profile whose goldens hold.
    pub profile: String,
    /// What the cell came to, in a few words, by its own goldens.
    pub outcome: String,
    /// The time that it took, in milliseconds.
    pub duration_ms: u64,
    /// What is known of it.
    pub facts: Vec<Known>,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Label of it.
    pub label: String,
    /// Text of it.
    pub text: String,
}

/// Two kernels' answers beside each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Vectors that both answered whole.
    pub compared: Vec<String>,
    /// Vectors of these whose answers differ.
    pub differing: Vec<String>,
    /// The differences, what is unexplained first.
    pub differences: Vec<Difference>,
    /// Vectors that could not be compared.
    pub not_compared: Vec<NotCompared>,
}

/// One difference, with every vector that shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The messages in which it is: `< newlink`, `* link: newlink`.
    pub messages: Vec<String>,
    /// The attributes with their paths that have it alike; none: the message itself.
    pub attributes: Vec<String>,
    /// What the first one says; null: nothing.
    pub from: Option<String>,
    /// What the second one says; null: nothing.
    pub to: Option<String>,
    /// Whether it is explained.
    pub class: Class,
    /// What explains it, or why it is not explained.
    pub because: String,
    /// The vectors that show it, also by what follows from it.
    pub vectors: Vec<String>,
    /// What a command printed otherwise because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<Consequence>,
}

/// A difference that is another one in another form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consequence {
    /// Where it is: `out`, a line of a command's output.
    pub attribute: String,
    /// What the first one says.
    pub from: String,
    /// What the second one says.
    pub to: String,
    /// The vectors that show it.
    pub vectors: Vec<String>,
}

/// Whether a difference is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing explains it.
    Unexplained,
    /// A row of divergences.yaml allows it.
    Allowed,
    /// The two profiles differ so: by the inventory, by the core's table of behaviour, or by goldens.
    Declared,
}

impl Class {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Class::Unexplained => "unexplained",
            Class::Allowed => "allowed",
            Class::Declared => "declared",
        }
    }
}

/// Vectors that could not be compared, for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotCompared {
    /// Why not.
    pub reason: String,
    /// Something is wrong: a trace that has a hole, for which nobody has a reason.
    pub unexplained: bool,
    /// The vectors.
    pub vectors: Vec<String>,
}

/// The Rust-backed module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Cell in which it ran.
    pub party: Party,
    /// The verdict of `nlproof verify` before it was loaded.
    pub verification: String,
    /// The candidate's own code and the module.
    pub wire: Comparison,
}

/// Something that speaks against the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// In which cell.
    pub cell: String,
    /// What.
    pub what: String,
}

/// What a kernel's answers reach of the inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// The profile whose rows are meant.
    pub profile: String,
    /// Number of rows.
    pub rows: usize,
    /// Number of rows that are reached.
    pub reached: usize,
    /// Rows that are known not to be reached, by the inventory.
    pub gaps: usize,
    /// The others.
    pub unreached: Vec<String>,
}

/// What `nlproof bench kmod` printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// The lines about endurance; none: it was not run.
    pub endurance: Vec<String>,
    /// The lines about speed; none: it was not run.
    pub speed: Vec<String>,
    /// The lines that say that something is wrong.
    pub failed: Vec<String>,
}

/// Something that was not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
    /// The command that runs it; empty: there is none.
    pub how: String,
}

/// The schema of `qualification.json`.
pub fn qualification_schema() -> Schema {
    schema_of::<Qualification>("What a qualification by nlproof found, qualification.json")
}

impl Qualification {
    /// Every difference, of the kernels and of the module.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        let module = self.module.iter().flat_map(|module| &module.wire.differences);
        self.wire.differences.iter().chain(module)
    }

    /// Everything that is unexplained, each in one line.
    pub fn unexplained(&self) -> Vec<String> {
        let comparisons = [Some(&self.wire), self.module.as_ref().map(|module| &module.wire)];
        let differences =
            self.differences().filter(|one| one.class == Class::Unexplained).map(Difference::line);
        let holes = comparisons.into_iter().flatten().flat_map(|comparison| &comparison.not_compared);
        let holes = holes
            .filter(|one| one.unexplained)
            .map(|one| format!("not compared: {}: {}", one.vectors.join(", "), one.reason));
        let troubles = self.troubles.iter().map(|trouble| format!("{}: {}", trouble.cell, trouble.what));
        let bench = self.bench.iter().flat_map(|bench| &bench.failed);
        let bench = bench.map(|line| format!("bench kmod: {line}"));
        let own_tests = self.own_tests.iter().flat_map(OwnTests::unexplained);
        differences.chain(holes).chain(troubles).chain(bench).chain(own_tests).collect()
    }

    /// The bytes of `qualification.json`.
    ///
    /// # Errors
    /// None that can occur: its types are plain.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        json_file(self)
    }

    /// Reads `qualification.json`.
    ///
    /// # Errors
    /// The file is none, or of another schema.
    pub fn read(path: &Path) -> Result<Qualification, FileError> {
        let bytes = read(path, Limit::REPORT)?;
        demand_schema(path, &bytes, QUALIFICATION_SCHEMA)?;
        parse_json(path, &bytes)
    }
}

/// Rejects a file of another schema. That is looked at first: its fields would only be unknown.
pub(super) fn demand_schema(path: &Path, bytes: &[u8], wanted: u32) -> Result<(), FileError> {
    let value: serde_json::Value = parse_json(path, bytes)?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(wanted) => Ok(()),
        Some(schema) => {
            let what = format!("is of schema {schema}; this nlproof reads schema {wanted}");
            Err(FileError::whole(path, what).help("check it with the nlproof that wrote it"))
        }
        None => Err(FileError::whole(path, "has no `schema`")),
    }
}

impl Difference {
    /// The difference in one line.
    pub fn line(&self) -> String {
        let messages = self.messages.join(", ");
        let place = match self.attributes.as_slice() {
            [] => messages,
            attributes => format!("{} ({messages})", attributes.join(", ")),
        };
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        let printed: usize = self.consequences.iter().map(|one| one.vectors.len()).sum();
        let printed = match printed {
            0 => String::new(),
            printed => format!(", {printed} of them by what a command prints"),
        };
        format!(
            "{place}: {} -> {} in {}{printed}: {}",
            side(&self.from),
            side(&self.to),
            nlproof_base::counted(self.vectors.len(), "vector"),
            self.because
        )
    }

    /// The change of an interface's capabilities that this is, if it is one.
    pub(super) fn capabilities(&self) -> Option<(CapabilityChange, CapabilityForm)> {
        let (from, to) = (self.from.as_deref()?, self.to.as_deref()?);
        self.attributes.iter().find_map(|attr| CapabilityChange::of(attr, from, to))
    }
}
