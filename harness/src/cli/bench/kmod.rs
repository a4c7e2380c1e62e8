// SPDX-License-Identifier: BSD-2-Clause
//! `bench kmod`: the Rust-backed module under load in a real kernel.

use crate::cli::args::{EnduranceArgs, ProjectArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::say;
use crate::cli::project::Project;
use crate::cli::targets::{Targets, open_error};
use crate::target::{Memory, Phase, Target as _, TargetError, losses};

pub(super) fn main(project: &ProjectArgs, args: &EnduranceArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let targets = Targets::new(&args.guest, &project)?;
    interrupt::flag();
    let mut guest = targets
        .open_module(&args.release, &mut |stage, _| eprintln!("{}: {stage}", args.release))
        .map_err(open_error)?;
    for (name, value) in &guest.facts().lines {
        say!("{name:<14} {value}");
    }
    let mut complaints = Vec::new();
    // Once of everything first: what the kernel allocates once and keeps is no loss.
    for phase in [Phase::Loads(2), Phase::Busy(1), Phase::Requests(50), Phase::Interfaces(8)] {
        eprintln!("{}: warm up: {}", args.release, phase.name());
        let result = guest.endure(phase).map_err(lost)?;
        complaints.extend(result.failed.into_iter().map(|line| format!("warm up: {}: {line}", phase.name())));
    }
    let before = guest.memory().map_err(lost)?;
    let phases = phases(args);
    for phase in phases {
        eprintln!("{}: {} {}", args.release, phase.rounds(), phase.name());
        let result = guest.endure(phase).map_err(lost)?;
        say!(
            "{:<12} {:>7} in {:>7.1} s   {}",
            phase.name(),
            phase.rounds(),
            result.duration.as_secs_f64(),
            result.said
        );
        complaints.extend(result.failed.into_iter().map(|line| format!("{}: {line}", phase.name())));
    }
    let after = guest.memory().map_err(lost)?;
    show(&before, &after);
    // There are few attempts of the kind Busy: they would make the judgement of all others too strict.
    let many = phases.iter().filter(|phase| !matches!(phase, Phase::Busy(_)));
    let rounds = many.map(|phase| phase.rounds()).min().unwrap_or(0);
    complaints.extend(losses(&before, &after, rounds));
    let finish = guest.finish();
    for (name, value) in &finish.lines {
        say!("{name:<14} {value}");
    }
    complaints.extend(finish.complaints);
    for complaint in &complaints {
        say!("FAILED: {complaint}");
    }
    say!("bench kmod: {} complaints", complaints.len());
    Ok(if complaints.is_empty() { ExitCode::OK } else { ExitCode::GUEST })
}

fn phases(args: &EnduranceArgs) -> [Phase; 4] {
    [
        Phase::Loads(args.loads),
        Phase::Busy(args.busy),
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

fn lost(error: TargetError) -> CliError {
    match error {
        TargetError::Interrupted => CliError::Interrupted,
        error => CliError::Guest(error.to_string()),
    }
}
