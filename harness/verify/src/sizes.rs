// SPDX-License-Identifier: BSD-2-Clause
//! `.stack_sizes`: frames as the compiler states them (LLVM: an 8-byte function address, then the size as
//! ULEB128). The section is not loaded; the function is named by the relocation of the address.

use std::collections::BTreeMap;

use crate::check::Check;
use crate::code::Code;
use crate::elf::Module;
use crate::report::Finding;

/// Sizes in bytes, by function.
pub(crate) fn stack_sizes(
    module: &Module<'_>,
    code: &Code,
    findings: &mut Vec<Finding>,
) -> BTreeMap<usize, u64> {
    let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
    for (index, section) in
        module.sections.iter().enumerate().filter(|(_, section)| section.name == ".stack_sizes")
    {
        let mut at = 0_usize;
        while at < section.data.len() {
            let Some((size, next)) = uleb128(section.data, at.saturating_add(8)) else {
                findings.push(Finding::error(
                    Check::Stack,
                    &*section.name,
                    "is cut in the middle of a record",
                ));
                break;
            };
            let function = module
                .reloc_at(index, at as u64)
                .and_then(|reloc| module.points_to(reloc))
                .and_then(|(home, offset)| code.holding(home, offset));
            if let Some(function) = function {
                let entry = sizes.entry(function).or_default();
                *entry = (*entry).max(size);
            }
            at = next;
        }
    }
    sizes
}

fn uleb128(data: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (count, byte) in data.get(start..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * count as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, start + count + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::uleb128;

    #[test]
    fn uleb128_of_one_and_more_bytes() {
        assert_eq!(uleb128(&[0x7f], 0), Some((127, 1)));
        assert_eq!(uleb128(&[0, 0xe5, 0x8e, 0x26], 1), Some((624_485, 4)));
        assert_eq!(uleb128(&[0x80], 0), None);
        assert_eq!(uleb128(&[], 8), None);
    }
}
