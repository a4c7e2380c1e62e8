// SPDX-License-Identifier: BSD-2-Clause
//! Ctrl-C, SIGTERM and SIGHUP: the first asks everything to stop and clean up, the second does not wait for it.

use std::io;
use std::sync::OnceLock;

use nlproof_guest::Tasks;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::ExitCode;
use super::out::tell;

static TASKS: OnceLock<Tasks> = OnceLock::new();
static LISTENS: OnceLock<()> = OnceLock::new();

/// The program's runtime, with the token that every wait ends with. The first call listens for signals.
pub(super) fn tasks() -> &'static Tasks {
    let tasks = runtime();
    LISTENS.get_or_init(|| {
        let _guard = tasks.enter();
        match signals() {
            Ok(signals) => drop(tokio::spawn(listen(signals, tasks.cancel().clone()))),
            Err(error) => tell!("warning: Ctrl-C will not clean up: {error}"),
        }
    });
    tasks
}

/// From now on Ctrl-C does nothing here, unless somebody listens already: it is meant for a program that has the terminal.
pub(super) fn leave_to_others() -> io::Result<()> {
    if LISTENS.get().is_some() {
        return Ok(());
    }
    let _guard = runtime().enter();
    // The signal stays caught when nobody listens any more.
    signal(SignalKind::interrupt()).map(drop)
}

fn runtime() -> &'static Tasks {
    TASKS.get_or_init(|| {
        Tasks::start().unwrap_or_else(|error| {
            tell!(
                "error: no thread can be started: {error}\n  help: end other programs, or raise `ulimit -u`"
            );
            std::process::exit(ExitCode::GUEST.number().into());
        })
    })
}

fn signals() -> io::Result<[Signal; 3]> {
    let [interrupt, terminate, hangup] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    Ok([interrupt?, terminate?, hangup?])
}

async fn listen([mut interrupt, mut terminate, mut hangup]: [Signal; 3], cancel: CancellationToken) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        if cancel.is_cancelled() {
            // Nothing is left behind all the same: the supervisor cleans up when this process is gone.
            std::process::exit(ExitCode::INTERRUPTED.number().into());
        }
        cancel.cancel();
        tell!("\ninterrupted: cleaning up (once more to leave at once)");
    }
}
