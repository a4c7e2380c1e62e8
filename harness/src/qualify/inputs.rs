// SPDX-License-Identifier: BSD-2-Clause
//! `inputs.json`: what went into a qualification, each with its digest.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use nlproof_base::{counted, hex};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::finding::demand_schema;
use crate::file::{FileError, Limit, files_below, parse_json, read, schema_of};
use crate::report::json_file;

/// Version of `inputs.json`.
const INPUTS_SCHEMA: u32 = 1;

/// What went into a qualification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Version of the format.
    pub schema: u32,
    /// The inputs.
    pub inputs: Vec<Input>,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name, such as `candidate: kernel`, `vectors/link`, `program`.
    pub name: String,
    /// What is known of it besides.
    pub about: String,
    /// SHA-256 in hex; null: unknown, for the reason in `about`.
    pub sha256: Option<String>,
}

/// The schema of `inputs.json`.
pub fn inputs_schema() -> Schema {
    schema_of::<Inputs>("What went into a qualification by nlproof, inputs.json")
}

impl Inputs {
    /// A list of these inputs.
    pub fn new(inputs: Vec<Input>) -> Self {
        Self { schema: INPUTS_SCHEMA, inputs }
    }

    /// The bytes of `inputs.json`.
    ///
    /// # Errors
    /// None that can occur: its types are plain.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        json_file(self)
    }

    /// Reads `inputs.json`.
    ///
    /// # Errors
    /// The file is none, or of another schema.
    pub fn read(path: &Path) -> Result<Inputs, FileError> {
        let bytes = read(path, Limit::REPORT)?;
        demand_schema(path, &bytes, INPUTS_SCHEMA)?;
        parse_json(path, &bytes)
    }

    /// The names of inputs whose digests differ from those of `own`, among those that both know.
    pub fn other_than(&self, own: &[Input]) -> Vec<String> {
        let differs = |input: &&Input| {
            let other = own.iter().find(|other| other.name == input.name);
            other.is_none_or(|other| other.sha256 != input.sha256)
        };
        let of_tests = |input: &&Input| is_of_tests(&input.name);
        let theirs = self.inputs.iter().filter(of_tests).filter(differs).map(|input| input.name.clone());
        let known = |input: &&Input| self.inputs.iter().any(|other| other.name == input.name);
        let more = own.iter().filter(|input| !known(input)).map(|input| input.name.clone());
        theirs.chain(more).collect()
    }
}

impl Input {
    /// An input of that name.
    pub fn new(name: impl Into<String>, about: impl Into<String>, sha256: Option<String>) -> Self {
        Self { name: name.into(), about: about.into(), sha256 }
    }

    /// A file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn file(name: impl Into<String>, about: impl Into<String>, path: &Path) -> io::Result<Self> {
        Ok(Self::new(name, about, Some(digest_of(path)?)))
    }
}

/// Files of a project beside vectors and goldens that decide what a qualification comes to.
const TABLES: [&str; 4] = ["divergences.yaml", "inventory.yaml", "matrix.yaml", "releases.yaml"];
/// Directories of a project that do.
const TREES: [&str; 2] = ["vectors", "golden"];

fn is_of_tests(name: &str) -> bool {
    TABLES.contains(&name)
        || TREES.iter().any(|tree| name.strip_prefix(tree).is_some_and(|rest| rest.starts_with('/')))
}

/// The tests of a project: a digest for each suite of vectors and of goldens, and for each table.
///
/// # Errors
/// A file cannot be read.
pub fn tests(root: &Path) -> Result<Vec<Input>, FileError> {
    let mut found = Vec::new();
    for table in TABLES {
        let path = root.join(table);
        if path.exists() {
            let input = Input::file(table, "", &path);
            found.push(input.map_err(|error| FileError::whole(&path, format!("cannot be read: {error}")))?);
        }
    }
    for tree in TREES {
        let directory = root.join(tree);
        if !directory.exists() {
            continue;
        }
        let files = files_below(&directory).map_err(|mut errors| errors.remove(0))?;
        let mut groups: BTreeMap<String, (Sha256, usize)> = BTreeMap::new();
        for path in files {
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let group = inside.parent().unwrap_or(inside).display().to_string();
            let (hash, count) = groups.entry(group).or_default();
            let digest = digest_of(&path);
            let digest =
                digest.map_err(|error| FileError::whole(&path, format!("cannot be read: {error}")))?;
            hash.update(format!("{digest}  {}\n", inside.display()));
            *count += 1;
        }
        found.extend(groups.into_iter().map(|(group, (hash, count))| {
            Input::new(group, counted(count, "file").to_string(), Some(hex(&hash.finalize())))
        }));
    }
    Ok(found)
}

/// The SHA-256 of a file, in hex.
///
/// # Errors
/// The file cannot be read.
pub fn digest_of(path: &Path) -> io::Result<String> {
    Ok(nlproof_image::Sha256::of_whole_file(path)?.to_string())
}

#[cfg(test)]
mod tests_of_digests {
    use super::*;

    #[test]
    fn a_changed_file_is_told_by_its_suite() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["vectors/link", "vectors/addr", "golden/common/link"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "vectors/link/a.yaml",
            "vectors/link/b.yaml",
            "vectors/addr/a.yaml",
            "golden/common/link/a.trace",
        ] {
            std::fs::write(at(name), name).unwrap();
        }
        std::fs::write(at("matrix.yaml"), "cells: []").unwrap();
        let before = tests(directory.path()).unwrap();
        let names: Vec<_> = before.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["matrix.yaml", "vectors/addr", "vectors/link", "golden/common/link"]);
        let kernel = Input::new("candidate: kernel", "", Some("00".into()));
        let inputs = Inputs::new([before.clone(), vec![kernel]].concat());
        assert_eq!(inputs.other_than(&before), Vec::<String>::new());
        std::fs::rename(at("vectors/link/b.yaml"), at("vectors/link/c.yaml")).unwrap();
        std::fs::write(at("inventory.yaml"), "").unwrap();
        assert_eq!(inputs.other_than(&tests(directory.path()).unwrap()), ["vectors/link", "inventory.yaml"]);
    }
}
