// SPDX-License-Identifier: BSD-2-Clause
//! What was seen of the vectors of a cell: from the raw trace that the run kept of it.

use std::collections::BTreeMap;
use std::path::Path;

use nlproof_agent::{Body, Record};
use nlproof_wire::Os;

use super::kept::kept;
use crate::file::{FileError, Position};
use crate::matrix::{Cell, VectorRun, reread};
use crate::trace::{PACKED, PLAIN, RawReader, RawWhat, read_raw};
use crate::vector::Vector;

/// One vector as a raw trace tells of it.
pub struct Seen<'v> {
    /// The run, made again from the records.
    pub run: VectorRun<'v>,
    /// What the kernel printed.
    pub console: Vec<String>,
}

/// Reads what a run kept of those vectors in a cell. A vector of which there is nothing is missing from the result: of a
/// guest that was lost, or of a report that came without its raw traces.
///
/// # Errors
/// A raw trace cannot be read, or is none; or a vector is not the one that ran.
pub fn seen<'v>(
    directory: &Path,
    cell: &Cell,
    wanted: &BTreeMap<&str, &'v Vector>,
) -> Result<BTreeMap<String, Seen<'v>>, FileError> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut said: BTreeMap<String, (Vec<Record>, Vec<String>)> = BTreeMap::new();
    for kind in [PACKED, PLAIN] {
        let files = kept(directory, kind)
            .map_err(|error| FileError::whole(directory, format!("cannot be read: {error}")))?;
        for file in files.iter().filter(|file| file.name.cell == cell.file_name()) {
            read_file(&file.path, wanted, &mut said)?;
        }
    }
    for (id, (records, console)) in said {
        if let Some(vector) = wanted.get(id.as_str()) {
            found.insert(id, Seen { run: reread(vector, Os::FreeBsd, records)?, console });
        }
    }
    Ok(found)
}

fn read_file(
    path: &Path,
    wanted: &BTreeMap<&str, &Vector>,
    said: &mut BTreeMap<String, (Vec<Record>, Vec<String>)>,
) -> Result<(), FileError> {
    let (mut reader, mut line) = (RawReader::open(path)?, Vec::new());
    for number in 1.. {
        match reader.next_line(&mut line) {
            Ok(true) => {}
            Ok(false) => break,
            // A run that was killed leaves what it has seen.
            Err(_) if reader.was_cut_off() => break,
            Err(error) => return Err(error),
        }
        let record = read_raw(&line).map_err(|error| {
            FileError::at(path, Position::at_line(number), format!("is no record: {error}"))
        })?;
        if !wanted.contains_key(record.vector.as_str()) {
            continue;
        }
        let (records, console) = said.entry(record.vector).or_default();
        match record.what {
            RawWhat::Record(record) => {
                // The guest was lost in it, and a fresh one began it anew.
                if matches!(record.body, Body::Start { .. }) {
                    records.clear();
                }
                records.push(record);
            }
            RawWhat::Console { text, .. } => console.push(text),
            RawWhat::Dtrace => {}
        }
    }
    Ok(())
}
