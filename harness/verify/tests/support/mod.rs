// SPDX-License-Identifier: BSD-2-Clause
//! Modules made from instructions: no compiler or linker for FreeBSD is needed.
#![expect(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use iced_x86::code_asm::{CodeAssembler, rbp, rsp};
use nlproof_verify::{Check, KernelSymbols, ObjectBytes, Policy, Report, Verdict, verify};
use object::elf;
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope,
};

use object::elf::{R_X86_64_64, R_X86_64_PLT32};

/// The `__FreeBSD_version` of the kernel of these tests.
pub(crate) const VERSION: i32 = 1_400_507;

/// A policy from its text.
pub(crate) fn policy(text: &str) -> Policy {
    Policy::parse(Path::new("p.yaml"), text).unwrap()
}

/// The code of a function that does nothing.
pub(crate) fn leaf(a: &mut CodeAssembler) {
    a.push(rbp).unwrap();
    a.mov(rbp, rsp).unwrap();
    a.pop(rbp).unwrap();
    a.ret().unwrap();
}

/// A module under construction.
pub(crate) struct Fixture {
    object: Object<'static>,
    text: SectionId,
}

impl Fixture {
    /// With `.text` and good metadata for [`VERSION`].
    pub(crate) fn new() -> Self {
        let mut fixture = Self::bare();
        fixture.metadata(VERSION, VERSION);
        fixture
    }

    /// With an empty `.text` only.
    pub(crate) fn bare() -> Self {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        Self { object, text }
    }

    /// A section with contents and flags, aligned to `align` bytes.
    pub(crate) fn section(
        &mut self,
        name: &str,
        flags: elf::SectionFlags,
        data: &[u8],
        align: u64,
    ) -> SectionId {
        let id = self.object.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::Data);
        self.object.append_section_data(id, data, align);
        self.object.section_mut(id).flags = SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags: flags };
        id
    }

    pub(crate) fn symbol(
        &mut self,
        name: &str,
        section: SectionId,
        value: u64,
        size: u64,
        kind: SymbolKind,
    ) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.into(),
            value,
            size,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    /// Makes a symbol local to its file.
    pub(crate) fn hide(&mut self, symbol: SymbolId) {
        self.object.symbol_mut(symbol).scope = SymbolScope::Compilation;
    }

    pub(crate) fn import(&mut self, name: &str) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.into(),
            value: 0,
            size: 0,
            kind: SymbolKind::Unknown,
            scope: SymbolScope::Unknown,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        })
    }

    /// Raw bytes as a function; a size of 0 is kept.
    pub(crate) fn bytes(&mut self, name: &str, code: &[u8], size: u64) -> SymbolId {
        let at = self.object.append_section_data(self.text, code, 16);
        self.symbol(name, self.text, at, size, SymbolKind::Text)
    }

    /// A function of instructions; returns its symbol.
    pub(crate) fn function(&mut self, name: &str, write: impl FnOnce(&mut CodeAssembler)) -> SymbolId {
        let mut assembler = CodeAssembler::new(64).unwrap();
        write(&mut assembler);
        let code = assembler.assemble(0).unwrap();
        self.bytes(name, &code, code.len() as u64)
    }

    /// `push %rbp; mov %rsp,%rbp; call each; pop %rbp; ret` with PLT32 relocations.
    pub(crate) fn caller(&mut self, name: &str, callees: &[SymbolId]) -> SymbolId {
        let mut code = vec![0x55, 0x48, 0x89, 0xe5];
        let mut places = Vec::new();
        for _ in callees {
            places.push(code.len() as u64 + 1);
            code.extend([0xe8, 0, 0, 0, 0]);
        }
        code.extend([0x5d, 0xc3]);
        let id = self.bytes(name, &code, code.len() as u64);
        let start = self.object.symbol(id).value;
        for (place, callee) in places.into_iter().zip(callees) {
            self.reloc(self.text, start + place, *callee, -4, R_X86_64_PLT32);
        }
        id
    }

    pub(crate) fn start_of(&self, symbol: SymbolId) -> u64 {
        self.object.symbol(symbol).value
    }

    pub(crate) fn text(&self) -> SectionId {
        self.text
    }

    pub(crate) fn section_symbol(&mut self, section: SectionId) -> SymbolId {
        self.object.section_symbol(section)
    }

    pub(crate) fn reloc(
        &mut self,
        section: SectionId,
        offset: u64,
        symbol: SymbolId,
        addend: i64,
        kind: elf::RelocationType,
    ) {
        let flags = RelocationFlags::Elf { r_type: kind };
        self.object.add_relocation(section, Relocation { offset, symbol, addend, flags }).unwrap();
    }

    /// Pads `.text` to a page as ldscript.kmod.amd64 does.
    pub(crate) fn pad_text(&mut self) {
        let length = self.object.section(self.text).data().len();
        let rest = length.next_multiple_of(4096) - length;
        self.object.append_section_data(self.text, &vec![0xcc; rest], 1);
    }

    /// A MDT_MODULE and a MDT_DEPEND record on `kernel`.
    pub(crate) fn metadata(&mut self, low: i32, high: i32) {
        let mut data = Vec::new();
        for kind in [2_i32, 1] {
            data.extend(1_i32.to_le_bytes());
            data.extend(kind.to_le_bytes());
            data.extend([0; 16]);
        }
        for word in [low, low, high] {
            data.extend(word.to_le_bytes());
        }
        let names = data.len() as i64;
        data.extend(b"sample\0kernel\0");
        let read = elf::SHF_ALLOC;
        let records = self.section(".rodata.meta", read, &data, 4096);
        let base = self.section_symbol(records);
        self.reloc(records, 16, base, names, R_X86_64_64);
        self.reloc(records, 24 + 8, base, 48, R_X86_64_64);
        self.reloc(records, 24 + 16, base, names + 7, R_X86_64_64);
        let set = self.section("set_modmetadata_set", read, &[0; 16], 8);
        self.reloc(set, 0, base, 0, R_X86_64_64);
        self.reloc(set, 8, base, 24, R_X86_64_64);
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        self.object.write().unwrap()
    }

    pub(crate) fn verify(&self, policy: &Policy) -> Report {
        verify(&ObjectBytes { name: "sample.ko", bytes: &self.build() }, policy, Some(&kernel()))
    }
}

/// A kernel with a few functions.
pub(crate) fn kernel() -> KernelSymbols {
    KernelSymbols::from_globals(["if_up", "if_down", "panic", "__stack_chk_guard"], Some(VERSION))
}

pub(crate) fn verdict(report: &Report, check: Check) -> Verdict {
    report.checks.iter().find(|row| row.check == check).unwrap().verdict
}

/// Accepted as a whole.
#[track_caller]
pub(crate) fn accepts(fixture: &Fixture, policy: &Policy) -> Report {
    let report = fixture.verify(policy);
    assert!(report.accepted, "{report}");
    report
}

/// Rejected by exactly this check; the first finding's text is returned.
#[track_caller]
pub(crate) fn rejects(fixture: &Fixture, policy: &Policy, check: Check, subject: &str) -> String {
    let report = fixture.verify(policy);
    for row in &report.checks {
        assert_eq!(row.verdict == Verdict::Reject, row.check == check, "{report}");
    }
    let finding = report.findings.iter().find(|finding| finding.check == check && finding.rejects()).unwrap();
    assert_eq!(finding.subject, subject, "{report}");
    let cause = finding.cause.clone().unwrap_or_default();
    format!("{}; {cause}", finding.what)
}
