// SPDX-License-Identifier: BSD-2-Clause
//! What went wrong in a cell besides its answers.

use std::collections::BTreeMap;

use super::finding::Trouble;
use crate::golden::Compared;
use crate::matrix::{CellResult, CellStatus, Outcome};
use crate::report::{Seen, troubled};
use crate::targets::{Complaint, Fact};

/// The fact with the verdict of verification.
const VERIFICATION: &str = "verification";

/// The verdict of verification on the module of a cell.
pub(super) fn verification(result: &CellResult) -> String {
    let verdict = result.facts.iter().find(|fact| fact.label() == VERIFICATION).map(Fact::text);
    verdict.unwrap_or_else(|| "not told: the module was not loaded".to_owned())
}

/// What went wrong in a cell besides its answers. What the kernel in `known` complains of as well is nothing new.
pub(super) fn troubles_of(
    result: &CellResult,
    known: Option<&CellResult>,
    seen: &BTreeMap<String, Seen<'_>>,
) -> Vec<Trouble> {
    let cell = result.cell.name();
    let trouble = |what: String| Trouble { cell: cell.clone(), what };
    let mut found: Vec<_> = result
        .losses
        .iter()
        .map(|lost| {
            let first = lost.loss.text.lines().next().unwrap_or_default();
            trouble(format!("the guest was lost in {}: {first}", lost.vector))
        })
        .collect();
    let is_known = |complaint: &&Complaint| {
        let mut others = known.into_iter().flat_map(|known| &known.complaints);
        others.any(|other| other.fingerprint == complaint.fingerprint)
    };
    // What the baseline's kernel says is part of what is known.
    if known.is_some() {
        let new = result.complaints.iter().filter(|complaint| !is_known(complaint));
        found.extend(new.map(|complaint| trouble(complaint.text.clone())));
    }
    for vector in &result.vectors {
        if let Outcome::Survived(what) = &vector.outcome {
            found.push(trouble(format!("{}: {what}", vector.id)));
        }
    }
    let whole = result.vectors.iter().all(|vector| !matches!(vector.outcome, Outcome::Inconclusive(_)));
    match &result.status {
        CellStatus::NotRun { reason, remedy } => {
            found.push(trouble(format!("not run: {reason}; to run it: {remedy}")));
        }
        CellStatus::GuestFailed(reason) if found.is_empty() && result.complaints.is_empty() && whole => {
            found.push(trouble(format!("guest failed: {reason}")));
        }
        CellStatus::Passed | CellStatus::Failed | CellStatus::GuestFailed(_) => {}
        broken => {
            let (what, reason) = broken.failure().unwrap_or_default();
            found.push(trouble(format!("{what} failed: {reason}")));
        }
    }
    if let Some(why) = result.unkept() {
        found.push(trouble(format!("not all was kept: {why}")));
    }
    let answered = result.vectors.iter().any(|vector| !matches!(vector.outcome, Outcome::NotRun(_)));
    if answered && seen.is_empty() {
        found.push(trouble("its raw trace is missing".to_owned()));
    }
    found
}

/// What the module's kernel trace says against it: broken rules, and another way than its golden's.
pub(super) fn troubles_of_module(result: &CellResult) -> Vec<Trouble> {
    let cell = result.cell.name();
    let bad = |outcome: &Outcome| match outcome {
        Outcome::Violated(what) => Some(what.clone()),
        Outcome::Failed(divergence) if divergence.compared == Compared::Kernel => {
            Some(divergence.to_string())
        }
        _ => None,
    };
    let told = troubled(result)
        .filter_map(|vector| Some((vector, bad(&vector.outcome)?)))
        .map(|(vector, what)| Trouble { cell: cell.clone(), what: format!("{}: {what}", vector.id) });
    // One that was loaded all the same (--unverified) is not the one to decide on.
    let verdict = verification(result);
    let rejected = (!verdict.starts_with("accepted"))
        .then(|| Trouble { cell: cell.clone(), what: format!("verification: {verdict}") });
    rejected.into_iter().chain(told).collect()
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::*;
    use crate::matrix::tests::{cell, cell_result};
    use crate::matrix::{LostGuest, ModuleKind};
    use crate::targets::Loss;

    fn result(module: ModuleKind, status: CellStatus) -> CellResult {
        cell_result(crate::matrix::Cell { module, ..cell(Some("15.1-RELEASE"), Profile::R15) }, status)
    }

    fn told(result: &CellResult, known: Option<&CellResult>) -> String {
        let troubles = troubles_of(result, known, &BTreeMap::new());
        troubles.into_iter().map(|trouble| trouble.what).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_module_that_was_rejected_and_loaded_all_the_same_is_told() {
        let mut rust = result(ModuleKind::Rust, CellStatus::Passed);
        let told =
            |rust: &CellResult| troubles_of_module(rust).into_iter().map(|one| one.what).collect::<Vec<_>>();
        assert_eq!(told(&rust), ["verification: not told: the module was not loaded"]);
        rust.facts = vec![Fact::line(VERIFICATION, "REJECTED (1 error) and loaded all the same: x")];
        assert_eq!(told(&rust), ["verification: REJECTED (1 error) and loaded all the same: x"]);
        rust.facts = vec![Fact::line(VERIFICATION, "accepted: 3 waived, 0 warnings")];
        assert_eq!(told(&rust), [""; 0]);
    }

    #[test]
    fn what_the_baseline_complains_of_as_well_is_nothing_new() {
        let complaint = |name: &str| Complaint { text: format!("says {name}"), fingerprint: name.into() };
        let failed = || result(ModuleKind::Stock, CellStatus::GuestFailed("says a".into()));
        let old = CellResult { complaints: vec![complaint("a")], ..failed() };
        let new = |names: &[&str]| CellResult {
            complaints: names.iter().map(|name| complaint(name)).collect(),
            ..failed()
        };
        assert_eq!(told(&new(&["a"]), Some(&old)), "");
        assert_eq!(told(&new(&["a", "b"]), Some(&old)), "says b");
        assert_eq!(told(&old, None), "", "the baseline is what is known");
        assert_eq!(told(&failed(), Some(&old)), "guest failed: says a", "nothing else explains it");
    }

    #[test]
    fn lost_guests_and_cells_that_did_not_run_are_told() {
        let loss =
            Loss { kind: "hung".into(), fingerprint: "h".into(), calls: vec![], text: "hangs\nmore".into() };
        let mut lost = result(ModuleKind::Stock, CellStatus::GuestFailed("x".into()));
        lost.losses = vec![LostGuest { vector: "link/a".into(), loss }];
        assert_eq!(told(&lost, None), "the guest was lost in link/a: hangs");
        let not_run = CellStatus::NotRun { reason: "r".into(), remedy: "m".into() };
        assert_eq!(told(&result(ModuleKind::Stock, not_run), None), "not run: r; to run it: m");
        let broken = CellStatus::Refused("y".into());
        assert_eq!(told(&result(ModuleKind::Rust, broken), None), "verification failed: y");
    }
}
