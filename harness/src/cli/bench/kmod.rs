// SPDX-License-Identifier: BSD-2-Clause
//! `bench kmod`: the Rust-backed module in a real kernel, under load and against the stock code's speed.

use std::time::{Duration, Instant};

use nlproof_base::counted;

use super::shown;
use crate::cli::args::{KmodBenchArgs, KmodPart, ProjectArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::{say, tell};
use crate::cli::project::Project;
use crate::cli::targets::{Targets, lost, open_error};
use crate::stress::{Attempt, Memory, Phase, Question, Speed, losses, middle};
use crate::targets::{FreebsdTarget, Target as _};

/// What a dump by the module may cost, as a ratio to the stock code's.
const AT_MOST: f64 = 1.0;
/// Number of looks at the kernel's allocations, a second apart, before growth counts as a loss: routes and interfaces
/// are freed when every processor has left the network epoch, some time after they are gone.
const LOOKS: u32 = 10;
/// Time between two lines of progress in a phase.
const PROGRESS: Duration = Duration::from_secs(10);
/// Questions of one interface.
const ONE: u32 = 500;

pub(super) fn main(project: &ProjectArgs, args: &KmodBenchArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.kernel, std::slice::from_ref(&args.release))?;
    let args = &KmodBenchArgs { release: project.subject(&args.release), ..args.clone() };
    let targets = Targets::new(&args.guest, &project)?;
    interrupt::tasks();
    let wanted = |part| args.part.is_empty() || args.part.contains(&part);
    let mut code = ExitCode::OK;
    if wanted(KmodPart::Refusals) && !refusals(&targets, args)? {
        code = ExitCode::GUEST;
    }
    if wanted(KmodPart::Endurance) && !endurance(&targets, args)? {
        code = ExitCode::GUEST;
    }
    if wanted(KmodPart::Speed) {
        let kept = speed(&targets, args)?;
        if code == ExitCode::OK && !kept {
            code = ExitCode::COMPARISON;
        }
    }
    Ok(code)
}

/// Tests that everything that must be rejected is; returns whether it was.
fn refusals(targets: &Targets, args: &KmodBenchArgs) -> Result<bool, CliError> {
    let module = targets.module(&args.release).map_err(open_error)?;
    let faulty = targets.with_faults().module(&args.release).map_err(open_error)?;
    let mut guest = open(targets, args)?;
    let mut refused = true;
    for attempt in Attempt::ALL {
        let bytes = if attempt.wants_faults() { &faulty.bytes } else { &module.bytes };
        let result = guest.try_refused(attempt, bytes).map_err(lost)?;
        say!("{:<34} {}: {}", attempt.name(), attempt.outcome(), result.reason);
        for failure in &result.failed {
            say!("FAILED: {}: {failure}", attempt.name());
        }
        refused &= result.failed.is_empty();
    }
    Ok(refused)
}

/// Puts the module under load; returns whether nothing complained.
fn endurance(targets: &Targets, args: &KmodBenchArgs) -> Result<bool, CliError> {
    let mut guest = open(targets, args)?;
    let mut complaints = Vec::new();
    // Once of everything first: what the kernel allocates once and keeps is no loss.
    for phase in [Phase::Loads(2), Phase::UnloadUnderLoad(1), Phase::Requests(64), Phase::Interfaces(16)] {
        tell!("{}: warm up: {}", args.release, phase.name());
        let result = guest.endure(phase, &mut |_| ()).map_err(lost)?;
        complaints.extend(result.failed.into_iter().map(|line| format!("warm up: {}: {line}", phase.name())));
    }
    let epoch = guest.epoch().map_err(lost)?;
    complaints.extend(epoch.failed.into_iter().map(|line| format!("warm up: {line}")));
    let mut calls = epoch.calls;
    let first = guest.memory().map_err(lost)?;
    let mut before = first.clone();
    for phase in phases(args).into_iter().filter(|phase| phase.rounds() > 0) {
        tell!("{}: {} {}", args.release, phase.rounds(), phase.name());
        let result = guest.endure(phase, &mut progress(&args.release, phase)).map_err(lost)?;
        let mut failed = result.failed;
        let epoch = guest.epoch().map_err(lost)?;
        let deferred = epoch.calls.saturating_sub(calls);
        calls = epoch.calls;
        failed.extend(epoch.failed);
        let mut after = guest.memory().map_err(lost)?;
        // There are too few attempts of the kind Busy to tell growth with them from growth.
        if !matches!(phase, Phase::UnloadUnderLoad(_)) {
            let mut grown = losses(&before, &after, phase.rounds());
            for _ in 0..LOOKS {
                if grown.is_empty() {
                    break;
                }
                std::thread::sleep(Duration::from_secs(1));
                after = guest.memory().map_err(lost)?;
                grown = losses(&before, &after, phase.rounds());
            }
            failed.extend(grown);
        }
        say!(
            "{:<12} {:>7} in {:>7.1} s   {}, {deferred} deferred calls done",
            phase.name(),
            phase.rounds(),
            result.duration.as_secs_f64(),
            result.output
        );
        complaints.extend(failed.into_iter().map(|line| format!("{}: {line}", phase.name())));
        before = after;
    }
    show(&first, &before);
    let result = guest.endure(Phase::Requests(64), &mut |_| ()).map_err(lost)?;
    complaints.extend(result.failed.into_iter().map(|line| format!("at the end: {line}")));
    let finish = guest.finish();
    for (name, value) in &finish.lines {
        say!("{name:<14} {value}");
    }
    complaints.extend(finish.in_words());
    for complaint in &complaints {
        say!("FAILED: {complaint}");
    }
    say!("bench kmod: {}", counted(complaints.len(), "complaint"));
    Ok(complaints.is_empty())
}

/// Prints the progress of a phase, at most every ten seconds.
fn progress(release: &str, phase: Phase) -> impl FnMut(u32) {
    let mut said = Instant::now();
    move |done| {
        if said.elapsed() >= PROGRESS && done < phase.rounds() {
            tell!("{release}: {done} of {} {}", phase.rounds(), phase.name());
            said = Instant::now();
        }
    }
}

fn open(targets: &Targets, args: &KmodBenchArgs) -> Result<FreebsdTarget, CliError> {
    let guest = targets
        .open_module(&args.release, &mut |stage, _| tell!("{}: {stage}", args.release))
        .map_err(open_error)?;
    for fact in &guest.facts().known {
        say!("{:<14} {}", fact.label(), fact.text());
    }
    Ok(guest)
}

fn phases(args: &KmodBenchArgs) -> [Phase; 4] {
    [
        Phase::Loads(args.loads),
        Phase::UnloadUnderLoad(args.busy),
        Phase::Requests(args.requests),
        Phase::Interfaces(args.interfaces),
    ]
}

/// Every type and zone that has more or less in use than before.
fn show(before: &Memory, after: &Memory) {
    say!("{:<36} {:>9} {:>9}", "in use (vmstat -m, -z), if changed", "before", "after");
    for (name, used) in after {
        let had = before.get(name).copied().unwrap_or(0);
        if had != *used {
            say!("  {name:<34} {had:>9} {used:>9}");
        }
    }
}

/// Compares the module with the stock code; returns whether no answer costs more.
fn speed(targets: &Targets, args: &KmodBenchArgs) -> Result<bool, CliError> {
    let mut guest = open(&targets.counting_instructions(), args)?;
    say!(
        "instructions of a guest from a request to the end of its answer, middle of {} turns, each of the stock code \
         and then of the module",
        args.turns
    );
    say!(
        "{:<36} {:>8} {:>14} {:>14} {:>8} {:>8}",
        "question",
        "messages",
        "stock",
        "rust",
        "ratio",
        "spread"
    );
    let mut kept = true;
    let mut links = 0;
    for question in questions(args) {
        tell!("{}: {}", args.release, question.name());
        let mut said = Instant::now();
        let mut parts = 0;
        let mut on_part = || {
            parts += 1;
            if said.elapsed() >= PROGRESS {
                tell!("{}: {}: part {parts}", args.release, question.name());
                said = Instant::now();
            }
        };
        let speed = guest.compare(question, args.turns, links, &mut on_part).map_err(lost)?;
        if let Question::Links(count) = question {
            links = count;
        }
        kept &= show_speed(&speed);
    }
    let finish = guest.finish();
    let in_words = finish.in_words();
    for complaint in &in_words {
        say!("FAILED: {complaint}");
    }
    Ok(kept && in_words.is_empty())
}

fn questions(args: &KmodBenchArgs) -> Vec<Question> {
    let mut links: Vec<u32> = vec![args.links.div_ceil(10), args.links];
    links.dedup();
    let dumps = links.into_iter().map(Question::Links);
    [Question::Link(ONE), Question::Addresses(args.addresses)].into_iter().chain(dumps).collect()
}

fn show_speed(speed: &Speed) -> bool {
    let ratio = speed.ratio();
    let limited = speed.question.is_dump();
    let kept = ratio.is_some_and(|ratio| ratio <= AT_MOST || !limited);
    let verdict = match (limited, kept) {
        (true, true) => format!("[at most {AT_MOST:.2}: kept]"),
        (_, false) => format!("[at most {AT_MOST:.2}: NOT KEPT]"),
        (false, true) => "[no limit]".to_owned(),
    };
    say!(
        "{:<36} {:>8} {:>14} {:>14} {:>8} {:>7.2}%  {verdict}",
        speed.question.name(),
        speed.messages,
        shown(middle(&speed.stock)),
        shown(middle(&speed.rust)),
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
        speed.spread() * 100.0
    );
    for failure in &speed.failed {
        say!("FAILED: {}: {failure}", speed.question.name());
    }
    kept && speed.failed.is_empty()
}
