// SPDX-License-Identifier: BSD-2-Clause
//! Line tables for synthetic modules, with relocations as a compiler leaves them in a file that is not linked.

use std::collections::BTreeMap;

use gimli::write::{
    Address, AttributeValue, Dwarf, EndianVec, LineProgram, LineString, RelocateWriter, Relocation,
    RelocationTarget, Sections, Unit,
};
use gimli::{DwLang, Encoding, Format, LineEncoding, LittleEndian, constants};
use object::write::{Object, SectionId, SymbolId};
use object::{RelocationFlags, SectionKind};

use super::write_error::WriteError;

/// Bytes of code of one line: four instructions of four bytes.
const LINE: u64 = 16;

/// Gives `bytes` of `text` one line of a C file every 16 bytes.
pub(super) fn add(object: &mut Object<'_>, text: SectionId, bytes: u64) -> Result<(), WriteError> {
    let encoding = Encoding { format: Format::Dwarf32, version: 5, address_size: 8 };
    let name = |text: &str| LineString::String(text.as_bytes().to_vec());
    let mut program =
        LineProgram::new(encoding, LineEncoding::default(), name("/out"), None, name("synthetic.c"), None);
    let directory = program.add_directory(name("/src"));
    let file = program.add_file(name("synthetic.c"), directory, None);
    program.begin_sequence(Some(Address::Symbol { symbol: 0, addend: 0 }));
    for number in 0..bytes.div_ceil(LINE) {
        let row = program.row();
        (row.address_offset, row.file, row.line, row.column) = (number * LINE, file, number + 1, 5);
        program.generate_row();
    }
    program.end_sequence(bytes);
    let mut dwarf = Dwarf::new();
    let unit = dwarf.units.add(Unit::new(encoding, program));
    let unit = dwarf.units.get_mut(unit);
    let root = unit.get_mut(unit.root());
    root.set(constants::DW_AT_name, AttributeValue::String(b"synthetic.c".to_vec()));
    root.set(constants::DW_AT_language, AttributeValue::Language(DwLang(0x0c)));

    let mut sections = Sections::new(Relocated::default());
    dwarf.write(&mut sections)?;
    let mut symbols: BTreeMap<&str, SymbolId> = BTreeMap::new();
    let mut pending = Vec::new();
    sections.for_each(|id, data| {
        if !data.writer.slice().is_empty() {
            let section = object.add_section(Vec::new(), id.name().into(), SectionKind::Debug);
            object.append_section_data(section, data.writer.slice(), 1);
            symbols.insert(id.name(), object.section_symbol(section));
            pending.push((section, data.relocations.clone()));
        }
        Ok::<(), gimli::write::Error>(())
    })?;
    let text = object.section_symbol(text);
    for (section, relocations) in pending {
        for relocation in relocations {
            let symbol = match relocation.target {
                RelocationTarget::Symbol(_) => text,
                RelocationTarget::Section(id) => symbols[id.name()],
            };
            let r_type = match relocation.size {
                8 => object::elf::R_X86_64_64,
                _ => object::elf::R_X86_64_32,
            };
            let (offset, addend) = (relocation.offset as u64, relocation.addend);
            let flags = RelocationFlags::Elf { r_type };
            object.add_relocation(section, object::write::Relocation { offset, symbol, addend, flags })?;
        }
    }
    Ok(())
}

/// A section's bytes and what the linker would put into them.
#[derive(Debug, Clone)]
struct Relocated {
    writer: EndianVec<LittleEndian>,
    relocations: Vec<Relocation>,
}

impl Default for Relocated {
    fn default() -> Self {
        Self { writer: EndianVec::new(LittleEndian), relocations: Vec::new() }
    }
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
        self.relocations.push(relocation);
    }
}
