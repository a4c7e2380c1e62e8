// SPDX-License-Identifier: BSD-2-Clause
//! Block coverage as an lcov tracefile, which genhtml and editors show.
//!
//! A line counts the blocks that begin at it and ran. lcov knows no third state: a line that one block of several did not
//! reach is hit all the same, and its blocks are told as branches.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::reach::{BlockReport, BlockRow, FunctionRow};

/// The tracefile. What has no source line is left out.
pub fn lcov(report: &BlockReport) -> String {
    let mut text = String::new();
    for cell in &report.cells {
        let mut files: BTreeMap<&str, Vec<(&FunctionRow, &BlockRow)>> = BTreeMap::new();
        for function in &cell.functions {
            for block in &function.blocks {
                if let (Some(file), Some(_)) = (&block.file, block.line) {
                    files.entry(file).or_default().push((function, block));
                }
            }
        }
        for (file, blocks) in files {
            file_record(&mut text, &cell.cell, file, &blocks);
        }
    }
    text
}

fn file_record(text: &mut String, cell: &str, file: &str, blocks: &[(&FunctionRow, &BlockRow)]) {
    let test: String = cell.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut functions: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    let mut lines: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
    for (function, block) in blocks {
        let line = block.line.unwrap_or(0);
        if block.at == 0 && function.file.as_deref() == Some(file) {
            functions.insert(&function.name, (line, function.entered()));
        }
        lines.entry(line).or_default().push(block.first.is_some());
    }
    let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // A write to a String does not fail.
        writeln!(text, "{line}").ok();
    };
    say(format_args!("TN:{test}\nSF:{file}"));
    for (name, (line, _)) in &functions {
        say(format_args!("FN:{line},{name}"));
    }
    for (name, (_, entered)) in &functions {
        say(format_args!("FNDA:{},{name}", u8::from(*entered)));
    }
    say(format_args!("FNF:{}", functions.len()));
    say(format_args!("FNH:{}", functions.values().filter(|(_, entered)| *entered).count()));
    let (mut found, mut hit) = (0, 0);
    for (line, hits) in lines.iter().filter(|(_, hits)| hits.len() > 1) {
        for (number, taken) in hits.iter().enumerate() {
            say(format_args!("BRDA:{line},0,{number},{}", u8::from(*taken)));
        }
        (found, hit) = (found + hits.len(), hit + count(hits));
    }
    say(format_args!("BRF:{found}\nBRH:{hit}"));
    for (line, hits) in &lines {
        say(format_args!("DA:{line},{}", count(hits)));
    }
    let reached = lines.values().filter(|hits| count(hits) > 0).count();
    say(format_args!("LF:{}\nLH:{reached}\nend_of_record", lines.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::SCHEMA;
    use crate::blocks::reach::tests::cell;

    #[test]
    fn lines_functions_and_blocks_of_one_line_are_told() {
        let mut one = cell("", [Some("a"), None, Some("b")]);
        one.functions[0].blocks[2].line = Some(11);
        let text = lcov(&BlockReport { schema: SCHEMA.into(), cells: vec![one] });
        assert_eq!(
            text,
            "TN:freebsd_14_0_STABLE_stock\nSF:sys/netlink/route/iface.c\nFN:10,dump_iface\nFNDA:1,dump_iface\nFNF:1\n\
             FNH:1\nBRDA:11,0,0,0\nBRDA:11,0,1,1\nBRF:2\nBRH:1\nDA:10,1\nDA:11,1\nLF:2\nLH:2\nend_of_record\n"
        );
    }

    #[test]
    fn what_has_no_line_is_left_out() {
        let mut one = cell("", [None; 3]);
        one.functions[0].blocks.iter_mut().for_each(|block| block.line = None);
        assert_eq!(lcov(&BlockReport { schema: SCHEMA.into(), cells: vec![one] }), "");
    }
}
