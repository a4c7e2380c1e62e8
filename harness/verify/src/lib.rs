// SPDX-License-Identifier: BSD-2-Clause
//! Verifies a FreeBSD/amd64 kernel module before it is loaded, as the eBPF verifier does programs.
//!
//! [`verify`] is a pure function from the bytes of the module, a [`Policy`] and the symbols of the kernel it
//! is meant for to a [`Report`]. What the analysis cannot know it rejects and says so.
//!
//! Method: the file's sections, symbols and relocations are read with every place checked; executable
//! sections become functions and instructions, with no byte left over; the stack pointer is followed through
//! each function; calls become a graph; then each [`Check`] looks at these.
//!
//! Known limits:
//! 1. Imported functions count with no stack: what is beyond the chain's budget is theirs.
//! 2. A jump table ends at its first entry that is no pointer into the function; its bound check is not proved.
//! 3. An address below the stack pointer that is computed through another register is not seen.
//! 4. A pointer to a function that is called through an indirect branch is only followed where a waiver declares it.
//! 5. What the kernel calls back during an imported function is an entry of its own; its chain is not added.

mod archive;
mod baseline;
mod blocks;
mod check;
mod checks;
mod code;
mod ctf;
mod dwarf;
mod elf;
mod facts;
mod flow;
mod graph;
mod intake_error;
mod kernel;
mod kernel_code;
mod layout;
mod limits;
mod offsets;
mod policy;
mod report;
mod resolve;
mod sarif;
mod sizes;
mod text;
mod verify;

pub use baseline::{Baseline, BaselineError};
pub use blocks::{Block, BlockFunction, BlocksError, NoLines, NotElf, module_blocks};
pub use check::{Check, explain};
pub use ctf::CtfError;
pub use dwarf::DebugError;
pub use intake_error::{Damage, IntakeError, Unsuitable};
pub use kernel::{KernelError, KernelSymbols};
pub use kernel_code::KernelCode;
pub use limits::MAX_BYTES;
pub use offsets::MemberOffsets;
pub use policy::{DEFAULT_CHAIN, DEFAULT_FRAME, Kernels, Policy, Resource, Shared, Waiver};
pub use report::{
    Finding, FunctionRow, Inlined, Report, Row, SCHEMA, Severity, Source, Stats, Step, Verdict, counts,
};
pub use sarif::{Rule, Subject, sarif};
pub use text::{TextStyle, details, elapsed, table, verdict_line};
pub use verify::{ObjectBytes, row, verify};
