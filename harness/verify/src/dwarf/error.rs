// SPDX-License-Identifier: BSD-2-Clause
//! Why debug information cannot be read.

/// Why debug information cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DebugError {
    /// Not ELF, or damaged.
    #[error(transparent)]
    Elf(#[from] object::Error),
    /// A section that is packed.
    #[error("{section} is compressed{remedy}")]
    Compressed {
        /// Name of the section.
        section: &'static str,
        /// What helps, in brackets; or nothing.
        remedy: &'static str,
    },
    /// A section that is not in the file.
    #[error("{0} lies outside the file")]
    Outside(&'static str),
    /// A relocation of a type that debug sections do not have.
    #[error("{section} has a relocation of type {kind}")]
    RelocationType {
        /// Name of the section.
        section: &'static str,
        /// `R_X86_64_…`.
        kind: u32,
    },
    /// A relocation against a symbol that is not there.
    #[error("{section} has a relocation against symbol {symbol}")]
    RelocationSymbol {
        /// Name of the section.
        section: &'static str,
        /// Number of the symbol.
        symbol: usize,
    },
    /// A relocation of bytes that are not there.
    #[error("{0} has a relocation outside of its contents")]
    RelocationPlace(&'static str),
    /// A line program whose header is damaged.
    #[error(".debug_line at {at:#x}: {error}")]
    LineHeader {
        /// Where it begins, in bytes.
        at: usize,
        /// What is wrong.
        #[source]
        error: gimli::Error,
    },
    /// A line program that is damaged.
    #[error(".debug_line before {at:#x}: {error}")]
    Line {
        /// Where the program ends, in bytes.
        at: usize,
        /// What is wrong.
        #[source]
        error: gimli::Error,
    },
    /// Entries that are damaged.
    #[error(".debug_info cannot be read: {0}")]
    Info(#[from] gimli::Error),
    /// Entries that would take too long to read.
    #[error(".debug_info refers to more than its length allows")]
    Spent,
    /// No entries.
    #[error("the module has no .debug_info")]
    NoInfo,
    /// No lines.
    #[error("the module has no .debug_line: compile with -g, and keep it")]
    NoLines,
}
