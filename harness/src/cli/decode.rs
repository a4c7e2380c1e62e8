// SPDX-License-Identifier: BSD-2-Clause
//! `decode`: bytes to messages.

use std::path::Path;

use nlproof_base::{Limit, counted};
use nlproof_wire::{Os, strict};

use super::args::DecodeArgs;
use super::datagrams::{is_empty, of_file, os_of};
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text};
use crate::import::{Direction, Reading, Seen, read};
use crate::trace::{Role, decode_datagram, node_to_text, with_names};
use crate::vector::hex;

pub(super) fn main(args: &DecodeArgs) -> Result<ExitCode, CliError> {
    let reading = input(&args.input)?;
    let os = os_of(args.os, &reading);
    if is_empty(&reading) {
        return Err(CliError::Usage("no bytes to decode".into()));
    }
    let mut code = ExitCode::OK;
    for seen in &reading.seen {
        if !show(os, seen) {
            code = ExitCode::COMPARISON;
        }
    }
    Ok(code)
}

/// Shows a datagram; whether it is well-formed.
fn show(os: Os, seen: &Seen) -> bool {
    let Seen { place, direction, data } = seen;
    let (role, way) = match direction {
        Direction::ToKernel => (Role::Request, ", to the kernel"),
        Direction::FromKernel => (Role::Reply, ", from the kernel"),
        Direction::Unknown => (Role::Reply, ""),
    };
    if !place.is_empty() {
        say!("{place}{way}:");
    }
    for node in decode_datagram(os, role, data) {
        say_text!(with_names(&node_to_text(&node)));
    }
    let size = counted(data.len(), "byte");
    match strict::walk(os, data) {
        Ok(()) => say!("{size}, well-formed"),
        Err(fault) => {
            say!("{size}, not well-formed: {fault}");
            return false;
        }
    }
    true
}

/// What is to be decoded: a file, standard input, or bytes on the command line.
fn input(input: &str) -> Result<Reading, CliError> {
    match input.strip_prefix('@') {
        Some(path) => of_file(path, Limit::DATAGRAM),
        None if input == "-" => of_file(input, Limit::DATAGRAM),
        None => read(Path::new(""), input.as_bytes()).map_err(|error| {
            // What is neither hex nor anything else was meant as hex.
            let what = hex(input).err().unwrap_or(error.what);
            CliError::Usage(format!("{what}\n  help: give hex digits, @FILE, or - for standard input"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_on_the_command_line_are_hex_or_an_array() {
        let bytes = |text: &str| {
            let reading = input(text).map_err(|error| error.to_string())?;
            Ok::<_, String>(reading.seen.into_iter().map(|seen| seen.data).collect::<Vec<_>>())
        };
        assert_eq!(bytes("00 ff\n"), Ok(vec![vec![0, 255]]));
        assert_eq!(bytes("{0x14, 0}"), Ok(vec![vec![20, 0]]));
        let error = bytes("14 00\n0g").unwrap_err();
        assert!(error.starts_with("`g` in line 2, column 2 is not a hex digit\n  help: give hex"), "{error}");
    }
}
