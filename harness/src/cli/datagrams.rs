// SPDX-License-Identifier: BSD-2-Clause
//! Netlink datagrams that users name: in a file, on standard input, or as hex on the command line.

use std::path::Path;

use nlproof_base::{Limit, read_any, read_from};
use nlproof_wire::Os;

use super::args::OsArg;
use super::exit::CliError;
use super::out::tell;
use crate::import::{Reading, Seen, read};

/// The name of what is read from standard input.
const STDIN: &str = "standard input";

/// Reads a file, or standard input where it is `-`; what is left out is told.
pub(super) fn of_file(file: &str, limit: Limit) -> Result<Reading, CliError> {
    let (name, raw) = match file {
        "-" => (STDIN, read_from(std::io::stdin(), limit)),
        path => (path, read_any(Path::new(path), limit)),
    };
    let raw = raw.map_err(|error| CliError::Usage(format!("{name} {error}")))?;
    let reading = read(Path::new(name), &raw)?;
    for note in &reading.notes {
        tell!("{name}: {note}");
    }
    Ok(reading)
}

/// The system whose numbers hold: the one that is named, that of the tool that wrote the file, or FreeBSD.
pub(super) fn os_of(named: Option<OsArg>, reading: &Reading) -> Os {
    match named {
        Some(OsArg::Freebsd) => Os::FreeBsd,
        Some(OsArg::Linux) => Os::Linux,
        None => reading.os.unwrap_or(Os::FreeBsd),
    }
}

/// Whether there are bytes at all.
pub(super) fn is_empty(reading: &Reading) -> bool {
    reading.seen.iter().all(|Seen { data, .. }| data.is_empty())
}
