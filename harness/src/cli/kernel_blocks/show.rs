// SPDX-License-Identifier: BSD-2-Clause
//! Block coverage as text.

use std::collections::BTreeMap;

use nlproof_base::counted;

use crate::blocks::{CellBlocks, FunctionRow, Side, Unreached};
use crate::cli::out::say;

/// Whether a function is of the interface code itself, whose unreached blocks are listed.
pub(super) fn is_interface_code(row: &FunctionRow) -> bool {
    row.file.as_deref().is_some_and(|file| file.starts_with("sys/netlink/route/iface"))
}

/// Counts of blocks and functions.
#[derive(Default)]
struct Sum {
    blocks: usize,
    reached: usize,
    functions: usize,
    entered: usize,
}

impl Sum {
    fn add(&mut self, row: &FunctionRow) {
        self.blocks += row.blocks.len();
        self.reached += row.reached();
        self.functions += 1;
        self.entered += usize::from(row.entered());
    }
}

/// Shows a cell: by file, by function, and what is not reached; with `all` every block.
pub(super) fn cell(cell: &CellBlocks, list: Option<&Unreached>, all: bool) {
    let slices =
        if cell.slices.is_empty() { String::new() } else { format!(", slices {}", cell.slices.join(" ")) };
    say!("{}: {}{slices}", cell.cell, counted(cell.vectors, "vector").verb("ran", "ran"));
    for hole in &cell.holes {
        say!("  HOLE: {hole}: what is not reached may be reached all the same");
    }
    let mut files: BTreeMap<(Side, &str), Sum> = BTreeMap::new();
    for row in &cell.functions {
        let file = row.file.as_deref().unwrap_or(match row.side {
            Side::Kernel => "(file not known)",
            Side::Module => "(module)",
        });
        files.entry((row.side, file)).or_default().add(row);
    }
    say!("  {:<44} {:>6} {:>7} {:>4} {:>17}", "file", "blocks", "reached", "%", "functions entered");
    for ((_, file), sum) in &files {
        let percent = sum.reached * 100 / sum.blocks.max(1);
        let functions = format!("{} of {}", sum.entered, sum.functions);
        say!("  {file:<44} {:>6} {:>7} {percent:>4} {functions:>17}", sum.blocks, sum.reached);
    }
    for row in &cell.functions {
        function(row, list, all);
    }
}

fn function(row: &FunctionRow, list: Option<&Unreached>, all: bool) {
    if !all && row.reached() == row.blocks.len() {
        return;
    }
    if !row.entered() && !all {
        let why = list.and_then(|list| list.reason(&row.name, 0));
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        say!("  {}: not entered, {}{why}", row.name, counted(row.blocks.len(), "block"));
        return;
    }
    say!("  {}: {} of {}", row.name, row.reached(), counted(row.blocks.len(), "block"));
    for block in row.blocks.iter().filter(|block| all || block.first.is_none()) {
        let line = block.place().unwrap_or_default();
        let told = match (&block.first, list.and_then(|list| list.reason(&row.name, block.at))) {
            (Some(first), _) => first.clone(),
            (None, Some(why)) => format!("not reached: {why}"),
            (None, None) => "not reached".to_owned(),
        };
        say!("    +{:<#7x} {line:<26} {told}", block.at);
    }
}
