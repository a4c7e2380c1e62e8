// SPDX-License-Identifier: BSD-2-Clause
//! A Markdown file of the repository, in the parts that tests look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Directories whose documents are not the project's.
const LEFT_OUT: [&str; 3] = ["target", ".git", "node_modules"];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One document.
pub(crate) struct Document {
    /// Path from the repository's root, with `/`.
    pub(crate) name: String,
    /// Text of the file.
    pub(crate) text: String,
}

/// What stands in a document, each with its line, from 1.
#[derive(Default)]
pub(crate) struct Parts {
    /// Targets of links and images.
    pub(crate) links: Vec<(usize, String)>,
    /// Names of the headings, as a link's fragment names them.
    pub(crate) anchors: BTreeSet<String>,
    /// Code inside of sentences.
    pub(crate) spans: Vec<(usize, String)>,
    /// Fenced code.
    pub(crate) blocks: Vec<(usize, Block)>,
    /// Tables.
    pub(crate) tables: Vec<Table>,
}

/// A table.
#[derive(Default)]
pub(crate) struct Table {
    /// Text of the first cell of its head.
    pub(crate) heading: String,
    /// Rows below the head.
    pub(crate) rows: Vec<Row>,
}

/// A row of a table.
#[derive(Default)]
pub(crate) struct Row {
    /// Words in code of the first cell.
    pub(crate) first: Vec<String>,
    cells: usize,
}

/// A fenced block.
pub(crate) struct Block {
    /// First word behind the fence.
    pub(crate) language: String,
    /// Lines between the fences.
    pub(crate) text: String,
}

impl Document {
    /// Every Markdown file of the repository, by name.
    pub(crate) fn all() -> Vec<Document> {
        let (mut found, mut directories) = (Vec::new(), vec![root()]);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if path.is_dir() && !LEFT_OUT.contains(&name) {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
                    found.push(Document::of(name, &fs::read_to_string(&path).unwrap()));
                }
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// A document of that text.
    pub(crate) fn of(name: &str, text: &str) -> Document {
        Document { name: name.to_owned(), text: text.to_owned() }
    }

    /// Takes it apart.
    pub(crate) fn parts(&self) -> Parts {
        let mut parts = Parts::default();
        let (mut heading, mut block) = (None::<String>, None::<(usize, Block)>);
        let mut in_head = false;
        for (event, range) in Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = 1 + self.text[..range.start].matches('\n').count();
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    parts.links.push((line, dest_url.into_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let again = (1..).map(|number| format!("{anchor}-{number}"));
                    let mut names = std::iter::once(anchor.clone()).chain(again);
                    let free = names.find(|name| !parts.anchors.contains(name));
                    parts.anchors.extend(free);
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.into_string(),
                        CodeBlockKind::Indented => "text".into(),
                    };
                    let language = info.split([',', ' ']).next().unwrap_or_default().to_owned();
                    block = Some((line, Block { language, text: String::new() }));
                }
                Event::End(TagEnd::CodeBlock) => parts.blocks.extend(block.take()),
                Event::Start(Tag::Table(_)) => parts.tables.push(Table::default()),
                Event::Start(Tag::TableHead) => in_head = true,
                Event::End(TagEnd::TableHead) => in_head = false,
                Event::Start(Tag::TableRow) => {
                    parts.tables.last_mut().into_iter().for_each(|table| table.rows.push(Row::default()));
                }
                Event::End(TagEnd::TableCell) => {
                    let row = parts.tables.last_mut().and_then(|table| table.rows.last_mut());
                    row.into_iter().for_each(|row| row.cells += 1);
                }
                Event::Text(text) if in_head => {
                    let table = parts.tables.last_mut().filter(|table| table.heading.is_empty());
                    table.into_iter().for_each(|table| table.heading = text.to_string());
                }
                Event::Code(code) => {
                    let row = parts.tables.last_mut().and_then(|table| table.rows.last_mut());
                    let row = row.filter(|row| row.cells == 0);
                    row.into_iter().for_each(|row| row.first.push(code.to_string()));
                    heading.iter_mut().for_each(|heading| heading.push_str(&code));
                    parts.spans.push((line, code.into_string()));
                }
                Event::Text(text) => match (&mut block, &mut heading) {
                    (Some((_, block)), _) => block.text.push_str(&text),
                    (None, Some(heading)) => heading.push_str(&text),
                    (None, None) => {}
                },
                _ => {}
            }
        }
        parts
    }
}

/// The fragment by which code hosts name a heading: letters and digits in lower case, hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_document_is_taken_apart() {
    let text = "# The `a.json` file\n\n[x](y.md#z) and `code`\n\n## Twice\n## Twice\n\n```sh\nls\n```\n";
    let parts = Document::of("d.md", text).parts();
    assert_eq!(parts.links, [(3, "y.md#z".to_owned())]);
    assert_eq!(parts.anchors.into_iter().collect::<Vec<_>>(), ["the-ajson-file", "twice", "twice-1"]);
    assert_eq!(parts.spans[1], (3, "code".to_owned()));
    assert_eq!((parts.blocks[0].0, parts.blocks[0].1.language.as_str()), (8, "sh"));
    assert_eq!(parts.blocks[0].1.text, "ls\n");
}
