// SPDX-License-Identifier: BSD-2-Clause
//! `decode`: bytes to messages.

use std::io::Read as _;

use nlproof_wire::Os;
use nlproof_wire::strict;

use super::args::{DecodeArgs, OsArg};
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text};
use crate::trace::{Role, decode_datagram, node_to_text};
use crate::vector::hex;

pub(super) fn main(args: &DecodeArgs) -> Result<ExitCode, CliError> {
    let os = match args.os {
        OsArg::Freebsd => Os::FreeBsd,
        OsArg::Linux => Os::Linux,
    };
    let bytes = input(&args.input)?;
    if bytes.is_empty() {
        return Err(CliError::Usage("no bytes to decode".into()));
    }
    for node in decode_datagram(os, Role::Reply, &bytes) {
        say_text!(node_to_text(&node));
    }
    match strict::walk(os, &bytes) {
        Ok(()) => say!("{} bytes, well-formed", bytes.len()),
        Err(fault) => say!("{} bytes, not well-formed: {fault}", bytes.len()),
    }
    Ok(ExitCode::OK)
}

fn input(input: &str) -> Result<Vec<u8>, CliError> {
    let cannot =
        |name: &str, error: std::io::Error| CliError::Usage(format!("{name} cannot be read: {error}"));
    let raw = if input == "-" {
        let mut raw = Vec::new();
        std::io::stdin().read_to_end(&mut raw).map_err(|error| cannot("standard input", error))?;
        raw
    } else if let Some(path) = input.strip_prefix('@') {
        std::fs::read(path).map_err(|error| cannot(path, error))?
    } else {
        return hex(input).map_err(|what| {
            CliError::Usage(format!("{what}\n  help: give hex digits, @FILE, or - for standard input"))
        });
    };
    // A file of hex digits is hex; anything else is bytes.
    let text = std::str::from_utf8(&raw).ok().filter(|text| !text.trim().is_empty());
    Ok(text.and_then(|text| hex(text).ok()).unwrap_or(raw))
}
