// SPDX-License-Identifier: BSD-2-Clause
//! Blocks of the kernel's own code on the page: what ran of each function, and beside its source where there is a tree.
//!
//! Only what is of the very kernel of a cell of the report is shown: blocks of another one would be linked to vectors that
//! never ran in it.

use std::collections::BTreeSet;
use std::path::Path;

use nlproof_base::counted;
use serde::Serialize;

use super::listing::{Lines, Listing, listings};
use crate::blocks::{
    BEFORE, BLOCKS_FILE, BlockReport, BlockRow, CellBlocks, FunctionRow, Side, SourceTree, Sum, Unreached,
};
use crate::file::FileError;
use crate::matrix::RunResult;
use crate::targets::Fact;

/// Where block coverage for a page comes from.
#[derive(Debug, Clone, Copy)]
pub struct BlockFiles<'r> {
    /// A file that is asked for; `None`: the one in the report directory, if there is one.
    pub file: Option<&'r Path>,
    /// The project's directory, which has the lists of what nothing reaches.
    pub tests: &'r Path,
    /// A tree of sources whose lines are shown.
    pub source: Option<&'r Path>,
}

/// The section.
#[derive(Serialize)]
pub(super) struct Blocks {
    cells: Vec<CellShown>,
}

#[derive(Serialize)]
struct CellShown {
    name: String,
    line: String,
    holes: Vec<String>,
    /// The source of the reasons, or why there are none.
    reasons: String,
    files: Vec<FileShown>,
    functions: Vec<FunctionShown>,
}

#[derive(Serialize)]
struct FileShown {
    name: String,
    blocks: usize,
    reached: usize,
    percent: usize,
    functions: String,
}

#[derive(Serialize)]
struct FunctionShown {
    id: String,
    name: String,
    file: String,
    class: &'static str,
    counts: String,
    /// Lines of source, each with its blocks.
    listings: Vec<Listing>,
    /// Blocks that stand in no listing.
    blocks: Vec<BlockShown>,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BlockShown {
    /// `+0x25`.
    at: String,
    /// `iface.c:301`; empty: not known.
    place: String,
    pub(super) class: &'static str,
    /// The vector that reached it first, if the page has that one.
    vector: Option<String>,
    /// What is said of it, where there is no vector to lead to.
    said: String,
}

/// What blocks of one cell are shown by.
struct Showing<'a> {
    /// The vectors that the page has.
    vectors: &'a BTreeSet<&'a str>,
    /// The list of what nothing reaches, if it is of this kernel.
    list: Option<&'a Unreached>,
}

impl Blocks {
    /// Gathers the section; `None`: there is nothing to show. What is left out, and why, goes to `notes`.
    ///
    /// # Errors
    /// A file or a tree that was asked for cannot be read.
    pub(super) fn of(
        files: &BlockFiles<'_>,
        directory: Option<&Path>,
        run: &RunResult,
        vectors: &BTreeSet<&str>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Self>, FileError> {
        let tree = files.source.map(SourceTree::open).transpose()?;
        let beside = directory.map(|directory| directory.join(BLOCKS_FILE));
        let found = match (files.file, beside.filter(|path| path.exists())) {
            (Some(file), _) => BlockReport::read(file)?,
            (None, Some(path)) => match BlockReport::read(&path) {
                Ok(found) => found,
                Err(error) => {
                    notes.push(error.to_string());
                    return Ok(None);
                }
            },
            (None, None) => {
                return tree.map_or(Ok(None), |_| {
                    let name = directory.map_or(BLOCKS_FILE.into(), |directory| directory.join(BLOCKS_FILE));
                    let what = "is not there, and sources are shown with the blocks that ran of them";
                    Err(FileError::whole(&name, what)
                        .help("nlproof coverage --kernel-blocks --report-dir DIR"))
                });
            }
        };
        let mut lines = Lines::of(tree);
        let mut cells = Vec::new();
        for cell in &found.cells {
            match other(cell, run) {
                Some(why) => notes.push(format!("{}: block coverage is left out: {why}", cell.cell)),
                None => cells.push(shown(cell, files.tests, vectors, &mut lines, notes)),
            }
        }
        notes.append(&mut lines.notes);
        Ok((!cells.is_empty()).then_some(Self { cells }))
    }
}

/// Why blocks are of no kernel of this run, if so.
fn other(cell: &CellBlocks, run: &RunResult) -> Option<String> {
    let Some(result) = run.cells.iter().find(|result| result.cell.name() == cell.cell) else {
        return Some("this report has no such cell".into());
    };
    match (Fact::kernel_sha256(&result.facts), cell.kernel.as_deref()) {
        (Some(here), Some(there)) if here == there => None,
        (Some(here), Some(there)) => {
            Some(format!("it is of another kernel: sha256 {there}, and the report's is {here}"))
        }
        (None, _) => Some("the report does not tell which kernel ran".into()),
        (_, None) => Some("an older nlproof wrote it, without the kernel's digest".into()),
    }
}

fn shown(
    cell: &CellBlocks,
    tests: &Path,
    vectors: &BTreeSet<&str>,
    lines: &mut Lines,
    notes: &mut Vec<String>,
) -> CellShown {
    let path = Unreached::path(tests, &cell.release);
    let list = Unreached::of(tests, &cell.release).unwrap_or_else(|error| {
        notes.push(error.to_string());
        None
    });
    let name = format!("unreached/{}.yaml", cell.release);
    let stock = cell.functions.iter().all(|row| row.side == Side::Kernel);
    let (list, reasons) = match list {
        _ if !stock => (None, "the module replaces functions, and no list is for that".into()),
        None if path.is_file() => (None, format!("{name} cannot be used")),
        None => (None, format!("there is no {name}")),
        Some(list) => match list.of_another_build(cell) {
            Some(why) => (None, format!("{name} is not used: {why}")),
            None => (Some(list), format!("reasons are those of {name}")),
        },
    };
    let showing = Showing { vectors, list: list.as_ref() };
    let sum = Sum::of(&cell.functions);
    let functions = format!("{} of {} entered", sum.entered, counted(sum.functions, "function"));
    CellShown {
        name: cell.cell.clone(),
        line: format!(
            "{} of {} reached by {}, {functions}",
            sum.reached,
            counted(sum.blocks, "block"),
            counted(cell.vectors, "vector")
        ),
        holes: cell.holes.clone(),
        reasons,
        files: cell.files().into_iter().map(file).collect(),
        functions: cell.functions.iter().map(|row| function(cell, row, &showing, lines)).collect(),
    }
}

fn file((name, sum): (&str, Sum)) -> FileShown {
    let (blocks, reached, percent) = (sum.blocks, sum.reached, sum.percent());
    let functions = format!("{} of {}", sum.entered, sum.functions);
    FileShown { name: name.to_owned(), blocks, reached, percent, functions }
}

fn function(cell: &CellBlocks, row: &FunctionRow, showing: &Showing<'_>, lines: &mut Lines) -> FunctionShown {
    let blocks = row.blocks.iter().map(|block| (block, showing.block(&row.name, block)));
    let (listings, rest) = listings(blocks.collect(), lines);
    let (reached, all) = (row.reached(), row.blocks.len());
    FunctionShown {
        id: format!("blocks-{}-{}", cell.cell, row.name),
        name: row.name.clone(),
        file: row.file_told().to_owned(),
        class: match reached {
            0 => "idle",
            _ if reached == all => "good",
            _ => "doubt",
        },
        counts: match reached {
            0 => format!("not entered, {}", counted(all, "block")),
            _ => format!("{reached} of {}", counted(all, "block")),
        },
        listings,
        blocks: rest,
    }
}

impl Showing<'_> {
    fn block(&self, function: &str, block: &BlockRow) -> BlockShown {
        let why = self.list.and_then(|list| list.reason(function, block.at));
        let (class, vector, said) = match (block.first.as_deref(), why) {
            (Some(BEFORE), _) => ("good", None, "reached before the first vector".to_owned()),
            (Some(first), _) if self.vectors.contains(first) => {
                ("good", Some(first.to_owned()), String::new())
            }
            (Some(first), _) => {
                ("good", None, format!("reached first by {first}, which is not in this report"))
            }
            (None, Some(why)) => ("idle", None, format!("not reached: {why}")),
            (None, None) => ("bad", None, "not reached".to_owned()),
        };
        let (at, place) = (format!("+{:#x}", block.at), block.place().unwrap_or_default());
        BlockShown { at, place, class, vector, said }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::blocks::SCHEMA;
    use crate::blocks::tests::cell;
    use crate::report::summary::tests::sample_run;

    const LIST: &str = "release: 14.0-STABLE\nbuild: '55c6'\nreasons: {memory: no <memory>}\nfunctions:\n  dump_iface: [{at: \
                        '+0x4', line: 'iface.c:11', why: memory}]\n";

    /// A project, and a report directory with block coverage.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new(cell: CellBlocks) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for directory in ["report", "tests/unreached", "src/sys/netlink/route"] {
                fs::create_dir_all(place.0.path().join(directory)).unwrap();
            }
            fs::write(place.0.path().join("tests/unreached/14.0-STABLE.yaml"), LIST).unwrap();
            let report = BlockReport { schema: SCHEMA.into(), cells: vec![cell] };
            fs::write(place.0.path().join("report/blocks.json"), serde_json::to_string(&report).unwrap())
                .unwrap();
            place
        }

        fn shown(&self, source: bool) -> (Option<Blocks>, String) {
            let mut notes = Vec::new();
            let source = source.then(|| self.0.path().join("src"));
            let tests = self.0.path().join("tests");
            let files = BlockFiles { file: None, tests: &tests, source: source.as_deref() };
            let directory = self.0.path().join("report");
            let run = run();
            let vectors = BTreeSet::from(["link/a"]);
            let blocks = Blocks::of(&files, Some(&directory), &run, &vectors, &mut notes).unwrap();
            (blocks, notes.join("\n"))
        }
    }

    /// A run of the kernel that the blocks are of.
    fn run() -> RunResult {
        let mut run = sample_run();
        run.cells[0].facts.push(Fact::KernelSha256("aa".into()));
        run
    }

    #[test]
    fn each_block_has_its_vector_or_its_reason() {
        let place = Place::new(cell("", [Some("link/a"), None, Some("link/gone")]));
        let (blocks, notes) = place.shown(false);
        assert_eq!(notes, "");
        let cell = &blocks.unwrap().cells[0];
        assert_eq!(cell.line, "2 of 3 blocks reached by 2 vectors, 1 of 1 function entered");
        assert_eq!(cell.reasons, "reasons are those of unreached/14.0-STABLE.yaml");
        let [one] = cell.functions.as_slice() else { panic!("one function") };
        assert_eq!((one.counts.as_str(), one.class, one.listings.len()), ("2 of 3 blocks", "doubt", 0));
        let told: Vec<_> = one
            .blocks
            .iter()
            .map(|block| (block.class, block.vector.as_deref(), block.said.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("good", Some("link/a"), ""),
                ("idle", None, "not reached: no <memory>"),
                ("good", None, "reached first by link/gone, which is not in this report"),
            ]
        );
        assert_eq!((one.blocks[1].at.as_str(), one.blocks[1].place.as_str()), ("+0x4", "iface.c:11"));
    }

    #[test]
    fn a_list_of_another_build_gives_no_reasons() {
        let other = CellBlocks { build: Some("0e07".into()), ..cell("", [Some(BEFORE), None, None]) };
        let (blocks, _) = Place::new(other).shown(false);
        let cell = &blocks.unwrap().cells[0];
        assert!(cell.reasons.contains("is not used: it is of build 55c6"), "{}", cell.reasons);
        let said: Vec<_> = cell.functions[0].blocks.iter().map(|block| block.said.as_str()).collect();
        assert_eq!(said, ["reached before the first vector", "not reached", "not reached"]);
    }

    #[test]
    fn blocks_of_another_kernel_are_left_out_and_said() {
        let good = || cell("", [None; 3]);
        for (wrong, wanted) in [
            (CellBlocks { kernel: Some("bb".into()), ..good() }, "it is of another kernel: sha256 bb, and"),
            (CellBlocks { kernel: None, ..good() }, "without the kernel's digest"),
            (CellBlocks { cell: "freebsd/15.1-RELEASE/stock".into(), ..good() }, "has no such cell"),
        ] {
            let (blocks, notes) = Place::new(wrong).shown(false);
            assert!(blocks.is_none());
            assert!(notes.contains("block coverage is left out: ") && notes.contains(wanted), "{notes}");
        }
    }

    #[test]
    fn a_file_that_is_cut_off_costs_the_section_and_not_the_page() {
        let place = Place::new(cell("", [None; 3]));
        let path = place.0.path().join("report/blocks.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        let (blocks, notes) = place.shown(false);
        assert!(blocks.is_none() && notes.contains("blocks.json:1:"), "{notes}");
        // One that was asked for is an error.
        let files = BlockFiles { file: Some(&path), tests: Path::new("/nonexistent"), source: None };
        assert!(Blocks::of(&files, None, &run(), &BTreeSet::new(), &mut Vec::new()).is_err());
        // Without any there is no section, and sources alone show nothing.
        let none = BlockFiles { file: None, ..files };
        assert!(Blocks::of(&none, None, &run(), &BTreeSet::new(), &mut Vec::new()).unwrap().is_none());
        let alone = BlockFiles { source: Some(place.0.path()), ..none };
        assert!(Blocks::of(&alone, None, &run(), &BTreeSet::new(), &mut Vec::new()).is_err());
    }

    #[test]
    fn lines_stand_beside_their_blocks_where_there_is_a_tree() {
        let place = Place::new(cell("", [Some("link/a"), None, None]));
        let file = place.0.path().join("src/sys/netlink/route/iface.c");
        let text: String = (1..=14).map(|line| format!("line {line};\n")).collect();
        fs::write(&file, &text).unwrap();
        let (blocks, notes) = place.shown(true);
        let function = &blocks.unwrap().cells[0].functions[0];
        assert_eq!((notes.as_str(), function.blocks.len(), function.listings.len()), ("", 0, 1));
        // A file of another version: what has no line there is told as it would be without.
        fs::write(&file, text.lines().take(10).collect::<Vec<_>>().join("\n")).unwrap();
        let (blocks, notes) = place.shown(true);
        let function = &blocks.unwrap().cells[0].functions[0];
        assert_eq!((function.blocks.len(), function.listings.len()), (2, 1));
        assert!(
            notes.contains("has 10 lines, and the kernel has code of line 12: it is of another version"),
            "{notes}"
        );
        fs::remove_file(file).unwrap();
        let (blocks, notes) = place.shown(true);
        assert_eq!(blocks.unwrap().cells[0].functions[0].blocks.len(), 3);
        assert_eq!(notes.matches("iface.c").count(), 1, "told once: {notes}");
    }
}
