// SPDX-License-Identifier: BSD-2-Clause
//! From raw traces to a [`Qualification`]. Nothing else goes into it, so that whoever has the traces comes to the same.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_base::counted;

use super::answers::{Answer, Answers, Told, answers, seen_of};
use super::compare::compare;
use super::declared::Profiles;
use super::finding::{
    Bench, Class, Comparison, Coverage, Known, Module, NotRun, Party, QUALIFICATION_SCHEMA, Qualification,
};
use super::module;
use super::own_tests::OwnTests;
use super::troubles::{troubles_of, troubles_of_module, verification};
use crate::atf::Run;
use crate::coverage::Inventory;
use crate::file::FileError;
use crate::golden::{Divergences, Store};
use crate::matrix::CellResult;
use crate::report::cell_line;
use crate::targets::Fact;
use crate::trace::messages;
use crate::vector::Vector;

/// Facts that tell about this machine and not about the kernel.
const OF_THE_RUN: [&str; 5] = ["image", "image time", "start", "boot time", "module sources"];
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
    use super::*;

    #[test]
    fn lines_of_a_measurement_are_told_apart() {
        let text = "loads  3 in  1.0 s   x, 1 deferred calls done\nFAILED: loads: y\nbench kmod: 1 complaint\n\
                    dump of 9 links  9  1  2  1.100  1.00%  [at most 1.00: NOT KEPT]\none link 1 1 1 1.0 1.00% [no limit]\n";
        let bench = read_bench(text);
        assert_eq!((bench.endurance.len(), bench.speed.len(), bench.failed.len()), (2, 2, 2), "{bench:?}");
        assert_eq!(read_bench(""), Bench { endurance: vec![], speed: vec![], failed: vec![] });
    }
}
