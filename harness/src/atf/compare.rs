// SPDX-License-Identifier: BSD-2-Clause
//! Two runs of one release's tests beside each other: its own code and the module.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_base::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use super::run::Run;

/// A case that ended otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Differing {
    /// The case.
    pub name: String,
    /// What became of it in the release's own code; null: it is not there.
    pub stock: Option<String>,
    /// What became of it with the module.
    pub rust: Option<String>,
}

/// What came of the same cases in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The release.
    pub release: String,
    /// Cases that ran in both and ended alike, whichever way.
    pub alike: usize,
    /// Cases that ran in neither.
    pub not_run: usize,
    /// Cases that ended otherwise.
    pub differing: Vec<Differing>,
    /// What is complained of with the module and not with the release's own code.
    pub complaints: Vec<String>,
    /// One of the two did not come to its end.
    pub incomplete: bool,
    /// The module was there, and the cases asked nothing of it.
    pub unasked: bool,
}

/// Every release of which both were run.
pub fn comparisons(runs: &[Run]) -> Vec<Comparison> {
    let of =
        |release: &str, module: &str| runs.iter().find(|run| run.release == release && run.module == module);
    let releases: BTreeSet<&str> = runs.iter().map(|run| run.release.as_str()).collect();
    let both = releases.into_iter().filter_map(|release| Some((of(release, "stock")?, of(release, "rust")?)));
    both.map(|(stock, rust)| Comparison::of(stock, rust)).collect()
}

fn told(outcome: &Outcome) -> String {
    match outcome.reason() {
        "" => outcome.word().to_owned(),
        reason => format!("{}: {reason}", outcome.word()),
    }
}

impl Comparison {
    fn of(stock: &Run, rust: &Run) -> Self {
        let by_name = |run: &Run| -> BTreeMap<String, Outcome> {
            run.cases.iter().map(|case| (case.name.clone(), case.outcome.clone())).collect()
        };
        let (old, new) = (by_name(stock), by_name(rust));
        let mut found = Self {
            release: stock.release.clone(),
            alike: 0,
            not_run: 0,
            differing: Vec::new(),
            complaints: rust
                .complaints
                .iter()
                .filter(|one| stock.complaints.iter().all(|known| known.fingerprint != one.fingerprint))
                .map(|one| one.text.clone())
                .collect(),
            incomplete: [stock, rust].iter().any(|run| run.interrupted || run.failure.is_some()),
            unasked: rust.asked == Some(0),
        };
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            match (old.get(name), new.get(name)) {
                (Some(Outcome::NotRun(_)), Some(Outcome::NotRun(_))) => found.not_run += 1,
                (Some(one), Some(other)) if one.word() == other.word() => found.alike += 1,
                // What did not come to run proves nothing.
                (None, Some(_)) | (Some(_), None) if found.incomplete => {}
                (one, other) => found.differing.push(Differing {
                    name: name.clone(),
                    stock: one.map(told),
                    rust: other.map(told),
                }),
            }
        }
        found
    }

    /// Whether the module did as the release's own code does, and somebody looked.
    pub fn is_alike(&self) -> bool {
        self.differing.is_empty()
            && self.complaints.is_empty()
            && !self.incomplete
            && !self.unasked
            && self.alike > 0
    }

    /// The comparison in one line.
    pub fn line(&self) -> String {
        let mut line = format!("{} ended alike with both", counted(self.alike, "case"));
        if !self.differing.is_empty() {
            line = format!("{line}, {} otherwise", self.differing.len());
        }
        if self.not_run > 0 {
            line = format!("{line}; {} not run", self.not_run);
        }
        if !self.complaints.is_empty() {
            line = format!("{line}; {} only with the module", counted(self.complaints.len(), "complaint"));
        }
        if self.unasked {
            line = format!("{line}; the module was asked nothing");
        }
        if self.incomplete { format!("{line}; not all of it was run") } else { line }
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::Complained;
    use super::super::run::tests::run;
    use super::*;

    fn failed(reason: &str) -> Outcome {
        Outcome::Failed(reason.into())
    }

    #[test]
    fn cases_are_compared_by_what_became_of_them_and_not_by_its_words() {
        let not_run = || Outcome::NotRun("no python".into());
        let stock = run(
            "stock",
            &[("a", Outcome::Passed), ("b", failed("pid 1")), ("c", not_run()), ("d", Outcome::Passed)],
        );
        let rust = run(
            "rust",
            &[("a", Outcome::Passed), ("b", failed("pid 2")), ("c", not_run()), ("d", failed("no"))],
        );
        let found = comparisons(&[rust, stock]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].alike, found[0].not_run), (2, 1));
        assert_eq!(
            found[0].differing,
            [Differing { name: "d".into(), stock: Some("passed".into()), rust: Some("failed: no".into()) }]
        );
        assert!(!found[0].is_alike());
        assert_eq!(found[0].line(), "2 cases ended alike with both, 1 otherwise; 1 not run");
    }

    #[test]
    fn equal_runs_are_alike_and_empty_ones_prove_nothing() {
        let both =
            |cases: &[(&str, Outcome)]| comparisons(&[run("stock", cases), run("rust", cases)]).remove(0);
        assert!(both(&[("a", Outcome::Passed)]).is_alike());
        assert!(!both(&[]).is_alike());
        assert!(!both(&[("a", Outcome::NotRun("x".into()))]).is_alike());
        assert_eq!(comparisons(&[run("stock", &[])]), []);
    }

    #[test]
    fn a_complaint_that_only_the_module_causes_is_a_difference() {
        let complained = |text: &str| Complained { text: text.into(), fingerprint: text.into() };
        let mut stock = run("stock", &[("a", Outcome::Passed)]);
        let mut rust = run("rust", &[("a", Outcome::Passed)]);
        stock.complaints.push(complained("reversal"));
        rust.complaints.push(complained("reversal"));
        assert!(comparisons(&[stock.clone(), rust.clone()])[0].is_alike());
        rust.complaints.push(complained("leak"));
        let found = comparisons(&[stock, rust]).remove(0);
        assert_eq!((found.is_alike(), found.complaints.as_slice()), (false, &["leak".to_owned()][..]));
    }

    #[test]
    fn a_case_that_only_one_has_differs_unless_the_other_was_cut_short() {
        let stock = run("stock", &[("a", Outcome::Passed), ("b", Outcome::Passed)]);
        let mut rust = run("rust", &[("a", Outcome::Passed)]);
        assert_eq!(comparisons(&[stock.clone(), rust.clone()])[0].differing.len(), 1);
        rust.interrupted = true;
        let found = comparisons(&[stock, rust]).remove(0);
        assert_eq!((found.differing.len(), found.is_alike()), (0, false));
        assert_eq!(found.line(), "1 case ended alike with both; not all of it was run");
    }
}
