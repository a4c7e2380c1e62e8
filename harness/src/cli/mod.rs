// SPDX-License-Identifier: BSD-2-Clause
//! The command line.

mod accept;
mod answer;
mod args;
mod atf;
mod bench;
mod bisect;
mod cells;
mod command_line;
mod console;
mod conversation;
mod copies;
mod coverage;
mod datagrams;
mod decode;
mod default_cell;
mod diff;
mod directories;
mod doctor;
mod exit;
mod export_image;
mod export_vector;
mod fetch;
mod fuzz;
mod image;
mod import;
mod interrupt;
mod kept_cell;
mod kernel_blocks;
mod kinds;
mod kmod;
mod lanes;
mod matrix;
mod new_vector;
mod nics;
mod out;
mod own;
mod pager;
mod project;
mod qualify;
mod record;
mod recording;
mod reduce;
mod replay;
mod replay_progress;
mod report;
mod repro;
mod review;
mod run;
mod run_times;
mod schema;
mod shell;
mod size;
mod source;
mod stages;
mod supervise;
mod targets;
mod test_matrix;
mod trace;
mod unknown;
mod verdict;
mod verify;
mod watch;

pub use args::Cli;
pub use exit::{ExitCode, as_a_program};

use std::ffi::OsString;

use args::Command;
use clap::Parser as _;
use exit::CliError;

use crate::out::{is_cut_short, print_parser};

/// Runs what the arguments ask for (the first one is the program's name), and returns the process's exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> std::process::ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(said) => {
            print_parser(&said);
            return ended(if said.use_stderr() { ExitCode::USAGE } else { ExitCode::OK });
        }
    };
    let result = match cli.command {
        Command::TestMatrix(args) => test_matrix::main(&cli.project, &args),
        Command::Run(args) => run::main(&cli.project, &args),
        Command::Trace(args) => trace::main(&cli.project, &args),
        Command::Repro(args) => repro::main(&cli.project, &args),
        Command::Replay(args) => replay::main(&args),
        Command::Shell(args) => shell::main(&cli.project, &args),
        Command::Console(args) => console::main(&args),
        Command::Record(args) => record::main(&cli.project, &args),
        Command::Review(args) => review::main(&cli.project, &args),
        Command::Accept(args) => accept::main(&cli.project, &args),
        Command::Diff(args) => diff::main(&cli.project, &args),
        Command::Coverage(args) => coverage::main(&cli.project, &args),
        Command::Fuzz(args) => fuzz::main(&cli.project, &args),
        Command::Matrix(args) => matrix::main(&cli.project, &args),
        Command::Report(args) => report::main(&cli.project, &args),
        Command::Qualify(args) => qualify::main(&cli.project, &args),
        Command::Atf(args) => atf::main(&cli.project, &args),
        Command::Decode(args) => decode::main(&args),
        Command::Import(args) => import::main(&cli.project, &args),
        Command::Watch(args) => watch::main(&cli.project, &args),
        Command::Export(args) => export_vector::main(&cli.project, &args),
        Command::Reduce(args) => reduce::main(&cli.project, &args),
        Command::Verify(args) => verify::main(&cli.project, &args),
        Command::Bisect(args) => bisect::main(&cli.project, &args),
        Command::Kernel(args) => source::main(&cli.project, &args),
        Command::Kmod(args) => kmod::main(&cli.project, &args),
        Command::Bench(args) => bench::main(&cli.project, &args),
        Command::Image(args) => image::main(&cli.project, &args),
        Command::Doctor(args) if args.nics => nics::main(&cli.project, &args.cells, &args.guest),
        Command::Doctor(args) => doctor::main(&cli.project, &args.cells),
        Command::Schema { kind } => schema::main(kind),
        Command::Completions { shell } => command_line::completions(shell),
        Command::Man { directory } => command_line::man(&directory),
        Command::Supervise { args } => return supervise::main(&args),
    };
    ended(result.unwrap_or_else(CliError::told))
}

/// The process's exit code: a failure if its output did not arrive.
fn ended(code: ExitCode) -> std::process::ExitCode {
    code.or(if is_cut_short() { ExitCode::UNWRITTEN } else { ExitCode::OK }).into()
}
