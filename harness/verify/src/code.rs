// SPDX-License-Identifier: BSD-2-Clause
//! Executable sections as functions and instructions, and where each branch goes.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};
use object::elf;

use crate::check::Check;
use crate::elf::{Home, Module, Reloc};
use crate::policy::short_name;
use crate::report::Finding;

/// Where an instruction may continue other than behind itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goes {
    /// Nowhere: not a branch.
    On,
    /// To the instruction with this index in the same function.
    Inside(usize),
    /// To the start of a function.
    Function(usize),
    /// To an imported symbol.
    Import(usize),
    /// Through a jump table, to these instructions of the same function.
    Table(Vec<usize>),
    /// Through a register or memory.
    Indirect,
    /// Somewhere that is no function; `code` rejects it.
    Astray,
    /// A section and an offset: only until `resolve` has turned it into one of the others.
    Place(usize, u64),
}

/// One instruction. Its `ip` is the offset in the section.
#[derive(Debug)]
pub(crate) struct Insn {
    pub(crate) ins: Instruction,
    pub(crate) goes: Goes,
}

/// A function: symbol, place and instructions.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Other symbols for the same place.
    pub(crate) aliases: Vec<String>,
    pub(crate) section: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) insns: Vec<Insn>,
    /// A relocation outside of direct branches names it: it may be called through a pointer.
    pub(crate) address_taken: bool,
    pub(crate) global: bool,
}

impl Function {
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// The instruction that starts at this offset in the section.
    pub(crate) fn at(&self, offset: u64) -> Option<usize> {
        self.insns.binary_search_by_key(&offset, |insn| insn.ins.ip()).ok()
    }
}

/// All functions, by section and place.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) functions: Vec<Function>,
    /// Section and offset of each function's start.
    starts: BTreeMap<(usize, u64), usize>,
}

impl Code {
    /// Decodes every function; what is not known becomes a finding.
    pub(crate) fn read(module: &Module<'_>, findings: &mut Vec<Finding>) -> Self {
        let mut code = Self::default();
        code.collect(module, findings);
        code.check_cover(module, findings);
        for index in 0..code.functions.len() {
            code.decode(module, index, findings);
        }
        crate::resolve::resolve(&mut code, module, findings);
        code
    }

    /// The function that holds this place.
    pub(crate) fn holding(&self, section: usize, offset: u64) -> Option<usize> {
        let (_, &index) = self.starts.range(..=(section, offset)).next_back()?;
        let function = self.functions.get(index)?;
        (function.section == section && offset < function.end).then_some(index)
    }

    fn collect(&mut self, module: &Module<'_>, findings: &mut Vec<Finding>) {
        let mut found: Vec<(usize, u64, u64, &crate::elf::Symbol)> = Vec::new();
        for symbol in &module.symbols {
            let Home::Section { section, offset } = symbol.home else { continue };
            let holds_code = module.sections.get(section).is_some_and(|section| section.is_exec());
            if symbol.kind == elf::STT_FUNC.0 || symbol.kind == elf::STT_GNU_IFUNC.0 {
                if !holds_code {
                    findings.push(Finding::error(
                        Check::Code,
                        &*symbol.name,
                        "is a function outside executable sections",
                    ));
                } else if symbol.size == 0 {
                    findings.push(
                        Finding::error(Check::Code, &*symbol.name, "is a function without a size")
                            .help("give the assembly `.size NAME, . - NAME`"),
                    );
                } else {
                    found.push((section, offset, symbol.size, symbol));
                }
            }
        }
        // The longest of several symbols for one place first, a global before a local, then by name.
        found.sort_by(|a, b| (a.0, a.1, b.2, b.3.bind, &a.3.name).cmp(&(b.0, b.1, a.2, a.3.bind, &b.3.name)));
        for (section, start, size, symbol) in found {
            let end = start.saturating_add(size);
            let length = module.sections.get(section).map_or(0, |section| section.data.len() as u64);
            if end > length {
                findings.push(Finding::error(
                    Check::Code,
                    &*symbol.name,
                    "reaches past the end of its section",
                ));
                continue;
            }
            if let Some(last) =
                self.functions.last_mut().filter(|last| last.section == section && start < last.end)
            {
                if last.start == start {
                    last.aliases.push(symbol.name.clone());
                    last.global |= symbol.bind != elf::STB_LOCAL.0;
                } else {
                    let what = format!("overlaps the function `{}`", short_name(&last.name));
                    findings.push(Finding::error(Check::Code, &*symbol.name, what));
                }
                continue;
            }
            self.starts.insert((section, start), self.functions.len());
            self.functions.push(Function {
                name: symbol.name.clone(),
                aliases: Vec::new(),
                section,
                start,
                end,
                insns: Vec::new(),
                address_taken: false,
                global: symbol.bind != elf::STB_LOCAL.0,
            });
        }
    }

    /// Bytes between functions must be padding.
    fn check_cover(&self, module: &Module<'_>, findings: &mut Vec<Finding>) {
        for (index, section) in module.sections.iter().enumerate().filter(|(_, section)| section.is_exec()) {
            let mut at = 0_u64;
            let places =
                self.starts.range((index, 0)..=(index, u64::MAX)).filter_map(|(_, &f)| self.functions.get(f));
            let mut gaps: Vec<(u64, u64)> = Vec::new();
            for function in places {
                gaps.push((at, function.start));
                at = function.end;
            }
            gaps.push((at, section.data.len() as u64));
            for (from, to) in gaps {
                let bytes = &section.data[from as usize..to as usize];
                if let Some(first) = first_code(bytes) {
                    let at = from + first as u64;
                    let what = format!("has code at offset {at:#x} that belongs to no function symbol");
                    findings.push(
                        Finding::error(Check::Code, &*section.name, what)
                            .help("keep local symbols: `objcopy --strip-debug` instead of `--strip-all`"),
                    );
                }
            }
            if section.data.len() as u64 != section.size {
                findings.push(Finding::error(
                    Check::Code,
                    &*section.name,
                    "is executable without contents in the file",
                ));
            }
        }
    }

    fn decode(&mut self, module: &Module<'_>, index: usize, findings: &mut Vec<Finding>) {
        let function = &mut self.functions[index];
        let bytes = &module.sections[function.section].data[function.start as usize..function.end as usize];
        let mut decoder = Decoder::with_ip(64, bytes, function.start, DecoderOptions::NONE);
        let mut relocs = module.relocs_in(function.section, function.start, function.end).iter().peekable();
        while decoder.can_decode() {
            let ins = decoder.decode();
            let offset = ins.ip() - function.start;
            if ins.is_invalid() {
                let what = format!("has bytes at +{offset:#x} that are no instruction");
                findings.push(Finding::error(Check::Code, &*function.name, what));
                break;
            }
            let mut goes = match ins.flow_control() {
                FlowControl::IndirectBranch | FlowControl::IndirectCall => Goes::Indirect,
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::Call
                    if ins.is_jcc_short_or_near()
                        || ins.is_jmp_short_or_near()
                        || ins.is_call_near()
                        || ins.is_loop()
                        || ins.is_loopcc()
                        || ins.is_jcx_short() =>
                {
                    Goes::Place(function.section, ins.near_branch_target())
                }
                _ => Goes::On,
            };
            while let Some(reloc) = relocs.next_if(|reloc| reloc.offset < ins.next_ip()) {
                if reloc.kind == elf::R_X86_64_NONE.0 {
                    continue;
                }
                let fields = decoder.get_constant_offsets(&ins);
                let at = (reloc.offset - ins.ip()) as usize;
                let width = if reloc.kind == elf::R_X86_64_64.0 { 8 } else { 4 };
                let immediate = fields.has_immediate()
                    && at == fields.immediate_offset()
                    && fields.immediate_size() == width;
                let displacement = fields.has_displacement()
                    && at == fields.displacement_offset()
                    && fields.displacement_size() == width;
                if !immediate && !displacement {
                    let what = format!(
                        "has a relocation at +{:#x} that changes an instruction",
                        reloc.offset - function.start
                    );
                    findings.push(Finding::error(Check::Code, &*function.name, what));
                } else if immediate && goes != Goes::Indirect && goes != Goes::On {
                    goes = relocated(module, reloc, &ins);
                }
            }
            function.insns.push(Insn { ins, goes });
        }
    }
}

/// Where a direct branch goes whose displacement a relocation fills in: S + A - P, and P is the place of
/// the displacement while the branch counts from the end of the instruction.
fn relocated(module: &Module<'_>, reloc: &Reloc, ins: &Instruction) -> Goes {
    let after = ins.next_ip().wrapping_sub(reloc.offset);
    match module.symbols.get(reloc.symbol).map(|symbol| symbol.home) {
        Some(Home::Undefined) if reloc.addend == 0_i64.wrapping_sub_unsigned(after) => {
            Goes::Import(reloc.symbol)
        }
        Some(Home::Section { section, offset }) => {
            Goes::Place(section, offset.wrapping_add_signed(reloc.addend).wrapping_add(after))
        }
        _ => Goes::Astray,
    }
}

/// The first byte that is not padding (zero, int3, nop of any length).
fn first_code(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match rest[0] {
            0x00 | 0x90 | 0xcc => at += 1,
            _ => {
                let ins = Decoder::new(64, rest, DecoderOptions::NONE).decode();
                if ins.is_invalid() || ins.mnemonic() != Mnemonic::Nop {
                    return Some(at);
                }
                at += ins.len();
            }
        }
    }
    None
}
