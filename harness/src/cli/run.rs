// SPDX-License-Identifier: BSD-2-Clause
//! `run VECTOR`: one vector in one cell, the conversation decoded.

use std::time::Instant;

use super::answer::{Answer, ask};
use super::args::{ProjectArgs, RunArgs};
use super::conversation::one;
use super::copies::Copies;
use super::default_cell::default_cell;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, say_text, tell};
use super::project::Project;
use super::recording::ToRecord;
use super::run_times::RunTimes;
use super::targets::{Targets, lost, open_error, open_freebsd_shown, open_shown, sim_trace};
use crate::matrix::{Cell, TargetKind};
use crate::stress::{Played, Timed};
use crate::targets::{LinuxTarget, Target, TargetError};
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &RunArgs) -> Result<ExitCode, CliError> {
    if !args.bisect {
        return run(project, args);
    }
    for_git(run(project, args))
}

/// What git bisect is told: a kernel that does not build or boot, or a hole in its answer, is skipped. What is wrong with
/// the command line or with this machine, and an interruption, ends it.
fn for_git(ended: Result<ExitCode, CliError>) -> Result<ExitCode, CliError> {
    match ended {
        Ok(ExitCode::OK) => Ok(ExitCode::OK),
        Ok(ExitCode::COMPARISON) => Ok(ExitCode::BISECT_BAD),
        Ok(_) => Ok(ExitCode::BISECT_SKIP),
        Err(CliError::Interrupted) => Err(CliError::Interrupted),
        Err(error) => {
            let code = if error.is_the_kernels() { ExitCode::BISECT_SKIP } else { ExitCode::BISECT_END };
            // What is told here is no exit code for git.
            let _ = error.told();
            Ok(code)
        }
    }
}

fn run(project: &ProjectArgs, args: &RunArgs) -> Result<ExitCode, CliError> {
    let began = Instant::now();
    let copies = Copies::parse(&args.copy)?;
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let mut vector = project.vector(&args.vector)?;
    if let Some(seconds) = args.race_seconds {
        if !vector.races_by_time() {
            return Err(CliError::Usage(format!("--race-seconds: {} has no race by time", vector.id)));
        }
        vector.race_seconds = Some(seconds);
    }
    let vector = &vector;
    let tasks = interrupt::tasks();
    if args.linux {
        copies.demand_guest(None)?;
        let mut target = LinuxTarget::open(tasks.clone()).map_err(open_error)?;
        return shown(&project, &mut target, None, vector, args, began);
    }
    let targets = copies.room_in(Targets::new(&args.guest, &project)?.traced(sim_trace(args.trace)));
    let cell = default_cell(&project, &targets, &args.cells, &vector.id)?;
    if let Some(directory) = &args.record {
        let what = ToRecord { project: &project, targets: &targets, guest: &args.guest, raw: args.raw };
        return what.record(&cell, vector, directory);
    }
    copies.demand_guest(Some(&cell))?;
    if cell.target == TargetKind::Sim {
        let mut target = open_shown(&targets, &cell).map_err(open_error)?;
        return shown(&project, target.as_mut(), Some(&cell), vector, args, began);
    }
    let mut target = open_freebsd_shown(&targets, &cell).map_err(open_error)?;
    copies.put(&mut target)?;
    let code = shown(&project, &mut target, Some(&cell), vector, args, began)?;
    copies.get(&mut target)?;
    Ok(code)
}

/// Runs the vector and shows what was asked for.
fn shown(
    project: &Project,
    target: &mut dyn Target,
    cell: Option<&Cell>,
    vector: &Vector,
    args: &RunArgs,
    began: Instant,
) -> Result<ExitCode, CliError> {
    let tell = if args.race_seconds.is_some() { |words: &str| tell!("{words}") } else { |_: &str| () };
    let mut target = Played::new(target, tell);
    let code = timed(project, &mut target, cell, vector, args, began);
    // Whatever became of the guest.
    if let Some(words) = target.words().filter(|_| args.race_seconds.is_some() && !args.json) {
        say!("{words}");
    }
    code
}

fn timed(
    project: &Project,
    target: &mut dyn Target,
    cell: Option<&Cell>,
    vector: &Vector,
    args: &RunArgs,
    began: Instant,
) -> Result<ExitCode, CliError> {
    if !args.timings {
        return one(project, target, cell, vector, args.raw);
    }
    let opened = began.elapsed();
    let mut target = Timed::new(target);
    let code = if args.json {
        match ask(project, &mut target, cell, vector)? {
            Answer::Ended(ended) if ended.survived.is_some() => ExitCode::COMPARISON,
            Answer::Ended(ended) => ended.seen.exit_code(),
            Answer::Lost { stated: Some(_), .. } => ExitCode::OK,
            Answer::Lost { loss, stated: None } => return Err(lost(TargetError::Guest(loss))),
        }
    } else {
        one(project, &mut target, cell, vector, args.raw)?
    };
    let times = RunTimes {
        cell: cell.map_or_else(|| "linux".to_owned(), Cell::name),
        vector: vector.id.clone(),
        opened,
        parts: target.start_parts().to_vec(),
        spent: target.spent().first().cloned(),
        all: began.elapsed(),
    };
    if args.json {
        say!("{}", times.json())
    } else {
        say_text!(times.text())
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::BuildError;

    #[test]
    fn git_is_told_good_bad_or_skip_and_what_is_wrong_with_the_command_ends_it() {
        let told = |ended| for_git(ended).map(ExitCode::number).map_err(|error| error.exit_code().number());
        assert_eq!(told(Ok(ExitCode::OK)), Ok(0));
        assert_eq!(told(Ok(ExitCode::COMPARISON)), Ok(1));
        assert_eq!(told(Ok(ExitCode::GUEST)), Ok(125));
        let failed = |full| {
            let (tree, log) = ("t".into(), "l".into());
            let failed = BuildError::Failed {
                what: "buildkernel",
                tree,
                complaint: String::new(),
                log,
                full,
                lacking: None,
            };
            CliError::Build(failed.into())
        };
        for skipped in [
            CliError::Build("b".into()),
            failed(false),
            CliError::Guest("g".into()),
            CliError::DoesNotApply("d".into()),
        ] {
            assert_eq!(told(Err(skipped)), Ok(125));
        }
        // Every number below 128 but for 0 and 125 is a bad commit to git.
        for end in [CliError::Usage("u".into()), CliError::NothingRan("n".into()), failed(true)] {
            assert_eq!(told(Err(end)), Ok(128));
        }
        assert_eq!(told(Err(CliError::Interrupted)), Err(130));
    }
}
