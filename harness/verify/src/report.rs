// SPDX-License-Identifier: BSD-2-Clause
//! The report of a verification: records here, presentations in `text`, `sarif` and [`Report::to_json`].

use serde::Serialize;

use crate::check::Check;

/// Version of the JSON form. A higher number may break readers. 2: the verdict `not-checked`, digest, imports,
/// elapsed time and source lines.
pub const SCHEMA: u32 = 2;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The module is rejected.
    Error,
    /// Shown, but no reason to reject.
    Warning,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file as the compiler or the user named it.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, if known.
    pub column: Option<u64>,
}

/// A function that the compiler put into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inlined {
    /// Demangled name of the function.
    pub function: String,
    /// Where it is called in the function around it.
    pub call: Option<Source>,
}

/// One step of a path through the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Function, demangled.
    pub function: String,
    /// Offset of the instruction in the function, in bytes.
    pub offset: u64,
    /// The instruction, a call as `call NAME`.
    pub text: String,
    /// Stack of this function and of the path so far, in bytes; `None` where it does not matter.
    pub stack: Option<(u64, u64)>,
    /// Source of the instruction, if the file's DWARF tells.
    pub source: Option<Source>,
    /// Functions that the instruction is in by inlining, innermost first; `function` is around all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inlined: Vec<Inlined>,
    /// `function` and `text` with names as in the file, where that is something else.
    #[serde(skip)]
    pub(crate) raw: Option<(String, String)>,
    /// Section and offset of the instruction.
    #[serde(skip)]
    pub(crate) place: Option<(usize, u64)>,
}

/// One thing that is wrong, by a check of modules or by another set of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding<C = Check> {
    /// Which check found it.
    pub check: C,
    /// Whether it rejects.
    pub severity: Severity,
    /// The symbol or section as in the file; what a waiver names.
    pub subject: String,
    /// What is wrong, one line.
    pub what: String,
    /// The shortest way there; empty if there is none to show.
    pub path: Vec<Step>,
    /// Where the subject is written, if it is a file that a person wrote.
    pub source: Option<Source>,
    /// The cause, if known.
    pub cause: Option<String>,
    /// The remedy, if known.
    pub help: Option<String>,
    /// The reason of the waiver that excuses it.
    pub waived: Option<String>,
}

impl<C> Finding<C> {
    /// One that rejects, without path, cause and help.
    pub fn error(check: C, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            check,
            severity: Severity::Error,
            subject: subject.into(),
            what: what.into(),
            path: Vec::new(),
            source: None,
            cause: None,
            help: None,
            waived: None,
        }
    }

    pub(crate) fn warning(check: C, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(check, subject, what) }
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn path(mut self, path: Vec<Step>) -> Self {
        self.path = path;
        self
    }

    /// Whether the module is rejected because of it.
    pub fn rejects(&self) -> bool {
        self.severity == Severity::Error && self.waived.is_none()
    }
}

/// What became of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing found.
    Ok,
    /// Only warnings.
    Warn,
    /// Only findings that are waived (and warnings).
    Waived,
    /// At least one finding rejects.
    Reject,
    /// Not run, because an earlier check leaves nothing to look at; the module is rejected.
    NotRun,
    /// Not run, because what it compares with was not given; the detail names it. No reason to reject.
    NotChecked,
}

/// A row of the table of checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row<C = Check> {
    /// The check.
    pub check: C,
    /// What became of it.
    pub verdict: Verdict,
    /// The checked subject, or the first finding's.
    pub subject: String,
    /// The measure, or what the first finding says.
    pub detail: String,
}

/// A function of the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FunctionRow {
    /// The symbol as the file spells it.
    pub symbol: String,
    /// Demangled.
    pub name: String,
    /// Frame in bytes with the return address; `None` if not known.
    pub frame: Option<u64>,
    /// Deepest chain from here in bytes, as far as frames are known.
    pub chain: u64,
    /// Direct calls and tail calls.
    pub calls: usize,
    /// Indirect calls and jumps that are not jump tables.
    pub indirect: usize,
    /// Instructions.
    pub insns: usize,
    /// Whether fbt sees entry and every return.
    pub traceable: bool,
}

/// Sizes of what was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Functions with a size.
    pub functions: usize,
    /// Instructions.
    pub insns: usize,
    /// Relocations in loaded sections.
    pub relocs: usize,
    /// Undefined symbols that are used by name.
    pub imports: usize,
    /// Deepest chain in bytes.
    pub deepest_chain: u64,
}

/// The result of a verification. The same input gives the same report, byte for byte; only a caller that
/// measures sets [`Report::elapsed_micros`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The module's name as it was given.
    pub module: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Whether it may be loaded.
    pub accepted: bool,
    /// One row for each check, in the order of [`Check::ALL`].
    pub checks: Vec<Row>,
    /// By check, then in the order of the file.
    pub findings: Vec<Finding>,
    /// By deepest chain, then by name.
    pub functions: Vec<FunctionRow>,
    /// What it imports, by name.
    pub imports: Vec<String>,
    /// Sizes.
    pub stats: Stats,
    /// Why steps of paths are without their source line, if some are.
    pub without_lines: Option<String>,
    /// How long it took in microseconds, if the caller measured it: the verification itself knows no clock.
    pub elapsed_micros: Option<u64>,
}

impl Report {
    /// The report for machines: one JSON object, keys in a fixed order.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists only: serialising them has no error case.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// How many findings reject, are waived, and are warnings.
    pub fn counts(&self) -> (usize, usize, usize) {
        counts(&self.findings)
    }
}

/// How many findings reject, are waived, and are warnings.
pub fn counts<C>(findings: &[Finding<C>]) -> (usize, usize, usize) {
    let errors = findings.iter().filter(|finding| finding.rejects()).count();
    let waived = findings.iter().filter(|finding| finding.waived.is_some()).count();
    let warnings = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning && finding.waived.is_none())
        .count();
    (errors, waived, warnings)
}
