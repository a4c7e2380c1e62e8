// SPDX-License-Identifier: BSD-2-Clause
//! The `nlproof` program.

fn main() -> std::process::ExitCode {
    nlproof::cli::as_a_program(|| nlproof::cli::main(std::env::args_os()))
}
