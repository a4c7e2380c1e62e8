// SPDX-License-Identifier: BSD-2-Clause
//! Why a file is no module that can be looked at.

use nlproof_base::counted;

use crate::limits::{LONGEST_NAME, MAX_BYTES};

/// What keeps a file from being looked at as a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Longer than [`MAX_BYTES`].
    #[error("{0} bytes are more than the limit of {MAX_BYTES}")]
    TooLong(usize),
    /// A member of an archive.
    #[error("member `{name}`: {error}")]
    Member {
        /// The member.
        name: String,
        /// What is wrong with it.
        #[source]
        error: Box<IntakeError>,
    },
    /// Not ELF, or a header that does not fit into the file.
    #[error("not a readable ELF file: {0}")]
    NotElf(#[source] object::Error),
    /// ELF, but not what the amd64 module loader takes.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
    /// A table or a name that lies outside the file or overlaps another.
    #[error("damaged: {0}")]
    Damaged(#[from] Damage),
}

/// What the amd64 module loader does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// Another machine, word length or byte order.
    #[error("not an amd64 file (ELF64, little-endian, EM_X86_64)")]
    Machine,
    /// A linked file.
    #[error("not ET_REL: FreeBSD/amd64 modules are relocatable files (`ld -r`)")]
    Linked,
    /// No symbol table, or several.
    #[error("not exactly one symbol table: the loader refuses the file")]
    SymbolTables,
    /// Relocations of another kind.
    #[error("section {0} has relocations without addends (SHT_REL)")]
    Rel(usize),
    /// An archive whose members are elsewhere.
    #[error("a thin archive: its members are other files; make it with `ar` without T")]
    Thin,
    /// An archive of other things.
    #[error("an archive without any object")]
    NoObject,
}

/// What is damaged in a file. Sections and symbols are numbered as the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The archive's own tables.
    #[error("the archive: {0}")]
    Archive(#[source] object::Error),
    /// A section lies outside the file.
    #[error("section {0} lies outside the file")]
    Section(usize),
    /// Sections share bytes of the file.
    #[error("sections overlap in the file")]
    Overlap,
    /// Relocations cannot be read.
    #[error("relocation section {0} cannot be read")]
    Relocations(usize),
    /// Relocations of a section that is not there.
    #[error("relocation section {section} has no target section {target}")]
    Target {
        /// The section with relocations.
        section: usize,
        /// The section that they are of.
        target: usize,
    },
    /// A relocation names a symbol that is not there.
    #[error("a relocation in section {section} names symbol {symbol}, which is not there")]
    Relocation {
        /// The section with relocations.
        section: usize,
        /// The symbol.
        symbol: usize,
    },
    /// The symbol table cannot be read.
    #[error("the symbol table: {0}")]
    Symbols(#[source] object::Error),
    /// A symbol's name lies outside the string table.
    #[error("symbol {0} has a name outside the string table")]
    SymbolName(usize),
    /// A symbol's section has no number.
    #[error("symbol {0} has a bad extended section index")]
    SymbolIndex(usize),
    /// A symbol's section is not there.
    #[error("symbol {symbol} is in section {section}, which is not there")]
    SymbolSection {
        /// The symbol.
        symbol: usize,
        /// The section.
        section: usize,
    },
    /// A name of this many bytes.
    #[error("a name has {}; {LONGEST_NAME} are the limit", counted(*.0, "byte"))]
    LongName(usize),
    /// Names that share their bytes.
    #[error("names overlap to many times the file's length")]
    Names,
}
