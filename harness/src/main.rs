// SPDX-License-Identifier: BSD-2-Clause
//! The `nlproof` program.

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    nlproof::cli::as_a_program(|| nlproof::cli::main(nlproof::cli::Cli::parse()))
}
