// SPDX-License-Identifier: BSD-2-Clause
//! The files that a trace is written to.

use std::io::{self, Write};
use std::path::Path;

use nlproof_files::fill_whole;

use crate::cli::exit::CliError;
use crate::matrix::Conversation;

/// Writes a trace for the Perfetto UI.
pub(super) fn write_perfetto(path: &Path, trace: &serde_json::Value) -> Result<(), CliError> {
    write(path, |file| Ok(serde_json::to_writer(file, trace)?))
}

/// Writes the raw trace, one record a line.
pub(super) fn write_raw(path: &Path, conversation: &Conversation<'_>) -> Result<(), CliError> {
    write(path, |file| {
        for line in conversation.raw_lines() {
            serde_json::to_writer(&mut *file, &line)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Writes the file whole or not at all.
fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    fill_whole(path, fill).map_err(|error| CliError::Output { what: path.display().to_string(), error })
}
