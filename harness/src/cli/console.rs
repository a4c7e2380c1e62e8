// SPDX-License-Identifier: BSD-2-Clause
//! `console`: the console's log that a run kept, or what of it a dying kernel said.

use super::args::ConsoleArgs;
use super::exit::{CliError, ExitCode};
use super::out::say_text;
use crate::file::FileError;

pub(super) fn main(args: &ConsoleArgs) -> Result<ExitCode, CliError> {
    let directory = &args.report;
    let entries = std::fs::read_dir(directory).map_err(|error| {
        FileError::whole(directory, format!("cannot be read: {error}"))
            .help("a report directory is what `nlproof test-matrix --report-dir DIR` leaves")
    })?;
    let (what, ending, none) = match args.textdump {
        false => ("console", ".console", "no guest was started"),
        true => ("textdump", ".textdump", "no kernel panicked or stopped in its debugger"),
    };
    let mut logs: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect();
    logs.sort();
    let wanted = args.cell.as_deref().map(|cell| cell.replace('/', "-"));
    let found: Vec<_> = match &wanted {
        Some(wanted) => logs.iter().filter(|log| *log == wanted).collect(),
        None => logs.iter().collect(),
    };
    let [log] = found.as_slice() else {
        return Err(CliError::Usage(match (&args.cell, logs.as_slice()) {
            (_, []) => format!("no {what} was kept in {}: {none}", directory.display()),
            (Some(cell), _) => format!("no {what} of {cell}\n  help: there are {}", logs.join(", ")),
            (None, _) => format!("several {what}s were kept\n  help: name one of {}", logs.join(", ")),
        }));
    };
    let path = directory.join(format!("{log}{ending}"));
    let bytes =
        std::fs::read(&path).map_err(|error| FileError::whole(&path, format!("cannot be read: {error}")))?;
    say_text!(shown(&bytes));
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
