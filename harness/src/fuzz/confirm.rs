// SPDX-License-Identifier: BSD-2-Clause
//! From a suspicion to a finding: what is met is asked again, reduced, and told once; and findings are run again later.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::campaign::{Campaign, CampaignError, Progress, Setup};
use super::crew::{Answers, Crew};
use super::finding::{Finding, Replayed, Status};
use super::lane::LaneError;
use super::oracle::{Oracle, Suspicion};
use super::settle::{fits, vectors};
use super::state::{FindingsDir, State};
use crate::draft::Draft;
use crate::reduce::reduce;
use crate::targets::Loss;

/// A request that is seen to show something once is asked so often again.
const ASKED_AGAIN: usize = 2;

/// Drafts that a reduction looks at; fewer where each costs a guest.
const REDUCTION: usize = 200;
const REDUCTION_OF_LOSS: usize = 30;

impl<'a> Campaign<'a> {
    /// Something looks wrong: it is counted if it is known, else asked again, reduced and kept.
    pub(super) fn met(
        &mut self,
        draft: &Draft,
        suspicion: &Suspicion,
        loss: Option<&Loss>,
        cancel: &CancellationToken,
        on: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CampaignError> {
        let cell = self.setup.sides.get(suspicion.side).map(|side| side.name.clone()).unwrap_or_default();
        let fingerprint = suspicion.fingerprint();
        let same = |finding: &&mut Finding| finding.fingerprint == fingerprint;
        if let Some(finding) = self.state.findings.iter_mut().find(same) {
            finding.met += 1;
            if !finding.cells.contains(&cell) {
                finding.cells.push(cell);
            }
            return Ok(());
        }
        on(Progress::Met(suspicion));
        let mut finding = Finding {
            vector: Finding::file_name(suspicion.oracle, &fingerprint),
            fingerprint: fingerprint.clone(),
            oracle: suspicion.oracle,
            cells: vec![cell],
            key: suspicion.key.clone(),
            text: suspicion.text.clone(),
            status: Status::NotReproduced,
            messages: draft.messages().count(),
            executions: self.state.executions,
            seconds: self.milliseconds() / 1000,
            reduced_in: 0,
            whole: false,
            met: 1,
        };
        let mut kept = draft.clone();
        let bug = self.setup.known.vector_of(&self.setup.sides, suspicion, loss).map(str::to_owned);
        if let Some(vector) = bug {
            // Its vector is there, and smaller than any that chance finds.
            finding.status = Status::Known(vector);
        } else if self.comes_again(draft, suspicion, ASKED_AGAIN)? {
            finding.status = Status::New;
            let budget = if suspicion.oracle == Oracle::Lost { REDUCTION_OF_LOSS } else { REDUCTION };
            let mut failed = None;
            let reduced = reduce(draft, budget, &mut |smaller| {
                if cancel.is_cancelled() {
                    return None;
                }
                self.comes_again(smaller, suspicion, 1).map_err(|error| failed = Some(error)).ok()
            });
            (finding.reduced_in, finding.whole) = (reduced.tests, reduced.whole);
            finding.messages = reduced.draft.messages().count();
            kept = reduced.draft;
            if let Some(error) = failed.filter(|error| !matches!(error, LaneError::Interrupted)) {
                self.keep_finding(finding, &kept, on)?;
                return Err(error.into());
            }
        }
        self.keep_finding(finding, &kept, on)
    }

    fn keep_finding(
        &mut self,
        finding: Finding,
        draft: &Draft,
        on: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CampaignError> {
        self.dir.found(&finding, draft)?;
        on(Progress::Found(&finding));
        self.state.findings.push(finding);
        self.save()?;
        Ok(())
    }

    /// Whether a draft shows the same, when it is asked so often.
    fn comes_again(&mut self, draft: &Draft, suspicion: &Suspicion, times: usize) -> Result<bool, LaneError> {
        if !fits(draft) {
            return Ok(false);
        }
        for _ in 0..times {
            if self.shows(draft, &suspicion.sides(), suspicion.oracle)?.iter().any(|found| {
                found.fingerprint() == suspicion.fingerprint() && found.sides() == suspicion.sides()
            }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a draft shows on these sides; twice, where it matters what went before.
    fn shows(&mut self, draft: &Draft, sides: &[usize], oracle: Oracle) -> Result<Vec<Suspicion>, LaneError> {
        let vectors = vectors(std::slice::from_ref(draft), "again");
        let first = self.crew.run(sides, &vectors)?;
        let again = match oracle {
            Oracle::Unstable => self.crew.run(sides, &vectors)?,
            _ => Answers::new(),
        };
        Ok(self.judge(&first, &again, 0))
    }

    /// Runs the findings of a directory again, each on every side.
    ///
    /// # Errors
    /// A lane cannot go on.
    pub fn replay(
        setup: Setup,
        crew: Crew<'a>,
        dir: &FindingsDir,
        on: &mut dyn FnMut(&Replayed),
    ) -> Result<Vec<Replayed>, CampaignError> {
        let findings = dir.findings()?;
        let state = State::new(setup.seed, Vec::new());
        let mut campaign = Campaign::of(setup, crew, dir.clone(), state, Vec::new());
        let mut replayed = Vec::new();
        for (finding, draft) in findings {
            let all = campaign.everybody();
            let shown = campaign.shows(&draft, &all, finding.oracle)?;
            let name = |side: usize| campaign.setup.sides.get(side).map(|side| side.name.clone());
            let same = |found: &&Suspicion| found.fingerprint() == finding.fingerprint;
            let cells: BTreeSet<_> = shown.iter().filter(same).filter_map(|found| name(found.side)).collect();
            let others = shown.iter().filter(|found| !same(found));
            let others = others.map(|found| format!("{}: {}", found.oracle, found.key)).collect();
            let result = Replayed { cells: cells.into_iter().collect(), others, finding };
            on(&result);
            replayed.push(result);
        }
        campaign.crew.retire();
        Ok(replayed)
    }
}
