// SPDX-License-Identifier: BSD-2-Clause
//! Source of a function with what ran of each line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::blocks::BlockShown;
use crate::blocks::{BlockRow, SourceTree};

/// Lines shown before and behind one that has code.
const AROUND: usize = 2;

/// Lines of one file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Listing {
    file: String,
    rows: Vec<Row>,
}

/// A line, or several that are left out.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    /// The number of the line; 0: lines are left out.
    number: usize,
    text: String,
    /// Of the line's blocks `good`: all ran, `doubt`: some, `bad` or `idle`: none; empty: it has none.
    class: &'static str,
    blocks: Vec<BlockShown>,
}

/// Files of a tree, each read once.
#[derive(Debug)]
pub(super) struct Lines {
    tree: Option<SourceTree>,
    files: BTreeMap<String, Option<Vec<String>>>,
    /// What cannot be shown, and why.
    pub(super) notes: Vec<String>,
}

impl Lines {
    /// The files of this tree; without one there are none.
    pub(super) fn of(tree: Option<SourceTree>) -> Self {
        Self { tree, files: BTreeMap::new(), notes: Vec::new() }
    }

    /// The lines of a file.
    fn file(&mut self, name: &str) -> Option<&[String]> {
        let tree = self.tree.as_ref()?;
        let notes = &mut self.notes;
        let read = || tree.lines(name).map_err(|error| notes.push(error.to_string())).ok();
        self.files.entry(name.to_owned()).or_insert_with(read).as_deref()
    }

    /// Says that a file is shorter than debug information has it, once.
    fn too_short(&mut self, file: &str, lines: usize, wanted: u64) {
        let start = format!("{file} has {}", nlproof_base::counted(lines, "line"));
        if !self.notes.iter().any(|note| note.starts_with(&start)) {
            self.notes
                .push(format!("{start}, and the kernel has code of line {wanted}: it is of another version"));
        }
    }
}

/// Lays blocks beside their lines. Those of which there is no line come back.
pub(super) fn listings(
    blocks: Vec<(&BlockRow, BlockShown)>,
    lines: &mut Lines,
) -> (Vec<Listing>, Vec<BlockShown>) {
    let mut rest = Vec::new();
    let mut files: BTreeMap<&str, BTreeMap<usize, Vec<BlockShown>>> = BTreeMap::new();
    let furthest = |file: &str| {
        blocks
            .iter()
            .filter(|(row, _)| row.file.as_deref() == Some(file))
            .filter_map(|(row, _)| row.line)
            .max()
    };
    for (row, shown) in &blocks {
        let place = row.file.as_deref().zip(row.line);
        let of_file = place.and_then(|(file, line)| Some((file, line, lines.file(file)?.len())));
        match of_file {
            // Line 0 is what the compiler made of none.
            Some((file, line, length)) if line > 0 && line <= length as u64 => {
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                files.entry(file).or_default().entry(line).or_default().push(shown.clone());
            }
            Some((file, line, length)) if line > 0 => {
                lines.too_short(file, length, furthest(file).unwrap_or(line));
                rest.push(shown.clone());
            }
            _ => rest.push(shown.clone()),
        }
    }
    let listings = files.into_iter().map(|(file, mut of_line)| {
        let text = lines.file(file).unwrap_or_default();
        let (mut rows, mut next): (Vec<Row>, usize) = (Vec::new(), 1);
        let with_code: Vec<usize> = of_line.keys().copied().collect();
        for line in with_code {
            let from = line.saturating_sub(AROUND).max(1);
            if from > next {
                rows.push(Row { number: 0, text: left_out(from - next), class: "", blocks: Vec::new() });
            }
            // Lines behind the last one may be before this one.
            for number in from.max(next)..=(line + AROUND).min(text.len()) {
                let blocks = of_line.remove(&number).unwrap_or_default();
                let text = text.get(number - 1).cloned().unwrap_or_default();
                rows.push(Row { number, text, class: class(&blocks), blocks });
                next = number + 1;
            }
        }
        Listing { file: file.to_owned(), rows }
    });
    (listings.collect(), rest)
}

fn left_out(lines: usize) -> String {
    nlproof_base::counted(lines, "line").to_string()
}

fn class(blocks: &[BlockShown]) -> &'static str {
    let ran = blocks.iter().filter(|block| block.class == "good").count();
    match blocks {
        [] => "",
        _ if ran == blocks.len() => "good",
        _ if ran > 0 => "doubt",
        [first, ..] => first.class,
    }
}
