// SPDX-License-Identifier: BSD-2-Clause
//! Intake: bytes to sections, symbols and relocations, with the work bounded by the file's length.
//!
//! The loader of FreeBSD/amd64 (`sys/kern/link_elf_obj.c`) takes ELF64 little-endian `ET_REL` files
//! with exactly one symbol table. Files that it would reject, and files that would make later
//! checks see less than the kernel does (sections that overlap in the file, cut tables), are
//! rejected here.

use object::LittleEndian as Le;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, Rela as _, SectionHeader as _, Sym as _};

use crate::intake_error::{Damage, IntakeError, Unsuitable};
use crate::limits::{LONGEST_NAME, MAX_BYTES};

/// A section of the module. Its index is the place in [`Module::sections`].
#[derive(Debug, Clone)]
pub(crate) struct Section<'d> {
    pub(crate) name: String,
    /// `sh_type`.
    pub(crate) kind: u32,
    /// `sh_flags`.
    pub(crate) flags: u64,
    /// In bytes; also for `SHT_NOBITS`.
    pub(crate) size: u64,
    /// `sh_addralign` in bytes, at least 1.
    pub(crate) align: u64,
    /// Empty for `SHT_NOBITS`.
    pub(crate) data: &'d [u8],
}

impl Section<'_> {
    pub(crate) fn is_alloc(&self) -> bool {
        self.flags & elf::SHF_ALLOC.0 != 0
    }

    /// Whether the kernel's linker gives it a place in memory, by its type (sys/kern/link_elf_obj.c).
    pub(crate) fn is_loaded(&self) -> bool {
        self.is_alloc()
            && [
                elf::SHT_PROGBITS.0,
                elf::SHT_NOBITS.0,
                elf::SHT_X86_64_UNWIND.0,
                elf::SHT_INIT_ARRAY.0,
                elf::SHT_FINI_ARRAY.0,
            ]
            .contains(&self.kind)
    }

    pub(crate) fn is_exec(&self) -> bool {
        self.is_alloc() && self.flags & elf::SHF_EXECINSTR.0 != 0
    }

    pub(crate) fn is_write(&self) -> bool {
        self.flags & elf::SHF_WRITE.0 != 0
    }

    /// Little-endian `u32` at `offset`, if it lies inside.
    pub(crate) fn u32_at(&self, offset: u64) -> Option<u32> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.data.get(start..start.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Where a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// `SHN_UNDEF`: an import (or the null symbol).
    Undefined,
    /// Offset in a section.
    Section { section: usize, offset: u64 },
    /// Absolute, common or another reserved index.
    Other,
}

/// A symbol of `.symtab`; its index is the one relocations use.
#[derive(Debug, Clone)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) home: Home,
    /// In bytes; 0 if unknown.
    pub(crate) size: u64,
    /// `STT_*`.
    pub(crate) kind: u8,
    /// `STB_*`.
    pub(crate) bind: u8,
}

/// A relocation with an explicit addend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reloc {
    /// Place in the target section.
    pub(crate) offset: u64,
    /// `R_X86_64_*`.
    pub(crate) kind: u32,
    /// Index into [`Module::symbols`].
    pub(crate) symbol: usize,
    pub(crate) addend: i64,
}

/// A module as the checks see it.
#[derive(Debug)]
pub(crate) struct Module<'d> {
    pub(crate) sections: Vec<Section<'d>>,
    pub(crate) symbols: Vec<Symbol>,
    /// For each loaded section, and `.stack_sizes`, (same index) the relocations applied to it, by offset.
    pub(crate) relocs: Vec<Vec<Reloc>>,
    /// The relocations of debug sections, with the section that each list is for; as they stand in the file.
    pub(crate) debug: Vec<(usize, &'d [elf::Rela64<Le>])>,
    /// The files it is made of: one, or the members of an archive.
    pub(crate) members: Vec<Member>,
    /// `EI_OSABI`.
    pub(crate) os_abi: u8,
}

/// A file of a module, as the parts of the lists that are its.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The member's name in the archive; empty for a file of its own.
    pub(crate) name: String,
    /// The member's sections in [`Module::sections`].
    pub(crate) sections: std::ops::Range<usize>,
    /// Where its symbols begin in [`Module::symbols`].
    pub(crate) symbols: usize,
}

impl<'d> Module<'d> {
    /// Reads `data`.
    ///
    /// # Errors
    /// Anything the loader would not take, and anything that does not lie inside the file.
    pub(crate) fn parse(data: &'d [u8]) -> Result<Self, IntakeError> {
        if data.len() > MAX_BYTES {
            return Err(IntakeError::TooLong(data.len()));
        }
        let header = FileHeader64::<Le>::parse(data).map_err(IntakeError::NotElf)?;
        if header.e_ident.data != elf::ELFDATA2LSB || header.e_machine.get(Le) != elf::EM_X86_64 {
            return Err(Unsuitable::Machine.into());
        }
        if header.e_type.get(Le) != elf::ET_REL {
            return Err(Unsuitable::Linked.into());
        }
        let table = header.sections(Le, data).map_err(IntakeError::NotElf)?;
        let mut names = NameBudget::new(data.len());
        let mut sections = Vec::with_capacity(table.len());
        let mut in_file = 0_u64;
        for (index, section) in table.iter().enumerate() {
            let kind = section.sh_type(Le);
            let bytes = if index == 0 {
                &[][..]
            } else {
                section.data(Le, data).map_err(|_| Damage::Section(index))?
            };
            in_file = in_file.saturating_add(bytes.len() as u64);
            if in_file > data.len() as u64 {
                return Err(Damage::Overlap.into());
            }
            let name = table.section_name(Le, section).unwrap_or_default();
            sections.push(Section {
                name: names.take(name)?,
                kind: kind.0,
                flags: if index == 0 { 0 } else { section.sh_flags(Le).0 },
                size: if index == 0 { 0 } else { section.sh_size(Le) },
                align: section.sh_addralign(Le).max(1),
                data: bytes,
            });
        }
        let symbol_tables = table.iter().filter(|s| s.sh_type(Le) == elf::SHT_SYMTAB && s.sh_size(Le) > 0);
        if symbol_tables.count() != 1 {
            return Err(Unsuitable::SymbolTables.into());
        }
        let symbols = read_symbols(&table, data, sections.len(), &mut names)?;
        let mut relocs: Vec<Vec<Reloc>> = vec![Vec::new(); sections.len()];
        let mut debug = Vec::new();
        for (index, section) in table.iter().enumerate() {
            // The target is what sh_info says. Names lie: lld -r calls it after the first input.
            let target = section.sh_info(Le) as usize;
            let alloc =
                sections.get(target).is_some_and(|target| target.is_alloc() || target.name == ".stack_sizes");
            if section.sh_type(Le) == elf::SHT_REL && section.sh_size(Le) > 0 && alloc {
                return Err(Unsuitable::Rel(index).into());
            }
            let Some((entries, _)) = section.rela(Le, data).map_err(|_| Damage::Relocations(index))? else {
                continue;
            };
            let Some(list) = relocs.get_mut(target).filter(|_| target != 0) else {
                return Err(Damage::Target { section: index, target }.into());
            };
            if !alloc {
                if sections.get(target).is_some_and(|target| target.name.starts_with(".debug_")) {
                    debug.push((target, entries));
                }
                continue;
            }
            for entry in entries {
                let symbol = entry.r_sym(Le, false) as usize;
                if symbol >= symbols.len() {
                    return Err(Damage::Relocation { section: index, symbol }.into());
                }
                let (offset, addend) = (entry.r_offset(Le), entry.r_addend(Le));
                list.push(Reloc { offset, kind: entry.r_type(Le, false).0, symbol, addend });
            }
        }
        for list in &mut relocs {
            list.sort_by_key(|reloc| reloc.offset);
        }
        let members = vec![Member { name: String::new(), sections: 0..sections.len(), symbols: 0 }];
        Ok(Self { sections, symbols, relocs, debug, members, os_abi: header.e_ident.os_abi.0 })
    }

    /// Whether it is one file, as the loader takes it, and not an archive.
    pub(crate) fn is_one_file(&self) -> bool {
        self.members.len() == 1 && self.members[0].name.is_empty()
    }

    /// The relocation at exactly `offset` of `section`.
    pub(crate) fn reloc_at(&self, section: usize, offset: u64) -> Option<&Reloc> {
        let list = self.relocs.get(section)?;
        list.binary_search_by_key(&offset, |reloc| reloc.offset).ok().and_then(|at| list.get(at))
    }

    /// The relocations in `start..end` of `section`.
    pub(crate) fn relocs_in(&self, section: usize, start: u64, end: u64) -> &[Reloc] {
        let Some(list) = self.relocs.get(section) else { return &[] };
        let from = list.partition_point(|reloc| reloc.offset < start);
        let to = list.partition_point(|reloc| reloc.offset < end).max(from);
        &list[from..to]
    }

    /// The section offset that an absolute relocation (symbol + addend) points to.
    pub(crate) fn points_to(&self, reloc: &Reloc) -> Option<(usize, u64)> {
        match self.symbols.get(reloc.symbol)?.home {
            Home::Section { section, offset } => Some((section, offset.wrapping_add_signed(reloc.addend))),
            Home::Undefined | Home::Other => None,
        }
    }
}

fn read_symbols(
    table: &object::read::elf::SectionTable<'_, FileHeader64<Le>>,
    data: &[u8],
    sections: usize,
    names: &mut NameBudget,
) -> Result<Vec<Symbol>, IntakeError> {
    let found = table.symbols(Le, data, elf::SHT_SYMTAB).map_err(Damage::Symbols)?;
    let mut symbols = Vec::with_capacity(found.len());
    for (index, symbol) in found.iter().enumerate() {
        let name = symbol.name(Le, found.strings()).map_err(|_| Damage::SymbolName(index))?;
        let shndx = symbol.st_shndx(Le);
        let place = match shndx {
            elf::SHN_XINDEX => found
                .symbol_section(Le, symbol, object::SymbolIndex(index))
                .map_err(|_| Damage::SymbolIndex(index))?
                .map(|section| section.0),
            elf::SHN_UNDEF => None,
            reserved if reserved.0 >= elf::SHN_LORESERVE => None,
            plain => Some(usize::from(plain.0)),
        };
        let home = match place {
            Some(section) if section >= sections => {
                return Err(Damage::SymbolSection { symbol: index, section }.into());
            }
            Some(section) => Home::Section { section, offset: symbol.st_value(Le) },
            None if shndx == elf::SHN_UNDEF => Home::Undefined,
            None => Home::Other,
        };
        symbols.push(Symbol {
            name: names.take(name)?,
            home,
            size: symbol.st_size(Le),
            kind: symbol.st_type().0,
            bind: symbol.st_bind().0,
        });
    }
    Ok(symbols)
}

/// Names may share their tails, so a small string table can spell a great many bytes; and findings repeat
/// them, so that each alone is limited too.
struct NameBudget(usize);

impl NameBudget {
    fn new(file: usize) -> Self {
        Self(file.saturating_mul(8).max(4096))
    }

    fn take(&mut self, name: &[u8]) -> Result<String, IntakeError> {
        if name.len() > LONGEST_NAME {
            return Err(Damage::LongName(name.len()).into());
        }
        self.0 = self.0.checked_sub(name.len()).ok_or(Damage::Names)?;
        Ok(String::from_utf8_lossy(name).into_owned())
    }
}
