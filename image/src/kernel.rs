// SPDX-License-Identifier: BSD-2-Clause
//! The version of the FreeBSD in a root tree.

use std::{fs, io, path::Path};

use object::{Object, ObjectSection, ObjectSymbol};

use crate::digest::Sha256;

/// The marker before the version in a kernel file (FreeBSD's `sys/conf/newvers.sh`, what(1)).
const MARKER: &[u8] = b"@(#)FreeBSD ";

/// A kernel file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelInfo {
    /// Version string of the kernel, for instance `FreeBSD 14.0-STABLE #0: Mon ...`; the first line of it.
    /// Empty when the file has none.
    pub version: String,
    /// Digest of `/boot/kernel/kernel`.
    pub sha256: Sha256,
}

impl KernelInfo {
    /// The kernel file, and its `kern.osreldate` when it tells.
    pub(crate) fn of_file(path: &Path) -> io::Result<(Self, Option<u32>)> {
        let bytes = fs::read(path)?;
        let info = Self { version: version(&bytes).unwrap_or_default(), sha256: Sha256::of(&bytes) };
        Ok((info, osreldate(&bytes)))
    }
}

/// The `kern.osreldate` of a kernel file: the `int osreldate` that FreeBSD's `sys/conf/newvers.sh` puts into
/// `vers.c`. None when the file is no ELF or has no such variable.
pub(crate) fn osreldate(kernel: &[u8]) -> Option<u32> {
    let file = object::File::parse(kernel).ok()?;
    let value = variable(&file, "osreldate", 4)?;
    Some(u32::from_le_bytes(value.try_into().ok()?))
}

/// The first bytes of a variable of the kernel: so many, or fewer where its section ends.
fn variable<'a>(file: &object::File<'a>, name: &str, most: u64) -> Option<&'a [u8]> {
    let symbol = file.symbols().find(|symbol| symbol.name_bytes() == Ok(name.as_bytes()))?;
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let left = section.address().checked_add(section.size())?.checked_sub(symbol.address())?;
    section.data_range(symbol.address(), left.min(most)).ok()?
}

/// A `char` array of `vers.c`: `osrelease` (`14.0-STABLE`), `kern_ident` (`GENERIC`).
pub(crate) fn text_of(kernel: &[u8], name: &str) -> Option<String> {
    /// More than the kernel itself gives to any of them.
    const MOST: u64 = 256;
    let bytes = variable(&object::File::parse(kernel).ok()?, name, MOST)?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    String::from_utf8(bytes[..end].to_vec()).ok().filter(|text| !text.is_empty())
}

/// The git revision in a version string as `sys/conf/newvers.sh` writes it:
/// `FreeBSD 14.0-STABLE #0 stable/14-n267062-77205dbc1397-dirty: Mon ...` has `77205dbc1397-dirty`.
pub(crate) fn revision(version: &str) -> Option<String> {
    const LEAST: usize = 7;
    let word = version.split_once('#')?.1.split_whitespace().nth(1)?.strip_suffix(':')?;
    let (clean, dirty) = match word.strip_suffix("-dirty") {
        Some(clean) => (clean, "-dirty"),
        None => (word, ""),
    };
    let hash = clean.rsplit('-').next()?;
    let is_hash = hash.len() >= LEAST && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| format!("{hash}{dirty}"))
}

pub(crate) fn version(kernel: &[u8]) -> Option<String> {
    let mut rest = kernel;
    loop {
        let at = rest.iter().position(|byte| *byte == MARKER[0])?;
        rest = &rest[at..];
        if rest.starts_with(MARKER) {
            let text = &rest[b"@(#)".len()..];
            let end = text.iter().position(|byte| matches!(byte, 0 | b'\n'))?;
            return Some(String::from_utf8_lossy(&text[..end]).into_owned());
        }
        rest = &rest[1..];
    }
}

/// `__FreeBSD_version` from the text of `sys/param.h`.
pub(crate) fn freebsd_version(param_h: &str) -> Option<u32> {
    param_h.lines().find_map(|line| {
        let mut words = line.strip_prefix('#')?.split_whitespace();
        let named = words.next() == Some("define") && words.next() == Some("__FreeBSD_version");
        named.then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_what_1_would_show() {
        let kernel = b"\x7fELF@(#)other\0@@(#)FreeBSD 14.0-STABLE #0: today\n    root@x\0";
        assert_eq!(version(kernel).as_deref(), Some("FreeBSD 14.0-STABLE #0: today"));
        assert_eq!(version(b"\x7fELF@(#)FreeBSD cut off"), None);
        assert_eq!(version(b""), None);
    }

    #[test]
    fn osreldate_is_read_from_the_kernels_symbol() {
        use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope, write};
        let kernel = |name: &str| {
            let mut file = write::Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
            let data = file.section_id(write::StandardSection::Data);
            file.append_section_data(data, &[0xff; 8], 8);
            let symbol = write::Symbol {
                name: name.into(),
                value: 0,
                size: 4,
                kind: SymbolKind::Data,
                scope: SymbolScope::Linkage,
                weak: false,
                section: write::SymbolSection::Undefined,
                flags: SymbolFlags::None,
            };
            let symbol = file.add_symbol(symbol);
            file.add_symbol_data(symbol, data, &1_501_000_u32.to_le_bytes(), 4);
            file.write().unwrap()
        };
        assert_eq!(osreldate(&kernel("osreldate")), Some(1_501_000));
        assert_eq!(osreldate(&kernel("osrelease")), None);
        let whole = kernel("osreldate");
        // Whatever of a kernel file is there, the answer is right or none.
        for end in 0..whole.len() {
            assert!(matches!(osreldate(&whole[..end]), None | Some(1_501_000)), "{end}");
        }
    }

    #[test]
    fn the_revision_is_read_from_the_version_string() {
        for (version, expected) in [
            ("FreeBSD 14.0-STABLE #0 stable/14-n267062-77205dbc1397: Mon Nov 1", Some("77205dbc1397")),
            ("FreeBSD 14.0-STABLE #3 main-n1-77205dbc1397-dirty: Mon", Some("77205dbc1397-dirty")),
            ("FreeBSD 15.0-RELEASE #0 releng/15.0-n281018-0730d5233286: Fri", Some("0730d5233286")),
            ("FreeBSD 14.0-STABLE #0: Mon Nov 1", None),
            ("FreeBSD 14.0-STABLE #0 my-branch: Mon", None),
            ("FreeBSD 14.0-STABLE", None),
            ("", None),
        ] {
            assert_eq!(revision(version).as_deref(), expected, "{version}");
        }
    }

    #[test]
    fn the_version_number_is_the_definition_not_a_mention() {
        let text = "/* #define __FreeBSD_version 1 */\n#undef __FreeBSD_version\n\
                    #define __FreeBSD_version 1400507\t/* Master */\n";
        assert_eq!(freebsd_version(text), Some(1_400_507));
        assert_eq!(freebsd_version("#define P_OSREL_MAJOR(x) ((x) / 100000)\n"), None);
    }
}
