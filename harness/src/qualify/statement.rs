// SPDX-License-Identifier: BSD-2-Clause
//! `statement.json`: an in-toto Statement v1 with the test-result predicate, which is what is signed.
//!
//! Its subjects are the kernel that was tested, and the manifest: whoever trusts the signature trusts every file of the
//! bundle.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::finding::{Class, Qualification};
use super::inputs::Inputs;
use super::manifest::MANIFEST;
use crate::file::{FileError, Limit, parse_json, read, schema_of};
use crate::report::json_file;

/// Name of the file.
pub(super) const STATEMENT: &str = "statement.json";
/// The type of a statement.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of its predicate.
const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// An in-toto Statement v1 about a test's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub kind: String,
    /// What was tested, and the list of the evidence.
    pub subject: Vec<Resource>,
    /// `https://in-toto.io/attestation/test-result/v0.1`.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The result.
    pub predicate: TestResult,
}

/// Something with a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Name of it.
    pub name: String,
    /// Digests of it, by algorithm.
    pub digest: BTreeMap<String, String>,
}

/// The test-result predicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TestResult {
    /// `PASSED` or `FAILED`.
    pub result: String,
    /// What the test was made with.
    pub configuration: Vec<Resource>,
    /// Vectors without an unexplained difference.
    pub passed_tests: Vec<String>,
    /// Vectors that were not compared, for a known reason.
    pub warned_tests: Vec<String>,
    /// Vectors with an unexplained difference or a hole.
    pub failed_tests: Vec<String>,
}

/// The schema of `statement.json`.
pub fn statement_schema() -> Schema {
    schema_of::<Statement>("What nlproof signs of a qualification, statement.json")
}

impl Statement {
    /// The statement about a qualification, whose manifest has this digest.
    pub fn about(found: &Qualification, inputs: &Inputs, manifest: &str) -> Statement {
        let resource = |name: &str, sha256: &str| Resource {
            name: name.to_owned(),
            digest: BTreeMap::from([("sha256".to_owned(), sha256.to_owned())]),
        };
        let known = inputs.inputs.iter().filter_map(|input| Some((input, input.sha256.as_deref()?)));
        let (tested, made_with): (Vec<_>, Vec<_>) =
            known.partition(|(input, _)| input.name == "candidate: kernel" || input.name == "module");
        let all = |resources: Vec<(&super::inputs::Input, &str)>| {
            resources.into_iter().map(|(input, sha256)| resource(&input.name, sha256)).collect::<Vec<_>>()
        };
        let mut subject = all(tested);
        subject.push(resource(MANIFEST, manifest));
        Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: test_result(found, all(made_with)),
        }
    }

    /// The bytes of `statement.json`.
    ///
    /// # Errors
    /// None that can occur: its types are plain.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        json_file(self)
    }

    /// Reads `statement.json`.
    ///
    /// # Errors
    /// The file is none, or of another type.
    pub fn read(path: &Path) -> Result<Statement, FileError> {
        let statement: Statement = parse_json(path, &read(path, Limit::REPORT)?)?;
        for (is, wanted) in [(&statement.kind, STATEMENT_TYPE), (&statement.predicate_type, PREDICATE_TYPE)] {
            if is != wanted {
                return Err(FileError::whole(path, format!("is of type {is}, not {wanted}")));
            }
        }
        Ok(statement)
    }

    /// The digest that it has of the manifest.
    pub fn manifest(&self) -> Option<&str> {
        let manifest = self.subject.iter().find(|subject| subject.name == MANIFEST)?;
        manifest.digest.get("sha256").map(String::as_str)
    }
}

fn test_result(found: &Qualification, configuration: Vec<Resource>) -> TestResult {
    let comparisons =
        || [Some(&found.wire), found.module.as_ref().map(|module| &module.wire)].into_iter().flatten();
    let unexplained = comparisons()
        .flat_map(|one| &one.differences)
        .filter(|one| one.class == Class::Unexplained)
        .flat_map(|one| &one.vectors);
    let left = |unexplained: bool| {
        let of_it = comparisons().flat_map(|one| &one.not_compared);
        of_it.filter(move |one| one.unexplained == unexplained).flat_map(|one| &one.vectors)
    };
    let sorted = |names: Vec<&String>| {
        let mut names: Vec<_> = names.into_iter().cloned().collect();
        names.sort();
        names.dedup();
        names
    };
    let failed_tests = sorted(unexplained.chain(left(true)).collect());
    let mut passed_tests = sorted(found.wire.compared.iter().collect());
    passed_tests.retain(|name| failed_tests.binary_search(name).is_err());
    let mut warned_tests = sorted(left(false).collect());
    warned_tests.retain(|name| {
        failed_tests.binary_search(name).is_err() && passed_tests.binary_search(name).is_err()
    });
    let result = if found.passed { "PASSED" } else { "FAILED" };
    TestResult { result: result.to_owned(), configuration, passed_tests, warned_tests, failed_tests }
}
