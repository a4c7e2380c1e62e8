// SPDX-License-Identifier: BSD-2-Clause
//! Baselines: the measures of an accepted module, by which growth is noticed: imports, deepest chain, instructions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::report::{Finding, Report, Verdict};
use crate::verify::row;

/// Version of the file.
const SCHEMA: u32 = 1;

/// The measures of a module that was accepted. As a file it is JSON with one import a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Baseline {
    schema: u32,
    /// Name of the module.
    pub module: String,
    /// What it imports.
    pub imports: BTreeSet<String>,
    /// Deepest chain in bytes.
    pub deepest_chain: u64,
    /// Instructions.
    pub insns: usize,
}

/// A baseline that a module cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not JSON, or not with exactly these keys.
    #[error("not a baseline: {0}\n  help: `--write-baseline FILE` writes one")]
    Unreadable(#[source] serde_json::Error),
    /// Another version of the file.
    #[error(
        "a baseline of schema {0}; this nlproof reads schema {SCHEMA}\n  help: write it anew with `--write-baseline`"
    )]
    Schema(u32),
    /// The baseline was made of another module.
    #[error("the baseline of `{baseline}`, and this is `{module}`")]
    OtherModule {
        /// The name that the baseline gives.
        baseline: String,
        /// What was verified.
        module: String,
    },
}

impl Baseline {
    /// The measures of the module of a report.
    pub fn of(report: &Report) -> Self {
        Self {
            schema: SCHEMA,
            module: report.module.clone(),
            imports: report.imports.iter().cloned().collect(),
            deepest_chain: report.stats.deepest_chain,
            insns: report.stats.insns,
        }
    }

    /// Reads a file that [`Self::to_json`] made.
    ///
    /// # Errors
    /// Not JSON, unknown or missing keys, another schema.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_str(text).map_err(BaselineError::Unreadable)?;
        if baseline.schema != SCHEMA {
            return Err(BaselineError::Schema(baseline.schema));
        }
        Ok(baseline)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Strings and numbers only: serialising them has no error case.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl Report {
    /// Compares the module with its baseline: growth is a finding that rejects, shrinkage one that is noted.
    ///
    /// # Errors
    /// The baseline is of another module.
    pub fn compare(&mut self, baseline: &Baseline) -> Result<(), BaselineError> {
        if baseline.module != self.module {
            return Err(BaselineError::OtherModule {
                baseline: baseline.module.clone(),
                module: self.module.clone(),
            });
        }
        // What could not be read is rejected already, and has no measures.
        if self.checks.iter().any(|row| row.verdict == Verdict::NotRun) {
            return Ok(());
        }
        let now = Baseline::of(self);
        let mut findings = Vec::new();
        let names = |list: Vec<&String>| list.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let added = names(now.imports.difference(&baseline.imports).collect());
        let gone = names(baseline.imports.difference(&now.imports).collect());
        if !added.is_empty() {
            findings
                .push(grown("imports", format!("have grown from {} by: {added}", baseline.imports.len())));
        }
        if !gone.is_empty() {
            findings.push(shrunk("imports", format!("no longer hold: {gone}")));
        }
        let measures = [
            ("deepest chain", baseline.deepest_chain, now.deepest_chain, " bytes"),
            ("insns", baseline.insns as u64, now.insns as u64, ""),
        ];
        let mut details = vec![format!(
            "imports {} ({:+})",
            now.imports.len(),
            signed(baseline.imports.len() as u64, now.imports.len() as u64)
        )];
        for (name, before, after, unit) in measures {
            details.push(format!("{name} {after} ({:+})", signed(before, after)));
            let percent = signed(before, after) as f64 * 100.0 / before.max(1) as f64;
            let what = format!("from {before} to {after}{unit} ({percent:+.1} %)");
            match after.cmp(&before) {
                std::cmp::Ordering::Greater => findings.push(grown(name, format!("has grown {what}"))),
                std::cmp::Ordering::Less => findings.push(shrunk(name, format!("has shrunk {what}"))),
                std::cmp::Ordering::Equal => {}
            }
        }
        let found = row(Check::Baseline, "against the baseline".to_owned(), details.join(", "), &findings);
        if let Some(place) = self.checks.iter_mut().find(|row| row.check == Check::Baseline) {
            *place = found;
        }
        self.findings.extend(findings);
        self.accepted = !self.findings.iter().any(Finding::rejects);
        Ok(())
    }
}

fn grown(what: &str, how: String) -> Finding {
    Finding::error(Check::Baseline, what, how)
        .help("undo it, or accept it: `--write-baseline FILE` writes what the module has now")
}

fn shrunk(what: &str, how: String) -> Finding {
    Finding::warning(Check::Baseline, what, how).help("let the baseline follow: `--write-baseline FILE`")
}

/// The difference; counts of one file are far below 2^63.
fn signed(before: u64, after: u64) -> i64 {
    after.wrapping_sub(before).cast_signed()
}
