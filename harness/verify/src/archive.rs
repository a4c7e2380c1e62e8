// SPDX-License-Identifier: BSD-2-Clause
//! An `ar` archive as one module: all members, with the symbols of each resolved in the others, as `ld -r
//! --whole-archive` would.

use std::collections::BTreeMap;

use object::elf;
use object::read::archive::ArchiveFile;

use crate::check::Check;
use crate::elf::{Home, Member, Module};
use crate::intake_error::{Damage, IntakeError, Unsuitable};
use crate::limits::MAX_BYTES;
use crate::policy::shorten;
use crate::report::Finding;

const MAGIC: &[u8] = b"!<arch>\n";
const THIN: &[u8] = b"!<thin>\n";

/// Reads a module, an object or an archive of objects.
///
/// # Errors
/// Same as [`Module::parse`], with the member's name; or an archive that cannot be taken apart, or holds no object.
pub(crate) fn read<'d>(data: &'d [u8], findings: &mut Vec<Finding>) -> Result<Module<'d>, IntakeError> {
    if data.starts_with(THIN) {
        return Err(Unsuitable::Thin.into());
    }
    if !data.starts_with(MAGIC) {
        return Module::parse(data);
    }
    if data.len() > MAX_BYTES {
        return Err(IntakeError::TooLong(data.len()));
    }
    let archive = ArchiveFile::parse(data).map_err(Damage::Archive)?;
    let mut all: Option<Module<'d>> = None;
    for member in archive.members() {
        let member = member.map_err(Damage::Archive)?;
        let name = shorten(String::from_utf8_lossy(member.name()).into_owned());
        let bytes = member.data(data).map_err(Damage::Archive)?;
        if !bytes.starts_with(&elf::ELFMAG) {
            findings.push(
                Finding::warning(
                    Check::Elf,
                    &*name,
                    "is a member of the archive, no object, and not looked at",
                )
                .help("leave it out of the archive"),
            );
            continue;
        }
        let module = match Module::parse(bytes) {
            Ok(module) => module,
            Err(error) => return Err(IntakeError::Member { name, error: Box::new(error) }),
        };
        // ELFOSABI_FREEBSD and ELFOSABI_NONE.
        if ![0, 9].contains(&module.os_abi) {
            let what = format!("is a member marked for another system (OS ABI {})", module.os_abi);
            findings.push(Finding::error(Check::Elf, &*name, what));
        }
        let all = all.get_or_insert_with(|| Module {
            sections: Vec::new(),
            symbols: Vec::new(),
            relocs: Vec::new(),
            debug: Vec::new(),
            members: Vec::new(),
            os_abi: 0,
        });
        append(all, module, name);
    }
    let mut all = all.ok_or(Unsuitable::NoObject)?;
    resolve(&mut all, findings);
    Ok(all)
}

/// Puts a member behind those before it.
fn append<'d>(all: &mut Module<'d>, mut module: Module<'d>, name: String) {
    let (sections, symbols) = (all.sections.len(), all.symbols.len());
    for symbol in &mut module.symbols {
        if let Home::Section { section, .. } = &mut symbol.home {
            *section += sections;
        }
    }
    for reloc in module.relocs.iter_mut().flatten() {
        reloc.symbol += symbols;
    }
    all.debug.extend(module.debug.into_iter().map(|(target, list)| (target + sections, list)));
    all.sections.append(&mut module.sections);
    all.symbols.append(&mut module.symbols);
    all.relocs.append(&mut module.relocs);
    all.members.push(Member { name, sections: sections..all.sections.len(), symbols });
}

/// Gives undefined symbols the place that another member defines. A symbol that two members define for good is
/// rejected: which one is meant depends on the linker.
fn resolve(module: &mut Module<'_>, findings: &mut Vec<Finding>) {
    let mut defined: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for (index, symbol) in module.symbols.iter().enumerate() {
        let global = symbol.bind != elf::STB_LOCAL.0 && !symbol.name.is_empty();
        if !global || symbol.home == Home::Undefined {
            continue;
        }
        let weak = symbol.bind == elf::STB_WEAK.0;
        match defined.get(symbol.name.as_str()) {
            None => {
                defined.insert(&symbol.name, (index, weak));
            }
            Some((_, true)) if !weak => {
                defined.insert(&symbol.name, (index, weak));
            }
            Some((_, false)) if !weak => findings.push(
                Finding::error(Check::Elf, &*symbol.name, "is defined by two members of the archive")
                    .help("link what belongs together, and verify the result"),
            ),
            Some(_) => {}
        }
    }
    let places: Vec<(usize, Home)> = module
        .symbols
        .iter()
        .enumerate()
        .filter(|(_, symbol)| symbol.home == Home::Undefined && symbol.bind != elf::STB_LOCAL.0)
        .filter_map(|(index, symbol)| {
            let (found, _) = defined.get(symbol.name.as_str())?;
            Some((index, module.symbols[*found].home))
        })
        .collect();
    for (index, home) in places {
        module.symbols[index].home = home;
    }
}
