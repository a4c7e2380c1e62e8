// SPDX-License-Identifier: BSD-2-Clause
//! Which accelerator runs guests here.
//!
//! `/dev/kvm` can exist, open and create a VM, and yet not run a guest (a container host, nested
//! virtualisation switched off below). So nothing is asked: a throw-away VM runs a boot sector that goes
//! through all processor modes, prints a word and ends QEMU with a status of its own.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::accelerator_kind::AcceleratorKind;
use super::arguments::CommandLine;
use super::bootsector::{BootSector, Then, debug_exit_status};
use super::config::VmConfig;
use super::disk::DiskWrites;
use super::process::{QemuExit, Supervised};
use super::rundir::RunDir;
use super::tools::Tools;

/// A guest of one sector is done in 0.2 s; this much is for a busy machine.
const KVM_LIMIT: Duration = Duration::from_secs(3);
/// The last resort gets the time it needs.
const TCG_LIMIT: Duration = Duration::from_secs(30);
const WORD: &[u8] = b"nlproof: this accelerator runs guests\r\n";
const EXIT_VALUE: u8 = 0x2a;

/// What the user wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Accelerator {
    /// The fastest that runs guests.
    #[default]
    Auto,
    /// The named accelerator, untested.
    Forced(AcceleratorKind),
}

/// What is used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedAccelerator {
    /// The accelerator.
    pub kind: AcceleratorKind,
    /// Why it is this one, for people.
    pub reason: String,
}

impl fmt::Display for SelectedAccelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind, self.reason)
    }
}

/// No accelerator runs guests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: no accelerator runs a guest: {reasons}", qemu.display())]
pub struct AccelError {
    /// The QEMU that was tried.
    pub qemu: PathBuf,
    /// What became of each.
    pub reasons: String,
}

/// What was found for each QEMU that was asked about in this process.
static FOUND: Mutex<Option<HashMap<PathBuf, Result<SelectedAccelerator, AccelError>>>> =
    Mutex::const_new(None);

/// Chooses the accelerator. Trying them takes up to some seconds, once per process and QEMU.
///
/// # Errors
/// None runs a guest.
pub async fn choose_accelerator(
    wanted: Accelerator,
    tools: &Tools,
) -> Result<SelectedAccelerator, AccelError> {
    if let Accelerator::Forced(kind) = wanted {
        return Ok(SelectedAccelerator { kind, reason: "as requested".into() });
    }
    // Held while trying: a second one waits for the answer instead of trying as well.
    let mut found = FOUND.lock().await;
    let found = found.get_or_insert_default();
    if let Some(found) = found.get(&tools.qemu) {
        return found.clone();
    }
    let selected = select(&tools.qemu, async |kind, limit| try_accelerator(kind, limit, tools).await).await;
    found.insert(tools.qemu.clone(), selected.clone());
    selected
}

async fn select(
    qemu: &std::path::Path,
    attempt: impl AsyncFn(AcceleratorKind, Duration) -> Result<(), String>,
) -> Result<SelectedAccelerator, AccelError> {
    use AcceleratorKind::{Kvm, Tcg};
    let kvm = match attempt(Kvm, KVM_LIMIT).await {
        Ok(()) => return Ok(SelectedAccelerator { kind: Kvm, reason: "a test guest ran".into() }),
        Err(why) => format!("kvm: {why}"),
    };
    match attempt(Tcg, TCG_LIMIT).await {
        Ok(()) => Ok(SelectedAccelerator { kind: Tcg, reason: kvm }),
        Err(why) => Err(AccelError { qemu: qemu.to_owned(), reasons: format!("{kvm}; tcg: {why}") }),
    }
}

/// Runs the test guest; the error says what came instead of its word.
async fn try_accelerator(kind: AcceleratorKind, limit: Duration, tools: &Tools) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot try it: {error}");
    let guest = BootSector::assemble(WORD, Then::DebugExit(EXIT_VALUE)).ok_or("test guest is too long")?;
    let run_dir = RunDir::create().map_err(cannot)?;
    let (disk, serial) = (run_dir.path().join("guest.raw"), run_dir.serial_log());
    guest.write_disk(&disk).map_err(cannot)?;
    let mut config = VmConfig::default();
    config.memory_mib(16).raw_disk(disk, DiskWrites::Keep).debug_exit(true);
    let args = config.arguments(CommandLine { accelerator: kind, qmp_socket: None, serial_log: &serial });
    let qemu = Supervised::start(tools, run_dir, args).map_err(cannot)?;
    match timeout(limit, qemu.ended()).await {
        Err(_) => {
            // QEMU keeps a VM that its accelerator gave up on; the first line says why.
            let stderr = qemu.stderr();
            let words = stderr.lines().find(|line| line.contains("error")).map(|line| format!(" ({line})"));
            Err(format!("guest did not run within {} s{}", limit.as_secs(), words.unwrap_or_default()))
        }
        Ok(QemuExit::Code(code)) if code == debug_exit_status(EXIT_VALUE) => {
            let said = fs::read(&serial).map_err(cannot)?;
            if said == WORD { Ok(()) } else { Err("guest ran, but its serial console lost its words".into()) }
        }
        Ok(exit) => {
            let stderr = qemu.stderr();
            let words =
                stderr.lines().map(|line| line.rsplit_once("x86_64: ").map_or(line, |(_, text)| text));
            let words = words.collect::<Vec<_>>().join("; ");
            Err(if words.is_empty() { format!("qemu ended with {exit}") } else { words })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn kvm_that_runs_is_taken() {
        let chosen = select(Path::new("q"), async |_, _| Ok(())).await.unwrap();
        assert_eq!(chosen.to_string(), "kvm (a test guest ran)");
    }

    #[tokio::test]
    async fn kvm_that_does_not_run_ends_in_tcg_with_the_reason() {
        let chosen = select(Path::new("q"), async |kind, limit| match kind {
            AcceleratorKind::Kvm => Err(format!("guest did not run within {} s", limit.as_secs())),
            AcceleratorKind::Tcg => Ok(()),
        });
        assert_eq!(chosen.await.unwrap().to_string(), "tcg (kvm: guest did not run within 3 s)");
    }

    #[tokio::test]
    async fn if_none_runs_all_reasons_are_told() {
        let error =
            select(Path::new("q"), async |kind, _| Err(format!("no {kind} today"))).await.unwrap_err();
        assert_eq!(error.to_string(), "q: no accelerator runs a guest: kvm: no kvm today; tcg: no tcg today");
    }

    #[tokio::test]
    async fn a_forced_accelerator_is_not_tried() {
        let nothing = Tools { qemu: "/nonexistent".into(), supervisor: "/nonexistent".into() };
        let forced = Accelerator::Forced(AcceleratorKind::Kvm);
        assert_eq!(choose_accelerator(forced, &nothing).await.unwrap().to_string(), "kvm (as requested)");
    }
}
