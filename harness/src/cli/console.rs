// SPDX-License-Identifier: BSD-2-Clause
//! `console`: the console's log that a run kept of a cell's guests, or what of it a dying kernel said.

use super::args::ConsoleArgs;
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text};
use crate::file::{FileError, Limit, read};
use crate::report::kept;

pub(super) fn main(args: &ConsoleArgs) -> Result<ExitCode, CliError> {
    let directory = &args.report;
    let (what, none) = match args.textdump {
        false => ("console", "no guest was started"),
        true => ("textdump", "no kernel panicked or stopped in its debugger"),
    };
    let all = kept(directory, what).map_err(|error| {
        FileError::whole(directory, format!("cannot be read: {error}"))
            .help("a report directory is what `nlproof test-matrix --report-dir DIR` leaves")
    })?;
    let mut cells: Vec<_> = all.iter().map(|one| one.cell.as_str()).collect();
    cells.dedup();
    let wanted = args.cell.as_deref().map(|cell| cell.replace('/', "-"));
    let cell = match (&wanted, cells.as_slice()) {
        (None, [cell]) => *cell,
        (Some(wanted), known) if known.contains(&wanted.as_str()) => wanted,
        (_, []) => {
            let text = format!("no {what} was kept in {}: {none}", directory.display());
            return Err(CliError::Usage(text));
        }
        (Some(_), known) => {
            let cell = args.cell.as_deref().unwrap_or_default();
            let text = format!("no {what} of {cell}\n  help: there are {}", known.join(", "));
            return Err(CliError::Usage(text));
        }
        (None, known) => {
            let text = format!("several {what}s were kept\n  help: name one of {}", known.join(", "));
            return Err(CliError::Usage(text));
        }
    };
    let guests: Vec<_> = all.iter().filter(|one| one.cell == cell).collect();
    for one in &guests {
        let bytes = read(&one.path, Limit::CONSOLE)?;
        if guests.len() > 1 || one.guest > 1 {
            say!("==> guest {} <==", one.guest);
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
