// SPDX-License-Identifier: BSD-2-Clause
//! Modules of any number of instructions, for the time that verification takes.

use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

use super::write_error::WriteError;

/// Instructions of one function of a [`Shape::Chain`] or [`Shape::Panics`].
const FUNCTION: usize = 100;

/// The shape of a synthetic module's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Functions of 100 instructions, each calling the one before: one long chain.
    Chain,
    /// The same, and the first calls `panic`: every function is rejected, with the way there.
    Panics,
    /// The same, with debug information: a source line for every four instructions.
    Lines,
    /// One function of branches forwards and back.
    Branches,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chain, Self::Panics, Self::Lines, Self::Branches];

    /// What reports call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Panics => "panics",
            Self::Lines => "lines",
            Self::Branches => "branches",
        }
    }

    /// A relocatable amd64 file of about that many instructions.
    ///
    /// # Errors
    /// What the writers of ELF files and of debug information say.
    pub fn module(self, insns: usize) -> Result<Vec<u8>, WriteError> {
        let mut module = Module::new();
        match self {
            Self::Chain | Self::Panics | Self::Lines => {
                let mut before = (self != Self::Chain).then(|| module.symbol("panic", None, 0));
                for number in 0..insns.div_ceil(FUNCTION) {
                    before = Some(module.link(number, before)?);
                }
                if self == Self::Lines {
                    let bytes = module.object.section(module.text).data().len() as u64;
                    super::debug_lines::add(&mut module.object, module.text, bytes)?;
                }
            }
            Self::Branches => {
                module.branches(insns);
            }
        }
        Ok(module.object.write()?)
    }
}

struct Module {
    object: Object<'static>,
    text: SectionId,
}

impl Module {
    fn new() -> Self {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        Self { object, text }
    }

    /// `push %rbp; mov %rsp,%rbp`, additions, a call (or a nop), `pop %rbp; ret`.
    fn link(&mut self, number: usize, calls: Option<SymbolId>) -> object::write::Result<SymbolId> {
        let mut code = vec![0x55, 0x48, 0x89, 0xe5];
        for _ in 0..FUNCTION - 5 {
            code.extend([0x48, 0x83, 0xc0, 0x01]);
        }
        match calls {
            Some(_) => code.extend([0xe8, 0, 0, 0, 0]),
            None => code.push(0x90),
        }
        let field = code.len() as u64 - 4;
        code.extend([0x5d, 0xc3]);
        let start = self.object.append_section_data(self.text, &code, 16);
        if let Some(symbol) = calls {
            let flags = RelocationFlags::Elf { r_type: object::elf::R_X86_64_PLT32 };
            let offset = start + field;
            self.object.add_relocation(self.text, Relocation { offset, symbol, addend: -4, flags })?;
        }
        Ok(self.symbol(&format!("f{number}"), Some(start), code.len() as u64))
    }

    /// `jne` over the next branch, `jne` back to the one before, and at the end `ret`.
    fn branches(&mut self, insns: usize) {
        let mut code = Vec::new();
        for _ in 0..insns.saturating_sub(1) / 2 {
            code.extend([0x75, 0x02, 0x75, 0xfc]);
        }
        code.push(0xc3);
        let start = self.object.append_section_data(self.text, &code, 16);
        self.symbol("f", Some(start), code.len() as u64);
    }

    /// A function of this file, or an import.
    fn symbol(&mut self, name: &str, start: Option<u64>, size: u64) -> SymbolId {
        let (scope, kind, section) = match start {
            Some(_) => (SymbolScope::Dynamic, SymbolKind::Text, SymbolSection::Section(self.text)),
            None => (SymbolScope::Unknown, SymbolKind::Unknown, SymbolSection::Undefined),
        };
        let value = start.unwrap_or(0);
        let name = name.as_bytes().to_vec();
        self.object.add_symbol(Symbol {
            name,
            value,
            size,
            kind,
            scope,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nlproof_verify::{Check, ObjectBytes, Policy, Report, Verdict, verify};

    fn report(shape: Shape, insns: usize) -> Report {
        let bytes = shape.module(insns).unwrap();
        let policy = Policy { metadata: false, ..Policy::default() };
        verify(&ObjectBytes { name: shape.name(), bytes: &bytes }, &policy, None)
    }

    #[test]
    fn shapes_have_the_instructions_they_say_and_are_read_without_a_gap() {
        for shape in Shape::ALL {
            let report = report(shape, 1_000);
            assert!((999..=1_000).contains(&report.stats.insns), "{report}");
            for check in [Check::Elf, Check::Code, Check::Stack] {
                let row = report.checks.iter().find(|row| row.check == check).unwrap();
                assert_eq!(row.verdict, Verdict::Ok, "{report}");
            }
        }
    }

    #[test]
    fn only_shapes_that_panic_are_rejected_once_for_each_function() {
        assert!(report(Shape::Chain, 1_000).accepted);
        assert!(report(Shape::Branches, 1_000).accepted);
        for shape in [Shape::Panics, Shape::Lines] {
            let panics = report(shape, 1_000);
            let of_panic = panics.findings.iter().filter(|finding| finding.check == Check::Panic);
            // Ten functions and the import.
            assert_eq!(of_panic.count(), 11, "{panics}");
        }
    }

    #[test]
    fn the_paths_of_the_shape_with_lines_have_them() {
        let steps = |shape: Shape| -> Vec<Option<u64>> {
            let report = report(shape, 1_000);
            let steps = report.findings.iter().flat_map(|finding| &finding.path);
            steps.map(|step| step.source.as_ref().map(|source| source.line)).collect()
        };
        assert!(steps(Shape::Panics).iter().all(Option::is_none));
        let lines = steps(Shape::Lines);
        assert!(lines.len() >= 10 && lines.iter().all(|line| line.is_some_and(|line| line > 0)), "{lines:?}");
    }
}
