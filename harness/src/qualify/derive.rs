// SPDX-License-Identifier: BSD-2-Clause
//! From raw traces to a [`Qualification`]. Nothing else goes into it, so that whoever has the traces comes to the same.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_base::counted;

use super::answers::{Answer, Answers, Told, answers, seen_of};
use super::compare::compare;
use super::declared::Profiles;
use super::finding::{
    Bench, Class, Comparison, Coverage, Known, Module, NotRun, Party, QUALIFICATION_SCHEMA, Qualification,
    Trouble,
};
use super::module;
use super::own_tests::OwnTests;
use crate::atf::Run;
use crate::coverage::Inventory;
use crate::file::FileError;
use crate::golden::{Divergences, Store};
use crate::matrix::{CellResult, CellStatus, Outcome};
use crate::report::{Seen, cell_line, troubled};
use crate::targets::{Complaint, Fact};
use crate::trace::messages;
use crate::vector::Vector;

/// Facts that tell about this machine and not about the kernel.
const OF_THE_RUN: [&str; 5] = ["image", "image time", "start", "boot time", "module sources"];
/// The fact with the verdict of verification.
const VERIFICATION: &str = "verification";

/// The tests by which kernels are compared.
#[derive(Clone, Copy)]
pub struct Tests<'a> {
    /// All vectors of the project.
    pub vectors: &'a [Vector],
    /// The goldens.
    pub goldens: &'a Store,
    /// Where the module deviates on purpose.
    pub divergences: &'a Divergences,
    /// What there is to reach.
    pub inventory: &'a Inventory,
}

/// What a qualification is made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The tests.
    pub tests: Tests<'a>,
    /// The kernel that is known.
    pub baseline: Told<'a>,
    /// The kernel that is to be decided on.
    pub candidate: Told<'a>,
    /// The module in it, if it is asked for.
    pub module: Option<Told<'a>>,
    /// What `nlproof bench kmod` printed, if somebody kept it.
    pub bench: Option<&'a str>,
    /// FreeBSD's own tests, if somebody ran them.
    pub atf: &'a [Run],
}

/// Compares the kernels.
///
/// # Errors
/// A raw trace or a golden cannot be read, or a vector is not the one that ran.
pub fn derive(sources: &Sources<'_>) -> Result<Qualification, FileError> {
    let Sources { tests, baseline, candidate, module, bench, atf } = *sources;
    let (old_seen, new_seen) = (seen_of(baseline, tests.vectors)?, seen_of(candidate, tests.vectors)?);
    let old = answers(baseline.result, &old_seen);
    let new = answers(candidate.result, &new_seen);
    let sides = [baseline, candidate].map(|told| told.result.cell.profile);
    let names = [baseline, candidate].map(|told| told.result.cell.name());
    let mut profiles = Profiles::new(sides, tests.inventory, tests.goldens, tests.vectors);
    let wire =
        compare([(&names[0], &old), (&names[1], &new)], &mut |id, from, to| profiles.explain(id, from, to))?;
    let mut troubles = troubles_of(baseline.result, None, &old_seen);
    let known = Some(baseline.result);
    troubles.extend(troubles_of(candidate.result, known, &new_seen));
    let mut verdict = None;
    if let Some(told) = module {
        let rust_seen = seen_of(told, tests.vectors)?;
        let rust = answers(told.result, &rust_seen);
        troubles.extend(troubles_of(told.result, Some(candidate.result), &rust_seen));
        troubles.extend(troubles_of_module(told.result));
        verdict = Some(module_verdict(&tests, candidate.result, &new, (told.result, &rust))?);
    }
    let bench = bench.map(read_bench);
    let own_tests = OwnTests::of(atf, candidate.result);
    let mut found = Qualification {
        schema: QUALIFICATION_SCHEMA,
        nlproof: env!("CARGO_PKG_VERSION").to_owned(),
        passed: false,
        baseline: party(baseline.result),
        candidate: party(candidate.result),
        coverage: coverage(&tests, candidate.result, &new),
        not_run: not_run(sources, &wire, bench.as_ref(), own_tests.as_ref()),
        wire,
        module: verdict,
        troubles,
        bench,
        own_tests,
    };
    found.passed = found.unexplained().is_empty() && !found.wire.compared.is_empty();
    Ok(found)
}

fn party(result: &CellResult) -> Party {
    let told = |fact: &&Fact| !OF_THE_RUN.contains(&fact.label());
    let known = |fact: &Fact| Known { label: fact.label().to_owned(), text: fact.text() };
    let name = result.cell.name();
    let line = cell_line(result);
    let outcome = line.strip_prefix(&name).unwrap_or(&line).trim_start();
    Party {
        cell: name,
        profile: result.cell.profile.to_string(),
        outcome: outcome.lines().next().unwrap_or_default().to_owned(),
        duration_ms: u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
        facts: result.facts.iter().filter(told).map(known).collect(),
    }
}

fn module_verdict(
    tests: &Tests<'_>,
    candidate: &CellResult,
    stock: &Answers,
    (result, rust): (&CellResult, &Answers),
) -> Result<Module, FileError> {
    let names = [candidate.cell.name(), result.cell.name()];
    let wire = compare([(&names[0], stock), (&names[1], rust)], &mut |id, from, to| {
        Ok(module::explain(tests.divergences, result.cell.profile, id, from, to))
    })?;
    Ok(Module { party: party(result), verification: verification(result), wire })
}

/// The verdict of verification on the module of a cell.
fn verification(result: &CellResult) -> String {
    let verdict = result.facts.iter().find(|fact| fact.label() == VERIFICATION).map(Fact::text);
    verdict.unwrap_or_else(|| "not told: the module was not loaded".to_owned())
}

/// What went wrong in a cell besides its answers. What the kernel in `known` complains of as well is nothing new.
fn troubles_of(
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
fn troubles_of_module(result: &CellResult) -> Vec<Trouble> {
    let cell = result.cell.name();
    let bad = |outcome: &Outcome| match outcome {
        Outcome::Violated(what) => Some(what.clone()),
        Outcome::Failed(divergence) if divergence.compared == crate::golden::Compared::Kernel => {
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

fn coverage(tests: &Tests<'_>, candidate: &CellResult, said: &Answers) -> Coverage {
    let profile = candidate.cell.profile;
    let texts = || {
        said.values().filter_map(|answer| match answer {
            Answer::Said(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let mut left: Vec<_> =
        tests.inventory.rows.iter().filter(|row| row.profiles.contains(&profile)).collect();
    let rows = left.len();
    for text in texts() {
        let messages = messages(text);
        left.retain(|row| !messages.iter().any(|message| row.matches(message)));
    }
    let (gaps, unreached): (Vec<_>, Vec<_>) = left.into_iter().partition(|row| row.gap.is_some());
    Coverage {
        profile: profile.to_string(),
        rows,
        reached: rows - gaps.len() - unreached.len(),
        gaps: gaps.len(),
        unreached: unreached.into_iter().map(|row| row.name()).collect(),
    }
}

/// The lines of `bench kmod` by what they are about.
fn read_bench(text: &str) -> Bench {
    let lines = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        text.lines().map(str::trim).filter(|line| wanted(line)).map(str::to_owned).collect()
    };
    let speed = |line: &str| line.contains("[at most ") || line.ends_with("[no limit]");
    let endurance = |line: &str| line.ends_with("deferred calls done") || line.starts_with("bench kmod: ");
    Bench {
        endurance: lines(&endurance),
        speed: lines(&speed),
        failed: lines(&|line| line.starts_with("FAILED: ") || line.contains("NOT KEPT")),
    }
}

fn not_run(
    sources: &Sources<'_>,
    wire: &Comparison,
    bench: Option<&Bench>,
    own_tests: Option<&OwnTests>,
) -> Vec<NotRun> {
    let candidate = sources.candidate.result;
    let release = candidate.cell.release.as_deref();
    let mut left: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let ran: BTreeSet<&str> = wire
        .compared
        .iter()
        .chain(wire.not_compared.iter().flat_map(|one| &one.vectors))
        .map(String::as_str)
        .collect();
    // A difference of guests that are lost is no comparison of answers, and ran all the same.
    let lost: BTreeSet<&str> =
        wire.differences.iter().flat_map(|one| &one.vectors).map(String::as_str).collect();
    for vector in sources.tests.vectors {
        let suite = vector.id.split('/').next().unwrap_or_default();
        let (all, missing) = left.entry(suite).or_default();
        *all += 1;
        *missing += usize::from(!ran.contains(vector.id.as_str()) && !lost.contains(vector.id.as_str()));
    }
    let mut found = Vec::new();
    for (suite, (all, missing)) in left.into_iter().filter(|(_, (_, missing))| *missing > 0) {
        let what = match all == missing {
            true => format!("suite {suite}: {}", counted(all, "vector")),
            false => format!("suite {suite}: {missing} of {}", counted(all, "vector")),
        };
        let how = format!("nlproof qualify --suite {suite}");
        found.push(NotRun { what, why: "not selected".into(), how });
    }
    let how = |part: &str| match release {
        Some(release) => format!("nlproof bench kmod --release {release} --part {part}"),
        None => String::new(),
    };
    let why = match (sources.module.is_some(), release.is_some()) {
        (_, false) => "the simulator has no module",
        (false, _) => "the module was not asked for (--module rust)",
        (true, _) => "no measurement was given (--bench FILE)",
    };
    if sources.module.is_none() {
        let how = release.map_or_else(String::new, |_| "nlproof qualify --module rust".to_owned());
        found.push(NotRun { what: "the Rust-backed module".into(), why: why.into(), how });
    }
    for (part, lines) in
        [("endurance", bench.map(|bench| &bench.endurance)), ("speed", bench.map(|bench| &bench.speed))]
    {
        if lines.is_none_or(Vec::is_empty) {
            found.push(NotRun { what: format!("{part} of the module"), why: why.into(), how: how(part) });
        }
    }
    let what = match own_tests {
        None => Some("FreeBSD's own tests"),
        Some(tests) if tests.compared.is_none() && sources.module.is_some() => {
            Some("FreeBSD's own tests with both, the kernel's own code and the module")
        }
        Some(_) => None,
    };
    if let Some(what) = what {
        let why = match release {
            Some(_) => "no result was given (--atf REPORT)",
            None => "the simulator runs no programs",
        };
        let how = release.map_or_else(String::new, |release| {
            format!("nlproof atf --release {release} --report-dir REPORT")
        });
        found.push(NotRun { what: what.into(), why: why.into(), how });
    }
    found
}

impl Qualification {
    /// The verdict in one line.
    pub fn closing(&self) -> String {
        let told = |comparison: &Comparison, against: &str| {
            let count = |class| comparison.differences.iter().filter(|one| one.class == class).count();
            let classes = [Class::Declared, Class::Allowed, Class::Unexplained];
            let counts = classes.map(|class| (count(class), class.word()));
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
            let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
            let compared = counted(comparison.compared.len(), "vector");
            format!("{} of {compared} differ from {against}{counts}", comparison.differing.len())
        };
        let wire = told(&self.wire, &self.baseline.cell);
        let module = self.module.as_ref().map_or(String::new(), |module| {
            format!("; module: {}", told(&module.wire, "the kernel's own code"))
        });
        let verdict = if self.passed { "passed" } else { "not passed" };
        let unexplained = self.unexplained().len();
        format!("{}: {verdict}, {unexplained} unexplained; {wire}{module}", self.candidate.cell)
    }
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

    #[test]
    fn lines_of_a_measurement_are_told_apart() {
        let text = "loads  3 in  1.0 s   x, 1 deferred calls done\nFAILED: loads: y\nbench kmod: 1 complaint\n\
                    dump of 9 links  9  1  2  1.100  1.00%  [at most 1.00: NOT KEPT]\none link 1 1 1 1.0 1.00% [no limit]\n";
        let bench = read_bench(text);
        assert_eq!((bench.endurance.len(), bench.speed.len(), bench.failed.len()), (2, 2, 2), "{bench:?}");
        assert_eq!(read_bench(""), Bench { endurance: vec![], speed: vec![], failed: vec![] });
    }
}
