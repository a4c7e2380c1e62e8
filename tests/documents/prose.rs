// SPDX-License-Identifier: BSD-2-Clause
//! The rules of CONTRIBUTING for doc comments, as far as a test can know them: the first sentence names its noun, and no
//! clause ends in its verb.

use std::fs;
use std::path::{Path, PathBuf};

use super::document::root;

/// Words that a doc comment does not begin with, because they name nothing.
const NO_NOUNS: [&str; 8] = ["It", "Its", "That", "Those", "As", "They", "Them", "These"];

/// Clauses that end in their verb, and others that no native reader would write.
const FOREIGN: [&str; 6] =
    ["whose they are", "whose it is", "that there is not", "that there are not", "So many ", "is nobody's."];

/// The Rust sources below a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The doc comments of a source, each as one line of text with the number of its first line.
fn comments(source: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut before = None;
    for (number, line) in source.lines().enumerate() {
        let line = line.trim_start();
        let mark = ["///", "//!"].into_iter().find(|mark| line.starts_with(mark));
        match (mark, before, found.last_mut()) {
            (Some(mark), Some(other), Some((_, text))) if mark == other => {
                text.push_str(line[mark.len()..].trim_end());
            }
            (Some(mark), ..) => found.push((number + 1, line[mark.len()..].trim().to_owned())),
            (None, ..) => {}
        }
        before = mark;
    }
    found
}

/// What is wrong with a doc comment.
fn wrong(comment: &str) -> Option<String> {
    let first = comment.split([' ', ',']).next().unwrap_or_default();
    if NO_NOUNS.contains(&first) {
        return Some(format!("begins with `{first}`, which names nothing"));
    }
    let foreign = FOREIGN.iter().find(|words| comment.contains(*words))?;
    Some(format!("says `{}`", foreign.trim()))
}

#[test]
fn doc_comments_name_their_noun_first() {
    let mut files = Vec::new();
    for directory in ["harness", "image", "kmod-src", "fuzz", "tests"] {
        sources(&root().join(directory), &mut files);
    }
    assert!(files.len() > 400, "{} sources", files.len());
    let mut told = Vec::new();
    for path in files {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let source = fs::read_to_string(&path).unwrap();
        let found = comments(&source).into_iter().filter_map(|(line, text)| Some((line, wrong(&text)?)));
        told.extend(found.map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn each_slip_is_found() {
    let source = "//! Head.\n//! More.\n\n/// Its\n/// name.\nfn f() {}\n/// The lines whose they\n/// are.\n// So many.\n";
    let found = comments(source);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 4, 7]);
    assert_eq!(wrong(&found[0].1), None);
    assert_eq!(wrong(&found[1].1).as_deref(), Some("begins with `Its`, which names nothing"));
    assert_eq!(wrong(&found[2].1).as_deref(), Some("says `whose they are`"));
    assert_eq!(wrong("Italy is a noun."), None);
}
