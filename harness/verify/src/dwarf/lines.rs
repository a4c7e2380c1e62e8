// SPDX-License-Identifier: BSD-2-Clause
//! `.debug_line`: from addresses to files and lines.
//!
//! Line programs are read one behind the other and not by way of the units that name them: each byte once.

use std::collections::{BTreeMap, BTreeSet};

use gimli::{AttributeValue, ColumnType, DebugLine, DebugLineOffset, LineProgramHeader};

use super::error::DebugError;
use super::sections::{DebugSections, Reader};
use crate::report::Source;

/// Longest path of a source file in a report, in characters; of a longer one the end is kept.
const LONGEST_PATH: usize = 200;
/// Bytes of an address on amd64.
const ADDRESS: u8 = 8;

/// The sources of the addresses in `wanted`, and what made reading stop before the end.
pub(crate) fn sources(
    debug: &DebugSections<'_>,
    mut wanted: BTreeSet<u64>,
) -> (BTreeMap<u64, Source>, Option<DebugError>) {
    let mut found = BTreeMap::new();
    let section = debug.reader(".debug_line");
    let lines = DebugLine::from(section);
    let mut at = 0;
    while at < section.len() && !wanted.is_empty() {
        let program = match lines.program(DebugLineOffset(at), ADDRESS, None, None) {
            Ok(program) => program,
            Err(error) => return (found, Some(DebugError::LineHeader { at, error })),
        };
        let header = program.header();
        let length = usize::from(header.format().initial_length_size()).saturating_add(header.unit_length());
        at = at.saturating_add(length.max(1));
        let mut files = Files { debug, names: BTreeMap::new() };
        let mut rows = program.rows();
        let mut before: Option<(u64, u64, u64, Option<u64>)> = None;
        loop {
            let (header, row) = match rows.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => return (found, Some(DebugError::Line { at, error })),
            };
            if let Some((start, file, line, column)) = before.filter(|(start, ..)| *start < row.address()) {
                let here: Vec<u64> = wanted.range(start..row.address()).copied().collect();
                // Line 0: the compiler has no line for it.
                if !here.is_empty()
                    && line > 0
                    && let Some(file) = files.name(header, file)
                {
                    for address in here {
                        wanted.remove(&address);
                        found.insert(address, Source { file: file.clone(), line, column });
                    }
                }
            }
            let column = match row.column() {
                ColumnType::LeftEdge => None,
                ColumnType::Column(column) => Some(column.get()),
            };
            let line = row.line().map_or(0, std::num::NonZeroU64::get);
            before = (!row.end_sequence()).then(|| (row.address(), row.file_index(), line, column));
        }
    }
    (found, None)
}

/// Names of a line program's files, each put together once.
struct Files<'a> {
    debug: &'a DebugSections<'a>,
    names: BTreeMap<u64, Option<String>>,
}

impl Files<'_> {
    fn name(&mut self, header: &LineProgramHeader<Reader<'_>, usize>, index: u64) -> Option<String> {
        let debug = self.debug;
        self.names.entry(index).or_insert_with(|| file(debug, header, index)).clone()
    }
}

/// The path of a file of a line program.
pub(crate) fn file(
    debug: &DebugSections<'_>,
    header: &LineProgramHeader<Reader<'_>, usize>,
    index: u64,
) -> Option<String> {
    let entry = header.file(index)?;
    let name = text(debug, entry.path_name())?;
    // Directory 0 is where the compiler ran: in version 5 it is written down, before it is not known here.
    let directory = match entry.directory_index() {
        0 => None,
        _ => entry.directory(header).and_then(|directory| text(debug, directory)),
    };
    let path = match directory {
        Some(directory) if !name.starts_with('/') && !directory.is_empty() => format!("{directory}/{name}"),
        _ => name,
    };
    let path = path.strip_prefix("./").map_or(path.clone(), str::to_owned);
    let length = path.chars().count();
    if length <= LONGEST_PATH {
        return Some(path);
    }
    Some(format!("…{}", path.chars().skip(length - LONGEST_PATH).collect::<String>()))
}

fn text(debug: &DebugSections<'_>, value: AttributeValue<Reader<'_>, usize>) -> Option<String> {
    let bytes = match value {
        AttributeValue::String(text) => text.slice(),
        AttributeValue::DebugStrRef(offset) => debug.text(".debug_str", offset.0)?,
        AttributeValue::DebugLineStrRef(offset) => debug.text(".debug_line_str", offset.0)?,
        _ => return None,
    };
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// The header of the line program at `offset`.
pub(crate) fn header<'a>(
    debug: &'a DebugSections<'_>,
    offset: usize,
) -> Option<LineProgramHeader<Reader<'a>, usize>> {
    let lines = DebugLine::from(debug.reader(".debug_line"));
    Some(lines.program(DebugLineOffset(offset), ADDRESS, None, None).ok()?.header().clone())
}
