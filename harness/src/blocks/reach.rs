// SPDX-License-Identifier: BSD-2-Clause
//! Functions with the blocks that ran and the vector that reached each first, and slices of a run added up.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_verify::BlockFunction;
use serde::{Deserialize, Serialize};

/// The version of [`BlockReport`].
pub const SCHEMA: &str = "nlproof-blocks-1";

/// What block coverage found, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BlockReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The cells that ran.
    pub cells: Vec<CellBlocks>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CellBlocks {
    /// Name of the cell, such as `freebsd/14.0-STABLE/stock`.
    pub cell: String,
    /// The cell's release.
    pub release: String,
    /// The build id of the kernel, in hex.
    pub build: Option<String>,
    /// SHA-256 of the kernel's file, in hex, by which reports know it; an older nlproof did not write it.
    #[serde(default)]
    pub kernel: Option<String>,
    /// Digest of the vectors that were selected, before any slice was taken.
    pub selection: String,
    /// Every vector of the project was selected.
    pub all: bool,
    /// The slices that ran (`2/4`); none: everything.
    pub slices: Vec<String>,
    /// How many vectors ran to their end, or lost the guest as they state.
    pub vectors: usize,
    /// Why a block that is not reached may be reached all the same: what did not run, and logs that are cut.
    pub holes: Vec<String>,
    /// The functions.
    pub functions: Vec<FunctionRow>,
}

/// Whose a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The kernel's own.
    Kernel,
    /// The Rust-backed module's.
    Module,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FunctionRow {
    /// Name of the function.
    pub name: String,
    /// Whose it is.
    pub side: Side,
    /// Source file of the function, if known.
    pub file: Option<String>,
    /// Blocks of the function in the order of the code.
    pub blocks: Vec<BlockRow>,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BlockRow {
    /// Bytes from the function's start to the block's.
    pub at: u64,
    /// The file of its first instruction with a source line, if there is one.
    pub file: Option<String>,
    /// The line of it.
    pub line: Option<u64>,
    /// The vector that ran when it was first reached; `None`: it was not.
    pub first: Option<String>,
}

impl BlockRow {
    /// The source line in the words of reports: `iface.c:127`.
    pub fn place(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        Some(format!("{}:{}", file.rsplit('/').next().unwrap_or(file), self.line?))
    }
}

impl FunctionRow {
    /// How many of its blocks were reached.
    pub fn reached(&self) -> usize {
        self.blocks.iter().filter(|block| block.first.is_some()).count()
    }

    /// Whether it was entered at all.
    pub fn entered(&self) -> bool {
        self.reached() > 0
    }
}

/// Instructions that ran, each with the vector that ran first when it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    first: BTreeMap<u64, String>,
}

impl Hits {
    /// Adds instructions that were translated while this vector ran. Of several guests the first vector by name counts.
    pub fn add(&mut self, addresses: impl IntoIterator<Item = u64>, vector: &str) {
        for address in addresses {
            let known = self.first.entry(address).or_insert_with(|| vector.to_owned());
            if vector < known.as_str() {
                vector.clone_into(known);
            }
        }
    }

    /// Whether nothing ran.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// What ran of these functions.
pub fn rows(functions: &[BlockFunction], side: Side, hits: &Hits) -> Vec<FunctionRow> {
    let row = |function: &BlockFunction| FunctionRow {
        name: function.name.clone(),
        side,
        file: function.file.clone(),
        blocks: function
            .blocks
            .iter()
            .map(|block| BlockRow {
                at: block.start - function.start,
                file: block.source.as_ref().map(|source| source.file.clone()),
                line: block.source.as_ref().map(|source| source.line),
                first: hits.first.get(&block.start).cloned(),
            })
            .collect(),
    };
    functions.iter().map(row).collect()
}

/// Why reports do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The kernel or the vectors are not the same.
    #[error("{cell}: {what} differ: these reports are not slices of one run")]
    Differ {
        /// The cell.
        cell: String,
        /// What is not the same.
        what: &'static str,
    },
    /// One slice is there twice.
    #[error("{cell}: slice {slice} is there twice")]
    Twice {
        /// The cell.
        cell: String,
        /// The slice.
        slice: String,
    },
}

/// Adds up the reports of slices.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(reports: Vec<BlockReport>) -> Result<BlockReport, MergeError> {
    let mut cells: Vec<CellBlocks> = Vec::new();
    for report in reports {
        for cell in report.cells {
            match cells.iter_mut().find(|known| known.cell == cell.cell) {
                Some(known) => add(known, cell)?,
                None => cells.push(cell),
            }
        }
    }
    for cell in &mut cells {
        cell.holes.extend(missing_slices(&cell.slices));
    }
    Ok(BlockReport { schema: SCHEMA.to_owned(), cells })
}

fn add(known: &mut CellBlocks, other: CellBlocks) -> Result<(), MergeError> {
    let differ = |what| MergeError::Differ { cell: other.cell.clone(), what };
    if (&known.build, &known.kernel) != (&other.build, &other.kernel) {
        return Err(differ("the kernels"));
    }
    if known.selection != other.selection {
        return Err(differ("the selected vectors"));
    }
    for slice in &other.slices {
        if known.slices.contains(slice) {
            return Err(MergeError::Twice { cell: other.cell, slice: slice.clone() });
        }
    }
    let shape = |cell: &CellBlocks| {
        let ats = |row: &FunctionRow| row.blocks.iter().map(|block| block.at).collect::<Vec<_>>();
        cell.functions.iter().map(|row| (row.side, row.name.clone(), ats(row))).collect::<Vec<_>>()
    };
    if shape(known) != shape(&other) {
        return Err(differ("the functions"));
    }
    known.slices.extend(other.slices);
    known.slices.sort();
    known.vectors += other.vectors;
    known.holes.extend(other.holes);
    for (row, more) in known.functions.iter_mut().zip(other.functions) {
        for (block, more) in row.blocks.iter_mut().zip(more.blocks) {
            block.first = match (block.first.take(), more.first) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    Ok(())
}

fn missing_slices(slices: &[String]) -> Vec<String> {
    let numbers: BTreeSet<(u32, u32)> = slices
        .iter()
        .filter_map(|slice| slice.split_once('/'))
        .filter_map(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)))
        .collect();
    let Some((_, of)) = numbers.first().copied() else { return Vec::new() };
    let absent = (1..=of).filter(|index| !numbers.contains(&(*index, of)));
    absent.map(|index| format!("slice {index}/{of} is missing")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn block(at: u64, line: u64, first: Option<&str>) -> BlockRow {
        let file = Some("sys/netlink/route/iface.c".into());
        BlockRow { at, file, line: Some(line), first: first.map(str::to_owned) }
    }

    pub(crate) fn cell(slice: &str, first: [Option<&str>; 3]) -> CellBlocks {
        let blocks =
            [(0, 10), (4, 11), (9, 12)].iter().zip(first).map(|((at, line), first)| block(*at, *line, first));
        CellBlocks {
            cell: "freebsd/14.0-STABLE/stock".into(),
            release: "14.0-STABLE".into(),
            build: Some("55c6".into()),
            kernel: Some("aa".into()),
            selection: "s".into(),
            all: true,
            slices: if slice.is_empty() { vec![] } else { vec![slice.into()] },
            vectors: 2,
            holes: vec![],
            functions: vec![FunctionRow {
                name: "dump_iface".into(),
                side: Side::Kernel,
                file: Some("sys/netlink/route/iface.c".into()),
                blocks: blocks.collect(),
            }],
        }
    }

    fn report(cell: CellBlocks) -> BlockReport {
        BlockReport { schema: SCHEMA.into(), cells: vec![cell] }
    }

    #[test]
    fn the_first_vector_by_name_counts_whichever_guest_was_faster() {
        let mut hits = Hits::default();
        hits.add([1, 2], "link/b");
        hits.add([2, 3], "link/a");
        hits.add([1], "link/c");
        let function = BlockFunction {
            name: "f".into(),
            file: None,
            start: 1,
            end: 5,
            blocks: (1..=4)
                .map(|start| nlproof_verify::Block { start, end: start + 1, source: None })
                .collect(),
        };
        let rows = rows(&[function], Side::Kernel, &hits);
        let first: Vec<_> = rows[0].blocks.iter().map(|block| block.first.as_deref()).collect();
        assert_eq!(first, [Some("link/b"), Some("link/a"), Some("link/a"), None]);
        assert_eq!((rows[0].reached(), rows[0].blocks[3].at), (3, 3));
    }

    #[test]
    fn slices_add_up() {
        let one = report(cell("1/2", [Some("a"), None, None]));
        let two = report(cell("2/2", [Some("b"), Some("b"), None]));
        let whole = merge(vec![one.clone(), two]).unwrap();
        let firsts: Vec<_> =
            whole.cells[0].functions[0].blocks.iter().map(|block| block.first.as_deref()).collect();
        assert_eq!(firsts, [Some("a"), Some("b"), None]);
        assert_eq!((whole.cells[0].vectors, whole.cells[0].holes.len()), (4, 0));
        let alone = merge(vec![one]).unwrap();
        assert_eq!(alone.cells[0].holes, ["slice 2/2 is missing"]);
    }

    #[test]
    fn what_is_no_slice_of_the_same_run_is_not_added() {
        let one = || report(cell("1/2", [None; 3]));
        let with = |change: fn(&mut CellBlocks)| {
            let mut cell = cell("2/2", [None; 3]);
            change(&mut cell);
            merge(vec![one(), report(cell)]).unwrap_err().to_string()
        };
        assert!(with(|cell| cell.build = None).contains("the kernels differ"));
        assert!(with(|cell| cell.selection = "t".into()).contains("the selected vectors differ"));
        assert!(with(|cell| cell.slices = vec!["1/2".into()]).contains("slice 1/2 is there twice"));
        assert!(with(|cell| cell.functions.clear()).contains("the functions differ"));
        assert!(with(|cell| cell.kernel = Some("bb".into())).contains("the kernels differ"));
    }
}
