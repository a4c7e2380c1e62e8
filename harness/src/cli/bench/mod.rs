// SPDX-License-Identifier: BSD-2-Clause
//! `bench`: the speed of guests and of the parts that need no kernel, and the module under load.

mod guest;
mod kmod;
mod page;
mod phases;
mod speed;
mod trace;
mod yardstick;

use super::args::{BenchArgs, BenchCommand, GuestBenchArgs, KmodBenchArgs, ProjectArgs, TraceBenchArgs};
use super::default_cell::release_here;
use super::directories::places;
use super::exit::{CliError, ExitCode};

pub(super) fn main(project: &ProjectArgs, args: &BenchArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        BenchCommand::Guest(args) => {
            let release = here(&args.release)?;
            let args = GuestBenchArgs { release, ..args.clone() };
            if args.phases { phases::main(project, &args) } else { guest::main(project, &args) }
        }
        BenchCommand::Kmod(args) => {
            let release = here(&args.release)?;
            kmod::main(project, &KmodBenchArgs { release, ..args.clone() })
        }
        BenchCommand::Wire(args) => speed::wire(args),
        BenchCommand::Sim(args) => speed::sim(args),
        BenchCommand::Trace(args) => {
            let release = args.release.as_deref().map(here).transpose()?;
            trace::main(project, &TraceBenchArgs { release, ..args.clone() })
        }
        BenchCommand::Report(args) => page::main(project, args),
        BenchCommand::Verify(args) => speed::verify(args.most as usize),
    }
}

/// A measured number, or a note that there is none.
fn shown(measured: Option<u64>) -> String {
    measured.map_or_else(|| "-".to_owned(), |measured| measured.to_string())
}

/// The release that is meant: of a branch the newest that is here.
fn here(release: &str) -> Result<String, CliError> {
    Ok(release_here(&places()?.0, release))
}

/// The word for a limit.
fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "NOT KEPT" }
}

/// The exit code of a command whose limits are kept or not.
fn code(kept: bool) -> ExitCode {
    if kept { ExitCode::OK } else { ExitCode::COMPARISON }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_no_limit_is_told_and_fails() {
        assert_eq!((code(true).number(), verdict(true)), (0, "kept"));
        assert_eq!((code(false).number(), verdict(false)), (100, "NOT KEPT"));
    }
}
