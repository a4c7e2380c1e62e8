// SPDX-License-Identifier: BSD-2-Clause
//! `repro`: a vector is run again in the cell in which it failed, with the guest at hand.

use std::io::{self, Read as _};
use std::path::Path;

use super::args::{CellArgs, GuestArgs, ProjectArgs, ReproArgs};
use super::conversation::one;
use super::copies::Copies;
use super::default_cell::default_cell;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::project::Project;
use super::recording::{ToRecord, place_in_report};
use super::targets::{Targets, open_error, open_freebsd_shown, open_shown};
use crate::guest::{LiveInput, Stdin as _};
use crate::matrix::{Cell, Outcome, RunResult, TargetKind};
use crate::report::{read_report, troubled};
use crate::targets::{FreebsdTarget, TargetError};

/// Factor for limits under a debugger, where time stands still: no limit may end the wait before the developer does.
const DEBUGGER_PATIENCE: f64 = 1000.0;

/// The vector and cell to run again.
pub(super) struct Wanted {
    pub(super) vector: String,
    /// The cell of the report; `None`: the first that can run here.
    pub(super) cell: Option<Cell>,
    /// What became of it in the report.
    pub(super) outcome: Option<Outcome>,
}

pub(super) fn main(project: &ProjectArgs, args: &ReproArgs) -> Result<ExitCode, CliError> {
    let copies = Copies::parse(&args.copy)?;
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let wanted = wanted(&project, &args.what, &args.cells)?;
    let vector = &project.vector(&wanted.vector)?;
    let factor = if args.gdb { DEBUGGER_PATIENCE } else { 1.0 };
    let guest = GuestArgs { timeout_factor: args.guest.timeout_factor * factor, ..args.guest.clone() };
    let targets = copies.room_in(Targets::new(&guest, &project)?);
    let cell = match wanted.cell {
        Some(cell) => cell,
        None => default_cell(&project, &targets, &args.cells, &vector.id)?,
    };
    if args.record {
        let directory = place_in_report(&args.what, &cell, &vector.id)?;
        let what = ToRecord { project: &project, targets: &targets, guest: &args.guest, raw: args.raw };
        return what.record(&cell, vector, &directory);
    }
    copies.demand_guest(Some(&cell))?;
    if cell.target == TargetKind::Sim {
        if args.keep || args.gdb {
            return Err(CliError::Usage(format!(
                "{}: the simulator is no guest that could be kept or debugged\n  help: --target freebsd",
                cell.name()
            )));
        }
        let mut target = open_shown(&targets, &cell).map_err(open_error)?;
        return one(&project, target.as_mut(), Some(&cell), vector, args.raw);
    }
    let mut target = open_freebsd_shown(&targets, &cell).map_err(open_error)?;
    copies.put(&mut target)?;
    if args.gdb {
        debugger(&mut target, &cell)?;
    }
    let outcome = one(&project, &mut target, Some(&cell), vector, args.raw);
    let got = if outcome.is_ok() { copies.get(&mut target) } else { Ok(()) };
    if args.keep {
        hold(&mut target, &cell, |text| say!("{text}"))?;
    }
    let code = outcome?;
    got.map(|()| code)
}

/// `REPORT#N`, or a vector's id: ids have no `#`.
pub(super) fn wanted(project: &Project, what: &str, cells: &CellArgs) -> Result<Wanted, CliError> {
    let Some((report, number)) = what.rsplit_once('#') else {
        return Ok(Wanted { vector: what.to_owned(), cell: None, outcome: None });
    };
    if !(cells.target.is_empty() && cells.release.is_empty() && cells.module.is_empty()) {
        return Err(CliError::Usage(
            "a report's problem has its cell\n  help: to try another one, give the vector instead of the report".into(),
        ));
    }
    let run = read_report(Path::new(report))?;
    let (cell, vector, outcome) = problem(&run, number, report)?;
    let known = project.cell_named(&cell)?;
    let cell = known.ok_or_else(|| {
        let help =
            if cell.contains('+') { "\n  help: give its kernel again: --kernel NAME=PATH" } else { "" };
        CliError::Usage(format!("the matrix has no cell {cell} any more{help}"))
    })?;
    Ok(Wanted { vector, cell: Some(cell), outcome: Some(outcome) })
}

/// The cell's name, the vector, and what became of it, of the report's problem of this number, as `report show` counts them.
fn problem(run: &RunResult, number: &str, report: &str) -> Result<(String, String, Outcome), CliError> {
    let problems: Vec<_> =
        run.cells.iter().flat_map(|cell| troubled(cell).map(move |vector| (cell, vector))).collect();
    let Ok(wanted) = number.parse::<usize>() else {
        return Err(CliError::Usage(format!(
            "`{number}` is no number of a problem\n  help: `{report}#1` is the first; nlproof report show {report} numbers them"
        )));
    };
    match wanted.checked_sub(1).and_then(|index| problems.get(index)) {
        Some((cell, vector)) => Ok((cell.cell.name(), vector.id.clone(), vector.outcome.clone())),
        None => Err(CliError::Usage(match problems.len() {
            0 => format!("there is no problem #{wanted} in {report}: no vector failed"),
            1 => format!("there is no problem #{wanted} in {report}\n  help: there is one, #1"),
            count => format!(
                "there is no problem #{wanted} in {report}\n  help: they are #1 to #{count}; nlproof report show {report}"
            ),
        })),
    }
}

/// Opens the stub, prints how to attach, and waits for the user to continue.
fn debugger(target: &mut FreebsdTarget, cell: &Cell) -> Result<(), CliError> {
    let socket = target.open_gdb_stub().map_err(|error| CliError::Guest(error.into()))?;
    say!("{}: QEMU's gdb stub waits for a debugger:", cell.name());
    say!("  gdb -ex 'target remote {}' kernel.debug", socket.display());
    say!("  lldb kernel.debug -o 'process connect unix-connect://{}'", socket.display());
    say!("kernel.debug is the kernel with its symbols, from kernel-dbg.txz of the release");
    say!("press Enter here to send the vector (a guest that the debugger has stopped must go on first)");
    wait_for_enter()
}

/// Prints how to log in to a guest and how to end it, and holds the guest until then.
pub(super) fn hold(target: &mut FreebsdTarget, cell: &Cell, say: impl Fn(&str)) -> Result<(), CliError> {
    let login = target.login().map_err(|error| CliError::Guest(error.into()))?;
    let (name, pid) = (cell.name(), std::process::id());
    say(&format!("{name}: the guest stays up until Ctrl-C, or kill -INT {pid}; to log in:\n  {login}"));
    match target.hold() {
        Ok(()) | Err(TargetError::Interrupted) => Ok(()),
        Err(error) => Err(CliError::Guest(error.into())),
    }
}

/// Waits for a line, or the end, of standard input, or for Ctrl-C.
fn wait_for_enter() -> Result<(), CliError> {
    let (mut input, tasks) = (LiveInput::of(io::stdin()), interrupt::tasks());
    tasks.drive(async {
        // What is typed before Enter does not matter, and need not be kept.
        let mut typed = [0; 256];
        loop {
            tokio::select! {
                biased;
                () = tasks.cancel().cancelled() => return Err(CliError::Interrupted),
                () = input.ready() => {}
            }
            match input.read(&mut typed) {
                Ok(0) => return Ok(()),
                Ok(length) if typed.iter().take(length).any(|byte| *byte == b'\n') => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(CliError::Usage(format!("standard input cannot be read: {error}"))),
            }
        }
    })
}
