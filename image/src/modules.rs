// SPDX-License-Identifier: BSD-2-Clause
//! The kernel modules of a guest: those that are requested, their dependencies, and those that every guest needs.
//!
//! A module's file tells what it depends on: its section `set_modmetadata_set` holds pointers to
//! `struct mod_metadata { int md_version; int md_type; const void *md_data; const char *md_cval; }`, and one of type
//! `MDT_DEPEND` names a module (FreeBSD's `sys/sys/module.h`). Modules for amd64 are relocatable objects: a pointer is
//! a relocation.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionIndex};

use crate::{
    error::ImageError,
    path::TreePath,
    tree::{Kind, Tree},
};

/// Default modules of a guest: the interface kinds of the vectors, and carp(4). GENERIC holds the last three.
pub const INTERFACE_MODULES: &[&str] =
    &["carp", "if_bridge", "if_disc", "if_epair", "if_gif", "if_tuntap", "if_vlan"];

/// Modules that every guest gets, with the reason.
const ALWAYS: &[(&str, &str)] = &[
    ("virtio", "QEMU's devices, for a kernel that does not hold their drivers"),
    ("virtio_pci", "the same"),
    ("virtio_blk", "the same"),
    ("virtio_random", "the same"),
    ("if_vtnet", "the same"),
    ("netlink", "what all this is about, for a kernel that does not hold it"),
    ("dtraceall", "dtrace(1), for who looks into a guest"),
];

/// The names of [`ALWAYS`].
pub(crate) fn always() -> impl Iterator<Item = &'static str> {
    ALWAYS.iter().map(|(name, _)| *name)
}

/// Directory of a kernel's own modules.
const DIRECTORY: &str = "boot/kernel";
const KERNEL: &str = "boot/kernel/kernel";
const SET: &str = "set_modmetadata_set";
const MDT_DEPEND: u32 = 1;
/// Of the fields in `struct mod_metadata`, in bytes.
const MD_TYPE: u64 = 4;
const MD_DATA: u64 = 8;
const MD_CVAL: u64 = 16;
/// Name of the kernel among modules; its version is `__FreeBSD_version`.
const THE_KERNEL: &str = "kernel";

/// Whether this can be a module's name, which goes into a file of the loader and into a script.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Which of these modules the loader is to load: those whose files are there and that the kernel does not hold itself.
pub(crate) fn to_load<'a>(
    tree: &Tree,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<&'a str>, ImageError> {
    let built_in = built_in_of(tree)?;
    let is_there = |name: &str| file(name).is_some_and(|path| tree.kind(&path) == Some(&Kind::File));
    Ok(names.into_iter().filter(|name| is_there(name) && !built_in.contains(*name)).collect())
}

/// Looks for modules that must be there: as a file, or in the kernel itself.
pub(crate) fn demand(tree: &Tree, release: &str, names: &[String]) -> Result<(), ImageError> {
    let is_there = |name: &str| file(name).is_some_and(|path| tree.kind(&path) == Some(&Kind::File));
    let missing: Vec<&String> = names.iter().filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let built_in = built_in_of(tree)?;
    let Some(module) = missing.into_iter().find(|name| !built_in.contains(*name)) else { return Ok(()) };
    let known = tree.nodes().filter_map(|(path, ..)| {
        let name = String::from_utf8(path.name().to_vec()).ok()?;
        path.is_under(DIRECTORY).then(|| name.strip_suffix(".ko").map(str::to_owned)).flatten()
    });
    let mut known: Vec<String> = known.collect();
    known.sort();
    Err(ImageError::NoModule { release: release.to_owned(), module: module.clone(), known })
}

/// Removes the kernel's modules but these, what they depend on, and [`ALWAYS`].
pub(crate) fn prune(tree: &mut Tree, wanted: &[String]) -> Result<(), ImageError> {
    let mut kept = BTreeSet::new();
    let always = always().map(str::to_owned);
    let mut open: Vec<String> = wanted.iter().cloned().chain(always).collect();
    while let Some(name) = open.pop() {
        let Some(path) = file(&name).filter(|path| tree.kind(path) == Some(&Kind::File)) else { continue };
        let host = path.on_host(tree.root());
        if kept.insert(path) {
            open.extend(dependencies(
                &fs::read(&host).map_err(|error| ImageError::io("read", &host, error))?,
            ));
        }
    }
    let others: Vec<TreePath> = tree
        .nodes()
        .map(|(path, ..)| path)
        .filter(|path| path.is_under(DIRECTORY) && path.name().ends_with(b".ko") && !kept.contains(path))
        .cloned()
        .collect();
    others.iter().try_for_each(|path| tree.remove_file(path))
}

fn built_in_of(tree: &Tree) -> Result<BTreeSet<String>, ImageError> {
    match tree.file(KERNEL) {
        Some(host) => Ok(built_in(&fs::read(&host).map_err(|error| ImageError::io("read", &host, error))?)),
        None => Ok(BTreeSet::new()),
    }
}

/// The names of the modules that are part of this kernel file: a program, whose pointers are addresses. None if it does
/// not say so.
pub(crate) fn built_in(kernel: &[u8]) -> BTreeSet<String> {
    let read = || {
        let file = object::File::parse(kernel).ok()?;
        let set = file.section_by_name(SET)?.data().ok()?;
        let data = |address: u64, length: u64| {
            file.sections().find_map(|section| section.data_range(address, length).ok().flatten())
        };
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
        let name = |entry: &[u8]| {
            let metadata = data(number(entry)?, MD_CVAL + 8)?;
            let (kind, name) = (metadata.get(4..8)?, metadata.get(16..24)?);
            let kind = u32::from_le_bytes(kind.try_into().ok()?);
            let text = text_at(&file, number(name)?)?;
            (kind != MDT_DEPEND).then_some(text)
        };
        Some(set.chunks_exact(8).filter_map(name).collect())
    };
    read().unwrap_or_default()
}

/// The string at an address of a program.
fn text_at(file: &object::File<'_>, address: u64) -> Option<String> {
    file.sections().find_map(|section| {
        let from = usize::try_from(address.checked_sub(section.address())?).ok()?;
        let text = section.data().ok()?.get(from..).filter(|_| section.address() != 0)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        String::from_utf8(text[..end].to_vec()).ok()
    })
}

fn file(name: &str) -> Option<TreePath> {
    if !is_name(name) {
        return None;
    }
    TreePath::from_archive(format!("{DIRECTORY}/{name}.ko").as_bytes()).ok()
}

/// The names of the modules that this one depends on; none if it does not say in the way described above.
pub(crate) fn dependencies(module: &[u8]) -> Vec<String> {
    dependencies_of(module).into_iter().map(|(name, _)| name).collect()
}

/// The kernels that a module can be loaded into, as the least and the greatest `__FreeBSD_version` of its
/// `MODULE_DEPEND` on the kernel, which kldload(8) obeys. `None`: it does not say so.
pub(crate) fn kernels(module: &[u8]) -> Option<(u32, u32)> {
    dependencies_of(module).into_iter().find(|(name, _)| name == THE_KERNEL)?.1
}

/// Dependencies with the versions that they allow, in the order of names.
fn dependencies_of(module: &[u8]) -> Vec<(String, Option<(u32, u32)>)> {
    let Ok(file) = object::File::parse(module) else { return Vec::new() };
    let Some(set) = file.section_by_name(SET) else { return Vec::new() };
    let mut pointers = Pointers { file: &file, sections: HashMap::new() };
    let entries: Vec<SectionOffset> = pointers.of(set.index()).values().copied().collect();
    let mut found: Vec<_> = entries.into_iter().filter_map(|place| pointers.dependency(place)).collect();
    found.sort();
    found
}

/// A place in a section.
type SectionOffset = (SectionIndex, u64);

/// The pointers of an object file: where each lies in its section, and where it leads.
struct Pointers<'a> {
    file: &'a object::File<'a>,
    sections: HashMap<SectionIndex, HashMap<u64, SectionOffset>>,
}

impl Pointers<'_> {
    fn of(&mut self, section: SectionIndex) -> &HashMap<u64, SectionOffset> {
        let file = self.file;
        self.sections.entry(section).or_insert_with(|| {
            let relocations = file.section_by_index(section).map(|section| section.relocations());
            let target = |relocation: &object::Relocation| match relocation.target() {
                RelocationTarget::Symbol(symbol) => {
                    let symbol = file.symbol_by_index(symbol).ok()?;
                    let at = symbol.address().checked_add_signed(relocation.addend())?;
                    Some((symbol.section_index()?, at))
                }
                _ => None,
            };
            relocations
                .into_iter()
                .flatten()
                .filter_map(|(offset, relocation)| Some((offset, target(&relocation)?)))
                .collect()
        })
    }

    /// The module that the `struct mod_metadata` there names, if it tells of a dependency, and the versions that will do:
    /// `struct mod_depend { int md_ver_minimum, md_ver_preferred, md_ver_maximum; }`.
    fn dependency(&mut self, place: SectionOffset) -> Option<(String, Option<(u32, u32)>)> {
        let (section, at) = place;
        if self.number((section, at.checked_add(MD_TYPE)?))? != MDT_DEPEND {
            return None;
        }
        let versions = self.pointer((section, at.checked_add(MD_DATA)?)).and_then(|(section, at)| {
            Some((self.number((section, at))?, self.number((section, at.checked_add(8)?))?))
        });
        let (section, at) = self.pointer((section, at.checked_add(MD_CVAL)?))?;
        let text = self.file.section_by_index(section).ok()?.data().ok()?;
        let text = text.get(usize::try_from(at).ok()?..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        Some((String::from_utf8(text[..end].to_vec()).ok()?, versions))
    }

    fn pointer(&mut self, (section, at): SectionOffset) -> Option<SectionOffset> {
        self.of(section).get(&at).copied()
    }

    fn number(&self, (section, at): SectionOffset) -> Option<u32> {
        let data = self.file.section_by_index(section).ok()?.data().ok()?;
        let from = usize::try_from(at).ok()?;
        Some(u32::from_le_bytes(data.get(from..from.checked_add(4)?)?.try_into().ok()?))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use object::write::{Object, Relocation, Symbol, SymbolSection};
    use object::{
        Architecture, BinaryFormat, Endianness, RelocationEncoding, RelocationFlags, RelocationKind,
        SectionKind, SymbolFlags, SymbolKind, SymbolScope,
    };

    use super::*;
    use crate::tree::Meta;

    /// A module with one version of itself, and a dependency on each of these.
    pub(crate) fn module(depends: &[&str]) -> Vec<u8> {
        module_for(depends, (1, 2))
    }

    /// The same, with the versions that each dependency allows.
    pub(crate) fn module_for(depends: &[&str], (least, most): (u32, u32)) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let set = object.add_section(vec![], SET.into(), SectionKind::Data);
        let data = object.add_section(vec![], b".data".to_vec(), SectionKind::Data);
        let text = object.add_section(vec![], b".rodata.str1.1".to_vec(), SectionKind::ReadOnlyData);
        let symbol = |object: &mut Object<'_>, section, value| {
            object.add_symbol(Symbol {
                name: vec![],
                value,
                size: 0,
                kind: SymbolKind::Data,
                scope: SymbolScope::Compilation,
                weak: false,
                section: SymbolSection::Section(section),
                flags: SymbolFlags::None,
            })
        };
        let pointer = |offset, symbol, addend| Relocation {
            offset,
            symbol,
            addend,
            flags: RelocationFlags::Generic {
                kind: RelocationKind::Absolute,
                encoding: RelocationEncoding::Generic,
                size: 64,
            },
        };
        const MDT_VERSION: u32 = 3;
        let words =
            [("itself", MDT_VERSION)].into_iter().chain(depends.iter().map(|name| (*name, MDT_DEPEND)));
        for (name, kind) in words {
            let name_at = object.append_section_data(text, format!("{name}\0").as_bytes(), 1);
            let mut metadata = [0; 24];
            metadata[0] = 1;
            metadata[4..8].copy_from_slice(&kind.to_le_bytes());
            let at = object.append_section_data(data, &metadata, 8);
            let entry = object.append_section_data(set, &[0; 8], 8);
            // One by an addend to a symbol at the beginning, one by a symbol of its own.
            let versions: Vec<u8> = [least, least, most].iter().flat_map(|v| v.to_le_bytes()).collect();
            let versions = object.append_section_data(data, &versions, 8);
            let to_versions = symbol(&mut object, data, versions);
            object.add_relocation(data, pointer(at + MD_DATA, to_versions, 0)).unwrap();
            let to_text = symbol(&mut object, text, 0);
            let to_data = symbol(&mut object, data, at);
            object.add_relocation(data, pointer(at + MD_CVAL, to_text, name_at as i64)).unwrap();
            object.add_relocation(set, pointer(entry, to_data, 0)).unwrap();
        }
        object.write().unwrap()
    }

    #[test]
    fn a_module_tells_what_it_depends_on() {
        assert_eq!(dependencies(&module(&["kernel", "bridgestp"])), ["bridgestp", "kernel"]);
        assert_eq!(dependencies(&module(&[])), [""; 0]);
        assert_eq!(dependencies(b"no object"), [""; 0]);
        assert_eq!(kernels(&module_for(&["kernel"], (1_400_507, 1_499_999))), Some((1_400_507, 1_499_999)));
        assert_eq!(kernels(&module(&["bridgestp"])), None);
    }

    #[test]
    fn what_is_neither_asked_for_nor_depended_on_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::create(dir.path().join("root")).unwrap();
        let files = [
            ("boot/kernel/if_bridge.ko", module(&["kernel", "bridgestp"])),
            ("boot/kernel/bridgestp.ko", module(&["kernel"])),
            ("boot/kernel/if_vtnet.ko", module(&["virtio"])),
            ("boot/kernel/virtio.ko", module(&[])),
            ("boot/kernel/zfs.ko", module(&["bridgestp"])),
            ("boot/kernel/kernel", b"kernel".to_vec()),
            ("boot/modules/zfs.ko", module(&[])),
        ];
        for (path, contents) in &files {
            tree.write(TreePath::known(path), Meta::ours(0o555), contents).unwrap();
        }
        demand(&tree, "r", &["if_bridge".to_owned(), "zfs".to_owned()]).unwrap();
        let missing = demand(&tree, "r", &["if_bridge".to_owned(), "if_absent".to_owned()]).unwrap_err();
        let ImageError::NoModule { module, known, .. } = missing else { panic!("{missing}") };
        assert_eq!(module, "if_absent");
        assert_eq!(known, ["bridgestp", "if_bridge", "if_vtnet", "virtio", "zfs"]);
        prune(&mut tree, &["if_bridge".to_owned(), "if_absent".to_owned(), "../../etc/x".to_owned()])
            .unwrap();
        let left: Vec<bool> = files.iter().map(|(path, _)| tree.file(path).is_some()).collect();
        assert_eq!(left, [true, true, true, true, false, true, true]);
        assert!(!dir.path().join("root/boot/kernel/zfs.ko").exists());
        assert_eq!(to_load(&tree, ["if_bridge", "zfs", "../modules/zfs"]).unwrap(), ["if_bridge"]);
    }
}
