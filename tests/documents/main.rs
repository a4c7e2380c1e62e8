// SPDX-License-Identifier: BSD-2-Clause
//! The documents: their links lead somewhere, their commands are nlproof's, their outputs are what is printed, and their
//! tables say what the code does.

mod architecture;
mod commands;
mod document;
mod facts;
mod hardware;
mod links;
mod outputs;
mod prose;

use document::{Document, root};

/// The complaints about each document, with its name and line in front.
fn complaints(check: impl Fn(&Document) -> Vec<(usize, String)>) -> String {
    let of = |document: &Document| -> Vec<String> {
        check(document).into_iter().map(|(line, what)| format!("{}:{line}: {what}", document.name)).collect()
    };
    Document::all().iter().flat_map(of).collect::<Vec<_>>().join("\n")
}

/// What the README may have, so that it stays a first page.
const README_LINES: usize = 120;
const README_WORDS: usize = 800;

/// What is too long about a README.
fn too_long(text: &str) -> Option<String> {
    let (lines, words) = (text.lines().count(), text.split_whitespace().count());
    (lines > README_LINES || words > README_WORDS).then(|| {
        format!("{lines} lines and {words} words, at most {README_LINES} and {README_WORDS} are a first page")
    })
}

#[test]
fn the_readme_is_a_first_page() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert_eq!(too_long(&readme), None);
    assert!(too_long(&"word\n".repeat(121)).is_some());
    assert!(too_long(&"word ".repeat(801)).is_some());
}

/// The line of a page that says for whom it is, if it does.
fn reader(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| !line.starts_with('#') && !line.is_empty())?;
    line.starts_with("*For whoever ").then_some(line)
}

#[test]
fn every_page_names_its_reader_first() {
    let nobody: Vec<_> = Document::all()
        .into_iter()
        .filter(|document| document.name.starts_with("docs/") && reader(&document.text).is_none())
        .map(|document| document.name)
        .collect();
    assert!(nobody.is_empty(), "pages without a reader: {nobody:?}");
    assert!(reader("# Title\n\n*For whoever reads.*\n").is_some());
    assert!(reader("# Title\n\nThis page is for you.\n").is_none());
}

#[test]
fn every_fence_says_what_it_holds() {
    let unnamed = |document: &Document| -> Vec<(usize, String)> {
        let blocks = document.parts().blocks;
        let unnamed = blocks.into_iter().filter(|(_, block)| block.language.is_empty());
        unnamed.map(|(line, _)| (line, "a fenced block without a language".to_owned())).collect()
    };
    assert_eq!(complaints(unnamed), "");
    assert_eq!(unnamed(&Document::of("x.md", "```\nls\n```\n")).len(), 1);
}
