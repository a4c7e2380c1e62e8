// SPDX-License-Identifier: BSD-2-Clause
//! A guest in a developer's hands: logged in to, held up, under a debugger.

use std::path::PathBuf;
use std::time::Duration;

use super::guest_target::FreebsdTarget;
use crate::guest::Login;
use crate::targets::TargetError;
use crate::vm::{GuestFailure, Watch as _};

/// Between two looks at a guest that is held.
const LOOK: Duration = Duration::from_millis(200);
/// QEMU opens a socket at once.
const GDB_LIMIT: Duration = Duration::from_secs(5);

impl FreebsdTarget {
    /// How to log in.
    ///
    /// # Errors
    /// The guest has no port, or its key cannot be written beside its sockets.
    pub fn login(&self) -> Result<Login, TargetError> {
        let lost = |reason: String| TargetError::Lost(reason);
        let port = self.vm.ssh_port().ok_or_else(|| lost("qemu named no port for ssh".into()))?;
        let directory = self.vm.run_dir();
        Login::new(port, self.client_key.clone(), &self.host_key, &directory)
            .map_err(|error| lost(format!("{}: {error}", directory.display())))
    }

    /// Opens QEMU's gdb stub. The guest runs until a debugger attaches. The path of its socket.
    ///
    /// # Errors
    /// QEMU does not open it.
    pub fn open_gdb_stub(&mut self) -> Result<PathBuf, TargetError> {
        let socket = self.vm.run_dir().join("gdb");
        let device = format!("gdbserver unix:{},server=on,wait=off", socket.display());
        let said =
            self.vm.qmp().human(&device, GDB_LIMIT).map_err(|error| TargetError::Lost(error.to_string()))?;
        if socket.exists() {
            return Ok(socket);
        }
        Err(TargetError::Lost(format!("qemu opened no gdb stub: {}", said.trim())))
    }

    /// Holds the guest until it ends or the user interrupts.
    ///
    /// # Errors
    /// How the guest ended. That the user interrupted is no error: it is how holding ends.
    pub fn hold(&mut self) -> Result<(), TargetError> {
        while !self.cancel.load(std::sync::atomic::Ordering::SeqCst) {
            match self.vm.check() {
                Ok(()) => std::thread::sleep(LOOK),
                Err(GuestFailure::Interrupted { .. }) => break,
                Err(failure) => return Err(TargetError::Lost(failure.to_string())),
            }
        }
        Ok(())
    }
}
