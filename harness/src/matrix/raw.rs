// SPDX-License-Identifier: BSD-2-Clause
//! Raw traces in the report directory: one packed NDJSON file a cell, one record a line, never edited.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::vector_run::VectorRun;
use crate::file::FileError;
use crate::trace::{PACKED, PLAIN, RawWriter};

/// An open raw trace, or none if nobody asked for it.
pub(super) struct RawFile {
    open: Option<(PathBuf, RawWriter<File>)>,
}

impl RawFile {
    /// Opens `DIR/CELL.ndjson.zst`; slashes in the cell's name become dashes. A plain trace that an earlier version
    /// left there would be taken for this run's, and is removed.
    pub(super) fn create(directory: Option<&Path>, cell: &Cell) -> Result<RawFile, FileError> {
        let Some(directory) = directory else { return Ok(RawFile { open: None }) };
        let [path, plain] =
            [PACKED, PLAIN].map(|kind| directory.join(format!("{}.{kind}", cell.file_name())));
        match fs::remove_file(&plain) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::whole(&plain, format!("cannot be removed: {error}")));
            }
            _ => {}
        }
        let file = File::create(&path).and_then(|file| RawWriter::new(&path, file));
        let file = file.map_err(|error| FileError::unwritable(&path, &error))?;
        Ok(RawFile { open: Some((path, file)) })
    }

    /// Appends a vector's records.
    pub(super) fn append(&mut self, vector_run: &VectorRun<'_>) -> Result<(), FileError> {
        let Some((path, file)) = &mut self.open else { return Ok(()) };
        file.append(vector_run.raw_lines()).map_err(|error| FileError::unwritable(path, &error))
    }

    /// Ends the file, or removes it.
    pub(super) fn finish(self) -> Result<(), FileError> {
        let Some((path, file)) = self.open else { return Ok(()) };
        file.finish().map_err(|error| {
            remove(&path);
            FileError::unwritable(&path, &error)
        })
    }

    /// Removes the file: one that lacks a vector would be taken for the whole, and a full disk has no room for it.
    pub(super) fn discard(self) {
        let Some((path, file)) = self.open else { return };
        // What could not be written is not tried again.
        drop(file);
        remove(&path);
    }
}

/// Removes a file. One that stays is told with the reason for its removal.
fn remove(path: &Path) {
    fs::remove_file(path).ok();
}
