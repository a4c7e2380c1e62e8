// SPDX-License-Identifier: BSD-2-Clause
//! Kernel files that boot nowhere and say of themselves what a test wants.

use object::write::{Object, StandardSection, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

/// A kernel file of this version; `revision` is what stands before the colon of its version string.
pub(crate) fn kernel(architecture: Architecture, osreldate: u32, osrelease: &str, revision: &str) -> Vec<u8> {
    let mut file = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    let data = file.section_id(StandardSection::Data);
    let mut variable = |name: &str, bytes: &[u8]| {
        let symbol = file.add_symbol(Symbol {
            name: name.into(),
            value: 0,
            size: bytes.len() as u64,
            kind: SymbolKind::Data,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        file.add_symbol_data(symbol, data, bytes, 4);
    };
    variable("osreldate", &osreldate.to_le_bytes());
    variable("osrelease", format!("{osrelease}\0").as_bytes());
    variable("kern_ident", b"GENERIC\0");
    variable("sccs", format!("@(#)FreeBSD {osrelease} #0 {revision}: Mon\n\0").as_bytes());
    file.write().unwrap()
}
