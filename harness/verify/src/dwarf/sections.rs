// SPDX-License-Identifier: BSD-2-Clause
//! Debug sections with their relocations applied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gimli::{EndianSlice, LittleEndian};
use object::LittleEndian as Le;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, Rela as _, SectionHeader as _};

use super::error::DebugError;
use crate::elf::{Home, Member, Module};

/// Bytes of a debug section.
pub(crate) type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Sections that are read.
const NAMES: [&str; 9] = [
    ".debug_abbrev",
    ".debug_addr",
    ".debug_info",
    ".debug_line",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_str",
    ".debug_str_offsets",
];

/// Where the first section with code is put. What is left at 0 was taken out by the linker.
const FIRST: u64 = 1 << 20;

/// The debug sections of a file.
#[derive(Debug, Default)]
pub(crate) struct DebugSections<'d> {
    data: BTreeMap<&'static str, Cow<'d, [u8]>>,
    /// The member's first section.
    first: usize,
    /// By section from the first on: the address that it was given. In a relocatable file all are at 0.
    bases: Vec<u64>,
}

impl<'d> DebugSections<'d> {
    /// The debug sections of one member of a module. Sections with code are placed one behind the
    /// other, so that an address names one place.
    ///
    /// # Errors
    /// A relocation or a section that cannot be read.
    pub(crate) fn of_member(module: &Module<'d>, member: &Member) -> Result<Self, DebugError> {
        let mut bases = vec![0_u64; member.sections.len()];
        let mut next = FIRST;
        for (base, index) in bases.iter_mut().zip(member.sections.clone()) {
            let section = &module.sections[index];
            if !section.is_exec() {
                continue;
            }
            *base = next;
            // A gap, so that the end of one is not the start of the next.
            next = next.saturating_add(section.data.len() as u64).saturating_add(16);
        }
        let mut found = Self { data: BTreeMap::new(), first: member.sections.start, bases };
        for index in member.sections.clone() {
            let section = &module.sections[index];
            let Some(name) = known(&section.name).filter(|name| !found.data.contains_key(name)) else {
                continue;
            };
            if section.flags & elf::SHF_COMPRESSED.0 != 0 {
                let remedy = " (link without --compress-debug-sections)";
                return Err(DebugError::Compressed { section: name, remedy });
            }
            let mut data = Cow::Borrowed(section.data);
            for (_, relocs) in module.debug.iter().filter(|(target, _)| *target == index) {
                for reloc in *relocs {
                    let symbol = (reloc.r_sym(Le, false) as usize).saturating_add(member.symbols);
                    let kind = reloc.r_type(Le, false);
                    let width = match kind {
                        elf::R_X86_64_NONE => continue,
                        elf::R_X86_64_64 => 8,
                        elf::R_X86_64_32 | elf::R_X86_64_32S => 4,
                        // Addresses of thread-local variables; nothing here asks for them.
                        elf::R_X86_64_DTPOFF64 | elf::R_X86_64_DTPOFF32 => continue,
                        other => return Err(DebugError::RelocationType { section: name, kind: other.0 }),
                    };
                    let value = match module.symbols.get(symbol).map(|symbol| symbol.home) {
                        Some(Home::Section { section, offset }) => {
                            let base = found.base(section).unwrap_or(0);
                            base.wrapping_add(offset).wrapping_add_signed(reloc.r_addend(Le))
                        }
                        Some(Home::Undefined | Home::Other) => 0,
                        None => return Err(DebugError::RelocationSymbol { section: name, symbol }),
                    };
                    let place = usize::try_from(reloc.r_offset(Le)).ok();
                    let range = place.and_then(|at| Some(at..at.checked_add(width)?));
                    let Some(field) = range.and_then(|range| data.to_mut().get_mut(range)) else {
                        return Err(DebugError::RelocationPlace(name));
                    };
                    field.copy_from_slice(&value.to_le_bytes()[..width]);
                }
            }
            found.data.insert(name, data);
        }
        Ok(found)
    }

    /// The debug sections of a linked file, such as a kernel: its addresses are final.
    ///
    /// # Errors
    /// No ELF file, or a section that cannot be read.
    pub(crate) fn of_linked(bytes: &'d [u8]) -> Result<Self, DebugError> {
        let header = FileHeader64::<Le>::parse(bytes)?;
        let sections = header.sections(Le, bytes)?;
        let mut found = Self::default();
        for section in sections.iter() {
            let name = sections.section_name(Le, section).unwrap_or_default();
            let Some(name) = std::str::from_utf8(name).ok().and_then(known) else { continue };
            if section.sh_flags(Le).0 & elf::SHF_COMPRESSED.0 != 0 {
                return Err(DebugError::Compressed { section: name, remedy: "" });
            }
            let data = section.data(Le, bytes).map_err(|_| DebugError::Outside(name))?;
            found.data.entry(name).or_insert(Cow::Borrowed(data));
        }
        Ok(found)
    }

    /// The contents of a section; empty if the file has none.
    pub(crate) fn get(&self, name: &str) -> &[u8] {
        self.data.get(name).map_or(&[], |data| data)
    }

    /// The same, to be read.
    pub(crate) fn reader(&self, name: &str) -> Reader<'_> {
        EndianSlice::new(self.get(name), LittleEndian)
    }

    /// The address that a place in a section with code was given.
    pub(crate) fn address(&self, section: usize, offset: u64) -> Option<u64> {
        let base = self.base(section)?;
        (base != 0).then(|| base.wrapping_add(offset))
    }

    fn base(&self, section: usize) -> Option<u64> {
        self.bases.get(section.checked_sub(self.first)?).copied()
    }

    /// The text at `offset` of a section with strings, up to its NUL.
    pub(crate) fn text(&self, section: &str, offset: usize) -> Option<&[u8]> {
        let rest = self.get(section).get(offset..)?;
        // Strings may share their tails: one of any length must not be read once for each reference.
        let rest = rest.get(..rest.len().min(crate::limits::LONGEST_NAME))?;
        rest.iter().position(|&byte| byte == 0).map(|end| &rest[..end])
    }
}

fn known(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}
