// SPDX-License-Identifier: BSD-2-Clause
//! A guest at rest: one that has nothing to do, and is therefore worth saving.
//!
//! What a guest was about to do when its state was saved, each restore of it does again, and under TCG all of it is
//! translated anew: an sshd(8) that ended a connection, buffers on their way to the disk.

use std::time::Duration;

use tokio::time::sleep;

use super::machine::Vm;
use super::qmp::QmpError;
use super::wait::Wait;

/// Between two looks; nobody tells of a halted processor.
const LOOK: Duration = Duration::from_millis(20);
/// A guest that was found halted so many times in a row is at rest: it has timers, and clears up after programs in steps.
const LOOKS: u32 = 25;
/// Limit for an answer of the monitor.
const MONITOR_LIMIT: Duration = Duration::from_secs(10);

impl Vm {
    /// Waits until nothing has run in the guest for half a second; false: there was always something.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub async fn rests(&mut self, wait: &Wait) -> Result<bool, QmpError> {
        let deadline = wait.begin(&self.patience);
        let mut halted = 0;
        while halted < LOOKS {
            if deadline.bound(sleep(LOOK)).await.is_err() {
                return Ok(false);
            }
            let registers = self.qmp.human("info registers -a", MONITOR_LIMIT).await?;
            halted = if is_halted(&registers) { halted + 1 } else { 0 };
        }
        Ok(true)
    }
}

/// Whether every processor waits for an interrupt, in what the monitor shows of their registers.
fn is_halted(registers: &str) -> bool {
    let mut words = registers.split_whitespace().filter_map(|word| word.strip_prefix("HLT=")).peekable();
    words.peek().is_some() && words.all(|halted| halted == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_to_be_halted() {
        let of = |halted: u32| {
            format!(
                "RAX=0 RBX=0\r\nRIP=ffffffff80fd9500 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT={halted}\r\nES =0"
            )
        };
        assert!(is_halted(&of(1)));
        assert!(!is_halted(&of(0)));
        assert!(is_halted(&format!("{}\r\n{}", of(1), of(1))));
        assert!(!is_halted(&format!("{}\r\n{}", of(1), of(0))));
        assert!(!is_halted("unknown command: 'info registers'"), "nobody can tell");
    }
}
