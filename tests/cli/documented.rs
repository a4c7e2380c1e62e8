// SPDX-License-Identifier: BSD-2-Clause
//! Commands and options that exist, that the documents show, and that tests run: the three are held against each other.
//!
//! A test runs an option of a command if its function, with the helpers of its file that it calls, has the command's
//! words and the option among its texts, or if one line of a transcript has them. That says that somebody runs it, not
//! that the test looks at the right thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use nlproof::cli::Cli;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Groups of options that one piece of code reads for all commands that have them: one command of them is enough.
const READ_ONCE: [&str; 4] = ["GuestArgs", "LoadArgs", "OwnArgs", "SourceArgs"];

/// Options that no test runs, each with the reason. One that a test runs after all does not belong here.
const NOT_RUN: &[(&str, &str, &str)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a directory whose names end so.
fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, end));
        } else if entry.to_str().is_some_and(|name| name.ends_with(end)) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// The words of a function's texts, and the names that it uses.
#[derive(Debug, Default, Clone)]
struct Body {
    words: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Body {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(name) => drop(self.names.insert(name.to_string())),
                TokenTree::Literal(literal) => self.text(&literal.to_string()),
                TokenTree::Punct(_) => {}
            }
        }
    }

    fn text(&mut self, text: &str) {
        let split = |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\' | '\'');
        self.words.extend(text.split(split).filter(|word| !word.is_empty()).map(str::to_owned));
    }
}

/// The functions of a Rust file by name.
fn functions(source: &str) -> BTreeMap<String, Body> {
    let mut found = BTreeMap::new();
    collect(source.parse().unwrap(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut BTreeMap<String, Body>) {
    let mut name = None;
    let mut after_fn = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "fn" => after_fn = true,
            TokenTree::Ident(word) if after_fn => (name, after_fn) = (Some(word.to_string()), false),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => match name.take() {
                Some(name) => {
                    let body: &mut Body = found.entry(name).or_default();
                    body.read(group.stream());
                }
                // A module, or a block of methods.
                None => collect(group.stream(), found),
            },
            _ => {}
        }
    }
}

/// The words of what each test runs.
fn what_tests_run() -> Vec<BTreeSet<String>> {
    let mut runs = Vec::new();
    let own = Path::new(file!()).file_name();
    for path in files(&root().join("tests"), ".rs").iter().filter(|path| path.file_name() != own) {
        let functions = functions(&fs::read_to_string(path).unwrap());
        for body in functions.values() {
            let mut words = body.words.clone();
            for name in &body.names {
                words.extend(functions.get(name).iter().flat_map(|helper| helper.words.iter().cloned()));
            }
            runs.push(words);
        }
    }
    for path in files(&root().join("tests/transcripts"), ".trycmd") {
        for line in
            fs::read_to_string(path).unwrap().lines().filter_map(|line| line.strip_prefix("$ nlproof "))
        {
            let mut body = Body::default();
            body.text(line);
            runs.push(body.words);
        }
    }
    runs
}

/// A command that can be run, or one of its options.
#[derive(Debug)]
struct Part {
    /// The words that name the command.
    path: Vec<String>,
    option: Option<String>,
    /// Any of the commands that have it is enough.
    read_once: bool,
}

/// Every command that can be run, and each of its options; those of the whole program once.
fn commands(command: &Command, path: &[String], found: &mut Vec<Part>) {
    let subcommands: Vec<_> =
        command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()).collect();
    let can_be_run = subcommands.is_empty() || !command.is_subcommand_required_set();
    if can_be_run && !path.is_empty() {
        found.push(Part { path: path.to_vec(), option: None, read_once: false });
    }
    let options = command.get_arguments().filter(|arg| path.is_empty() || !arg.is_global_set());
    for option in options {
        let group = |group: &&clap::ArgGroup| READ_ONCE.contains(&group.get_id().as_str());
        let read_once =
            command.get_groups().filter(group).any(|group| group.get_args().any(|id| id == option.get_id()));
        if let Some(long) = option.get_long() {
            found.push(Part { path: path.to_vec(), option: Some(format!("--{long}")), read_once });
        }
    }
    for sub in subcommands {
        commands(sub, &[path, &[sub.get_name().to_owned()]].concat(), found);
    }
}

#[test]
fn every_command_and_option_is_run_by_a_test() {
    let runs = what_tests_run();
    let (mut all, mut missing, mut surplus) = (Vec::new(), Vec::new(), Vec::new());
    commands(&Cli::command(), &[], &mut all);
    assert!(all.len() > 100, "{all:?}");
    let is_run = |part: &Part| {
        let wanted: Vec<_> = part.path.iter().chain(&part.option).collect();
        runs.iter().any(|words| wanted.iter().all(|word| words.contains(*word)))
    };
    for part in &all {
        let twin = |other: &&Part| part.read_once && other.read_once && other.option == part.option;
        let is_run = is_run(part) || all.iter().filter(twin).any(is_run);
        let (name, option) = (part.path.join(" "), part.option.clone().unwrap_or_default());
        let excused = NOT_RUN.iter().any(|(command, of, _)| *command == name && *of == option);
        match (is_run, excused) {
            (false, false) => missing.push(format!("nlproof {name} {option}")),
            (true, true) => surplus.push(format!("nlproof {name} {option}")),
            _ => {}
        }
    }
    assert!(missing.is_empty(), "no test runs these:\n{}", missing.join("\n"));
    assert!(surplus.is_empty(), "these are run, take them out of NOT_RUN:\n{}", surplus.join("\n"));
    assert!(NOT_RUN.iter().all(|(_, _, reason)| !reason.is_empty()));
}

/// The texts in a Rust source.
fn texts(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => texts(group.stream(), found),
            TokenTree::Literal(literal) => found.push(literal.to_string().replace("\\n", "\n")),
            _ => {}
        }
    }
}

/// The option of an `nlproof COMMAND --option` in this text that the command does not have.
fn unknown_option(text: &str) -> Option<String> {
    let program = Cli::command();
    for shown in text.split("nlproof ").skip(1) {
        // Up to the end of the sentence or of the quotation: what stands in braces is filled in when it is shown.
        let shown = shown.split([';', ',', '`', '\n', ':', '\'']).next().unwrap_or_default();
        let mut command = &program;
        for word in shown.split_whitespace() {
            match command.find_subcommand(word) {
                Some(sub) => command = sub,
                None if command.get_name() == program.get_name() => break,
                None => {
                    let word = word.trim_end_matches(['"', '.', ')']);
                    let has = |long: &str| {
                        command.get_arguments().any(|argument| argument.get_long() == Some(long))
                    };
                    match word.strip_prefix("--") {
                        Some(long) if !long.is_empty() && !has(long) && long != "tests" => {
                            return Some(format!("{} {word}", command.get_name()));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    None
}

#[test]
fn every_remedy_names_options_that_there_are() {
    let mut count = 0;
    for room in ["harness/src", "image/src", "harness/kmod/src", "harness/verify/src"] {
        for path in files(&root().join(room), ".rs") {
            let mut found = Vec::new();
            texts(fs::read_to_string(&path).unwrap().parse().unwrap(), &mut found);
            for text in found.iter().filter(|text| text.contains("nlproof ") && text.contains("--")) {
                count += 1;
                assert_eq!(unknown_option(text), None, "{}: {text}", path.display());
            }
        }
    }
    assert!(count > 10, "only {count} remedies were found");
    assert_eq!(unknown_option("help: nlproof image fetch --relase X"), Some("fetch --relase".into()));
}

#[test]
fn what_a_test_runs_is_found() {
    let source = "fn help() { run(&[\"a\"]) } mod m { #[test] fn t() { help(); let x = [\"b --c=1\"]; } }";
    let found = functions(source);
    assert_eq!(found["t"].words.iter().map(String::as_str).collect::<Vec<_>>(), ["--c", "1", "b"]);
    assert!(found["t"].names.contains("help") && found["help"].words.contains("a"));
}
