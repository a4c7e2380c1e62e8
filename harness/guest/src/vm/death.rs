// SPDX-License-Identifier: BSD-2-Clause
//! Where a kernel died in a run that is lived through again.

use std::collections::BTreeSet;

use super::gdbstub::Registers;
use super::record::instructions;
use super::replayed::{Replay, ReplayError};

/// Most exceptions that are looked at on the way to a panic.
const MOST_STOPS: usize = 100_000;

/// Where a kernel died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// The instruction at which the kernel's own function for it was entered.
    pub instruction: u64,
    /// The address of that function.
    pub function: u64,
    /// The registers there.
    pub registers: Registers,
    /// Addresses on the stack, innermost first: the function's, and those to which callers return. Its own caller is left out: the
    /// function has no frame yet.
    pub stack: Vec<u64>,
    /// The last exception before it.
    pub exception: Option<Exception>,
}

/// An exception: an instruction that could not be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// The number of instructions that were run before it.
    pub instruction: u64,
    /// The instruction's address.
    pub address: u64,
}

/// The kernel's code for an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    /// Where it begins.
    pub address: u64,
    /// Whether the processor puts an error code on the stack, above the address of the instruction.
    pub error_code: bool,
}

impl Replay {
    /// Lets the machine run until the kernel enters one of these functions. On the way it stops at each of these
    /// exceptions' handlers. `None`: the log ended first.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn death(
        &mut self,
        functions: &[u64],
        handlers: &[Handler],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Death>, ReplayError> {
        let mut stub = self.stub().await?;
        let every: BTreeSet<u64> =
            functions.iter().copied().chain(handlers.iter().map(|handler| handler.address)).collect();
        for address in &every {
            stub.break_at(*address).await?;
        }
        let mut exception = None;
        for _ in 0..MOST_STOPS {
            stub.go_on().await?;
            if self.stands_or_ends(Some(&mut stub), progress).await?.is_some() {
                return Ok(None);
            }
            let registers = stub.registers().await?;
            let at = registers.rip().unwrap_or_default();
            let instruction = instructions(&mut self.vm.qmp).await?;
            if functions.contains(&at) {
                let stack = self.vm.look_at_rest().await.map_or_else(Vec::new, |look| look.stack);
                return Ok(Some(Death { instruction, function: at, registers, stack, exception }));
            }
            let handler = handlers.iter().find(|handler| handler.address == at);
            if let (Some(handler), Some(stack)) = (handler, registers.rsp()) {
                let address = stub.word(stack + if handler.error_code { 8 } else { 0 }).await?;
                exception = Some(Exception { instruction, address });
            }
            stub.step().await?;
            if self.stands_or_ends(Some(&mut stub), progress).await?.is_some() {
                return Ok(None);
            }
        }
        Ok(None)
    }
}
