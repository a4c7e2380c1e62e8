// SPDX-License-Identifier: BSD-2-Clause
//! A machine that lives through a log of QEMU's again, and stops where it is told.
//!
//! Time does not run back: to stop earlier, another machine is started.
//!
//! An instruction that causes an exception, and one before which an interrupt comes, are counted when they have run. So there are
//! two places with the same number of instructions, and QEMU stops at one of them or at the other (observed with 7.2). A machine
//! is therefore stopped one instruction earlier, and runs that one alone: it stands before the next one then, whichever way
//! it came to the one before.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nlproof_base::Limit;
use serde_json::json;
use tokio::time::sleep;

use super::accelerator_kind::AcceleratorKind;
use super::config::VmConfig;
use super::error::VmError;
use super::gdbstub::{GdbStub, StubError};
use super::machine::Vm;
use super::process::QemuExit;
use super::qmp::QmpError;
use super::qmp_event::QmpEvent;
use super::record::instructions;
use super::tools::Tools;
use super::wait::{Deadline, Patience, Wait, WaitError};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(1);
/// Limit for a replay to run one instruction more: it waits for an event that the log has and nobody brings.
const STAND_LIMIT: Duration = Duration::from_secs(20);
/// Limit for QEMU to open its gdb stub, or to print registers.
const MONITOR_LIMIT: Duration = Duration::from_secs(10);
/// Most steps to run one instruction: one that causes an exception takes two.
const MOST_STEPS: usize = 4;

/// Why a replay came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The machine did not start.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// QEMU did not answer, or rejected a command.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// The gdb stub failed.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// The replay was interrupted.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// QEMU opened no stub.
    #[error("qemu opened no gdb stub: {0}")]
    NoStub(String),
    /// QEMU ended first.
    #[error("qemu ended ({exit}) at about instruction {last}, before instruction {wanted}{said}")]
    Ended {
        /// How it ended.
        exit: QemuExit,
        /// The last instruction that was seen.
        last: u64,
        /// Where it was to stop.
        wanted: u64,
        /// What it wrote to standard error, on lines of its own.
        said: String,
    },
    /// Nothing happens any more.
    #[error("the replay stands still at instruction {at}: it waits for an event that does not come")]
    StandsStill {
        /// The instruction.
        at: u64,
    },
    /// The replay stopped elsewhere.
    #[error("the replay stopped at instruction {at} and not at {wanted}")]
    Elsewhere {
        /// Where it stands.
        at: u64,
        /// Where it was to stop.
        wanted: u64,
    },
}

/// A machine that stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// How many instructions it has run.
    pub instruction: u64,
    /// The processor's registers in QEMU's words.
    pub registers: String,
}

impl Stop {
    /// The address of the next instruction.
    pub fn rip(&self) -> Option<u64> {
        let (_, behind) = self.registers.split_once("RIP=")?;
        u64::from_str_radix(behind.split_whitespace().next()?, 16).ok()
    }
}

/// A machine that lives through a log.
#[derive(Debug)]
pub struct Replay {
    pub(super) vm: Vm,
    last: u64,
    over: Deadline,
}

impl Replay {
    /// Starts it, and has it stop before this instruction is run. `config` has the log.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn start(
        config: &VmConfig,
        tools: &Tools,
        patience: &Patience,
        until: Option<u64>,
    ) -> Result<Self, ReplayError> {
        let ready = async |qmp: &mut super::qmp::Qmp, _: &super::rundir::RunDir| {
            if let Some(icount) = until.map(|until| until.saturating_sub(1)).filter(|before| *before > 0) {
                qmp.execute("replay-break", json!({ "icount": icount })).await?;
            }
            Ok(())
        };
        let vm = Vm::launch(config, AcceleratorKind::Tcg, tools, patience, &[], ready).await?;
        // Its length is not known: it ends when the machine stands, or runs no instruction any more.
        let over = Wait::new("the replay", Duration::MAX).begin(patience);
        Ok(Self { vm, last: 0, over })
    }

    /// Waits until the machine stands before this instruction. `progress` hears how far it is.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn stopped_at(
        &mut self,
        wanted: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Stop, ReplayError> {
        if let Some(exit) = self.stands_or_ends(None, progress).await? {
            let said = self.vm.qemu.stderr();
            let said = if said.is_empty() { said } else { format!("\n{said}") };
            return Err(ReplayError::Ended { exit, last: self.last, wanted, said });
        }
        let mut stub = self.stub().await?;
        for _ in 0..MOST_STEPS {
            if instructions(&mut self.vm.qmp).await? >= wanted {
                break;
            }
            stub.step().await?;
            if let Some(exit) = self.stands_or_ends(Some(&mut stub), progress).await? {
                return Err(ReplayError::Ended { exit, last: self.last, wanted, said: String::new() });
            }
        }
        let stop = self.here().await?;
        match stop.instruction == wanted {
            true => Ok(stop),
            false => Err(ReplayError::Elsewhere { at: stop.instruction, wanted }),
        }
    }

    /// Lets the machine run to the end of its log.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn to_the_end(&mut self, progress: &mut dyn FnMut(u64)) -> Result<QemuExit, ReplayError> {
        self.vm.qmp.cont().await?;
        loop {
            if let Some(exit) = self.stands_or_ends(None, progress).await? {
                return Ok(exit);
            }
            // Some versions stop at the end of the log.
            match self.vm.qmp.status().await?.as_str() {
                "running" => {}
                _ => return self.end().await,
            }
        }
    }

    /// A connection to the gdb stub, which goes with it.
    pub(super) async fn stub(&mut self) -> Result<GdbStub, ReplayError> {
        Ok(GdbStub::connect(&self.open_stub().await?).await?)
    }

    /// Opens the gdb stub at a socket of the machine's own.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn open_stub(&mut self) -> Result<PathBuf, ReplayError> {
        let socket = self.vm.run_dir().join("gdb");
        self.open_stub_at(&format!("unix:{},server=on,wait=off", socket.display())).await?;
        match socket.exists() {
            true => Ok(socket),
            false => Err(ReplayError::NoStub(socket.display().to_string())),
        }
    }

    /// Opens the gdb stub at a port of 127.0.0.1.
    ///
    /// # Errors
    /// See [`ReplayError`]: the port is taken.
    pub async fn open_stub_port(&mut self, port: u16) -> Result<(), ReplayError> {
        self.open_stub_at(&format!("tcp:127.0.0.1:{port},server=on,wait=off")).await
    }

    async fn open_stub_at(&mut self, device: &str) -> Result<(), ReplayError> {
        // An earlier one is closed first: QEMU rejects a second one of the same name.
        self.vm.qmp.human("gdbserver none", MONITOR_LIMIT).await?;
        let said = self.vm.qmp.human(&format!("gdbserver {device}"), MONITOR_LIMIT).await?;
        match said.contains("Waiting for gdb connection") {
            true => Ok(()),
            false => Err(ReplayError::NoStub(said.trim().to_owned())),
        }
    }

    /// Waits until QEMU ends, or the user interrupts, while somebody looks at the machine.
    pub async fn hold(&mut self) {
        tokio::select! {
            _ = self.vm.qemu.ended() => {}
            _ = self.over.over() => {}
        }
    }

    /// The place at which the machine stands.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn here(&mut self) -> Result<Stop, ReplayError> {
        let instruction = instructions(&mut self.vm.qmp).await?;
        let said = self.vm.qmp.human("info registers", MONITOR_LIMIT).await?;
        Ok(Stop { instruction, registers: registers(&said) })
    }

    /// What the console has said so far.
    ///
    /// # Errors
    /// Its log cannot be read.
    pub fn console(&self) -> io::Result<Vec<u8>> {
        nlproof_base::read(self.vm.serial_log(), Limit::CONSOLE).map_err(io::Error::other)
    }

    /// Ends QEMU.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn end(&mut self) -> Result<QemuExit, ReplayError> {
        Ok(self.vm.end_in_order().await?.0)
    }

    /// Waits until the machine stands still, or tells how QEMU ended. With a stub it is the stub that tells.
    pub(super) async fn stands_or_ends(
        &mut self,
        mut stub: Option<&mut GdbStub>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<QemuExit>, ReplayError> {
        let mut moved = Instant::now();
        loop {
            if stub.is_none() && self.vm.qmp.events().contains(&QmpEvent::Stop) {
                return Ok(None);
            }
            if let Some(exit) = self.vm.qemu.exit() {
                return Ok(Some(exit));
            }
            let ended = tokio::select! {
                biased;
                stopped = told(&mut stub) => match stopped {
                    Ok(()) => {
                        // Stops that it tells are told over QMP too.
                        drop(self.vm.qmp.events());
                        return Ok(None);
                    }
                    // QEMU closes it when it ends.
                    Err(StubError::Io(_)) => Some(self.vm.qemu.ended().await),
                    Err(error) => return Err(error.into()),
                },
                exit = self.vm.qemu.ended() => Some(exit),
                error = self.over.over() => return Err(error.into()),
                () = self.vm.qmp.event_came() => continue,
                () = sleep(LOOK) => None,
            };
            if ended.is_some() {
                return Ok(ended);
            }
            match instructions(&mut self.vm.qmp).await {
                Ok(now) if now != self.last => {
                    (self.last, moved) = (now, Instant::now());
                    progress(now);
                }
                Ok(at) if moved.elapsed() > self.vm.patience().stretch(STAND_LIMIT) => {
                    return Err(ReplayError::StandsStill { at });
                }
                // It is about to end.
                Ok(_) | Err(QmpError::Closed) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Waits for what the stub tells; without one, for ever.
async fn told(stub: &mut Option<&mut GdbStub>) -> Result<(), StubError> {
    match stub {
        Some(stub) => stub.stopped().await,
        None => std::future::pending().await,
    }
}

/// Registers without those of QEMU's translator, which computes flags when somebody needs them.
fn registers(said: &str) -> String {
    let lines = said.lines().map(str::trim_end).filter(|line| !line.starts_with("CCS="));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_address_and_nothing_of_the_translator() {
        let said = "\r\nCPU#0\r\nRAX=0000000000000000 RBX=fffff80003e3b000\r\nRIP=ffffffff80d7a1c5 RFL=00010206 [-----P-] CPL=0\r\n\
                    CCS=0000000000000000 CCD=0000000000000001 CCO=LOGICB\r\nEFER=0000000000000d01\r\n";
        let stop = Stop { instruction: 1, registers: registers(said) };
        assert_eq!(stop.rip(), Some(0xffff_ffff_80d7_a1c5));
        assert!(!stop.registers.contains("CCO=") && stop.registers.contains("EFER="), "{stop:?}");
        assert_eq!(Stop { instruction: 1, registers: String::new() }.rip(), None);
    }
}
