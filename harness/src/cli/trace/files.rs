// SPDX-License-Identifier: BSD-2-Clause
//! The files that a trace is written to.

use std::io::{self, Write};
use std::path::Path;

use nlproof_files::fill_whole;

use crate::cli::exit::CliError;
use crate::matrix::VectorRun;
use crate::trace::RawWriter;

/// Writes a trace for the Perfetto UI.
pub(super) fn write_perfetto(path: &Path, trace: &serde_json::Value) -> Result<(), CliError> {
    write(path, |file| Ok(serde_json::to_writer(file, trace)?))
}

/// Writes the raw trace, one record a line; packed if the file's name ends in `.zst`.
pub(super) fn write_raw(path: &Path, vector_run: &VectorRun<'_>) -> Result<(), CliError> {
    write(path, |file| {
        let mut raw = RawWriter::new(path, file)?;
        raw.append(vector_run.raw_lines())?;
        raw.finish()
    })
}

/// Writes the file whole or not at all.
fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    fill_whole(path, fill).map_err(CliError::unwritten(path))
}
