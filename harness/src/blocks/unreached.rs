// SPDX-License-Identifier: BSD-2-Clause
//! `tests/unreached/RELEASE.yaml`: the blocks of a kernel that no vector reaches, each with the reason.
//!
//! A block is known by its function and its distance from the function's start, which hold for one build only: the list
//! names the build, and judges no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::log::BEFORE;
use super::reach::{BlockRow, CellBlocks, Side};
use crate::file::{FileError, Position, load_yaml, schema_of};

/// Placeholder for a reason that nobody has written yet; a list that has it is rejected.
const OPEN: &str = "unexplained";

/// Blocks of a kernel's own code that no vector reaches, each with the reason.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawUnreached {
    /// The release, as its directory is called.
    release: String,
    /// The build id of the kernel, in hex: distances hold for one build.
    build: String,
    /// The reasons by name, each in a sentence.
    reasons: BTreeMap<String, String>,
    /// The functions that are looked at, each with the blocks that no vector reaches; none: every one is reached.
    #[schemars(with = "BTreeMap<String, Vec<RawBlock>>")]
    functions: BTreeMap<String, Vec<Spanned<RawBlock>>>,
}

/// A block that no vector reaches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    /// Bytes from the function's start to the block's, as in +0x1e5.
    #[schemars(regex(pattern = r"^\+0x[0-9a-f]+$"))]
    at: String,
    /// The source line of it, where that is known: iface.c:301.
    line: Option<String>,
    /// The name of the reason.
    why: String,
}

/// The schema of a list of `tests/unreached`.
pub fn unreached_schema() -> Schema {
    schema_of::<RawUnreached>("Blocks of a kernel that no vector of nlproof reaches")
}

/// The list of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The release that the list is about.
    pub release: String,
    /// The build id of the kernel, in hex.
    pub build: String,
    reasons: BTreeMap<String, String>,
    /// The blocks, by function and distance from its start.
    functions: BTreeMap<String, BTreeMap<u64, Listed>>,
}

/// A block of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    /// Name of the reason.
    why: String,
    /// Source line of the block, if whoever made the list knew it.
    line: Option<String>,
}

impl Unreached {
    /// Path of the list of a release below a project's directory.
    pub fn path(tests: &Path, release: &str) -> PathBuf {
        tests.join("unreached").join(format!("{release}.yaml"))
    }

    /// The list of a release, if there is one.
    ///
    /// # Errors
    /// Same as [`Unreached::load`].
    pub fn of(tests: &Path, release: &str) -> Result<Option<Self>, FileError> {
        let path = Self::path(tests, release);
        if !path.is_file() {
            return Ok(None);
        }
        Self::load(&path).map(|list| Some(list).filter(|list| list.release == release))
    }

    /// Loads the file.
    ///
    /// # Errors
    /// It is no YAML, has an unknown key or reason, a reason that no block has, or a block twice.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        Self::validated(path, load_yaml(path)?)
    }

    fn validated(path: &Path, raw: RawUnreached) -> Result<Self, FileError> {
        let mut functions: BTreeMap<String, BTreeMap<u64, Listed>> = BTreeMap::new();
        let mut used = BTreeSet::new();
        for (name, blocks) in raw.functions {
            let listed = functions.entry(name.clone()).or_default();
            for block in blocks {
                let place = Position::from(block.referenced);
                let RawBlock { at, why, line } = block.value;
                let offset = at.strip_prefix("+0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
                let offset = offset.ok_or_else(|| {
                    FileError::at(path, place, format!("`{at}` is no distance from the function's start"))
                        .help("as in +0x1e5")
                })?;
                if !raw.reasons.contains_key(&why) {
                    let text = format!("no reason is called `{why}`");
                    return Err(FileError::at(path, place, text)
                        .help("write it under `reasons`, or have a vector reach the block"));
                }
                used.insert(why.clone());
                if listed.insert(offset, Listed { why, line }).is_some() {
                    return Err(FileError::at(path, place, format!("{name}{at} is there twice")));
                }
            }
        }
        if let Some(idle) = raw.reasons.keys().find(|name| !used.contains(*name)) {
            return Err(FileError::whole(path, format!("no block has the reason `{idle}`")).help("remove it"));
        }
        Ok(Self { release: raw.release, build: raw.build, reasons: raw.reasons, functions })
    }

    /// Names of the functions that the list is about.
    pub fn names(&self) -> BTreeSet<String> {
        self.functions.keys().cloned().collect()
    }

    /// Why the list says nothing about the kernel of a cell, if so.
    pub fn of_another_build(&self, cell: &CellBlocks) -> Option<String> {
        let build = cell.build.as_deref();
        (Some(self.build.as_str()) != build).then(|| {
            let kernel = build.unwrap_or("without a build id");
            format!("it is of build {}, and this kernel is {kernel}", self.build)
        })
    }

    /// The reason of a block, in a sentence.
    pub fn reason(&self, function: &str, at: u64) -> Option<&str> {
        let listed = self.functions.get(function)?.get(&at)?;
        self.reasons.get(&listed.why).map(String::as_str)
    }
}

/// What is wrong between a list and a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No vector reaches the block, and the list has no reason for that.
    New {
        /// The function.
        function: String,
        /// Bytes from its start.
        at: u64,
        /// Source line of the block.
        line: Option<String>,
    },
    /// The list says why no vector reaches the block, and this one does.
    Reached {
        /// The function.
        function: String,
        /// Bytes from its start.
        at: u64,
        /// The vector.
        by: String,
    },
    /// The list has another line for the block than debug information.
    Line {
        /// The function.
        function: String,
        /// Bytes from its start.
        at: u64,
        /// Source line of the block in the list.
        line: String,
    },
    /// The list has a block, or a function, that the kernel has not.
    Absent {
        /// The function.
        function: String,
        /// Bytes from its start; `None`: there is no such function.
        at: Option<u64>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::New { function, at, line } => {
                let line = line.as_ref().map(|line| format!(" ({line})")).unwrap_or_default();
                write!(
                    f,
                    "UNREACHED: {function}+{at:#x}{line}: no vector reaches it, and no reason is listed"
                )
            }
            Finding::Reached { function, at, by } => {
                write!(f, "REACHED: {function}+{at:#x}: by {by}; remove it from the list")
            }
            Finding::Line { function, at, line } => {
                write!(f, "LINE: {function}+{at:#x}: it is of {line}; correct the list")
            }
            Finding::Absent { function, at: Some(at) } => {
                write!(f, "NO BLOCK: {function}+{at:#x}: no block begins there; remove it from the list")
            }
            Finding::Absent { function, at: None } => {
                write!(
                    f,
                    "NO FUNCTION: {function}: the kernel has none of that name; remove it from the list"
                )
            }
        }
    }
}

/// Holds a run of all vectors against the list.
pub fn judge(cell: &CellBlocks, list: &Unreached) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, listed) in &list.functions {
        let function = name.clone();
        let row = cell.functions.iter().find(|row| row.side == Side::Kernel && row.name == *name);
        let Some(row) = row else {
            found.push(Finding::Absent { function, at: None });
            continue;
        };
        for block in &row.blocks {
            match (&block.first, listed.get(&block.at)) {
                (None, None) => {
                    found.push(Finding::New {
                        function: function.clone(),
                        at: block.at,
                        line: block.place(),
                    });
                }
                (None, Some(listed)) => {
                    if let (Some(line), Some(known)) = (block.place(), &listed.line)
                        && line != *known
                    {
                        found.push(Finding::Line { function: function.clone(), at: block.at, line });
                    }
                }
                // A guest that had to be booted: what ran before the first vector is no vector's doing.
                (Some(by), Some(_)) if by == BEFORE => {}
                (Some(by), Some(_)) => {
                    let (function, by) = (function.clone(), by.clone());
                    found.push(Finding::Reached { function, at: block.at, by });
                }
                (Some(_), None) => {}
            }
        }
        let absent = listed.keys().filter(|at| !row.blocks.iter().any(|block| block.at == **at));
        found.extend(absent.map(|at| Finding::Absent { function: function.clone(), at: Some(*at) }));
    }
    found
}

/// The list that fits a run. Reasons of an earlier list are kept, by place or else by line; others are to be written.
pub fn listing(cell: &CellBlocks, wanted: &dyn Fn(&str) -> bool, earlier: Option<&Unreached>) -> String {
    let mut text = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // A write to a String does not fail.
        writeln!(text, "{line}").ok();
    };
    say(format_args!("# yaml-language-server: $schema=../schemas/unreached.json"));
    say(format_args!("# SPDX-License-Identifier: BSD-2-Clause"));
    say(format_args!(
        "# Blocks of the kernel's own code that no vector reaches, as `nlproof coverage --kernel-blocks` found"
    ));
    say(format_args!("# them. A new one fails it, and so does one that a vector reaches after all."));
    say(format_args!("release: {}\nbuild: {:?}", cell.release, cell.build.as_deref().unwrap_or("none")));
    let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for row in cell.functions.iter().filter(|row| row.side == Side::Kernel && wanted(&row.name)) {
        let mut lines = Vec::new();
        let unreached = |block: &&BlockRow| match block.first.as_deref() {
            None => true,
            Some(BEFORE) => earlier.is_some_and(|list| list.reason(&row.name, block.at).is_some()),
            Some(_) => false,
        };
        for block in row.blocks.iter().filter(unreached) {
            let known = earlier.and_then(|list| {
                let listed = list.functions.get(&row.name)?.get(&block.at)?;
                Some((listed.why.as_str(), list.reasons.get(&listed.why)?.as_str()))
            });
            let why = known.map_or(OPEN, |(why, reason)| {
                reasons.insert(why, reason);
                why
            });
            let line = block.place().map(|line| format!("line: {line:?}, ")).unwrap_or_default();
            lines.push(format!("{{at: \"+{:#x}\", {line}why: {why}}}", block.at));
        }
        rows.push((&row.name, lines));
    }
    say(format_args!("reasons:{}", if reasons.is_empty() { " {}" } else { "" }));
    for (name, reason) in reasons {
        say(format_args!("  {name}: {reason:?}"));
    }
    say(format_args!("functions:"));
    for (name, lines) in rows {
        say(format_args!("  {name}:{}", if lines.is_empty() { " []" } else { "" }));
        for line in lines {
            say(format_args!("    - {line}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::reach::tests::cell;
    use crate::file::parse_yaml;

    const PATH: &str = "unreached/14.0-STABLE.yaml";

    fn list(text: &str) -> Result<Unreached, String> {
        let path = Path::new(PATH);
        let raw = parse_yaml(path, text).map_err(|error| error.to_string())?;
        Unreached::validated(path, raw).map_err(|error| error.to_string())
    }

    fn with(functions: &str) -> Result<Unreached, String> {
        list(&format!(
            "release: 14.0-STABLE\nbuild: '55c6'\nreasons: {{memory: 'no memory'}}\nfunctions:\n{functions}"
        ))
    }

    #[test]
    fn the_list_holds_only_as_long_as_it_is_true() {
        let list = with("  dump_iface: [{at: '+0x4', line: 'iface.c:11', why: memory}]\n").unwrap();
        assert_eq!(list.reason("dump_iface", 4), Some("no memory"));
        assert_eq!(judge(&cell("", [Some("a"), None, Some("b")]), &list), []);
        let told = |first| judge(&cell("", first), &list).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told([Some("a"), Some(BEFORE), Some("b")]), Vec::<String>::new());
        assert_eq!(
            told([None, Some("b"), Some("b")]),
            [
                "UNREACHED: dump_iface+0x0 (iface.c:10): no vector reaches it, and no reason is listed",
                "REACHED: dump_iface+0x4: by b; remove it from the list",
            ]
        );
    }

    #[test]
    fn what_the_kernel_does_not_have_is_told() {
        let list = with("  dump_iface: [{at: '+0x4', line: 'iface.c:12', why: memory}]\n").unwrap();
        let found = judge(&cell("", [Some("a"), None, Some("b")]), &list);
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["LINE: dump_iface+0x4: it is of \
                    iface.c:11; correct the list"]
        );
        let list = with("  dump_iface: [{at: '+0x5', why: memory}]\n  gone: []\n").unwrap();
        let found = judge(&cell("", [Some("a"); 3]), &list);
        assert_eq!(found.len(), 2);
        assert!(found[0].to_string().starts_with("NO BLOCK: dump_iface+0x5"));
        assert!(found[1].to_string().starts_with("NO FUNCTION: gone"));
    }

    #[test]
    fn a_list_with_a_fault_is_rejected() {
        for (functions, wanted) in [
            ("  f: [{at: '5', why: memory}]\n", "`5` is no distance"),
            ("  f: [{at: '+0x5', why: other}]\n", "no reason is called `other`"),
            ("  f: [{at: '+0x5', why: memory}, {at: '+0x5', why: memory}]\n", "f+0x5 is there twice"),
            ("  f: []\n", "no block has the reason `memory`"),
            ("  f: [{at: '+0x5', why: memory, more: 1}]\n", "more"),
        ] {
            let error = with(functions).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_written_list_keeps_reasons_and_leaves_others_to_be_written() {
        let earlier = with("  dump_iface: [{at: '+0x4', line: 'iface.c:11', why: memory}]\n").unwrap();
        let one = cell("", [Some("a"), None, Some("b")]);
        let text = listing(&one, &|_| true, Some(&earlier));
        assert_eq!(list(&text).unwrap(), earlier);
        let open = listing(&cell("", [None, None, Some("b")]), &|_| true, Some(&earlier));
        assert!(list(&open).unwrap_err().contains("no reason is called `unexplained`"));
    }
}
