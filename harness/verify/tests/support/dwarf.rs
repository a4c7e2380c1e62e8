// SPDX-License-Identifier: BSD-2-Clause
//! Debug information of fixtures, as a compiler would write it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use gimli::constants;
use gimli::write::{
    Address, AttributeValue, Dwarf, EndianVec, LineProgram, LineString, RelocateWriter, Relocation,
    RelocationTarget, Sections, Unit, UnitEntryId, UnitId,
};
use gimli::{DwLang, Encoding, Format, LineEncoding, LittleEndian, SectionId};
use object::elf::{R_X86_64_32, R_X86_64_64, SectionFlags};
use object::write::SymbolId;

use super::support::Fixture;

/// A field of a structure: name, offset, size of its number.
pub(crate) type Field<'a> = (&'a str, u64, u64);

/// Debug information under construction.
pub(crate) struct Debug {
    dwarf: Dwarf,
    encoding: Encoding,
}

impl Debug {
    pub(crate) fn new(version: u16) -> Self {
        Self { dwarf: Dwarf::new(), encoding: Encoding { format: Format::Dwarf32, version, address_size: 8 } }
    }

    /// A unit of `file` whose code begins at `start` of `.text`; a line for each of `rows`: offset and number.
    pub(crate) fn unit(
        &mut self,
        language: DwLang,
        file: &str,
        start: u64,
        rows: &[(u64, u64)],
        end: u64,
    ) -> UnitId {
        let name = |text: &str| LineString::String(text.as_bytes().to_vec());
        let mut program =
            LineProgram::new(self.encoding, LineEncoding::default(), name("/out"), None, name(file), None);
        let directory = program.add_directory(name("/shim"));
        let id = program.add_file(name(file), directory, None);
        if !rows.is_empty() {
            program.begin_sequence(Some(Address::Symbol { symbol: 0, addend: start as i64 }));
            for (offset, line) in rows {
                let row = program.row();
                (row.address_offset, row.file, row.line, row.column) = (*offset, id, *line, 7);
                program.generate_row();
            }
            program.end_sequence(end);
        }
        let unit = self.dwarf.units.add(Unit::new(self.encoding, program));
        let root = self.dwarf.units.get(unit).root();
        self.set(unit, root, constants::DW_AT_name, AttributeValue::String(file.as_bytes().to_vec()));
        self.set(unit, root, constants::DW_AT_language, AttributeValue::Language(language));
        unit
    }

    pub(crate) fn set(&mut self, unit: UnitId, entry: UnitEntryId, name: gimli::DwAt, value: AttributeValue) {
        self.dwarf.units.get_mut(unit).get_mut(entry).set(name, value);
    }

    pub(crate) fn root(&self, unit: UnitId) -> UnitEntryId {
        self.dwarf.units.get(unit).root()
    }

    pub(crate) fn entry(
        &mut self,
        unit: UnitId,
        parent: UnitEntryId,
        tag: gimli::DwTag,
        name: &str,
    ) -> UnitEntryId {
        let entry = self.dwarf.units.get_mut(unit).add(parent, tag);
        if !name.is_empty() {
            let value = AttributeValue::StringRef(self.dwarf.strings.add(name));
            self.set(unit, entry, constants::DW_AT_name, value);
        }
        entry
    }

    /// A structure of numbers.
    pub(crate) fn structure(
        &mut self,
        unit: UnitId,
        parent: UnitEntryId,
        name: &str,
        size: u64,
        fields: &[Field<'_>],
    ) -> UnitEntryId {
        let entry = self.entry(unit, parent, constants::DW_TAG_structure_type, name);
        self.set(unit, entry, constants::DW_AT_byte_size, AttributeValue::Udata(size));
        let root = self.root(unit);
        let mut numbers: BTreeMap<u64, UnitEntryId> = BTreeMap::new();
        for (name, offset, bytes) in fields {
            let number = *numbers.entry(*bytes).or_insert_with(|| {
                let number = self.entry(unit, root, constants::DW_TAG_base_type, "number");
                self.set(unit, number, constants::DW_AT_byte_size, AttributeValue::Udata(*bytes));
                number
            });
            self.member(unit, entry, name, *offset, number);
        }
        entry
    }

    pub(crate) fn member(
        &mut self,
        unit: UnitId,
        parent: UnitEntryId,
        name: &str,
        offset: u64,
        of: UnitEntryId,
    ) {
        let member = self.entry(unit, parent, constants::DW_TAG_member, name);
        self.set(unit, member, constants::DW_AT_data_member_location, AttributeValue::Udata(offset));
        self.set(unit, member, constants::DW_AT_type, AttributeValue::UnitRef(of));
    }

    /// A function of the unit and, at `range` of `.text`, its body inside of another, called at `line`.
    pub(crate) fn inlined(&mut self, unit: UnitId, name: &str, range: (u64, u64), line: u64) {
        let root = self.root(unit);
        let origin = self.entry(unit, root, constants::DW_TAG_subprogram, name);
        let outer = self.entry(unit, root, constants::DW_TAG_subprogram, "outer");
        let inlined = self.entry(unit, outer, constants::DW_TAG_inlined_subroutine, "");
        let low = Address::Symbol { symbol: 0, addend: range.0 as i64 };
        self.set(unit, inlined, constants::DW_AT_abstract_origin, AttributeValue::UnitRef(origin));
        self.set(unit, inlined, constants::DW_AT_low_pc, AttributeValue::Address(low));
        self.set(unit, inlined, constants::DW_AT_high_pc, AttributeValue::Udata(range.1 - range.0));
        self.set(unit, inlined, constants::DW_AT_call_file, AttributeValue::Udata(1));
        self.set(unit, inlined, constants::DW_AT_call_line, AttributeValue::Udata(line));
    }

    /// Puts the sections into the fixture, with relocations as in any file that is not linked.
    pub(crate) fn add_to(mut self, fixture: &mut Fixture) {
        let mut sections =
            Sections::new(Relocated { writer: EndianVec::new(LittleEndian), relocs: Vec::new() });
        self.dwarf.write(&mut sections).unwrap();
        let mut symbols: BTreeMap<&str, SymbolId> = BTreeMap::new();
        let mut pending = Vec::new();
        sections
            .for_each(|id: SectionId, data| {
                if !data.writer.slice().is_empty() {
                    let section = fixture.section(id.name(), SectionFlags(0), data.writer.slice(), 1);
                    symbols.insert(id.name(), fixture.section_symbol(section));
                    pending.push((section, data.relocs.clone()));
                }
                Ok::<(), gimli::write::Error>(())
            })
            .unwrap();
        let text = fixture.text();
        let text = fixture.section_symbol(text);
        for (section, relocs) in pending {
            for reloc in relocs {
                let symbol = match reloc.target {
                    RelocationTarget::Symbol(_) => text,
                    RelocationTarget::Section(id) => symbols[id.name()],
                };
                let kind = if reloc.size == 8 { R_X86_64_64 } else { R_X86_64_32 };
                fixture.reloc(section, reloc.offset as u64, symbol, reloc.addend, kind);
            }
        }
    }
}

impl Debug {
    /// The same for a file that is linked: sections as they are, no relocations.
    pub(crate) fn add_linked(mut self, fixture: &mut Fixture) {
        let mut sections = Sections::new(EndianVec::new(LittleEndian));
        self.dwarf.write(&mut sections).unwrap();
        sections
            .for_each(|id: SectionId, data| {
                if !data.slice().is_empty() {
                    fixture.section(id.name(), SectionFlags(0), data.slice(), 1);
                }
                Ok::<(), gimli::write::Error>(())
            })
            .unwrap();
    }
}

#[derive(Debug, Clone)]
struct Relocated {
    writer: EndianVec<LittleEndian>,
    relocs: Vec<Relocation>,
}

impl RelocateWriter for Relocated {
    type Writer = EndianVec<LittleEndian>;

    fn writer(&self) -> &Self::Writer {
        &self.writer
    }

    fn writer_mut(&mut self) -> &mut Self::Writer {
        &mut self.writer
    }

    fn relocate(&mut self, relocation: Relocation) {
        self.relocs.push(relocation);
    }
}
