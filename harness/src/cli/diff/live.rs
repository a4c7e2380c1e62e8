// SPDX-License-Identifier: BSD-2-Clause
//! Two cells asked now: what each answers to every vector, and what differs.

use std::collections::BTreeMap;

use super::observed::in_ways;
use super::show::{Comparison, Side};
use crate::cli::args::DiffArgs;
use crate::cli::directories::cache_directory;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::kinds::{differ, many};
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::cli::test_matrix::{default_jobs, is_ci};
use crate::cli::verdict::exit_code;
use crate::golden::{Differences, Origin, changes};
use crate::matrix::{
    Cell, CellResult, CellStatus, Engine, Event, Outcome, RunRequest, RunResult, Timings, VectorsOfRun,
};
use crate::report::{Screen, goldens};
use crate::targets::{Fact, MEMORY_MIB, SimTrace};
use crate::vector::Vector;

/// Number of reasons for not asking a vector that are shown unless all are wanted.
const SOME: usize = 2;

/// The facts of a cell that identify its kernel.
fn who(facts: &[Fact]) -> Vec<String> {
    let place = |fact: &&Fact| match fact {
        Fact::Kernel(_) => Some(0),
        Fact::Osreldate(_) => Some(1),
        Fact::KernelSha256(_) => Some(2),
        Fact::Simulator(_) => Some(3),
        _ => None,
    };
    let mut of: Vec<_> = facts.iter().filter(|fact| place(fact).is_some()).collect();
    of.sort_by_key(place);
    let shown = |fact: &Fact| match fact {
        Fact::Kernel(version) => version.clone(),
        fact => format!("{} {}", fact.label(), fact.text()),
    };
    of.into_iter().map(shown).collect()
}

/// The traces, by cell and vector.
type Answers = BTreeMap<(String, String), String>;

/// Runs the vectors in both cells.
pub(super) fn ask(
    project: &Project,
    args: &DiffArgs,
    pair: &[&Cell; 2],
    vectors: &[Vector],
) -> Result<Comparison, CliError> {
    let [from, to] = pair;
    if from.name() == to.name() {
        return Err(CliError::NothingRan(format!("both sides are {}", from.name())));
    }
    // What is compared is what is said: the kernel's part would only cost time.
    let targets = Targets::new(&args.guest, project)?.traced(SimTrace::Off);
    let cells = pair.map(Clone::clone);
    let (goldens, divergences) = (project.goldens(), project.divergences()?);
    let engine = Engine {
        open: &|place, on_stage| targets.open_at(place, on_stage),
        goldens: &goldens,
        divergences: &divergences,
        timings: &Timings::load(&cache_directory()?),
        follow_stock: false,
        raw: None,
        jobs: args.jobs.unwrap_or_else(|| default_jobs(args.guest.memory.unwrap_or(MEMORY_MIB))),
        tasks: interrupt::tasks(),
    };
    let mut screen = Screen::new(is_ci());
    let mut answers = Answers::new();
    let request = RunRequest { cells: &cells, vectors, about: VectorsOfRun::default() };
    let run = engine.run(&request, &mut |event| hear(event, &mut answers, &mut screen))?;
    screen.finish();
    if run.interrupted {
        return Err(CliError::Interrupted);
    }
    Ok(compared(run, vectors, &answers, args.all))
}

/// Keeps the traces and shows progress: comparison with goldens plays no part here.
fn hear(event: &Event<'_>, answers: &mut Answers, screen: &mut Screen) {
    match event {
        Event::VectorAnswered { cell, id, trace } if trace.loss().is_none() => {
            answers.insert((cell.name(), (*id).to_owned()), trace.to_text());
        }
        Event::CellFinished { result } => {
            let text = match &result.status {
                CellStatus::NotRun { reason, .. } => format!("not run  {reason}"),
                status => match status.failure() {
                    Some((what, _)) => format!("{what} failed"),
                    None => format!("answered in {:.2} s", result.duration.as_secs_f64()),
                },
            };
            screen.consume(&Event::Note { cell: &result.cell, text: &text });
        }
        Event::RunFinished { .. } => {}
        other => screen.consume(other),
    }
}

fn compared(run: RunResult, vectors: &[Vector], answers: &Answers, all: bool) -> Comparison {
    let [old, new] = [run.cells.first(), run.cells.get(1)];
    let said = |result: Option<&CellResult>, vector: &Vector| {
        answers.get(&(result?.cell.name(), vector.id.clone())).map(String::as_str)
    };
    let mut differences = Differences::default();
    let mut compared = 0;
    for vector in vectors {
        if let (Some(old), Some(new)) = (said(old, vector), said(new, vector)) {
            compared += 1;
            differences.add(&vector.id, changes(old, new));
        }
    }
    let different = differences.vectors().len();
    let mut answer = vec![match compared {
        0 => "nothing was compared".to_owned(),
        _ => {
            let ways = in_ways(different, differences.ways().len());
            format!("{}{ways}", differ(different, compared))
        }
    }];
    if vectors.len() > compared {
        answer.push(format!("not compared: {}", many(vectors.len() - compared, "vector")));
    }
    let sides = [old, new].map(|result| result.map_or_else(nobody, |result| side(result, answers, all)));
    let code = match answered(run) {
        ExitCode::OK if compared == 0 => ExitCode::NOTHING_RAN,
        code => code,
    };
    Comparison { sides, answer, differences, code }
}

/// Exit code of a run that compares with no golden.
fn answered(mut run: RunResult) -> ExitCode {
    for result in &mut run.cells {
        result.cell.soft = None;
        if result.status == CellStatus::Failed {
            result.status = CellStatus::Passed;
        }
    }
    exit_code(&run, true)
}

fn side(result: &CellResult, answers: &Answers, all: bool) -> Side {
    let name = result.cell.name();
    let mut lines = who(&result.facts);
    let count = answers.keys().filter(|(cell, _)| *cell == name).count();
    lines.push(format!("{} answered", many(count, "vector")));
    lines.extend(left_out(result, all));
    if let Some(goldens) = goldens(result) {
        lines.push(format!("goldens {goldens}; they are not asked here"));
    }
    if let CellStatus::NotRun { reason, remedy } = &result.status {
        lines.push(format!("not run: {reason}"));
        lines.push(format!("to run it: {remedy}"));
    }
    if let Some((what, reason)) = result.status.failure() {
        lines.push(format!("{what} failed: {reason}"));
    }
    let recorded = result.recorded.iter().filter_map(|origin| match origin {
        // The simulator's answers are those of the release that it plays.
        Origin::Observed { release, .. } if result.cell.release.is_none() => Some(release.clone()),
        _ => None,
    });
    let releases = result.cell.release.iter().map(ToString::to_string).chain(recorded).collect();
    Side { lines, releases, name }
}

/// Why vectors were not asked or gave no whole answer: each reason with the number of them, or only how many they are.
fn left_out(result: &CellResult, all: bool) -> Vec<String> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for vector in &result.vectors {
        let (Outcome::NotRun(reason) | Outcome::Inconclusive(reason)) = &vector.outcome else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    if reasons.len() > SOME && !all {
        let count = reasons.iter().map(|(_, count)| count).sum();
        return vec![format!("{} not, for {} reasons (--all)", many(count, "vector"), reasons.len())];
    }
    let each = reasons.into_iter();
    each.map(|(reason, count)| format!("{} not: {reason}", many(count, "vector"))).collect()
}

/// A side that never began.
fn nobody() -> Side {
    Side { name: "?".into(), lines: vec!["not begun".into()], releases: Vec::new() }
}
