// SPDX-License-Identifier: BSD-2-Clause
//! A replay that stops at an instruction, and what there is to hold against the recording and against other replays.

use nlproof_guest::Tasks;
use sha2::{Digest as _, Sha256};

use super::death::place;
use crate::targets::ReplayedMachine;
use crate::vm::{Patience, Replay, ReplayError, Tools};

/// What a replay found at an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// How many instructions had been run.
    pub instruction: u64,
    /// The address of the next one.
    pub address: Option<u64>,
    /// The processor's registers in QEMU's words.
    pub registers: String,
    /// What the guest had printed until then.
    pub console: Vec<u8>,
}

impl Visit {
    /// SHA-256 of the registers, its first digits: one word to compare by eye.
    pub fn fingerprint(&self) -> String {
        let mut digest = nlproof_base::hex(&Sha256::digest(&self.registers));
        digest.truncate(12);
        digest
    }

    /// The address, by the kernel's symbols where there are some.
    pub fn place(&self, kernel: &[u8]) -> String {
        let Some(address) = self.address else { return "an unknown address".into() };
        place(kernel, address).unwrap_or_else(|| format!("{address:#x}"))
    }
}

/// Starts replays of one recording.
#[derive(Debug)]
pub struct Replayer<'a> {
    /// The machine.
    pub machine: ReplayedMachine,
    /// QEMU and its supervisor.
    pub tools: &'a Tools,
    /// How long to wait for one instruction more.
    pub patience: Patience,
    /// The runtime, whose token ends a replay.
    pub tasks: &'a Tasks,
}

impl Replayer<'_> {
    /// Boots the machine and stops it before this instruction.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub fn visit(
        &self,
        instruction: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Replay, Visit), ReplayError> {
        self.tasks.drive(async {
            let config = self.machine.config();
            let mut replay = Replay::start(&config, self.tools, &self.patience, Some(instruction)).await?;
            let stop = replay.stopped_at(instruction, progress).await?;
            let console = replay.console().unwrap_or_default();
            let address = stop.rip();
            Ok((replay, Visit { instruction: stop.instruction, address, registers: stop.registers, console }))
        })
    }

    /// Lets a machine run to the end of its log, and gives all that the guest printed.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub fn to_the_end(
        &self,
        replay: &mut Replay,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u8>, ReplayError> {
        self.tasks.drive(replay.to_the_end(progress))?;
        Ok(replay.console().unwrap_or_default())
    }
}

/// What is different at one instruction in another replay, in words.
pub fn differences(first: &Visit, other: &Visit) -> Vec<String> {
    let mut found = Vec::new();
    if first.address != other.address {
        found.push("another instruction is next".to_owned());
    }
    if first.registers != other.registers {
        let mut pairs = first.registers.lines().zip(other.registers.lines());
        let line = pairs.find(|(one, other)| one != other);
        let line = line.map_or(String::new(), |(one, other)| format!(": `{one}` and `{other}`"));
        found.push(format!("registers differ{line}"));
    }
    if first.console != other.console {
        found.push("the guest had printed something else".to_owned());
    }
    found
}

/// Demands that a guest printed what was recorded: all of it, or its beginning.
///
/// # Errors
/// The first line that is another one.
pub fn same_console(recorded: &[u8], said: &[u8], all: bool) -> Result<(), String> {
    if recorded.starts_with(said) && (!all || recorded.len() == said.len()) {
        return Ok(());
    }
    let same = recorded.iter().zip(said).take_while(|(one, other)| one == other).count();
    let line = recorded.iter().take(same).filter(|byte| **byte == b'\n').count() + 1;
    Err(match same == said.len() {
        true => format!("the console ends in line {line}, after {same} of {} bytes", recorded.len()),
        false => format!("the console differs from the recorded one in line {line}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(registers: &str, console: &str) -> Visit {
        Visit {
            instruction: 7,
            address: Some(0x10),
            registers: registers.to_owned(),
            console: console.as_bytes().to_vec(),
        }
    }

    #[test]
    fn two_replays_are_equal_in_everything_or_say_in_what_not() {
        let one = visit("RAX=1\nRBX=2", "boot\n");
        assert!(differences(&one, &one.clone()).is_empty());
        let other = Visit { address: Some(0x11), ..visit("RAX=1\nRBX=3", "boo") };
        assert_eq!(
            differences(&one, &other),
            [
                "another instruction is next",
                "registers differ: `RBX=2` and `RBX=3`",
                "the guest had printed something else"
            ]
        );
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_console_is_the_recorded_one_or_its_beginning() {
        let recorded = b"boot\npanic: x\n";
        assert_eq!(same_console(recorded, recorded, true), Ok(()));
        assert_eq!(same_console(recorded, b"boot\n", false), Ok(()));
        let cut = same_console(recorded, b"boot\n", true).unwrap_err();
        assert_eq!(cut, "the console ends in line 2, after 5 of 14 bytes");
        let other = same_console(recorded, b"boot\npanic: y\n", true).unwrap_err();
        assert_eq!(other, "the console differs from the recorded one in line 2");
        assert!(same_console(recorded, b"boot\npanic: x\nmore", false).is_err());
    }
}
