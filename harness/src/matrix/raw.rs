// SPDX-License-Identifier: BSD-2-Clause
//! Raw traces in the report directory: one NDJSON file a cell, one record a line, never edited.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::conversation::Conversation;
use crate::file::FileError;

/// An open raw trace, or none if nobody asked for it.
pub(super) struct RawFile {
    open: Option<(PathBuf, BufWriter<File>)>,
}

impl RawFile {
    /// Opens `DIR/CELL.ndjson`; slashes in the cell's name become dashes.
    pub(super) fn create(directory: Option<&Path>, cell: &Cell) -> Result<RawFile, FileError> {
        let Some(directory) = directory else { return Ok(RawFile { open: None }) };
        let path = directory.join(format!("{}.ndjson", cell.file_name()));
        let file = File::create(&path).map_err(|error| FileError::unwritable(&path, &error))?;
        Ok(RawFile { open: Some((path, BufWriter::new(file))) })
    }

    /// Appends a vector's records.
    pub(super) fn append(&mut self, conversation: &Conversation<'_>) -> Result<(), FileError> {
        let Some((path, file)) = &mut self.open else { return Ok(()) };
        let failed = |error: std::io::Error| FileError::unwritable(path, &error);
        for line in conversation.raw_lines() {
            serde_json::to_writer(&mut *file, &line).map_err(|error| failed(error.into()))?;
            file.write_all(b"\n").map_err(failed)?;
        }
        file.flush().map_err(failed)
    }

    /// Removes it: what lacks a vector would be taken for the whole, and a full disk has no room to give to it.
    pub(super) fn discard(self) {
        let Some((path, file)) = self.open else { return };
        // What could not be written is not tried again.
        drop(file.into_parts());
        // That it stays where it cannot be removed was told with it.
        fs::remove_file(path).ok();
    }
}
