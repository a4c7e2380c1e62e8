// SPDX-License-Identifier: BSD-2-Clause
//! `completions` and `man`: the command line as shells and man(1) know it.

use std::path::Path;

use clap::CommandFactory as _;

use super::args::Cli;
use super::exit::{CliError, ExitCode};
use super::out::say_text;

/// The program's name, as users type it.
const NAME: &str = "nlproof";

/// Prints what completes the command line in a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    say_text!(String::from_utf8_lossy(&script));
    Ok(ExitCode::OK)
}

/// Writes `nlproof.1`, and `nlproof-COMMAND.1` for each command and those below it.
pub(super) fn man(directory: &Path) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(CliError::unwritten(directory))?;
    Ok(ExitCode::OK)
}
