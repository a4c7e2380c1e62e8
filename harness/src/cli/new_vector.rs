// SPDX-License-Identifier: BSD-2-Clause
//! A vector that a command writes into the project.

use std::fs;

use nlproof_files::write_whole;

use super::args::ProjectArgs;
use super::exit::CliError;
use super::out::tell;
use super::project::Project;
use crate::file::FileError;
use crate::vector::path_of;

/// Writes the file of a vector that is not there yet, and says what to do with it.
pub(super) fn write_new(project: &ProjectArgs, id: &str, text: &str) -> Result<(), CliError> {
    let project = Project::find(project)?;
    let path = path_of(&project.root.join("vectors"), id)?;
    if path.exists() {
        let error = FileError::whole(&path, "is there already, and stays as it is");
        return Err(error.help("another id, or remove it first").into());
    }
    let written = match path.parent() {
        Some(suite) => fs::create_dir_all(suite).and_then(|()| write_whole(&path, text.as_bytes())),
        None => write_whole(&path, text.as_bytes()),
    };
    written.map_err(|error| FileError::unwritable(&path, &error))?;
    tell!("wrote {}\n  help: say under `about` what it shows; nlproof run {id}", path.display());
    Ok(())
}
