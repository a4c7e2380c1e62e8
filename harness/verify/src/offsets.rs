// SPDX-License-Identifier: BSD-2-Clause
//! Places of members in a kernel's structures, for somebody who reads its memory.

use std::collections::BTreeSet;

use crate::ctf::{CtfError, of_elf, structures};
use crate::layout::Layout;

/// Offsets in bytes of these members, each given by its structure and its name with dots between nested names (`proc`,
/// `p_list.le_next`), as the kernel's own types say (`.SUNW_ctf`). `None` if the kernel has no types, or one of the members is
/// not in them, or not at one place.
///
/// # Errors
/// No amd64 ELF file, or types that cannot be read.
pub fn member_offsets<const N: usize>(
    kernel: &[u8],
    members: [(&str, &str); N],
) -> Result<Option<[u64; N]>, CtfError> {
    let Some(types) = of_elf(kernel)? else { return Ok(None) };
    let wanted: BTreeSet<String> = members.iter().map(|(structure, _)| (*structure).to_owned()).collect();
    let found = structures(&types, &wanted);
    let offset = |(structure, member): (&str, &str)| match found.get(structure)?.as_slice() {
        [Some(layout)] => offset_of(layout, member),
        _ => None,
    };
    let offsets = members.map(offset);
    Ok(offsets.iter().all(Option::is_some).then(|| offsets.map(Option::unwrap_or_default)))
}

fn offset_of(layout: &Layout, member: &str) -> Option<u64> {
    layout.fields.iter().find(|field| field.name == member).map(|field| field.offset / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Field;

    #[test]
    fn members_are_found_by_their_whole_names() {
        let field = |name: &str, offset| Field { name: name.to_owned(), offset, size: 64 };
        let fields = vec![field("p_list.le_next", 0), field("p_list.le_prev", 64), field("p_comm", 9_600)];
        let layout = Layout { size: 1_300, align: None, fields };
        assert_eq!(offset_of(&layout, "p_list.le_prev"), Some(8));
        assert_eq!(offset_of(&layout, "p_comm"), Some(1_200));
        assert_eq!(offset_of(&layout, "le_prev"), None);
    }

    #[test]
    fn what_is_no_kernel_has_no_offsets() {
        assert!(matches!(member_offsets(b"no kernel", [("proc", "p_pid")]), Err(CtfError::Elf(_))));
    }
}
