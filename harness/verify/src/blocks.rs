// SPDX-License-Identifier: BSD-2-Clause
//! Basic blocks of functions, and those of a module, with the source lines that debug information has for them.
//!
//! A block begins at a function's start, at the target of a branch or jump table, and behind a branch, a return or a trap.
//! A call does not end one: it comes back. Padding that nothing branches to is no block.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{FlowControl, Mnemonic};

use crate::code::{Code, Function, Goes};
use crate::dwarf::{DebugError, DebugSections, sources};
use crate::elf::Module;
use crate::intake_error::IntakeError;
use crate::report::Source;

/// Why there are no blocks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlocksError {
    /// Not ELF, or damaged.
    #[error("is not a readable amd64 ELF file: {0}")]
    NotElf(#[source] NotElf),
    /// Nothing says where functions begin.
    #[error("has no symbols of functions (`strip` took them)")]
    NoSymbols,
    /// Debug information of another build.
    #[error("is of another build: its build id is {debug}, the kernel's is {kernel}")]
    OtherBuild {
        /// Build id of the debug file, in hex, or `none`.
        debug: String,
        /// Build id of the kernel, in hex, or `none`.
        kernel: String,
    },
    /// The debug information lacks what is needed.
    #[error("has no source lines: {0}")]
    NoLines(#[source] NoLines),
}

/// What keeps a file from being read as ELF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotElf {
    /// A kernel's file.
    #[error(transparent)]
    Kernel(#[from] object::Error),
    /// A module's file.
    #[error(transparent)]
    Module(#[from] IntakeError),
}

/// What is missing for source lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLines {
    /// Debug information that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] DebugError),
    /// No lines at all.
    #[error("no .debug_line")]
    NoSection,
    /// Lines of other things.
    #[error("none of a function")]
    OfNoFunction,
}

/// A function as blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFunction {
    /// Name of the function's symbol.
    pub name: String,
    /// Source file of the function, where debug information names it.
    pub file: Option<String>,
    /// Address of its first instruction; of a module, counted from where the module is loaded.
    pub start: u64,
    /// Address behind its last instruction.
    pub end: u64,
    /// Blocks of the function in the order of the code.
    pub blocks: Vec<Block>,
}

/// A basic block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Address of its first instruction.
    pub start: u64,
    /// Address behind its last one.
    pub end: u64,
    /// The source of its first instruction that has one.
    pub source: Option<Source>,
}

/// The functions of a module as blocks, with addresses counted from where the kernel loads it. The loader puts sections
/// one behind the other in the file's order, each at its alignment (`sys/kern/link_elf_obj.c`).
///
/// # Errors
/// [`BlocksError::NotElf`], [`BlocksError::NoSymbols`].
pub fn module_blocks(bytes: &[u8]) -> Result<Vec<BlockFunction>, BlocksError> {
    let module = Module::parse(bytes).map_err(|error| BlocksError::NotElf(error.into()))?;
    let code = Code::read(&module, &mut Vec::new());
    if code.functions.is_empty() {
        return Err(BlocksError::NoSymbols);
    }
    let mut bases = Vec::new();
    let mut next = 0_u64;
    for section in &module.sections {
        let loaded = section.is_loaded();
        if loaded {
            next = next.next_multiple_of(section.align);
        }
        bases.push(next);
        if loaded {
            next = next.saturating_add(section.size);
        }
    }
    let base = |section: usize| bases.get(section).copied().unwrap_or(0);
    let mut taken: Vec<BlockFunction> = Vec::new();
    let mut places: BTreeMap<u64, u64> = BTreeMap::new();
    let debug = module.members.first().and_then(|member| DebugSections::of_member(&module, member).ok());
    for function in &code.functions {
        let base = base(function.section);
        let mut blocks = split(function);
        for at in function.start..function.end {
            if let Some(address) = debug.as_ref().and_then(|debug| debug.address(function.section, at)) {
                places.insert(base + at, address);
            }
        }
        for block in &mut blocks {
            (block.start, block.end) = (base + block.start, base + block.end);
        }
        let name = format!("{:#}", rustc_demangle::demangle(&function.name));
        let (start, end) = (base + function.start, base + function.end);
        taken.push(BlockFunction { name, file: None, start, end, blocks });
    }
    if let Some(debug) = &debug {
        let found = sources(debug, places.values().copied().collect()).0;
        place(&mut taken, &found, |start| places.get(&start).copied());
        for function in &mut taken {
            let first = function.blocks.first().and_then(|block| block.source.as_ref());
            function.file = first.map(|source| source.file.clone());
        }
    }
    Ok(taken)
}

/// Every address in the blocks.
pub(crate) fn bytes_of(functions: &[BlockFunction]) -> impl Iterator<Item = u64> {
    functions.iter().flat_map(|function| &function.blocks).flat_map(|block| block.start..block.end)
}

/// Gives blocks their sources: that of the first instruction for which the compiler has a line.
pub(crate) fn place(
    functions: &mut [BlockFunction],
    found: &BTreeMap<u64, Source>,
    address: impl Fn(u64) -> Option<u64>,
) {
    for block in functions.iter_mut().flat_map(|function| &mut function.blocks) {
        let source = (block.start..block.end).find_map(|at| found.get(&address(at)?));
        block.source = source.map(|source| Source { file: in_tree(&source.file), ..source.clone() });
    }
}

/// The path of a source file in its tree, without the directory in which the kernel was built: from the last `sys` on. A
/// tree's `sys` has no source files itself, so those are of the directory `sys` in it.
pub(crate) fn in_tree(path: &str) -> String {
    let Some(last) = path.rfind("/sys/") else { return path.to_owned() };
    let (before, below) = (&path[..last], &path[last + "/sys/".len()..]);
    let tree = if below.contains('/') { None } else { before.strip_suffix("/sys") };
    path[tree.map_or(last, str::len) + 1..].to_owned()
}

/// The blocks of a function.
pub(crate) fn split(function: &Function) -> Vec<Block> {
    let mut leaders = BTreeSet::from([0_usize]);
    let mut targets = BTreeSet::new();
    for (number, insn) in function.insns.iter().enumerate() {
        match &insn.goes {
            Goes::Inside(to) if !insn.ins.is_call_near() => drop(targets.insert(*to)),
            Goes::Table(to) => targets.extend(to),
            _ => {}
        }
        let ends = matches!(
            insn.ins.flow_control(),
            FlowControl::ConditionalBranch
                | FlowControl::UnconditionalBranch
                | FlowControl::IndirectBranch
                | FlowControl::Return
                | FlowControl::Exception
        );
        if ends && number + 1 < function.insns.len() {
            leaders.insert(number + 1);
        }
    }
    leaders.extend(&targets);
    let firsts: Vec<usize> = leaders.into_iter().collect();
    let mut blocks = Vec::new();
    for (place, first) in firsts.iter().enumerate() {
        let behind = firsts.get(place + 1).copied().unwrap_or(function.insns.len());
        let Some(insns) = function.insns.get(*first..behind).filter(|insns| !insns.is_empty()) else {
            continue;
        };
        let padding = insns.iter().all(|insn| matches!(insn.ins.mnemonic(), Mnemonic::Nop | Mnemonic::Int3));
        if padding && *first > 0 && !targets.contains(first) && !falls_into(function, *first) {
            continue;
        }
        let end = insns.last().map_or(function.end, |insn| insn.ins.next_ip());
        blocks.push(Block { start: insns[0].ins.ip(), end, source: None });
    }
    blocks
}

/// Whether the instruction before goes on to this one.
fn falls_into(function: &Function, first: usize) -> bool {
    let before = first.checked_sub(1).and_then(|before| function.insns.get(before));
    before.is_some_and(|insn| {
        matches!(
            insn.ins.flow_control(),
            FlowControl::ConditionalBranch
                | FlowControl::Next
                | FlowControl::Call
                | FlowControl::IndirectCall
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_trees_sys_wherever_it_was_built() {
        let iface = "sys/netlink/route/iface.c";
        for root in ["/usr/src", "/home/me/sys", "/usr/obj/sys/x"] {
            assert_eq!(in_tree(&format!("{root}/{iface}")), iface);
            assert_eq!(in_tree(&format!("{root}/sys/sys/libkern.h")), "sys/sys/libkern.h");
        }
        assert_eq!(in_tree("machine/atomic.h"), "machine/atomic.h");
    }
}
