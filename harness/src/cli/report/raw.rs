// SPDX-License-Identifier: BSD-2-Clause
//! `report raw`, and the raw traces of joined reports.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::directory::directory_of;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::kept_cell::{kept_files, of_cell};
use crate::cli::out::{say_text, tell};
use crate::file::{FileError, Position};
use crate::report::Part;
use crate::trace::{PACKED, PLAIN, RawReader, RawWriter};

/// Bytes printed at once.
const CHUNK: usize = 64 << 10;

/// Prints a cell's raw trace, or one vector's part of it.
pub(super) fn main(report: &Path, cell: Option<&str>, vector: Option<&str>) -> Result<ExitCode, CliError> {
    let directory = directory_of(report);
    let none = format!(" in {}: no cell ran there", directory.display());
    let files = of_cell(kept_files(&directory, &[PACKED, PLAIN])?, cell, "raw trace", &none)?;
    let mut found = vector.is_none();
    let mut text = String::new();
    for path in files.iter().map(|one| &one.path) {
        let (mut reader, mut line) = (RawReader::open(path)?, Vec::new());
        for number in 1.. {
            let more = reader.next_line(&mut line);
            if !matches!(more, Ok(true)) || text.len() >= CHUNK {
                say_text!(text);
                text.clear();
            }
            if !more? {
                break;
            }
            if vector.is_none_or(|wanted| vector_of(&line).is_ok_and(|vector| vector == wanted)) {
                found = true;
                text.push_str(&String::from_utf8_lossy(&line));
            } else if let Err(error) = vector_of(&line) {
                return Err(
                    FileError::at(path, Position::at_line(number), format!("is no record: {error}")).into()
                );
            }
        }
    }
    match vector {
        Some(vector) if !found => {
            let text = format!("no record of {vector} in this trace\n  help: without --vector all are shown");
            Err(CliError::Usage(text))
        }
        _ => Ok(ExitCode::OK),
    }
}

/// The vector of a record.
fn vector_of(line: &[u8]) -> serde_json::Result<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct OfVector<'a> {
        #[serde(borrow)]
        vec: Cow<'a, str>,
    }
    serde_json::from_slice::<OfVector<'_>>(line).map(|record| record.vec)
}

/// Joins the parts' raw traces cell by cell, in the order of the parts. A trace that was cut off is joined as far as it
/// goes, with a warning.
pub(super) fn join(parts: &[&Part], into: &Path) -> Result<(), CliError> {
    // What an earlier joining left would be taken for this one's.
    remove(parts, into).map_err(CliError::unwritten(into))?;
    // Half of a trace would be taken for the whole.
    join_each(parts, into).inspect_err(|_| drop(remove(parts, into)))
}

fn remove(parts: &[&Part], into: &Path) -> io::Result<()> {
    for cell in parts.iter().flat_map(|part| &part.run.cells) {
        for kind in [PACKED, PLAIN] {
            remove_if_there(&raw_file(into, &cell.cell.file_name(), kind))?;
        }
    }
    Ok(())
}

fn join_each(parts: &[&Part], into: &Path) -> Result<(), CliError> {
    let mut joined: BTreeMap<PathBuf, RawWriter<File>> = BTreeMap::new();
    for part in parts {
        let directory = directory_of(&part.path);
        for cell in part.run.cells.iter().map(|result| result.cell.file_name()) {
            let sources = [PACKED, PLAIN].map(|kind| raw_file(&directory, &cell, kind));
            let Some(source) = sources.iter().find(|path| path.exists()) else { continue };
            let path = raw_file(into, &cell, PACKED);
            let to = match joined.remove(&path) {
                Some(to) => to,
                None => File::create(&path)
                    .and_then(|file| RawWriter::new(&path, file))
                    .map_err(CliError::unwritten(&path))?,
            };
            let to = append(source, to, &path)?;
            joined.insert(path, to);
        }
    }
    joined.into_iter().try_for_each(|(path, to)| to.finish().map_err(CliError::unwritten(&path)))
}

/// Appends the lines of one raw trace.
fn append(source: &Path, mut to: RawWriter<File>, path: &Path) -> Result<RawWriter<File>, CliError> {
    let (mut reader, mut line) = (RawReader::open(source)?, Vec::new());
    loop {
        match reader.next_line(&mut line) {
            Ok(true) => to.copy(&line).map_err(CliError::unwritten(path))?,
            Ok(false) => return Ok(to),
            Err(error) if reader.was_cut_off() => {
                tell!("warning: {error}");
                return Ok(to);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn raw_file(directory: &Path, cell: &str, kind: &str) -> PathBuf {
    directory.join(format!("{cell}.{kind}"))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
