// SPDX-License-Identifier: BSD-2-Clause
//! Facts in documents, held against what they are about: files that are named, variables that are read, keys and fields
//! of formats, and words of tables that the code has too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nlproof::vector::VectorCheck;
use nlproof_verify::{Check, Rule as _};
use serde_json::Value;

use super::complaints;
use super::document::{Document, Table, root};

type Words = BTreeSet<String>;

fn page(name: &str) -> Document {
    Document::of(name, &fs::read_to_string(root().join(name)).unwrap())
}

/// The part of a document below a heading, up to the next one of that level or a higher one.
fn section(document: &Document, heading: &str) -> Document {
    let level = heading.split(' ').next().unwrap().len();
    let lines: Vec<&str> = document.text.lines().collect();
    let start = lines.iter().position(|line| *line == heading);
    let start = start.unwrap_or_else(|| panic!("{}: no heading `{heading}`", document.name));
    let ends = |line: &&str| {
        let hashes = line.len() - line.trim_start_matches('#').len();
        (1..=level).contains(&hashes) && line[hashes..].starts_with(' ')
    };
    let end = lines[start + 1..].iter().position(ends).map_or(lines.len(), |length| start + 1 + length);
    Document::of(&document.name, &lines[start..end].join("\n"))
}

/// The words in code that stand in the first cells of tables, of those whose first column is called `heading`.
fn first_words(tables: &[Table], heading: &str) -> Words {
    let tables = tables.iter().filter(|table| table.heading == heading);
    tables.flat_map(|table| table.rows.iter().flat_map(|row| row.first.clone())).collect()
}

/// What one side has and the other has not, as a complaint; empty if both are equal.
fn difference(what: &str, documented: &Words, real: &Words) -> String {
    let list =
        |words: Vec<&String>| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let missing: Vec<_> = real.difference(documented).collect();
    let surplus: Vec<_> = documented.difference(real).collect();
    let mut text = String::new();
    if !missing.is_empty() {
        text += &format!("{what}: not documented: {}\n", list(missing));
    }
    if !surplus.is_empty() {
        text += &format!("{what}: documented, and not there: {}\n", list(surplus));
    }
    text
}

#[test]
fn a_difference_names_both_sides() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Words>();
    assert_eq!(difference("x", &words("a b"), &words("b a")), "");
    let told = difference("x", &words("a b"), &words("b c"));
    assert_eq!(told, "x: not documented: `c`\nx: documented, and not there: `a`\n");
    let document = Document::of(
        "d.md",
        "# A\n## B\n| key | x |\n|---|---|\n| `a`, `b` | `c` |\n## C\n| key |\n|---|\n| `d` |\n",
    );
    assert_eq!(first_words(&section(&document, "## B").parts().tables, "key"), words("a b"));
    assert_eq!(first_words(&section(&document, "# A").parts().tables, "key"), words("a b d"));
    assert!(first_words(&document.parts().tables, "field").is_empty());
}

/// The keys that a schema has anywhere, but for those of the tables of attributes, whose names are the kernel's.
fn keys(kind: &str) -> Words {
    fn below(schema: &Value, found: &mut Words) {
        found.extend(
            schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone()),
        );
        for (_, definition) in schema.get("definitions").and_then(Value::as_object).into_iter().flatten() {
            if definition.get("description").is_some() {
                below(definition, found);
            }
        }
    }
    let text = fs::read_to_string(root().join(format!("tests/schemas/{kind}.json"))).unwrap();
    let mut found = Words::new();
    below(&serde_json::from_str(&text).unwrap(), &mut found);
    found
}

/// Every key and field of a format is in code in the document, and its tables have no other.
fn format_is_documented(kind: &str, document: &Document, heading: &str) -> String {
    let parts = document.parts();
    let named: Words = parts.spans.iter().map(|(_, span)| span.clone()).collect();
    let keys = keys(kind);
    let documented: Words = named.intersection(&keys).cloned().collect();
    let rows = first_words(&parts.tables, heading);
    assert!(rows.len() > 10, "{}: few rows of `{heading}`", document.name);
    difference(&format!("{}: {kind}", document.name), &documented.union(&rows).cloned().collect(), &keys)
}

#[test]
fn formats_are_documented_key_by_key() {
    let report = section(&page("docs/ci.md"), "## report.json");
    let vectors = page("docs/vectors.md");
    assert_eq!(
        format_is_documented("report", &report, "field") + &format_is_documented("vector", &vectors, "key"),
        ""
    );
}

/// Names of the environment that the sources of the program read, outside of its tests.
fn variables_read() -> Words {
    let mut found = Words::new();
    for directory in ["harness", "image"] {
        for path in sources(&root().join(directory)) {
            let text = fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            // The build script's are no part of the environment of the program.
            let literals = program.split("\"NLPROOF_").skip(1).zip(program.split("\"NLPROOF_"));
            let names = literals
                .filter(|(_, before)| !before.ends_with("env!("))
                .filter_map(|(after, _)| after.split('"').next());
            let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            found.extend(names.filter(is_name).map(|name| format!("NLPROOF_{name}")));
        }
    }
    found
}

/// The Rust sources below the `src` directories of a directory.
fn sources(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = path.to_str().unwrap();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if text.ends_with(".rs") && text.contains("/src/") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_variables_of_the_environment_are_those_that_are_read() {
    let documented = first_words(&section(&page("docs/ci.md"), "## Environment").parts().tables, "variable");
    let own: Words = documented.into_iter().filter(|name| name.starts_with("NLPROOF_")).collect();
    assert_eq!(difference("docs/ci.md: environment", &own, &variables_read()), "");
}

/// What is wrong with code in a sentence that names a file of this repository: it is not there.
fn wrong_file(span: &str, known: &BTreeSet<String>) -> Option<String> {
    let path = span.trim_end_matches('/');
    let placeholder = |part: &str| {
        let letters: Vec<char> = part.chars().filter(|c| c.is_alphabetic()).collect();
        let stem = part.split('.').next().unwrap_or_default();
        part.contains(['*', '{', '$', '<', '…'])
            || (letters.len() > 1 && stem == stem.to_uppercase() && !known_word(stem))
            || stem.ends_with("NN")
    };
    let parts: Vec<&str> = path.split('/').collect();
    let is_path = parts.len() > 1 && !path.contains([' ', ':', '=', '(']) && !path.starts_with('/');
    if !is_path || parts.iter().any(|part| part.is_empty() || placeholder(part)) {
        return None;
    }
    let ours = known.iter().any(|name| name.split('/').next() == Some(parts[0]));
    if ours && !known.contains(path) {
        return Some(format!("`{span}`: there is no such file"));
    }
    // Sources are named from any directory on.
    let suffix = format!("/{path}");
    let rust = path.ends_with(".rs") && !known.iter().any(|name| *name == path || name.ends_with(&suffix));
    rust.then(|| format!("`{span}`: no source file ends like that"))
}

/// Words in capitals that are names of files here, and stand for nothing else.
fn known_word(stem: &str) -> bool {
    ["README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY", "CHANGELOG", "LICENSE"].contains(&stem)
}

/// Every file and directory of the repository, by path.
fn files() -> BTreeSet<String> {
    let (mut found, mut directories) = (BTreeSet::new(), vec![root()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if name == "target" || name == ".git" {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            }
            found.insert(name);
        }
    }
    // Made where somebody pins a release.
    found.insert("tests/releases.lock".into());
    found
}

#[test]
fn files_that_documents_name_are_there() {
    let known = files();
    let history = ["CHANGELOG.md", "tests/transcripts/"];
    let wrong = |document: &Document| -> Vec<(usize, String)> {
        if history.iter().any(|start| document.name.starts_with(start)) {
            return Vec::new();
        }
        let spans = document.parts().spans;
        spans.into_iter().filter_map(|(line, span)| Some((line, wrong_file(&span, &known)?))).collect()
    };
    assert_eq!(complaints(wrong), "");
}

#[test]
fn a_file_that_is_not_there_is_found() {
    let known =
        ["ci", "ci/check", "harness", "harness/src", "harness/src/cli/a.rs"].map(str::to_owned).into();
    for good in [
        "ci/check",
        "ci/",
        "harness/src/LAYER/x",
        "ci/*.yml",
        "cli/a.rs",
        "sys/net/if.c",
        "link/create-lo",
        "a.rs",
    ] {
        assert_eq!(wrong_file(good, &known), None, "{good}");
    }
    for bad in ["ci/github-actions.yml", "harness/src/cli", "cli/b.rs"] {
        assert!(wrong_file(bad, &known).is_some(), "{bad}");
    }
}

/// The rows of the raw trace's table, as the document or the doc comment has it.
fn raw_rows(text: &str, before: &str) -> Vec<String> {
    let rows =
        text.lines().filter_map(|line| line.strip_prefix(before)).filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| Some(row.split(" | ").next()?.trim_start_matches("| ").to_owned())).collect()
}

#[test]
fn words_of_tables_are_those_of_the_code() {
    let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Words>();
    let of = |name: &str, heading: &str, column: &str| {
        first_words(&section(&page(name), heading).parts().tables, column)
    };
    let checks: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
    let vector_checks: Vec<&str> = VectorCheck::ALL.iter().map(|check| check.name()).collect();
    let malformations: Vec<&str> =
        nlproof::vector::Malformation::ALL.iter().map(|word| word.name()).collect();
    let profiles: Vec<String> = iface_core::Profile::ALL.iter().map(ToString::to_string).collect();
    let suites = fs::read_dir(root().join("tests/vectors")).unwrap();
    let suites: Words = suites.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let levels: Value =
        serde_json::from_str(&fs::read_to_string(root().join("tests/schemas/releases.json")).unwrap())
            .unwrap();
    let levels = levels["definitions"]["Support"]["oneOf"].as_array().unwrap();
    let levels: Vec<&str> = levels.iter().filter_map(|level| level["const"].as_str()).collect();
    let told = [
        difference("docs/verify.md: checks", &of("docs/verify.md", "## Checks", "check"), &words(&checks)),
        difference(
            "docs/vectors.md: the lint",
            &of("docs/vectors.md", "## The lint", "check"),
            &words(&vector_checks),
        ),
        difference(
            "docs/vectors.md: malformation",
            &of("docs/vectors.md", "## Malformation", "word"),
            &words(&malformations),
        ),
        difference("docs/vectors.md: suites", &of("docs/vectors.md", "## Suites", "suite"), &suites),
        difference(
            "docs/goldens.md: profiles",
            &of("docs/goldens.md", "## Layers and profiles", "profile"),
            &profiles.into_iter().collect(),
        ),
        difference(
            "docs/guests.md: support levels",
            &of("docs/guests.md", "### Support levels", "level"),
            &words(&levels),
        ),
    ];
    assert_eq!(told.concat(), "");
    let code = fs::read_to_string(root().join("harness/traces/src/trace/raw.rs")).unwrap();
    let document = section(&page("docs/kernel-trace.md"), "## The raw trace").text;
    assert_eq!(raw_rows(&document, ""), raw_rows(&code, "//! "));
    assert!(raw_rows(&document, "").len() > 10);
}
