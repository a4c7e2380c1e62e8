// SPDX-License-Identifier: BSD-2-Clause
//! Interface indexes (`ifindex_table` of `net/if.c`): one table for all network stacks of a machine, of
//! which a new interface gets the first free entry.

use std::cell::RefCell;

/// Which indexes are taken. Index 0 means "none" and is never given out.
#[derive(Debug)]
pub(crate) struct IndexTable {
    taken: RefCell<Vec<bool>>,
}

impl IndexTable {
    /// A table in which the first `host` indexes belong to interfaces of the host's network stack.
    pub(crate) fn new(host: u32) -> Self {
        Self { taken: RefCell::new(vec![true; host as usize + 1]) }
    }

    /// Takes the first free index.
    pub(crate) fn allocate(&self) -> u32 {
        let mut taken = self.taken.borrow_mut();
        let free = taken.iter().position(|&taken| !taken).unwrap_or(taken.len());
        if free == taken.len() {
            taken.push(true);
        } else {
            taken[free] = true;
        }
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Gives an index back.
    pub(crate) fn free(&self, index: u32) {
        if let Some(entry) = self.taken.borrow_mut().get_mut(index as usize) {
            *entry = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_index_is_reused() {
        let table = IndexTable::new(2);
        assert_eq!([table.allocate(), table.allocate(), table.allocate()], [3, 4, 5]);
        table.free(4);
        assert_eq!([table.allocate(), table.allocate()], [4, 6]);
    }
}
