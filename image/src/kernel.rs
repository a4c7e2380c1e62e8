// SPDX-License-Identifier: BSD-2-Clause
//! What a root tree says about the FreeBSD in it.

use std::{fs, io, path::Path};

use crate::digest::Sha256;

/// The marker before the version in a kernel file (FreeBSD's `sys/conf/newvers.sh`, what(1)).
const MARKER: &[u8] = b"@(#)FreeBSD ";

/// A kernel file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelInfo {
    /// Its version string, for instance `FreeBSD 14.0-STABLE #0: Mon ...`; the first line of it.
    /// Empty when the file has none.
    pub version: String,
    /// Digest of `/boot/kernel/kernel`.
    pub sha256: Sha256,
}

impl KernelInfo {
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        Ok(Self { version: version(&bytes).unwrap_or_default(), sha256: Sha256::of(&bytes) })
    }
}

fn version(kernel: &[u8]) -> Option<String> {
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
    fn the_version_number_is_the_definition_not_a_mention() {
        let text = "/* #define __FreeBSD_version 1 */\n#undef __FreeBSD_version\n\
                    #define __FreeBSD_version 1400507\t/* Master */\n";
        assert_eq!(freebsd_version(text), Some(1_400_507));
        assert_eq!(freebsd_version("#define P_OSREL_MAJOR(x) ((x) / 100000)\n"), None);
    }
}
