// SPDX-License-Identifier: BSD-2-Clause
//! Basic blocks of a kernel's functions, and of a module's, with the source lines that debug information has for them.
//!
//! A block begins at a function's start, at the target of a branch or jump table, and behind a branch, a return or a trap.
//! A call does not end one: it comes back. Padding that nothing branches to is no block.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register};
use object::LittleEndian as Le;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::code::{Code, Function, Goes, Insn};
use crate::dwarf::{DebugSections, sources};
use crate::elf::Module;
use crate::limits::LONGEST_NAME;
use crate::report::Source;

/// Entries of one jump table of a kernel that are looked at.
const LONGEST_TABLE: usize = 4096;

/// Why there are no blocks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlocksError {
    /// Not ELF, or damaged.
    #[error("is not a readable amd64 ELF file: {0}")]
    NotElf(String),
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
    NoLines(String),
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

/// The functions of a linked kernel, not yet taken apart.
pub struct KernelCode<'d> {
    functions: Vec<(String, u64, u64)>,
    /// Sections with contents, by address.
    sections: Vec<(u64, &'d [u8])>,
    build_id: Option<String>,
    end: u64,
    files: BTreeMap<u64, String>,
    lines: Option<DebugSections<'d>>,
}

impl<'d> KernelCode<'d> {
    /// Reads symbols and sections of `boot/kernel/kernel`.
    ///
    /// # Errors
    /// [`BlocksError::NotElf`], [`BlocksError::NoSymbols`].
    pub fn read(bytes: &'d [u8]) -> Result<Self, BlocksError> {
        let bad = |error: object::Error| BlocksError::NotElf(error.to_string());
        let header = FileHeader64::<Le>::parse(bytes).map_err(bad)?;
        let table = header.sections(Le, bytes).map_err(bad)?;
        let symbols = table.symbols(Le, bytes, elf::SHT_SYMTAB).map_err(bad)?;
        let mut found: BTreeMap<u64, (u64, u8, String)> = BTreeMap::new();
        for symbol in symbols.iter() {
            let wanted = symbol.st_type() == elf::STT_FUNC && symbol.st_size(Le) > 0;
            let name = symbol.name(Le, symbols.strings()).unwrap_or_default();
            if !wanted || name.is_empty() || name.len() > LONGEST_NAME {
                continue;
            }
            let entry = (symbol.st_size(Le), symbol.st_bind().0, String::from_utf8_lossy(name).into_owned());
            // Of several names for one place the longest function, then a global one.
            found
                .entry(symbol.st_value(Le))
                .and_modify(|known| *known = known.clone().max(entry.clone()))
                .or_insert(entry);
        }
        if found.is_empty() {
            return Err(BlocksError::NoSymbols);
        }
        let functions =
            found.into_iter().map(|(start, (size, _, name))| (name, start, start.saturating_add(size)));
        let loaded = |section: &&elf::SectionHeader64<Le>| section.sh_flags(Le).0 & elf::SHF_ALLOC.0 != 0;
        let ends = table
            .iter()
            .filter(loaded)
            .map(|section| section.sh_addr(Le).saturating_add(section.sh_size(Le)));
        let end = ends.max().unwrap_or(0);
        let sections = table.iter().filter(loaded);
        let sections =
            sections.filter_map(|section| Some((section.sh_addr(Le), section.data(Le, bytes).ok()?)));
        Ok(Self {
            functions: functions.collect(),
            sections: sections.filter(|(_, data)| !data.is_empty()).collect(),
            build_id: build_id(bytes),
            end,
            files: BTreeMap::new(),
            lines: None,
        })
    }

    /// The build id of the kernel in hex, if its maker gave it one.
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// The address behind everything that the kernel's file has loaded.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Source files of its functions, as far as debug information was added.
    pub fn files(&self) -> BTreeSet<String> {
        self.files.values().cloned().collect()
    }

    /// Names of all functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|(name, ..)| name.as_str())
    }

    /// Whether `bytes` are a file of the same build.
    ///
    /// # Errors
    /// [`BlocksError::OtherBuild`], [`BlocksError::NotElf`].
    pub fn is_debug(&self, bytes: &[u8]) -> Result<(), BlocksError> {
        if let Err(error) = FileHeader64::<Le>::parse(bytes) {
            return Err(BlocksError::NotElf(error.to_string()));
        }
        let debug = build_id(bytes);
        if debug.is_none() || debug != self.build_id {
            let word = |id: &Option<String>| id.clone().unwrap_or_else(|| "none".into());
            return Err(BlocksError::OtherBuild { debug: word(&debug), kernel: word(&self.build_id) });
        }
        Ok(())
    }

    /// Takes source files and lines from `kernel.debug` of the same build.
    ///
    /// # Errors
    /// [`BlocksError::OtherBuild`], [`BlocksError::NoLines`], [`BlocksError::NotElf`].
    pub fn add_debug(&mut self, bytes: &'d [u8]) -> Result<(), BlocksError> {
        self.is_debug(bytes)?;
        let sections = DebugSections::of_linked(bytes).map_err(BlocksError::NoLines)?;
        if sections.get(".debug_line").is_empty() {
            return Err(BlocksError::NoLines("no .debug_line".into()));
        }
        let starts: BTreeSet<u64> = self.functions.iter().map(|(_, start, _)| *start).collect();
        let (found, why) = sources(&sections, starts);
        if found.is_empty() {
            return Err(BlocksError::NoLines(why.unwrap_or_else(|| "none of a function".into())));
        }
        self.files = found.into_iter().map(|(start, source)| (start, in_tree(&source.file))).collect();
        self.lines = Some(sections);
        Ok(())
    }

    /// Source files of the functions of these names.
    pub fn files_of(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        let named = self.functions.iter().filter(|(name, ..)| names.contains(name));
        named.filter_map(|(_, start, _)| self.files.get(start).cloned()).collect()
    }

    /// The functions that `wanted` takes by name and file, as blocks.
    pub fn blocks(&self, wanted: &dyn Fn(&str, Option<&str>) -> bool) -> Vec<BlockFunction> {
        let mut taken = Vec::new();
        for (name, start, end) in &self.functions {
            let file = self.files.get(start);
            if !wanted(name, file.map(String::as_str)) {
                continue;
            }
            let Some(function) = self.decode(name, *start, *end) else { continue };
            let (start, end) = (*start, *end);
            taken.push(BlockFunction {
                name: name.clone(),
                file: file.cloned(),
                start,
                end,
                blocks: split(&function),
            });
        }
        if let Some(debug) = &self.lines {
            let found = sources(debug, bytes_of(&taken).collect()).0;
            place(&mut taken, &found, Some);
        }
        taken
    }

    fn bytes(&self, start: u64, end: u64) -> Option<&'d [u8]> {
        self.sections.iter().find_map(|(at, data)| {
            let from = usize::try_from(start.checked_sub(*at)?).ok()?;
            data.get(from..from.checked_add(usize::try_from(end.checked_sub(start)?).ok()?)?)
        })
    }

    fn decode(&self, name: &str, start: u64, end: u64) -> Option<Function> {
        let decoder = Decoder::with_ip(64, self.bytes(start, end)?, start, DecoderOptions::NONE);
        let insns: Vec<Insn> = decoder.into_iter().map(|ins| Insn { ins, goes: Goes::On }).collect();
        let mut function = Function {
            name: name.to_owned(),
            aliases: Vec::new(),
            section: 0,
            start,
            end,
            insns,
            address_taken: false,
            global: false,
        };
        for number in 0..function.insns.len() {
            let ins = function.insns[number].ins;
            function.insns[number].goes = match ins.flow_control() {
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                    function.at(ins.near_branch_target()).map_or(Goes::Astray, Goes::Inside)
                }
                FlowControl::IndirectBranch => {
                    self.table(&function, &ins).map_or(Goes::Indirect, Goes::Table)
                }
                _ => Goes::On,
            };
        }
        Some(function)
    }

    /// `jmp *table(,%reg,8)` of a kernel whose addresses are final; the table ends at the first entry that leads elsewhere.
    fn table(&self, function: &Function, ins: &iced_x86::Instruction) -> Option<Vec<usize>> {
        let shape = ins.op0_kind() == OpKind::Memory
            && ins.memory_base() == Register::None
            && ins.memory_index() != Register::None
            && ins.memory_index_scale() == 8;
        let first = shape.then(|| ins.memory_displacement64())?;
        let entries = (0..LONGEST_TABLE as u64).map_while(|number| {
            let at = first.checked_add(number * 8)?;
            let word = self.bytes(at, at.checked_add(8)?)?;
            function.at(u64::from_le_bytes(word.try_into().ok()?))
        });
        let entries: BTreeSet<usize> = entries.collect();
        (!entries.is_empty()).then(|| entries.into_iter().collect())
    }
}

/// The functions of a module as blocks, with addresses counted from where the kernel loads it. The loader puts sections
/// one behind the other in the file's order, each at its alignment (`sys/kern/link_elf_obj.c`).
///
/// # Errors
/// [`BlocksError::NotElf`], [`BlocksError::NoSymbols`].
pub fn module_blocks(bytes: &[u8]) -> Result<Vec<BlockFunction>, BlocksError> {
    let module = Module::parse(bytes).map_err(|error| BlocksError::NotElf(error.to_string()))?;
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
fn bytes_of(functions: &[BlockFunction]) -> impl Iterator<Item = u64> {
    functions.iter().flat_map(|function| &function.blocks).flat_map(|block| block.start..block.end)
}

/// Gives blocks their sources: that of the first instruction for which the compiler has a line.
fn place(
    functions: &mut [BlockFunction],
    found: &BTreeMap<u64, Source>,
    address: impl Fn(u64) -> Option<u64>,
) {
    for block in functions.iter_mut().flat_map(|function| &mut function.blocks) {
        let source = (block.start..block.end).find_map(|at| found.get(&address(at)?));
        block.source = source.map(|source| Source { file: in_tree(&source.file), ..source.clone() });
    }
}

/// The path of a source file in its tree, without the directory in which the kernel was built.
fn in_tree(path: &str) -> String {
    path.rfind("/sys/").map_or(path, |at| &path[at + 1..]).to_owned()
}

/// The blocks of a function.
fn split(function: &Function) -> Vec<Block> {
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

/// The build id of an ELF file in hex.
fn build_id(bytes: &[u8]) -> Option<String> {
    let header = FileHeader64::<Le>::parse(bytes).ok()?;
    let sections = header.sections(Le, bytes).ok()?;
    for section in sections.iter() {
        let Ok(Some(mut notes)) = section.notes(Le, bytes) else { continue };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == b"GNU" && note.n_type(Le) == elf::NT_GNU_BUILD_ID {
                return Some(nlproof_base::hex(note.desc()));
            }
        }
    }
    None
}
