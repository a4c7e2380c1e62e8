// SPDX-License-Identifier: BSD-2-Clause
//! How long verification takes by size: synthetic modules of functions with 100 instructions, each calling
//! the one before it. `cargo run --release --example scale`

use std::time::Instant;

use nlproof_verify::{ObjectBytes, Policy, verify};
use object::write::{Object, Relocation, SectionId, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

/// `push %rbp; mov %rsp,%rbp`, 95 additions, a call, `pop %rbp; ret`: 100 instructions.
fn function(
    object: &mut Object<'static>,
    text: SectionId,
    number: usize,
    before: Option<object::write::SymbolId>,
) -> object::write::SymbolId {
    let mut code = vec![0x55, 0x48, 0x89, 0xe5];
    for _ in 0..95 {
        code.extend([0x48, 0x83, 0xc0, 0x01]);
    }
    match before {
        Some(_) => code.extend([0xe8, 0, 0, 0, 0]),
        None => code.push(0x90),
    }
    let call = code.len() as u64 - 4;
    code.extend([0x5d, 0xc3]);
    let start = object.append_section_data(text, &code, 16);
    if let Some(symbol) = before {
        let flags = RelocationFlags::Elf { r_type: object::elf::R_X86_64_PLT32 };
        if let Err(error) =
            object.add_relocation(text, Relocation { offset: start + call, symbol, addend: -4, flags })
        {
            eprintln!("error: {error}");
        }
    }
    object.add_symbol(Symbol {
        name: format!("f{number}").into_bytes(),
        value: start,
        size: code.len() as u64,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(text),
        flags: SymbolFlags::None,
    })
}

fn main() {
    let policy = Policy { metadata: false, chain_bytes: u64::MAX, ..Policy::default() };
    for insns in [1_000, 10_000, 100_000, 1_000_000] {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        let mut before = None;
        for number in 0..insns / 100 {
            before = Some(function(&mut object, text, number, before));
        }
        let Ok(bytes) = object.write() else { continue };
        let start = Instant::now();
        let report = verify(&ObjectBytes { name: "scale.ko", bytes: &bytes }, &policy, None);
        let verdict = if report.accepted { "accepted" } else { "rejected" };
        println!(
            "{:>8} insns  {:>9} bytes  {verdict}  {:.1?}",
            report.stats.insns,
            bytes.len(),
            start.elapsed()
        );
    }
}
