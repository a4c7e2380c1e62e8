// SPDX-License-Identifier: BSD-2-Clause
//! `qualify check`: whether a bundle is what its signer left, and whether its verdict follows from its raw traces.
//!
//! Nothing is believed: the digests are made again, every vector is judged again, the kernels are compared again, and
//! the page is made again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nlproof_base::counted;

use super::answers::{Answer, Told, answers, seen_of};
use super::bundle::{BundleLimits, UNLISTED};
use super::derive::{Sources, Tests, derive};
use super::finding::Qualification;
use super::inputs::{Input, Inputs, digest_of};
use super::manifest::{MANIFEST, differences, manifest};
use super::own_tests::read_runs;
use super::sign::{SIGNATURE, signer_of};
use super::signers::{NAMESPACE, Signers, fingerprint};
use super::statement::{STATEMENT, Statement};
use super::unpack::unpack;
use super::write::{ATF, BASELINE, BENCH, CANDIDATE, FINDING, INPUTS, PAGE, made};
use crate::atf::Run;
use crate::file::{FileError, Limit, read, read_text};
use crate::matrix::{CellResult, CellStatus, ModuleKind, Outcome, RunResult, rejudge};
use crate::report::{Seen, read_report};
use crate::targets::{Fact, complaints_in_lines};
use crate::vector::Vector;

/// What whoever checks has and trusts.
pub struct Checker<'a> {
    /// The tests of whoever checks.
    pub tests: Tests<'a>,
    /// Their digests.
    pub own: &'a [Input],
    /// The trusted keys.
    pub signers: &'a Signers,
    /// What a bundle may have.
    pub limits: BundleLimits,
}

/// A bundle that was looked into.
#[derive(Debug, Default)]
pub struct Checked {
    /// Everything that is wrong with it, one line each; empty: it is sound.
    pub problems: Vec<String>,
    /// What whoever checks should know, and what does not count.
    pub notes: Vec<String>,
    /// What was found to be right, one line each.
    pub right: Vec<String>,
    /// What follows from its raw traces, if they could be compared.
    pub found: Option<Qualification>,
    /// The reports in it.
    pub reports: Option<Reports>,
}

/// The reports of a bundle.
#[derive(Debug)]
pub struct Reports {
    /// The baseline's cell, and the directory of its report.
    pub baseline: (CellResult, PathBuf),
    /// The candidate's.
    pub candidate: (CellResult, PathBuf),
    /// The module's.
    pub module: Option<(CellResult, PathBuf)>,
    /// What `nlproof bench kmod` printed.
    pub bench: Option<String>,
    /// FreeBSD's own tests.
    pub atf: Vec<Run>,
}

impl Reports {
    /// Reads the reports below a directory.
    ///
    /// # Errors
    /// One is missing, is none, or has other cells than those of a qualification.
    pub fn read(directory: &Path) -> Result<Reports, FileError> {
        let [baseline, candidate] = [BASELINE, CANDIDATE].map(|name| directory.join(name));
        let wrong = |path: &Path, run: &RunResult| {
            let names: Vec<_> = run.cells.iter().map(|cell| cell.cell.name()).collect();
            FileError::whole(path, format!("has other cells than a qualification has: {}", names.join(", ")))
        };
        let run = read_report(&baseline)?;
        let of_baseline = match <[CellResult; 1]>::try_from(run.cells.clone()) {
            Ok([cell]) => (cell, baseline),
            Err(_) => return Err(wrong(&baseline, &run)),
        };
        let run = read_report(&candidate)?;
        let mut cells = run.cells.clone().into_iter();
        let (Some(stock), module, None) = (cells.next(), cells.next(), cells.next()) else {
            return Err(wrong(&candidate, &run));
        };
        let is_its = |module: &CellResult| {
            module.cell.module == ModuleKind::Rust && module.cell.release == stock.cell.release
        };
        if stock.cell.module != ModuleKind::Stock || module.as_ref().is_some_and(|module| !is_its(module)) {
            return Err(wrong(&candidate, &run));
        }
        let [bench, atf] = [BENCH, ATF].map(|name| directory.join(name));
        Ok(Reports {
            baseline: of_baseline,
            candidate: (stock, candidate.clone()),
            module: module.map(|module| (module, candidate)),
            bench: bench.exists().then(|| read_text(&bench, Limit::YAML)).transpose()?,
            atf: if atf.exists() { read_runs(&atf)? } else { Vec::new() },
        })
    }

    /// What a qualification is made of.
    pub fn sources<'a>(&'a self, tests: Tests<'a>) -> Sources<'a> {
        fn told((result, directory): &(CellResult, PathBuf)) -> Told<'_> {
            Told { result, directory }
        }
        Sources {
            tests,
            baseline: told(&self.baseline),
            candidate: told(&self.candidate),
            module: self.module.as_ref().map(told),
            bench: self.bench.as_deref(),
            atf: &self.atf,
        }
    }

    /// Every cell of them.
    pub fn all(&self) -> impl Iterator<Item = Told<'_>> {
        let each = [Some(&self.baseline), Some(&self.candidate), self.module.as_ref()];
        each.into_iter().flatten().map(|(result, directory)| Told { result, directory })
    }
}

impl Checker<'_> {
    /// Looks into a bundle, for which `into` is an empty directory.
    ///
    /// # Errors
    /// The bundle cannot be unpacked.
    pub fn check(&self, archive: &Path, into: &Path) -> Result<Checked, FileError> {
        let names = unpack(archive, into, self.limits)?;
        let mut checked = Checked::default();
        let needed = UNLISTED.into_iter().chain([PAGE, FINDING, INPUTS]);
        for name in needed.filter(|name| !names.iter().any(|other| other == name)) {
            checked.problems.push(format!("{name}: is missing"));
        }
        if checked.problems.is_empty() {
            let listed: Vec<_> =
                names.into_iter().filter(|name| !UNLISTED.contains(&name.as_str())).collect();
            self.look(into, &listed, &mut checked).unwrap_or_else(|error| {
                checked.problems.push(relative(&error, into));
            });
        }
        Ok(checked)
    }

    fn look(&self, into: &Path, listed: &[String], checked: &mut Checked) -> Result<(), FileError> {
        self.signature(into, checked)?;
        let statement = Statement::read(&into.join(STATEMENT))?;
        let file = into.join(MANIFEST);
        let unreadable = |error: std::io::Error| FileError::whole(&file, format!("cannot be read: {error}"));
        let digest = digest_of(&file).map_err(unreadable)?;
        if statement.manifest() != Some(digest.as_str()) {
            checked
                .problems
                .push(format!("{MANIFEST}: is altered: it is not the one of which {STATEMENT} speaks"));
        }
        let own = manifest(into, listed).map_err(unreadable)?;
        let altered = differences(&read_text(&file, Limit::LISTING)?, &own);
        if altered.is_empty() {
            checked.right.push(format!("{}, each with its digest", counted(listed.len(), "file")));
        }
        checked.problems.extend(altered);
        let said = Qualification::read(&into.join(FINDING))?;
        let inputs = Inputs::read(&into.join(INPUTS))?;
        let other = inputs.other_than(self.own);
        if !other.is_empty() {
            checked.notes.push(format!(
                "your tests are not those of the bundle, and what follows is by yours; they differ in {}",
                other.join(", ")
            ));
        }
        let reports = Reports::read(into)?;
        let before = checked.problems.len();
        for told in reports.all() {
            checked.problems.extend(doubts(told, &self.tests)?);
        }
        let found = derive(&reports.sources(self.tests))?;
        let found = Qualification { nlproof: said.nlproof.clone(), ..found };
        checked.problems.extend(otherwise(&said, &found));
        let count: usize = reports.all().map(|told| told.result.vectors.len()).sum();
        if checked.problems.len() == before {
            checked
                .right
                .push(format!("the verdict follows from the raw traces of {}", counted(count, "vector")));
        }
        self.derived(into, (&found, &inputs, &digest, &statement), checked)?;
        checked.found = Some(found);
        checked.reports = Some(reports);
        Ok(())
    }

    fn signature(&self, into: &Path, checked: &mut Checked) -> Result<(), FileError> {
        let bytes = read(&into.join(STATEMENT), Limit::REPORT)?;
        let signature = read_text(&into.join(SIGNATURE), Limit::LISTING)?;
        checked.notes.extend(self.signers.notes.iter().cloned());
        let key = match signer_of(&signature, &bytes) {
            Ok(key) => key,
            Err(what) => {
                checked.problems.push(format!("{SIGNATURE}: {what}"));
                return Ok(());
            }
        };
        match self.signers.who(&key) {
            Some(who) => checked.right.push(format!("signed by {who} ({})", fingerprint(&key))),
            None => {
                let line = key.to_openssh().unwrap_or_default();
                checked.problems.push(format!(
                    "{SIGNATURE}: is good, and by a key that you do not know: {}\n  help: ask the sender for the \
                     fingerprint by another way; if it is this one, trust the key by a line in \
                     ~/.ssh/allowed_signers, or in a file for --signers:\n  NAME namespaces=\"{NAMESPACE}\" {line}",
                    fingerprint(&key)
                ));
            }
        }
        Ok(())
    }

    /// Makes again what is made of the rest.
    fn derived(
        &self,
        into: &Path,
        (found, inputs, digest, statement): (&Qualification, &Inputs, &str, &Statement),
        checked: &mut Checked,
    ) -> Result<(), FileError> {
        if *statement != Statement::about(found, inputs, digest) {
            checked.problems.push(format!("{STATEMENT}: does not follow from the raw traces"));
        }
        if found.nlproof != env!("CARGO_PKG_VERSION") {
            checked.notes.push(format!(
                "{PAGE} was made by nlproof {}, and is not made again by this one: believe {FINDING}",
                found.nlproof
            ));
            return Ok(());
        }
        let bug = |error: std::io::Error| FileError::whole(&into.join(PAGE), error.to_string());
        for (name, bytes) in made(found, inputs).map_err(bug)? {
            if read(&into.join(name), Limit::REPORT)? != bytes {
                checked.problems.push(format!("{name}: is not what the raw traces make it"));
            }
        }
        Ok(())
    }
}

/// What the report of a cell says otherwise than its raw trace: every vector is judged again, and the cell's status is held
/// against that. One line each; none: the report follows from the raw trace.
///
/// # Errors
/// The raw trace or a golden cannot be read.
pub fn doubts(told: Told<'_>, tests: &Tests<'_>) -> Result<Vec<String>, FileError> {
    let mut problems = Vec::new();
    let seen = seen_of(told, tests.vectors)?;
    let Told { result, .. } = told;
    let cell = result.cell.name();
    let kernel = Fact::kernel_sha256(&result.facts);
    let mut again = Vec::new();
    for vector in &result.vectors {
        let Some(seen) = seen.get(&vector.id) else {
            if !matches!(vector.outcome, Outcome::NotRun(_) | Outcome::Lost(_) | Outcome::Inconclusive(_)) {
                let word = vector.outcome.word();
                problems.push(format!(
                    "{cell}: {}: the report says {word}, and the raw trace has nothing of it",
                    vector.id
                ));
            }
            again.push(vector.clone());
            continue;
        };
        let judged = rejudge(&result.cell, kernel, &seen.run, tests.goldens, tests.divergences)?;
        if !alike(&vector.outcome, &judged.outcome) {
            problems.push(format!(
                "{cell}: {}: the report says {}, and its raw trace gives {}",
                vector.id,
                vector.outcome.word(),
                judged.outcome.word()
            ));
        }
        again.push(judged);
    }
    let lost = |id: &str| result.losses.iter().any(|lost| lost.vector == id);
    let others: Vec<_> = again.iter().filter(|vector| !lost(&vector.id)).cloned().collect();
    let follows = CellResult::status_of(&others);
    let fits = match &result.status {
        CellStatus::Passed => {
            follows == CellStatus::Passed && result.losses.is_empty() && result.complaints.is_empty()
        }
        CellStatus::Failed => follows == CellStatus::Failed,
        CellStatus::NotRun { .. } => !matches!(follows, CellStatus::Passed | CellStatus::Failed),
        _ => true,
    };
    if !fits {
        problems.push(format!("{cell}: the status in its report does not follow from its vectors"));
    }
    problems.extend(silenced(result, &seen));
    Ok(problems)
}

/// The error without the directory that the bundle was unpacked to.
fn relative(error: &FileError, into: &Path) -> String {
    error.to_string().replace(&format!("{}/", into.display()), "")
}

/// Whether a report's outcome and that of another judgement are the same.
fn alike(said: &Outcome, judged: &Outcome) -> bool {
    match (said, judged) {
        (Outcome::Failed(one), Outcome::Failed(other)) => {
            (one.compared, &one.fingerprint) == (other.compared, &other.fingerprint)
        }
        _ => said.word() == judged.word(),
    }
}

/// Complaints of the kernel that its raw trace has and the report of a cell that did not fail has not.
fn silenced(result: &CellResult, seen: &BTreeMap<String, Seen<'_>>) -> Vec<String> {
    let first = |fingerprint: &str| fingerprint.split(" | ").next().unwrap_or_default().to_owned();
    let told: Vec<_> = result.complaints.iter().map(|one| first(&one.fingerprint)).collect();
    let failed = result.status.failure().is_some();
    let lines = seen.values().flat_map(|seen| &seen.console).map(String::as_str);
    let heard = complaints_in_lines(lines);
    let silent = heard.into_iter().filter(|one| !failed && !told.contains(&first(&one.fingerprint)));
    silent
        .map(|one| format!("{}: the report is silent about what {}", result.cell.name(), one.text))
        .collect()
}

/// What a bundle says otherwise than its raw traces do.
fn otherwise(said: &Qualification, found: &Qualification) -> Vec<String> {
    if said == found {
        return Vec::new();
    }
    let word = |passed: bool| if passed { "passed" } else { "not passed" };
    let mut all = Vec::new();
    if said.passed != found.passed {
        all.push(format!(
            "the verdict is {}, and the raw traces give: {}",
            word(said.passed),
            word(found.passed)
        ));
    }
    let (theirs, ours) = (said.unexplained(), found.unexplained());
    let more = ours.iter().filter(|line| !theirs.contains(line));
    all.extend(more.map(|line| format!("{FINDING} is silent about: {line}")));
    let less = theirs.iter().filter(|line| !ours.contains(line));
    all.extend(less.map(|line| format!("{FINDING} says, and the raw traces do not: {line}")));
    if all.is_empty() {
        all.push(format!("{FINDING}: does not follow from the raw traces"));
    }
    all
}

/// What two runs of one cell answered differently, one line each: `old` are the answers of the bundle.
///
/// # Errors
/// A raw trace cannot be read.
pub fn answered_otherwise(
    old: Told<'_>,
    new: Told<'_>,
    vectors: &[Vector],
) -> Result<Vec<String>, FileError> {
    let of = |told: Told<'_>| -> Result<_, FileError> { Ok(answers(told.result, &seen_of(told, vectors)?)) };
    let (before, after) = (of(old)?, of(new)?);
    let cell = old.result.cell.name();
    let mut all = Vec::new();
    let kernels = [old, new].map(|told| Fact::kernel_sha256(&told.result.facts).map(str::to_owned));
    if kernels[0] != kernels[1] {
        let [theirs, ours] = kernels.map(|kernel| kernel.unwrap_or_else(|| "unknown".to_owned()));
        all.push(format!("{cell}: the kernel is another one: {theirs} there, {ours} here"));
    }
    let word = |answer: Option<&Answer>| match answer {
        None => "nothing".to_owned(),
        Some(Answer::Said(_)) => "an answer".to_owned(),
        Some(Answer::Lost) => "a lost guest".to_owned(),
        Some(Answer::NotRun(reason)) => format!("not run ({reason})"),
        Some(Answer::Hole(reason)) => format!("no whole trace ({reason})"),
    };
    for (id, answer) in &before {
        match (answer, after.get(id)) {
            (Answer::Said(one), Some(Answer::Said(other))) if one == other => {}
            (Answer::Said(one), Some(Answer::Said(other))) => {
                let changes = super::compare::all_changes(one, other);
                let places: Vec<_> = changes.iter().map(|change| change.place.to_string()).collect();
                all.push(format!("{cell}: {id}: another answer: {}", places.join(", ")));
            }
            (one, other) if Some(one) == other => {}
            (one, other) => {
                all.push(format!("{cell}: {id}: {} there, {} here", word(Some(one)), word(other)))
            }
        }
    }
    Ok(all)
}
