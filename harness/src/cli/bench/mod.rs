// SPDX-License-Identifier: BSD-2-Clause
//! `bench`: how fast the parts without a kernel and the guests are, and the module under load in one.

mod guest;
mod kmod;
mod speed;
mod trace;

use super::args::{BenchArgs, BenchCommand, ProjectArgs};
use super::exit::{CliError, ExitCode};

pub(super) fn main(project: &ProjectArgs, args: &BenchArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        BenchCommand::Guest(args) => guest::main(project, args),
        BenchCommand::Kmod(args) => kmod::main(project, args),
        BenchCommand::Wire(args) => speed::wire(args),
        BenchCommand::Sim(args) => speed::sim(args),
        BenchCommand::Trace(args) => trace::main(args),
        BenchCommand::Verify => speed::verify(),
    }
}
