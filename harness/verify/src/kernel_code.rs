// SPDX-License-Identifier: BSD-2-Clause
//! The code of a linked kernel, whose addresses are final: its functions, taken apart into blocks.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions, FlowControl, OpKind, Register};
use object::LittleEndian as Le;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::blocks::{BlockFunction, BlocksError, NoLines, bytes_of, in_tree, place, split};
use crate::code::{Function, Goes, Insn};
use crate::dwarf::{DebugSections, sources};
use crate::limits::LONGEST_NAME;

/// Entries of one jump table of a kernel that are looked at.
const LONGEST_TABLE: usize = 4096;

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
        let bad = |error: object::Error| BlocksError::NotElf(error.into());
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
            return Err(BlocksError::NotElf(error.into()));
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
        let sections = DebugSections::of_linked(bytes).map_err(|error| BlocksError::NoLines(error.into()))?;
        if sections.get(".debug_line").is_empty() {
            return Err(BlocksError::NoLines(NoLines::NoSection));
        }
        let starts: BTreeSet<u64> = self.functions.iter().map(|(_, start, _)| *start).collect();
        let (found, why) = sources(&sections, starts);
        if found.is_empty() {
            return Err(BlocksError::NoLines(why.map_or(NoLines::OfNoFunction, NoLines::from)));
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
