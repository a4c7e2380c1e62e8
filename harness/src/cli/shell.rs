// SPDX-License-Identifier: BSD-2-Clause
//! `shell`: ssh into a guest that is started for it and gone afterwards.

use super::args::{CellArgs, ProjectArgs, ShellArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::tell;
use super::project::{Project, first_here};
use super::targets::{Targets, open_error, open_freebsd_shown};
use crate::guest::Login;
use crate::matrix::{Cell, TargetKind};

pub(super) fn main(project: &ProjectArgs, args: &ShellArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let targets = Targets::new(&args.guest, &project)?;
    let cell = guest_cell(&project, &targets, &args.cells)?;
    let target = open_freebsd_shown(&targets, &cell).map_err(open_error)?;
    let login = target.login().map_err(|error| CliError::Guest(error.to_string()))?;
    if args.command.is_empty() {
        tell!("{}: everything that you change is gone when you leave", cell.name());
    }
    run(&login, &args.command)
}

/// The first selected cell that is a guest and can run here; if none can, the first guest, so that opening it says why.
pub(super) fn guest_cell(project: &Project, targets: &Targets, args: &CellArgs) -> Result<Cell, CliError> {
    let mut cells = project.cells(args)?;
    cells.retain(|cell| cell.target == TargetKind::Freebsd);
    if cells.is_empty() {
        return Err(CliError::Usage("the simulator is no guest\n  help: leave out --target sim".into()));
    }
    Ok(first_here(cells, targets, args))
}

/// Runs ssh(1) on this terminal; its exit code is the command's.
fn run(login: &Login, command: &[String]) -> Result<ExitCode, CliError> {
    let status = login.command(command).status().map_err(|error| {
        CliError::NothingRan(format!(
            "ssh does not start: {error}\n  help: install it (Debian: openssh-client)"
        ))
    })?;
    if interrupt::flag().load(std::sync::atomic::Ordering::SeqCst) {
        return Err(CliError::Interrupted);
    }
    match status.code() {
        Some(code) => Ok(ExitCode::of_command(code)),
        None => Err(CliError::Guest(format!("ssh was ended: {status}"))),
    }
}
