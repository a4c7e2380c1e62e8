// SPDX-License-Identifier: BSD-2-Clause
//! `decode`: bytes to messages.

use std::path::Path;

use nlproof_base::{Limit, counted, read_any, read_from};
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
        Ok(()) => {
            say!("{}, well-formed", counted(bytes.len(), "byte"));
            Ok(ExitCode::OK)
        }
        Err(fault) => {
            say!("{}, not well-formed: {fault}", counted(bytes.len(), "byte"));
            Ok(ExitCode::COMPARISON)
        }
    }
}

fn input(input: &str) -> Result<Vec<u8>, CliError> {
    let (name, raw) = if input == "-" {
        ("standard input", read_from(std::io::stdin(), Limit::DATAGRAM))
    } else if let Some(path) = input.strip_prefix('@') {
        (path, read_any(Path::new(path), Limit::DATAGRAM))
    } else {
        return hex(input).map_err(|what| {
            CliError::Usage(format!("{what}\n  help: give hex digits, @FILE, or - for standard input"))
        });
    };
    let raw = raw.map_err(|error| CliError::Usage(format!("{name} {error}")))?;
    bytes_of(raw).map_err(|what| {
        CliError::Usage(format!(
            "{name}: {what}\n  help: a file is bytes, or hex digits and nothing else; xxd -p makes them"
        ))
    })
}

/// The bytes of a file: text is hex, anything else bytes. No message is text: each begins with a length of four bytes.
fn bytes_of(raw: Vec<u8>) -> Result<Vec<u8>, String> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match std::str::from_utf8(&raw) {
        Ok(text) if raw.iter().all(is_text) => hex(text),
        _ => Ok(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_hex_and_the_rest_is_bytes() {
        assert_eq!(bytes_of(b"00 ff\n".to_vec()), Ok(vec![0, 255]));
        assert_eq!(bytes_of(vec![20, 0, 0, 0]), Ok(vec![20, 0, 0, 0]));
        assert_eq!(bytes_of(b"14 00\n0g".to_vec()), Err("`g` in line 2, column 2 is not a hex digit".into()));
    }
}
