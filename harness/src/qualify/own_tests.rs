// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's own tests as evidence: what came of them in the candidate's kernel, with its own code and with the module.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::atf::{Comparison, Run, comparisons};
use crate::file::{FileError, Limit, parse_json, read};
use crate::matrix::CellResult;
use crate::targets::Fact;

/// FreeBSD's own tests in the candidate's kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnTests {
    /// Each cell in a line.
    pub cells: Vec<String>,
    /// The release's own code beside the module; null: only one of them was run.
    pub compared: Option<Comparison>,
    /// What keeps them from being evidence for this kernel.
    pub doubts: Vec<String>,
}

impl OwnTests {
    /// What the runs tell of the candidate; nothing if none of them is of its release.
    pub(super) fn of(runs: &[Run], candidate: &CellResult) -> Option<Self> {
        let release = candidate.cell.release_or_profile();
        let of_it: Vec<Run> = runs.iter().filter(|run| run.release == release).cloned().collect();
        let kernel = Fact::kernel_sha256(&candidate.facts);
        let other = |run: &&Run| run.kernel_sha256.is_some() && run.kernel_sha256.as_deref() != kernel;
        let doubts = of_it.iter().filter(other).map(|run| format!("{}: another kernel ran them", run.cell));
        (!of_it.is_empty()).then(|| Self {
            cells: of_it.iter().map(|run| format!("{}: {}", run.cell, run.line())).collect(),
            compared: comparisons(&of_it).pop(),
            doubts: doubts.collect(),
        })
    }

    /// What of it is unexplained, each in one line.
    pub fn unexplained(&self) -> Vec<String> {
        let mut found = self.doubts.clone();
        if let Some(compared) = self.compared.as_ref().filter(|compared| !compared.is_alike()) {
            found.push(compared.line());
            let told = |told: &Option<String>| told.clone().unwrap_or_else(|| "not there".to_owned());
            found.extend(
                compared
                    .differing
                    .iter()
                    .map(|case| format!("{}: {} -> {}", case.name, told(&case.stock), told(&case.rust))),
            );
            found.extend(compared.complaints.iter().cloned());
        }
        found.into_iter().map(|line| format!("FreeBSD's own tests: {line}")).collect()
    }
}

/// Reads the runs that a bundle keeps.
///
/// # Errors
/// The file is none of that kind.
pub(super) fn read_runs(path: &Path) -> Result<Vec<Run>, FileError> {
    parse_json(path, &read(path, Limit::REPORT)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atf::Outcome;
    use crate::atf::tests::run_of;
    use crate::matrix::CellStatus;
    use crate::matrix::tests::{cell, cell_result};

    fn run(module: &str, outcome: Outcome) -> Run {
        Run {
            kernel_sha256: Some("00".into()),
            ..run_of("15.1-RELEASE", module, &[("sys/net/a:b", outcome)])
        }
    }

    fn of(runs: &[Run], kernel: &str) -> Option<OwnTests> {
        let mut candidate =
            cell_result(cell(Some("15.1-RELEASE"), iface_core::Profile::R15), CellStatus::Passed);
        candidate.facts = vec![Fact::KernelSha256(kernel.into())];
        OwnTests::of(runs, &candidate)
    }

    #[test]
    fn equal_outcomes_in_this_kernel_leave_nothing_unexplained() {
        let both = [run("stock", Outcome::Passed), run("rust", Outcome::Passed)];
        let found = of(&both, "00").unwrap();
        assert_eq!((found.cells.len(), found.unexplained()), (2, vec![]));
        let other = of(&both, "01").unwrap().unexplained();
        assert_eq!(other[0], "FreeBSD's own tests: freebsd/15.1-RELEASE/stock: another kernel ran them");
        let elsewhere = both.map(|run| Run { release: "14.0-STABLE".into(), ..run });
        assert_eq!(of(&elsewhere, "00"), None);
    }

    #[test]
    fn a_case_that_the_module_does_not_pass_is_unexplained() {
        let runs = [run("stock", Outcome::Passed), run("rust", Outcome::Failed("no".into()))];
        assert_eq!(
            of(&runs, "00").unwrap().unexplained()[1],
            "FreeBSD's own tests: sys/net/a:b: passed -> failed: no"
        );
    }
}
