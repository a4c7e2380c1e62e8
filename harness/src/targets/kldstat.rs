// SPDX-License-Identifier: BSD-2-Clause
//! Files that a kernel has loaded, as kldstat(8) lists them.

/// A file that the kernel has loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoadedFile<'t> {
    /// The name, such as `nlproof_iface.ko`.
    pub(crate) name: &'t str,
    /// Address of its first byte.
    pub(crate) address: u64,
    /// Length in bytes.
    pub(crate) length: u64,
}

/// The files of a list of kldstat(8): `Id Refs Address Size Name`, the address and the size in hex. Lines that are none,
/// such as the head, are left out.
pub(crate) fn loaded_files(kldstat: &str) -> impl Iterator<Item = LoadedFile<'_>> {
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    kldstat.lines().filter_map(move |line| {
        let mut columns = line.split_whitespace();
        let (address, length) = (hex(columns.nth(2)?)?, hex(columns.next()?)?);
        Some(LoadedFile { name: columns.next()?, address, length })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_the_head_is_none() {
        let said = "Id Refs Address                Size Name\n 1   42 0xffffffff80200000  1f3a5b0 kernel\n 9    1 \
                    0xffffffff8301c000    2c2e8 nlproof_iface.ko\n";
        let module =
            LoadedFile { name: "nlproof_iface.ko", address: 0xffff_ffff_8301_c000, length: 0x2_c2e8 };
        assert_eq!(loaded_files(said).nth(1), Some(module));
        assert_eq!(loaded_files(said).count(), 2);
        assert_eq!(loaded_files("kldstat: not found\n").next(), None);
    }
}
