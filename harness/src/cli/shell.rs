// SPDX-License-Identifier: BSD-2-Clause
//! `shell`: a shell or a command in a guest that exists only for it.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use super::args::{CellArgs, GuestArgs, ProjectArgs, ShellArgs};
use super::copies::Copies;
use super::default_cell::default_of;
use super::exit::{CliError, ExitCode};
use super::out::{Stderr, Stdout, tell, tell_text};
use super::project::Project;
use super::repro::hold;
use super::targets::{Targets, lost, open_error, open_freebsd_shown};
use super::test_matrix::fresh_report_dir;
use crate::guest::{ExecStatus, LiveInput, Output, for_login_shell, script};
use crate::matrix::{Cell, TargetKind};
use crate::targets::{FreebsdTarget, Loss, TargetError};

/// Number of network stacks made ahead in a guest for a person: none, because they would take memory from what the
/// person does.
const NO_STACKS: u32 = 0;
/// Base of the exit code of a command that a signal ended: shells add the signal's number.
const SIGNALLED: i32 = 128;

pub(super) fn main(project: &ProjectArgs, args: &ShellArgs) -> Result<ExitCode, CliError> {
    let copies = Copies::parse(&args.copy)?;
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let guest = GuestArgs { stacks: args.guest.stacks.or(Some(NO_STACKS)), ..args.guest.clone() };
    let targets = copies.room_in(Targets::new(&guest, &project)?);
    // Nothing is held to goldens here: whichever kernel there is may be looked at.
    let cell = Cell { profile_is_meant: true, ..guest_cell(&project, &targets, &args.cells)? };
    let only = std::slice::from_ref(&cell);
    let _claim = args.report_dir.as_ref().map(|directory| fresh_report_dir(directory, only)).transpose()?;
    let targets = targets.keep_consoles_in(args.report_dir.as_deref());
    let mut target = open_freebsd_shown(&targets, &cell).map_err(open_error)?;
    copies.put(&mut target)?;
    let login = target.login().map_err(lost)?;
    tell!("{}: to log in from elsewhere: {login}", cell.name());
    let ended = match args.command.as_slice() {
        [] => {
            if !args.keep {
                tell!("everything that you change is gone when you leave");
            }
            on_this_terminal(&mut target, login.command(&[]))
        }
        command => run(&mut target, command),
    };
    let code = ended.map_err(|error| told(&cell, &target, args.report_dir.as_deref(), error))?;
    let got = copies.get(&mut target);
    if args.keep {
        if let Err(error) = &got {
            tell!("error: {error}");
        }
        hold(&mut target, &cell, |text| tell!("{text}"))?;
    }
    match got {
        // What the command says of itself comes first.
        Err(error) if code != ExitCode::OK => {
            tell!("error: {error}");
            Ok(code)
        }
        got => got.map(|()| code),
    }
}

/// The first selected cell that is a guest and can run here; if none can, the first guest, so that opening it says why.
pub(super) fn guest_cell(project: &Project, targets: &Targets, args: &CellArgs) -> Result<Cell, CliError> {
    let mut cells = project.cells(args)?;
    cells.retain(|cell| cell.target == TargetKind::Freebsd);
    if cells.is_empty() {
        return Err(CliError::Usage("the simulator is no guest\n  help: leave out --target sim".into()));
    }
    default_of(cells, project, targets, args, None)
}

/// Why a command or a shell has no end of its own.
enum Failed {
    /// The guest failed.
    Target(TargetError),
    /// Something else failed.
    Other(CliError),
}

impl From<TargetError> for Failed {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

/// Runs ssh(1) on this terminal, for a shell.
fn on_this_terminal(target: &mut FreebsdTarget, ssh: std::process::Command) -> Result<ExitCode, Failed> {
    let status = target.attend(ssh)?.map_err(|error| {
        Failed::Other(CliError::NothingRan(format!(
            "ssh does not start: {error}\n  help: install it (Debian: openssh-client)"
        )))
    })?;
    match status.code() {
        Some(code) => Ok(ExitCode::of_command(code)),
        None => Err(Failed::Other(CliError::Guest(format!("ssh was ended: {status}").into()))),
    }
}

/// Runs a command with this program's input and output; its exit code is the command's.
fn run(target: &mut FreebsdTarget, command: &[String]) -> Result<ExitCode, Failed> {
    let mut input = LiveInput::of(io::stdin());
    let status = target.pass(&for_login_shell(&script(command)), &mut input, &mut |output| {
        let written = match output {
            Output::Stdout(bytes) => Stdout.write_all(bytes),
            Output::Stderr(bytes) => Stderr.write_all(bytes),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    match status {
        Some(ExecStatus::Code(code)) => Ok(ExitCode::of_command(code)),
        Some(ExecStatus::Signal(name)) => {
            tell!("the command was ended by SIG{name}");
            Ok(ExitCode::of_command(SIGNALLED + signal_number(&name)))
        }
        // That it could not be written is told and remembered there; a reader that has seen enough is no failure.
        None => Ok(ExitCode::OK),
    }
}

/// FreeBSD's number of a signal (sys/sys/signal.h), by the names that ssh has for them (RFC 4254, section 6.10); 0 for
/// another one.
fn signal_number(name: &str) -> i32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "SEGV" => 11,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        "USR1" => 30,
        "USR2" => 31,
        _ => 0,
    }
}

/// What ended a command or a shell; of a lost guest the last lines of its console are shown first.
fn told(cell: &Cell, target: &FreebsdTarget, report_dir: Option<&Path>, failed: Failed) -> CliError {
    match failed {
        Failed::Other(error) => error,
        Failed::Target(TargetError::Guest(loss)) => {
            tell_text!(last_words(&cell.name(), &loss, &target.last_lines()));
            let kept = report_dir
                .map(|directory| format!("\n  its console is kept: nlproof console {}", directory.display()));
            let (name, kept) = (cell.name(), kept.unwrap_or_default());
            CliError::Guest(format!("{name}: the guest was lost ({}): {}{kept}", loss.kind, loss.text).into())
        }
        Failed::Target(error) => lost(error),
    }
}

/// The last lines of a console, marked as the guest's words; nothing where what is told of the loss has them.
fn last_words(cell: &str, loss: &Loss, lines: &[String]) -> String {
    if lines.is_empty() || loss.text.contains("last on the console:") {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("  | {line}\n")).collect();
    format!("last on the console of {cell}:\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_shown_once() {
        let loss =
            |text: &str| Loss { kind: "k".into(), fingerprint: "f".into(), calls: vec![], text: text.into() };
        let lines = ["panic: x".to_owned(), "cpuid = 0".to_owned()];
        assert_eq!(
            last_words("freebsd/r/stock", &loss("guest kernel panicked: x"), &lines),
            "last on the console of freebsd/r/stock:\n  | panic: x\n  | cpuid = 0\n"
        );
        assert_eq!(last_words("c", &loss("lost ssh; last on the console:\n  | x"), &lines), "");
        assert_eq!(last_words("c", &loss("qemu ended by itself"), &[]), "");
    }

    #[test]
    fn signals_have_freebsds_numbers() {
        assert_eq!(["HUP", "KILL", "TERM", "USR2", "OTHER"].map(signal_number), [1, 9, 15, 31, 0]);
    }
}
