// SPDX-License-Identifier: BSD-2-Clause
//! Block coverage as text.

use nlproof_base::counted;

use crate::blocks::{CellBlocks, FunctionRow, Unreached};
use crate::cli::out::say;

/// Whether a function is of the interface code itself, whose unreached blocks are listed.
pub(super) fn is_interface_code(row: &FunctionRow) -> bool {
    row.file.as_deref().is_some_and(|file| file.starts_with("sys/netlink/route/iface"))
}

/// Shows a cell: by file, by function, and what is not reached; with `all` every block.
pub(super) fn cell(cell: &CellBlocks, list: Option<&Unreached>, all: bool) {
    let slices =
        if cell.slices.is_empty() { String::new() } else { format!(", slices {}", cell.slices.join(" ")) };
    say!("{}: {}{slices}", cell.cell, counted(cell.vectors, "vector").verb("ran", "ran"));
    for hole in &cell.holes {
        say!("  HOLE: {hole}: what is not reached may be reached all the same");
    }
    say!("  {:<44} {:>6} {:>7} {:>4} {:>17}", "file", "blocks", "reached", "%", "functions entered");
    for (file, sum) in cell.files() {
        let functions = format!("{} of {}", sum.entered, sum.functions);
        say!("  {file:<44} {:>6} {:>7} {:>4} {functions:>17}", sum.blocks, sum.reached, sum.percent());
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
