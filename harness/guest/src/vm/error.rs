// SPDX-License-Identifier: BSD-2-Clause
//! Why there is no virtual machine.

use std::io;

use super::process::QemuExit;
use super::qmp::QmpError;
use super::wait::WaitError;

/// Why a VM did not start.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// The run directory or the serial log cannot be written.
    #[error("cannot prepare a run directory: {0}")]
    Prepare(#[source] io::Error),
    /// The supervisor did not start.
    #[error("cannot start the supervisor: {0}")]
    Supervisor(#[source] io::Error),
    /// The port is taken.
    #[error("port {port} on 127.0.0.1 is taken; name another, or none to get a free one")]
    PortTaken {
        /// The TCP port of this machine.
        port: u16,
    },
    /// QEMU ended at once.
    #[error("qemu did not start ({exit}): {stderr}")]
    Qemu {
        /// How it ended.
        exit: QemuExit,
        /// Standard error of the program.
        stderr: String,
    },
    /// QEMU runs, but its control socket does not work.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// QEMU runs, but does not tell the port that it forwards.
    #[error("qemu does not show the ssh forward in `info usernet`: {shown}")]
    NoForward {
        /// What it shows.
        shown: String,
    },
    /// A saved state was not loaded.
    #[error("the saved state was not loaded: {reason}")]
    State {
        /// QEMU's words.
        reason: String,
    },
    /// The machine took too long.
    #[error(transparent)]
    Wait(#[from] WaitError),
}
