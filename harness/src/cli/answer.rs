// SPDX-License-Identifier: BSD-2-Clause
//! The answer of one target to one vector: what it is, and what there is to say of it.

use nlproof_agent::Batch;
use nlproof_base::counted;

use super::exit::{CliError, ExitCode};
use super::project::Project;
use super::targets::lost;
use crate::golden::{Compared, Found, compare};
use crate::ktrace::has_golden;
use crate::matrix::{
    Cell, ModuleKind, VectorRun, VectorRunError, mismatch, run_vectors, stated, stated_hang,
};
use crate::targets::{Loss, Target, TargetError};
use crate::vector::Vector;

/// What became of a vector.
pub(super) enum Answer<'v> {
    /// The vector ran to its end.
    Ended(Box<Ended<'v>>),
    /// The guest was lost.
    Lost {
        /// How.
        loss: Loss,
        /// The loss that the vector states, in words, if it is this one.
        stated: Option<String>,
    },
}

/// A conversation, and what it comes to.
pub(super) struct Ended<'v> {
    pub(super) run: VectorRun<'v>,
    pub(super) seen: Seen,
    /// What there is to say, line by line.
    pub(super) said: Vec<String>,
    /// The loss that is stated and did not come, in words.
    pub(super) survived: Option<String>,
}

/// What a kernel made of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// What its golden says, and no rule is broken.
    Same,
    /// Something else.
    Differs,
    /// A rule of kernel traces is broken.
    Violated,
    /// The answer, or the kernel's trace, has a hole.
    Inconclusive,
    /// No golden says what is right.
    NoGolden,
    /// Nothing that has goldens answered.
    NotCompared,
    /// The kernel panicked.
    Panicked,
    /// The guest was lost in another way.
    Lost,
}

impl Seen {
    /// In a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Seen::Same => "equal to its golden",
            Seen::Differs => "differs",
            Seen::Violated => "breaks a rule",
            Seen::Inconclusive => "inconclusive",
            Seen::NoGolden => "has no golden",
            Seen::NotCompared => "not compared",
            Seen::Panicked => "panicked",
            Seen::Lost => "its guest was lost",
        }
    }

    /// How a command ends that asked one vector.
    pub(super) fn exit_code(self) -> ExitCode {
        match self {
            Seen::Same | Seen::NotCompared => ExitCode::OK,
            Seen::Differs | Seen::Violated | Seen::NoGolden => ExitCode::COMPARISON,
            Seen::Inconclusive | Seen::Panicked | Seen::Lost => ExitCode::GUEST,
        }
    }
}

impl Answer<'_> {
    /// What the kernel made of it.
    pub(super) fn seen(&self) -> Seen {
        match self {
            Answer::Ended(ended) => ended.seen,
            Answer::Lost { loss, .. } if loss.kind == PANICKED => Seen::Panicked,
            Answer::Lost { .. } => Seen::Lost,
        }
    }

    /// The conversation, or how the guest was lost.
    pub(super) fn text(&self) -> String {
        match self {
            Answer::Ended(ended) => ended.run.trace.to_text(),
            Answer::Lost { loss, .. } => loss.text.clone(),
        }
    }
}

/// The word for a guest whose kernel panicked ([`Loss::kind`]).
const PANICKED: &str = "panicked";

/// Runs one vector in an open target, and compares it with the golden of the cell; without a cell there is none.
pub(super) fn ask<'v>(
    project: &Project,
    target: &mut dyn Target,
    cell: Option<&Cell>,
    vector: &'v Vector,
) -> Result<Answer<'v>, CliError> {
    if let Some(reason) = mismatch(vector, target.facts()) {
        return Err(CliError::DoesNotApply(format!("{} does not apply here: it {reason}", vector.id)));
    }
    if let Some(hang) = cell.and_then(|cell| stated_hang(cell, vector)) {
        target.expect_hang(&hang.calls);
    }
    let mut seen = None;
    let mut run = run_vectors(target, &[vector], &mut |vector_run| seen = Some(vector_run));
    if run.is_ok() && !vector.losses.is_empty() {
        // The removal of its jail may be what takes the guest along.
        run = target.run(&Batch { programs: Vec::new() }, &mut |_| ()).map_err(VectorRunError::from);
    }
    match (run, seen) {
        (Ok(()), Some(run)) => {
            let kernel = target.facts().kernel.as_ref().map(|kernel| kernel.sha256.as_str());
            let mut said = Vec::new();
            let seen = compared(project, cell, kernel, &run, &mut said)?;
            // One that is stated of its kin need not come.
            let stated = cell.map(|cell| cell.losses(vector)).unwrap_or_default();
            let survived = stated.iter().find(|stated| stated.of.is_none()).map(ToString::to_string);
            Ok(Answer::Ended(Box::new(Ended { run, seen, said, survived })))
        }
        (Ok(()), None) => Err(CliError::Guest("the target ended without a word about the vector".into())),
        (Err(VectorRunError::Vector(error)), _) => Err(error.into()),
        (Err(VectorRunError::Target(TargetError::Guest(loss))), _) => {
            let stated = cell.and_then(|cell| stated(cell, vector, &loss)).map(|stated| stated.to_string());
            Ok(Answer::Lost { loss, stated })
        }
        (Err(VectorRunError::Target(error)), _) => Err(lost(error)),
    }
}

fn compared(
    project: &Project,
    cell: Option<&Cell>,
    kernel: Option<&str>,
    vector_run: &VectorRun<'_>,
    said: &mut Vec<String>,
) -> Result<Seen, CliError> {
    if let Some((_, lossy)) = vector_run.trace.loss() {
        said.push(format!("inconclusive: {lossy}"));
        return Ok(Seen::Inconclusive);
    }
    let Some(cell) = cell else {
        said.push("no comparison: there are no goldens for Linux".to_owned());
        return Ok(Seen::NotCompared);
    };
    let mut golden = project.goldens().find(&cell.layers(), &vector_run.vector.id)?;
    if cell.module == ModuleKind::Rust {
        let divergences = project.divergences()?;
        golden = golden.map(|found| divergences.apply(cell.profile, found)).transpose()?;
    }
    let Some(found) = golden else {
        said.push(format!("no golden in {}", cell.name()));
        return Ok(Seen::NoGolden);
    };
    match compare(Compared::Wire, &found.golden, &vector_run.trace.to_text()) {
        None => {
            said.push(format!("{}: equal to {}", cell.name(), whose(cell, kernel, &found)));
            kernel_compared(project, cell, kernel, vector_run, said)
        }
        Some(divergence) => {
            said.push(differs(cell, kernel, &found, &divergence));
            Ok(Seen::Differs)
        }
    }
}

/// Compares the kernel's part, if there is one.
fn kernel_compared(
    project: &Project,
    cell: &Cell,
    kernel: Option<&str>,
    vector_run: &VectorRun<'_>,
    said: &mut Vec<String>,
) -> Result<Seen, CliError> {
    let trace = &vector_run.kernel;
    if !trace.present {
        return Ok(Seen::Same);
    }
    if trace.lost > 0 {
        let records = counted(trace.lost, "record").verb("was", "were");
        said.push(format!("inconclusive: {records} lost of the kernel trace"));
        return Ok(Seen::Inconclusive);
    }
    if !vector_run.violations.is_empty() {
        let each = vector_run.violations.iter();
        said.extend(each.map(|violation| format!("{}: kernel trace: {violation}", cell.name())));
        return Ok(Seen::Violated);
    }
    if !has_golden(&vector_run.vector.id) {
        return Ok(Seen::Same);
    }
    let store = project.goldens().kernel();
    let Some(found) = store.find(&cell.layers(), &vector_run.vector.id)? else {
        said.push(format!("{}: no golden of the kernel trace", cell.name()));
        return Ok(Seen::NoGolden);
    };
    match compare(Compared::Kernel, &found.golden, &trace.to_text()) {
        None => Ok(Seen::Same),
        Some(divergence) => {
            said.push(differs(cell, kernel, &found, &divergence));
            Ok(Seen::Differs)
        }
    }
}

fn differs(cell: &Cell, kernel: Option<&str>, found: &Found, divergence: &impl std::fmt::Display) -> String {
    format!("{}: differs from {}\n  {divergence}", cell.name(), whose(cell, kernel, found))
}

/// A golden by its layer, and what it is to the kernel with this digest.
fn whose(cell: &Cell, kernel: Option<&str>, found: &Found) -> String {
    let (standing, by) = cell.standing(&found.golden.origins, kernel);
    format!("the golden of {} ({})", found.layer, standing.told(by, kernel))
}
