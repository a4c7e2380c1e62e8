// SPDX-License-Identifier: BSD-2-Clause
//! `console`: the console log that a run kept of a cell's guests, or a dying kernel's part of it.

use super::args::ConsoleArgs;
use super::exit::{CliError, ExitCode};
use super::kept_cell::{kept_files, of_cell};
use super::out::{say, say_text};
use crate::file::{Limit, read};

pub(super) fn main(args: &ConsoleArgs) -> Result<ExitCode, CliError> {
    let directory = &args.report;
    let (what, none) = match args.textdump {
        false => ("console", "no guest was started"),
        true => ("textdump", "no kernel panicked, stopped in its debugger or fell silent"),
    };
    let none = format!(" in {}: {none}", directory.display());
    let guests = of_cell(kept_files(directory, &[what])?, args.cell.as_deref(), what, &none)?;
    for one in &guests {
        let bytes = read(&one.path, Limit::CONSOLE)?;
        if guests.len() > 1 || one.name.guest > 1 {
            say!("==> guest {} <==", one.name.guest);
        }
        say_text!(shown(&bytes));
    }
    Ok(ExitCode::OK)
}

/// The log as text that does nothing to the terminal: a guest's console may hold anything.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_cannot_command_the_terminal() {
        assert_eq!(shown(b"a\r\nb\x1b]0;title\x07\tc\xff\n"), "a\nb]0;title\tc\u{fffd}\n");
    }
}
