// SPDX-License-Identifier: BSD-2-Clause
//! Places of members in a kernel's structures, for somebody who reads its memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::ctf::{CtfError, of_elf, structures};
use crate::layout::Layout;

/// Structures of a kernel, with the places of their members.
#[derive(Debug)]
pub struct MemberOffsets {
    layouts: BTreeMap<String, Vec<Option<Layout>>>,
}

impl MemberOffsets {
    /// Reads these structures, as the kernel's own types describe them (`.SUNW_ctf`); `None` if it has no types.
    ///
    /// # Errors
    /// No amd64 ELF file, or types that cannot be read.
    pub fn of_kernel(kernel: &[u8], wanted: &[&str]) -> Result<Option<Self>, CtfError> {
        let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        Ok(of_elf(kernel)?.map(|types| Self { layouts: structures(&types, &wanted) }))
    }

    /// Offset in bytes of a member, whose name has dots between nested names (`p_list.le_next`); `None` if it is not there, or
    /// not at one place.
    pub fn of(&self, structure: &str, member: &str) -> Option<u64> {
        let [Some(layout)] = self.layouts.get(structure)?.as_slice() else { return None };
        layout.fields.iter().find(|field| field.name == member).map(|field| field.offset / 8)
    }
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
        let two = vec![Some(layout.clone()), None];
        let offsets =
            MemberOffsets { layouts: [("proc".into(), vec![Some(layout)]), ("two".into(), two)].into() };
        assert_eq!(offsets.of("proc", "p_list.le_prev"), Some(8));
        assert_eq!(offsets.of("proc", "p_comm"), Some(1_200));
        assert_eq!(offsets.of("proc", "le_prev"), None);
        assert_eq!(offsets.of("two", "p_comm"), None, "it may be either");
        assert_eq!(offsets.of("thread", "td_name"), None);
    }

    #[test]
    fn what_is_no_kernel_has_no_offsets() {
        assert!(matches!(MemberOffsets::of_kernel(b"no kernel", &["proc"]), Err(CtfError::Elf(_))));
    }
}
