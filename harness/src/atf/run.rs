// SPDX-License-Identifier: BSD-2-Clause
//! The cases of one cell and what became of them, as `report.json` keeps them.

use std::fmt;

use nlproof_base::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// A case and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseRun {
    /// `sys/net/if_clone_test:epair_ipv4_up`; of a program whose cases are not known, the program alone.
    pub name: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Milliseconds that it took, on this machine's clock.
    pub duration_ms: u64,
    /// The last that a case said that ended badly.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}

/// FreeBSD's own tests in one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Name of the cell: `freebsd/15.1-RELEASE/rust`.
    pub cell: String,
    /// The release whose tests.txz it is.
    pub release: String,
    /// `stock` or `rust`.
    pub module: String,
    /// SHA-256 of tests.txz in hex.
    pub tests_sha256: String,
    /// SHA-256 of the kernel in hex, as far as the guest came up.
    pub kernel_sha256: Option<String>,
    /// Requests that the module answered meanwhile, as far as its guest came to its end; null: there is no module.
    pub asked: Option<u64>,
    /// The user interrupted it: the cases that are not there did not run.
    pub interrupted: bool,
    /// Why the cell came to an early end or did not begin; null: it did not.
    pub failure: Option<Failure>,
    /// What the kernels complained of on their consoles, and the module of itself.
    pub complaints: Vec<Complained>,
    /// The cases, in the order of the Kyuafiles.
    pub cases: Vec<CaseRun>,
}

impl Run {
    /// A run of this module's cell of a release (`stock`, `rust`), of which nothing is known yet.
    pub fn new(cell: String, release: String, module: String) -> Self {
        Self {
            cell,
            release,
            module,
            tests_sha256: String::new(),
            kernel_sha256: None,
            asked: None,
            interrupted: false,
            failure: None,
            complaints: Vec::new(),
            cases: Vec::new(),
        }
    }
}

/// Why a cell came to an early end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", content = "reason", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Failure {
    /// An image or the module could not be built.
    Build(String),
    /// Verification rejected the module.
    Verification(String),
    /// A guest did not come up, or too many were lost.
    Guest(String),
    /// The cell cannot run here.
    NotRun(String),
}

impl Failure {
    /// The reason, and what would help.
    pub fn reason(&self) -> &str {
        match self {
            Failure::Build(reason)
            | Failure::Verification(reason)
            | Failure::Guest(reason)
            | Failure::NotRun(reason) => reason,
        }
    }
}

/// Something that a kernel or the module complained of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complained {
    /// What it said.
    pub text: String,
    /// Equal for the same complaint in two guests.
    pub fingerprint: String,
}

/// Number of cases by outcome, in the order of [`Outcome::WORDS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([usize; Outcome::WORDS.len()]);

impl Run {
    /// Number of cases by outcome.
    pub fn counts(&self) -> Counts {
        let count = |word| self.cases.iter().filter(|case| case.outcome.word() == word).count();
        Counts(Outcome::WORDS.map(count))
    }

    /// Whether a case was started and came to an end of its own.
    pub fn has_answers(&self) -> bool {
        self.cases.iter().any(|case| !matches!(case.outcome, Outcome::NotRun(_) | Outcome::GuestLost(_)))
    }

    /// The cell in one line.
    pub fn line(&self) -> String {
        let mut line = format!("{}: {}", counted(self.cases.len(), "case"), self.counts());
        if let Some(failure) = &self.failure {
            line = format!("{line}; {}", failure.reason().lines().next().unwrap_or_default());
        }
        if !self.complaints.is_empty() {
            line = format!("{line}; {}", counted(self.complaints.len(), "complaint"));
        }
        if let Some(asked) = self.asked {
            line = format!("{line}; the module answered {}", counted(asked, "request"));
        }
        if self.interrupted { format!("{line}; interrupted") } else { line }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self
            .0
            .iter()
            .zip(Outcome::WORDS)
            .filter(|(count, _)| **count > 0)
            .map(|(count, word)| format!("{count} {}", word.replace('-', " ")))
            .collect();
        f.write_str(if shown.is_empty() { "none" } else { "" })?;
        f.write_str(&shown.join(", "))
    }
}

/// Whether a case that ended badly is counted: where another run of the same release ended alike, the stock code is the
/// measure, and nothing is wrong with the module.
pub fn is_counted(case: &CaseRun, run: &Run, all: &[Run]) -> bool {
    case.outcome.is_bad()
        && !all.iter().any(|other| {
            other.release == run.release
                && other.module != run.module
                && other
                    .cases
                    .iter()
                    .any(|one| one.name == case.name && one.outcome.word() == case.outcome.word())
        })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Cases that took a millisecond each and said nothing, in a cell of this release.
    pub(crate) fn run_of(release: &str, module: &str, cases: &[(&str, Outcome)]) -> Run {
        let case = |(name, outcome): &(&str, Outcome)| CaseRun {
            name: (*name).into(),
            outcome: outcome.clone(),
            duration_ms: 1,
            said: String::new(),
        };
        let cell = format!("freebsd/{release}/{module}");
        Run { cases: cases.iter().map(case).collect(), ..Run::new(cell, release.into(), module.into()) }
    }

    pub(in crate::atf) fn run(module: &str, cases: &[(&str, Outcome)]) -> Run {
        Run { tests_sha256: "00".into(), ..run_of("15.1-RELEASE", module, cases) }
    }

    #[test]
    fn a_run_is_told_in_a_line() {
        let mut run = run(
            "stock",
            &[("a", Outcome::Passed), ("b", Outcome::NotRun("x".into())), ("c", Outcome::Passed)],
        );
        assert_eq!(run.line(), "3 cases: 2 passed, 1 not run");
        assert!(run.has_answers());
        run.failure = Some(Failure::Guest("no guest\nat all".into()));
        run.interrupted = true;
        run.cases.clear();
        run.complaints.push(Complained { text: "t".into(), fingerprint: "f".into() });
        assert_eq!(run.line(), "0 cases: none; no guest; 1 complaint; interrupted");
        assert!(!run.has_answers());
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let run = run("rust", &[("a", Outcome::Passed), ("b", Outcome::Failed("<b>".into()))]);
        let text = serde_json::to_string(&run).unwrap();
        assert!(text.contains(r#""name":"b","outcome":"failed","reason":"<b>""#), "{text}");
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        assert!(serde_json::from_str::<Run>(&text.replace("\"failed\"", "\"won\"")).is_err());
    }

    #[test]
    fn what_stock_code_fails_as_well_is_not_counted() {
        let failed = |reason: &str| Outcome::Failed(reason.into());
        let stock = run("stock", &[("a", failed("1")), ("b", Outcome::Passed)]);
        let rust = run("rust", &[("a", failed("2")), ("b", failed("3"))]);
        let all = [stock, rust];
        let counted: Vec<_> = all[1].cases.iter().map(|case| is_counted(case, &all[1], &all)).collect();
        assert_eq!(counted, [false, true]);
        assert!(is_counted(&all[0].cases[0], &all[0], &all[..1]), "nothing is beside it");
    }
}
