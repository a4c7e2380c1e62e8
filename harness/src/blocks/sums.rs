// SPDX-License-Identifier: BSD-2-Clause
//! Blocks and functions counted, for a file and for a whole cell.

use std::collections::BTreeMap;

use super::reach::{CellBlocks, FunctionRow, Side};

/// Counts of blocks and functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Number of blocks.
    pub blocks: usize,
    /// How many of them were reached.
    pub reached: usize,
    /// Number of functions.
    pub functions: usize,
    /// How many of them were entered.
    pub entered: usize,
}

impl Sum {
    /// The counts of these functions.
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r FunctionRow>) -> Self {
        let mut sum = Self::default();
        rows.into_iter().for_each(|row| sum.add(row));
        sum
    }

    fn add(&mut self, row: &FunctionRow) {
        self.blocks += row.blocks.len();
        self.reached += row.reached();
        self.functions += 1;
        self.entered += usize::from(row.entered());
    }

    /// The part of the blocks that was reached, in whole percents.
    pub fn percent(&self) -> usize {
        self.reached * 100 / self.blocks.max(1)
    }
}

impl FunctionRow {
    /// The file of the function in the words of reports.
    pub fn file_told(&self) -> &str {
        self.file.as_deref().unwrap_or(match self.side {
            Side::Kernel => "(file not known)",
            Side::Module => "(module)",
        })
    }
}

impl CellBlocks {
    /// The counts of each file, the kernel's own before the module's.
    pub fn files(&self) -> Vec<(&str, Sum)> {
        let mut files: BTreeMap<(Side, &str), Sum> = BTreeMap::new();
        for row in &self.functions {
            files.entry((row.side, row.file_told())).or_default().add(row);
        }
        files.into_iter().map(|((_, file), sum)| (file, sum)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::reach::tests::cell;

    #[test]
    fn blocks_and_functions_are_counted_by_file() {
        let mut one = cell("", [Some("a"), None, Some("b")]);
        let mut other = one.functions[0].clone();
        (other.name, other.file, other.side) = ("module_init".into(), None, Side::Module);
        other.blocks.iter_mut().for_each(|block| block.first = None);
        one.functions.push(other);
        let iface = Sum { blocks: 3, reached: 2, functions: 1, entered: 1 };
        let module = Sum { blocks: 3, reached: 0, functions: 1, entered: 0 };
        assert_eq!(one.files(), [("sys/netlink/route/iface.c", iface), ("(module)", module)]);
        assert_eq!((iface.percent(), module.percent(), Sum::default().percent()), (66, 0, 0));
        assert_eq!(Sum::of(&one.functions), Sum { blocks: 6, reached: 2, functions: 2, entered: 1 });
    }
}
