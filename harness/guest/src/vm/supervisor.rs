// SPDX-License-Identifier: BSD-2-Clause
//! The process between harness and QEMU that cleans up when the harness is gone.
//!
//! ```text
//!  harness ──pipe──▶ supervisor (own process group) ──▶ QEMU (dies with the supervisor)
//! ```
//! The harness holds the writing end of a pipe that is the supervisor's standard input. However the harness
//! ends (return, panic, Ctrl-C, SIGKILL), the kernel closes that end; the supervisor then kills QEMU and
//! removes the run directory. A process group of its own keeps a terminal's Ctrl-C away from both, so that
//! the harness can still read the console before it lets go. Should the supervisor itself be killed, QEMU
//! gets SIGKILL from the kernel (prctl(2) PR_SET_PDEATHSIG, procctl(2) PROC_PDEATHSIG_CTL).
//!
//! Standard output tells the harness what QEMU does, a line each: `started PID`, then `exited CODE` or
//! `signalled NUMBER`. After QEMU's end the run directory stays until the pipe closes, for the harness to
//! read logs.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use rustix::process::{
    Resource, Signal, getpid, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};

use super::rundir::Share;

/// The hidden subcommand under which the harness starts itself as a supervisor.
pub const SUPERVISE: &str = "__supervise";

/// In place of the run directory: set the parent-death signal and become the program.
const BECOME: &str = "--become";

/// How many files QEMU may have open.
const FILES: u64 = 1024;

/// Status of a supervisor that could not do its work (as env(1) and others use it).
const FAILED: u8 = 125;

/// The supervisor's `main`: `RUNDIR -- PROGRAM ARGUMENT...`, the arguments after [`SUPERVISE`].
///
/// Must be called on the main thread, before any other exists: the parent-death signal is tied to the
/// thread that starts the program.
pub fn supervise_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let result = match args.as_slice() {
        [mode, parent, dashes, program @ ..] if mode == BECOME && dashes == "--" => {
            become_program(parent, program)
        }
        [run_dir, dashes, program @ ..] if dashes == "--" => supervise(Path::new(run_dir), program),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: RUNDIR -- PROGRAM [ARGUMENT...]")),
    };
    result.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::from(FAILED)
    })
}

fn supervise(run_dir: &Path, program: &[OsString]) -> io::Result<ExitCode> {
    let share = Share::take(run_dir)?;
    let me = std::env::current_exe()?;
    let mut args: Vec<OsString> =
        [SUPERVISE, BECOME, &getpid().as_raw_pid().to_string(), "--"].map(OsString::from).to_vec();
    args.extend_from_slice(program);
    let qemu = Arc::new(duct::cmd(me, args).stdin_null().stdout_to_stderr().unchecked().start()?);
    // Should the harness be gone, nobody needs to know.
    tell(format_args!("started {}", qemu.pids().first().copied().unwrap_or_default()));

    let leash = std::thread::Builder::new().name("leash".into()).spawn({
        let qemu = Arc::clone(&qemu);
        move || {
            wait_for_end_of_input();
            // Fails if QEMU has ended already, which is as good.
            drop(qemu.kill());
        }
    })?;
    let status = qemu.wait()?.status;
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => {
            tell(format_args!("exited {code}"));
            u8::try_from(code).unwrap_or(FAILED)
        }
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            tell(format_args!("signalled {signal}"));
            u8::try_from(128 + signal).unwrap_or(FAILED)
        }
    };
    // A leash that panicked let go as well.
    drop(leash.join());
    share.remove()?;
    Ok(ExitCode::from(code))
}

/// Nothing is lost if the harness is gone.
#[allow(
    clippy::disallowed_methods,
    reason = "a supervisor's output is a pipe to the harness that started it"
)]
fn tell(line: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

#[allow(clippy::disallowed_methods, reason = "the harness reads it and tells it")]
fn complain(error: &io::Error) {
    drop(writeln!(io::stderr(), "nlproof {SUPERVISE}: {error}"));
}

fn wait_for_end_of_input() {
    let mut input = io::stdin().lock();
    let mut sink = [0; 64];
    loop {
        match input.read(&mut sink) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// QEMU starts a program to read a state, and closes every descriptor that it could have first: a million where a
/// container allows so many. It needs a few dozen.
fn limit_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current > FILES) {
        limit.current = Some(FILES);
        // Only slower without.
        setrlimit(Resource::Nofile, limit).ok();
    }
}

/// Runs in the child: the setting survives execve(2), but not fork(2), so it cannot be made in the parent.
fn become_program(parent: &OsStr, program: &[OsString]) -> io::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent: Option<i32> = parent.to_str().and_then(|pid| pid.parse().ok());
    if getppid().map(rustix::process::Pid::as_raw_pid) != parent {
        return Err(io::Error::other("supervisor died before the program was started"));
    }
    let Some((program, args)) = program.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program"));
    };
    limit_files();
    let error = Command::new(program).args(args).exec();
    Err(io::Error::new(error.kind(), format!("{}: {error}", Path::new(program).display())))
}
