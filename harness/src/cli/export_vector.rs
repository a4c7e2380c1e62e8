// SPDX-License-Identifier: BSD-2-Clause
//! `export`: a vector as a program for a bug tracker.

use std::path::Path;

use nlproof_files::write_whole;
use nlproof_wire::Os;

use super::args::{ExportArgs, ProjectArgs};
use super::default_cell::newest_observed;
use super::exit::{CliError, ExitCode};
use super::out::{say_text, tell};
use super::project::Project;
use crate::export::{c_program, shell_script};
use crate::file::FileError;
use crate::vector::compile;

pub(super) fn main(project: &ProjectArgs, args: &ExportArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?.with_kernels(&args.cells.kernel, &args.cells.release)?;
    let vector = project.vector_or_file(&args.vector)?;
    if !vector.needs.os.contains(&Os::FreeBsd) {
        return Err(CliError::DoesNotApply(format!("{} is not for FreeBSD", vector.id)));
    }
    let program = compile(&vector, Os::FreeBsd, 0)?;
    let cells = project.cells(&args.cells)?;
    let cell = match newest_observed(&cells.iter().collect::<Vec<_>>(), &project, Some(&vector.id))? {
        Some(cell) => Some(cell),
        None => cells.first(),
    };
    let found = match cell {
        Some(cell) => project.goldens().find(&cell.layers(), &vector.id)?,
        None => None,
    };
    match &found {
        Some(found) => tell!("{}: what is expected is the golden of {}", vector.id, found.layer),
        None => tell!("{}: no golden says what to expect: nothing is compared", vector.id),
    }
    let golden = found.as_ref().map(|found| found.golden.body.as_str());
    let (text, path) = match (&args.c, &args.sh) {
        (Some(path), _) => (c_program(&vector, &program, golden), path),
        (None, Some(path)) => (shell_script(&vector, &program, golden), path),
        // The parser demands one of them.
        (None, None) => return Err(CliError::Usage("--c FILE, or --sh FILE".into())),
    };
    let text =
        text.map_err(|why| CliError::DoesNotApply(format!("{} cannot be exported: {why}", vector.id)))?;
    if path == Path::new("-") {
        say_text!(text);
        return Ok(ExitCode::OK);
    }
    write_whole(path, text.as_bytes()).map_err(|error| FileError::unwritable(path, &error))?;
    tell!("wrote {}", path.display());
    Ok(ExitCode::OK)
}
