// SPDX-License-Identifier: BSD-2-Clause
//! The checks, each a function from what is known of the module to findings and a line of facts.

mod abi;
mod balance;
mod graph;
mod insns;
mod metadata;
mod sections;
mod symbols;

pub(crate) use abi::abi;
pub(crate) use balance::balance;
pub(crate) use graph::{indirect, panic, recursion, stack};
pub(crate) use insns::{fpu, insn, is_traceable, red_zone, traceable};
pub(crate) use metadata::{NO_SETS, modmeta};
pub(crate) use sections::{sections, wx};
pub(crate) use symbols::{imports, relocs};
