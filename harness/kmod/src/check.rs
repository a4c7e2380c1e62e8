// SPDX-License-Identifier: BSD-2-Clause
//! Checks before a module is loaded. `nlproof verify` looks much closer; these find what would make kldload
//! itself fail, with a reason that kldload does not give.

use object::read::elf::{ElfFile64, FileHeader as _, SectionHeader as _};
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, elf};

/// Symbol that the panic handler calls; no kernel has it.
const CAN_PANIC: &str = "nlproof_this_module_can_panic";

/// Why a module may not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A panic is left in the Rust code.
    #[error("it can panic: the optimiser could not remove a bounds check, an overflow check or an unwrap")]
    CanPanic,
    /// The module loader of amd64 does not know a relocation.
    #[error(
        "section {section} has a relocation of type {kind} against {symbol}, which kldload does not know"
    )]
    Relocation {
        /// The name of the section.
        section: String,
        /// `R_X86_64_*` as a number.
        kind: u32,
        /// The symbol it is against.
        symbol: String,
    },
    /// The file is not a relocatable object.
    #[error("it is no amd64 ELF object: {0}")]
    NotAnObject(String),
}

/// The symbols that the module expects of the kernel, sorted.
pub(crate) fn check(module: &[u8]) -> Result<Vec<String>, Refusal> {
    let not_an_object = |error: object::Error| Refusal::NotAnObject(error.to_string());
    let file = ElfFile64::<LittleEndian>::parse(module).map_err(not_an_object)?;
    if file.elf_header().e_machine(LittleEndian) != elf::EM_X86_64 {
        return Err(Refusal::NotAnObject("it is for another machine".into()));
    }
    let mut imports: Vec<String> = file
        .symbols()
        .filter(|symbol| symbol.is_undefined() && !symbol.is_weak())
        .filter_map(|symbol| symbol.name().ok().filter(|name| !name.is_empty()).map(str::to_owned))
        // The boundaries of linker sets, which the module loader makes up.
        .filter(|name| !name.starts_with("__start_set_") && !name.starts_with("__stop_set_"))
        .collect();
    imports.sort();
    if imports.iter().any(|import| import == CAN_PANIC) {
        return Err(Refusal::CanPanic);
    }
    for section in file.sections() {
        if !section.elf_section_header().sh_flags(LittleEndian).contains(elf::SHF_ALLOC) {
            continue;
        }
        for (_, relocation) in section.relocations() {
            let object::RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            let known = [
                elf::R_X86_64_64,
                elf::R_X86_64_PC32,
                elf::R_X86_64_PLT32,
                elf::R_X86_64_32S,
                elf::R_X86_64_NONE,
            ];
            if !known.contains(&r_type) {
                let symbol = match relocation.target() {
                    RelocationTarget::Symbol(index) => {
                        file.symbol_by_index(index).ok().and_then(|symbol| symbol.name().ok())
                    }
                    _ => None,
                };
                return Err(Refusal::Relocation {
                    section: section.name().unwrap_or("?").to_owned(),
                    kind: r_type.0,
                    symbol: symbol.unwrap_or("?").to_owned(),
                });
            }
        }
    }
    Ok(imports)
}

#[cfg(test)]
mod tests {
    use super::*;

    use object::write::{Object, Relocation, Symbol, SymbolSection};
    use object::{
        Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
        SymbolScope,
    };

    fn module(import: &str, r_type: u32) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.add_section(vec![], b".text".to_vec(), SectionKind::Text);
        object.append_section_data(text, &[0xe8, 0, 0, 0, 0, 0xc3, 0, 0], 16);
        let symbol = object.add_symbol(Symbol {
            name: import.into(),
            value: 0,
            size: 0,
            kind: SymbolKind::Unknown,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        let flags = RelocationFlags::Elf { r_type: elf::RelocationType(r_type) };
        object.add_relocation(text, Relocation { offset: 1, symbol, addend: -4, flags }).unwrap();
        object.write().unwrap()
    }

    #[test]
    fn a_call_of_a_kernel_function_passes() {
        assert_eq!(check(&module("if_rele", 4)), Ok(vec!["if_rele".to_owned()]));
    }

    #[test]
    fn what_can_panic_is_refused() {
        assert_eq!(check(&module(CAN_PANIC, 4)), Err(Refusal::CanPanic));
    }

    #[test]
    fn a_relocation_that_the_loader_does_not_know_is_refused() {
        let refusal = check(&module("memmove", 9)).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "section .text has a relocation of type 9 against memmove, which kldload does not know"
        );
    }

    #[test]
    fn bytes_that_are_no_object_are_refused() {
        assert!(matches!(check(b"#!/bin/sh"), Err(Refusal::NotAnObject(_))));
    }
}
