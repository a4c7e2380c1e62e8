// SPDX-License-Identifier: BSD-2-Clause
//! Symbols and types that the kernel (and the modules loaded before) offers to a module.

use std::collections::{BTreeMap, BTreeSet};

use object::LittleEndian as Le;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::ctf::{self, CtfError};
use crate::dwarf::{DebugError, DebugSections, Language, structures};
use crate::layout::Layout;
use crate::limits::LONGEST_NAME;
use crate::policy::Policy;

/// Global and local symbols of a kernel, and its `__FreeBSD_version`.
///
/// The linker of FreeBSD 14 may resolve imports to *local* symbols of other files
/// (`debug.link_elf_obj_leak_locals`, bugs 291271 and 291273); that is going away, so both sets are
/// kept apart.
#[derive(Debug, Clone, Default)]
pub struct KernelSymbols {
    global: BTreeSet<String>,
    local: BTreeSet<String>,
    version: Option<i32>,
    layouts: Option<Layouts>,
}

/// A kernel's description of its structures.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layouts {
    /// `DWARF` or `CTF`; `None` if it has neither.
    pub(crate) from: Option<&'static str>,
    /// The structures that were asked for; `None` stands for one that cannot be followed.
    pub(crate) found: BTreeMap<String, Vec<Option<Layout>>>,
}

/// A kernel or module file whose symbols cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kernel's symbols cannot be read: {0}")]
pub struct KernelError(#[source] Unreadable);

/// What keeps a kernel's symbols or types from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Elf(object::Error),
    #[error("no symbol table")]
    NoTable,
    #[error(transparent)]
    Debug(DebugError),
    #[error(transparent)]
    Types(CtfError),
}

impl KernelSymbols {
    /// A list made elsewhere, for instance from `nm`: every name is global.
    pub fn from_globals<I: IntoIterator<Item = S>, S: Into<String>>(names: I, version: Option<i32>) -> Self {
        Self {
            global: names.into_iter().map(Into::into).collect(),
            local: BTreeSet::new(),
            version,
            layouts: None,
        }
    }

    /// Reads `boot/kernel/kernel`. The version is the value of `osreldate`.
    ///
    /// # Errors
    /// Not an amd64 ELF file, or without a symbol table.
    pub fn from_elf(bytes: &[u8]) -> Result<Self, KernelError> {
        let mut symbols = Self::default();
        symbols.add_elf(bytes)?;
        Ok(symbols)
    }

    /// Adds the symbols of a module that is loaded before (one named in `MODULE_DEPEND`).
    ///
    /// # Errors
    /// Same as [`Self::from_elf`].
    pub fn add_elf(&mut self, bytes: &[u8]) -> Result<(), KernelError> {
        let bad = |error| KernelError(Unreadable::Elf(error));
        let header = FileHeader64::<Le>::parse(bytes).map_err(bad)?;
        let sections = header.sections(Le, bytes).map_err(bad)?;
        let table = sections.symbols(Le, bytes, elf::SHT_SYMTAB).map_err(bad)?;
        if table.is_empty() {
            return Err(KernelError(Unreadable::NoTable));
        }
        let mut osreldate = None;
        for symbol in table.iter().filter(|symbol| symbol.st_shndx(Le) != elf::SHN_UNDEF) {
            let name = symbol.name(Le, table.strings()).map_err(bad)?;
            if name.is_empty() || name.len() > LONGEST_NAME {
                continue;
            }
            if name == b"osreldate" && symbol.st_size(Le) == 4 {
                osreldate = Some((symbol.st_shndx(Le), symbol.st_value(Le)));
            }
            let name = String::from_utf8_lossy(name).into_owned();
            match symbol.st_bind() {
                elf::STB_LOCAL => self.local.insert(name),
                _ => self.global.insert(name),
            };
        }
        // Linker sets become symbols of the file that has them; a module may import their bounds.
        if let Some((section, address)) = osreldate
            && let Ok(section) = sections.section(object::SectionIndex(usize::from(section.0)))
            && let Ok(data) = section.data(Le, bytes)
            && let Some(at) = address.checked_sub(section.sh_addr(Le)).and_then(|at| usize::try_from(at).ok())
            && let Some(word) = at.checked_add(4).and_then(|end| data.get(at..end))
        {
            self.version = word.try_into().ok().map(i32::from_le_bytes);
        }
        Ok(())
    }

    /// Reads the layouts that the policy's `abi` table asks of the kernel: from DWARF if the file has it (such as
    /// `kernel.debug`), else from `.SUNW_ctf`. A file with neither is no error; the check says so.
    ///
    /// # Errors
    /// Not an amd64 ELF file, or types that cannot be read.
    pub fn add_layouts(&mut self, bytes: &[u8], policy: &Policy) -> Result<(), KernelError> {
        let wanted: BTreeSet<String> = policy.abi.iter().filter_map(|shared| shared.kernel.clone()).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let unreadable = |error| KernelError(Unreadable::Debug(error));
        let debug = DebugSections::of_linked(bytes).map_err(unreadable)?;
        let mut layouts = Layouts::default();
        if !debug.get(".debug_info").is_empty() {
            layouts.from = Some("DWARF");
            let found = structures(&debug, Language::C, &wanted).map_err(unreadable)?;
            let bare =
                |list: Vec<(String, Option<Layout>)>| list.into_iter().map(|(_, layout)| layout).collect();
            layouts.found = found.into_iter().map(|(name, list)| (name, bare(list))).collect();
        } else if let Some(types) =
            ctf::of_elf(bytes).map_err(|error| KernelError(Unreadable::Types(error)))?
        {
            layouts.from = Some("CTF");
            layouts.found = ctf::structures(&types, &wanted);
        }
        self.layouts = Some(layouts);
        Ok(())
    }

    /// What [`Self::add_layouts`] found; `None` if it was not called.
    pub(crate) fn layouts(&self) -> Option<&Layouts> {
        self.layouts.as_ref()
    }

    /// `__FreeBSD_version` of the kernel, if it could be read.
    pub fn version(&self) -> Option<i32> {
        self.version
    }

    /// How many global names there are.
    pub fn len(&self) -> usize {
        self.global.len()
    }

    /// Whether there is no global name at all.
    pub fn is_empty(&self) -> bool {
        self.global.is_empty()
    }

    pub(crate) fn has_global(&self, name: &str) -> bool {
        self.global.contains(name)
    }

    pub(crate) fn has_local(&self, name: &str) -> bool {
        self.local.contains(name)
    }
}

/// `__FreeBSD_version` that a module is held to: the kernel's own, else the policy's.
pub(crate) fn version_with(policy: &Policy, kernel: Option<&KernelSymbols>) -> Option<i32> {
    kernel.and_then(KernelSymbols::version).or(policy.kernel_version)
}
