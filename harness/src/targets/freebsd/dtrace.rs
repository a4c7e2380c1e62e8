// SPDX-License-Identifier: BSD-2-Clause
//! dtrace(1) in the guest, around a run.

use std::time::Duration;

use super::guest_target::FreebsdTarget;
use crate::targets::{DtraceOutput, TargetError};

/// Limit for loading its modules and looking up the probes of a D program among some 70,000.
const BEGIN: Duration = Duration::from_secs(90);
/// Limit for its last buffers and the transfer of its output for a whole cell: some megabytes.
const END: Duration = Duration::from_secs(120);

impl FreebsdTarget {
    /// Starts a D program that prints `begin` first, and waits until it has. Without the D library: the program needs none
    /// of it, and one that is not of the kernel's own release does not compile (14's on 15.1).
    ///
    /// # Errors
    /// The guest was lost; [`TargetError::NoDtrace`] if there is no DTrace in it, or it does not take the program.
    pub(super) fn start_dtrace(&mut self, script: &str) -> Result<(), TargetError> {
        let started = format!(
            "kldload -n dtrace fbt sdt || exit 1
cat > /tmp/nlproof.d <<'END-OF-D'
{script}END-OF-D
rm -f /tmp/nlproof.dtrace; : > /tmp/nlproof.dtrace
dtrace -x nolibs -s /tmp/nlproof.d -o /tmp/nlproof.dtrace > /dev/null 2> /tmp/nlproof.dtrace-errors < /dev/null &
echo $! > /tmp/nlproof.dtrace-pid
until grep -q '^begin' /tmp/nlproof.dtrace; do
 kill -0 $! 2> /dev/null || {{ cat /tmp/nlproof.dtrace-errors >&2; exit 1; }}
 sleep 0.1
done\n"
        );
        let output = self.shell(&started, BEGIN)?;
        if output.status.is_success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(TargetError::NoDtrace(why))
    }

    /// Ends dtrace(1) and returns its output. Commands in the background of a shell ignore SIGINT, and dtrace(1) goes
    /// by that.
    ///
    /// # Errors
    /// The guest was lost, or dtrace(1) does not end.
    pub(super) fn stop_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        let stopped = "pid=$(cat /tmp/nlproof.dtrace-pid); kill -TERM $pid
while kill -0 $pid 2> /dev/null; do sleep 0.1; done
cat /tmp/nlproof.dtrace; cat /tmp/nlproof.dtrace-errors >&2\n";
        let output = self.shell(stopped, END)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(DtraceOutput { stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }
}
