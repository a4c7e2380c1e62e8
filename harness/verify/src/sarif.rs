// SPDX-License-Identifier: BSD-2-Clause
//! A report as SARIF 2.1.0 (OASIS), which code hosts show beside the source: one run, a rule for each check,
//! a result for each finding with its path as a code flow, waivers as suppressions.

use serde::Serialize;

use crate::check::{Check, explain};
use crate::report::{Finding, Report, Severity, Source, Step};

/// A set of rules that findings belong to.
pub trait Rule: Copy + PartialEq + 'static {
    /// All of them, in the order of the report.
    const ALL: &'static [Self];
    /// Name of the rule in reports.
    fn name(self) -> &'static str;
    /// What it is for.
    fn explain(self) -> &'static str;
}

impl Rule for Check {
    const ALL: &'static [Self] = &Check::ALL;

    fn name(self) -> &'static str {
        Check::name(self)
    }

    fn explain(self) -> &'static str {
        explain(self)
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the artifact: a file.
    pub name: &'a str,
    /// SHA-256 of its bytes in hexadecimal, if it is one file.
    pub sha256: Option<&'a str>,
}

impl Report {
    /// The report as a SARIF 2.1.0 log.
    pub fn to_sarif(&self) -> String {
        sarif(Subject { name: &self.module, sha256: Some(&self.sha256) }, &self.findings)
    }
}

/// Findings as a SARIF 2.1.0 log.
pub fn sarif<C: Rule>(subject: Subject<'_>, findings: &[Finding<C>]) -> String {
    let rules = C::ALL.iter().map(|rule| ReportingDescriptor {
        id: rule.name(),
        full_description: Text { text: rule.explain().to_owned() },
    });
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "nlproof-verify",
                    version: env!("CARGO_PKG_VERSION"),
                    rules: rules.collect(),
                },
            },
            // A module is one file; each vector is a file of its own, named by its findings.
            artifacts: subject
                .sha256
                .map(|sha256| Artifact {
                    location: ArtifactLocation { uri: uri(subject.name) },
                    hashes: Hashes { sha256: sha256.to_owned() },
                })
                .into_iter()
                .collect(),
            results: findings.iter().map(|finding| result(subject, finding)).collect(),
            column_kind: "unicodeCodePoints",
        }],
    };
    // Strings, numbers and lists only: serialising them has no error case.
    serde_json::to_string_pretty(&log).unwrap_or_default()
}

fn result<C: Rule>(subject: Subject<'_>, finding: &Finding<C>) -> ResultObject {
    let mut text = format!("`{}` {}", crate::policy::demangle(&finding.subject), finding.what);
    for (word, more) in [("cause", &finding.cause), ("help", &finding.help)] {
        if let Some(more) = more {
            text.push_str(&format!("\n{word}: {more}"));
        }
    }
    // Where it ends is what is wrong; the way there is the code flow.
    let last = finding.path.last();
    let source = finding.source.as_ref().or_else(|| last.and_then(|step| step.source.as_ref()));
    let location = location(subject, source, Some(&finding.subject), last.map(|step| &*step.text));
    let steps = finding.path.iter().map(|step| ThreadFlowLocation { location: of_step(subject, step) });
    let steps: Vec<_> = steps.collect();
    ResultObject {
        rule_id: finding.check.name(),
        rule_index: C::ALL.iter().position(|rule| *rule == finding.check).unwrap_or_default(),
        level: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: Text { text },
        locations: vec![location],
        code_flows: (!steps.is_empty())
            .then(|| CodeFlow { thread_flows: vec![ThreadFlow { locations: steps }] })
            .into_iter()
            .collect(),
        suppressions: finding
            .waived
            .iter()
            .map(|reason| Suppression { kind: "external", justification: reason.clone() })
            .collect(),
    }
}

fn of_step(subject: Subject<'_>, step: &Step) -> Location {
    let text = format!("{}+{:#x}: {}", step.function, step.offset, step.text);
    location(subject, step.source.as_ref(), Some(&step.function), Some(&text))
}

fn location(
    subject: Subject<'_>,
    source: Option<&Source>,
    function: Option<&str>,
    message: Option<&str>,
) -> Location {
    let (name, region) = match source {
        Some(source) => (
            source.file.as_str(),
            Some(Region { start_line: source.line.max(1), start_column: source.column.filter(|c| *c > 0) }),
        ),
        None => (subject.name, None),
    };
    Location {
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(name) },
            region,
        },
        logical_locations: function
            .map(|function| LogicalLocation { fully_qualified_name: crate::policy::demangle(function) })
            .into_iter()
            .collect(),
        message: message.filter(|text| !text.is_empty()).map(|text| Text { text: text.to_owned() }),
    }
}

/// A path as a URI reference (RFC 3986): whatever is not unreserved or `/` is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    artifacts: Vec<Artifact>,
    results: Vec<ResultObject>,
    column_kind: &'static str,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<ReportingDescriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor {
    id: &'static str,
    full_description: Text,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Artifact {
    location: ArtifactLocation,
    hashes: Hashes,
}

#[derive(Serialize)]
struct Hashes {
    #[serde(rename = "sha-256")]
    sha256: String,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultObject {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_flows: Vec<CodeFlow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    thread_flows: Vec<ThreadFlow>,
}

#[derive(Serialize)]
struct ThreadFlow {
    locations: Vec<ThreadFlowLocation>,
}

#[derive(Serialize)]
struct ThreadFlowLocation {
    location: Location,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}
