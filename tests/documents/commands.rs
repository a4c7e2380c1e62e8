// SPDX-License-Identifier: BSD-2-Clause
//! Commands in documents, parsed by the program's own definition of its command line: no document names a command or an
//! option that does not exist.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};
use nlproof::cli::Cli;

use super::complaints;
use super::document::{Document, root};

/// What stands for a value in a sentence, and a value.
const PLACEHOLDERS: [(&str, &str); 3] = [("K/N", "1/2"), ("N", "1"), ("F", "1")];
/// What a sentence may leave out.
const LEFT_OUT: [ErrorKind; 3] = [
    ErrorKind::MissingRequiredArgument,
    ErrorKind::MissingSubcommand,
    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
];

/// The arguments of nlproof in a command line: to the first word that is the shell's.
fn arguments(words: &[String]) -> Option<Vec<String>> {
    let shells = |word: &String| ["|", ">", "&&", ";"].contains(&word.as_str());
    let end = words.iter().position(shells).unwrap_or(words.len());
    let words = &words[..end];
    match words.first()?.as_str() {
        "nlproof" => Some(words[1..].to_vec()),
        "cargo" if words.get(1).is_some_and(|word| word == "run") => {
            let place = words.iter().position(|word| word == "--")?;
            // `--example` and `-p` run something else.
            let own =
                words[2..place].iter().all(|word| ["-q", "--release", "--quiet"].contains(&word.as_str()));
            own.then(|| words[place + 1..].to_vec())
        }
        _ => None,
    }
}

fn parse(arguments: &[String]) -> Result<(), clap::Error> {
    Cli::try_parse_from(std::iter::once("nlproof".to_owned()).chain(arguments.iter().cloned())).map(drop)
}

/// What is wrong with a command line of a block.
fn wrong_line(line: &str) -> Option<String> {
    let Some(words) = shlex::split(line) else { return Some(format!("`{line}` is no command line")) };
    let script = words.iter().find(|word| word.starts_with("ci/") || word.starts_with(".ci/"));
    if let Some(script) = script.filter(|script| !root().join(script).is_file()) {
        return Some(format!("there is no {script}"));
    }
    let error = parse(&arguments(&words)?).err()?;
    Some(format!("`{line}`: {}", error.to_string().lines().next().unwrap_or_default()))
}

/// What is wrong with code in a sentence, which may be the beginning of a command line, or an option.
fn wrong_span(span: &str, options: &BTreeSet<String>) -> Option<String> {
    let words = shlex::split(span)?;
    let first = words.first()?;
    if first.starts_with("--") && first.len() > 2 {
        let name = first.split('=').next().unwrap_or_default().trim_start_matches('-').to_owned();
        return (!options.contains(&name)).then(|| format!("no command has the option `--{name}`"));
    }
    let given = arguments(&words)?;
    let value = |word: String| {
        let known = PLACEHOLDERS.iter().find(|(placeholder, _)| *placeholder == word);
        known.map_or(word, |(_, value)| (*value).to_owned())
    };
    let given: Vec<_> = given.into_iter().take_while(|word| word != "…").map(value).collect();
    let error = parse(&given).err().filter(|error| !LEFT_OUT.contains(&error.kind()))?;
    Some(format!("`{span}`: {}", error.to_string().lines().next().unwrap_or_default()))
}

/// The long options of a command and of those below it.
fn options(command: &Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)));
    command.get_subcommands().for_each(|command| options(command, found));
}

fn every_option() -> BTreeSet<String> {
    let mut found = BTreeSet::from(["help".to_owned(), "version".to_owned()]);
    options(&Cli::command(), &mut found);
    found
}

/// What is wrong with the commands of a document.
fn wrong(document: &Document, options: &BTreeSet<String>) -> Vec<(usize, String)> {
    let parts = document.parts();
    let mut found = Vec::new();
    for (first, block) in &parts.blocks {
        for (line, text) in (first + 1..).zip(block.text.lines()) {
            let command = match block.language.as_str() {
                "sh" => Some(text),
                "console" | "text" => text.strip_prefix("$ "),
                _ => None,
            };
            found.extend(command.and_then(wrong_line).map(|what| (line, what)));
        }
    }
    let spans = parts.spans.iter();
    found.extend(spans.filter_map(|(line, span)| Some((*line, wrong_span(span, options)?))));
    found
}

#[test]
fn commands_and_options_are_those_of_the_program() {
    let options = every_option();
    // What changed is told in the words of its time.
    let of_today = |document: &Document| match document.name.as_str() {
        "CHANGELOG.md" => Vec::new(),
        _ => wrong(document, &options),
    };
    assert_eq!(complaints(of_today), "");
}

#[test]
fn each_wrong_command_is_found() {
    let options = every_option();
    for (text, found) in [
        ("```sh\nnlproof test-matrix --partition 2/4   # a slice\n```\n", None),
        ("```sh\ncargo run --release -- bench wire > out\n```\n", None),
        ("```sh\nmake load\n```\n", None),
        ("`nlproof kmod build` with `--release 14`, `--partition K/N`", None),
        ("`nlproof test-matrix --partition K/N`", None),
        ("```yaml\nnlproof: none\n```\n", None),
        ("```sh\nnlproof test-matrix --partition 5/4\n```\n", Some((2, "there is no slice 5 of 4"))),
        ("```sh\n\ncargo run -q -- tset-matrix\n```\n", Some((3, "unrecognized subcommand"))),
        ("```console\n$ nlproof run\n```\n", Some((2, "required"))),
        ("```text\n$ nlproof run x --no-such\n```\n", Some((2, "unexpected argument"))),
        ("```sh\nsh ci/no-such-script\n```\n", Some((2, "there is no ci/no-such-script"))),
        ("```sh\nnlproof 'run\n```\n", Some((2, "is no command line"))),
        ("give `--no-such-option`", Some((1, "no command has the option `--no-such-option`"))),
        ("\nuse `nlproof image ftech`", Some((2, "unrecognized subcommand"))),
    ] {
        let wrong = wrong(&Document::of("d.md", text), &options);
        match found {
            None => assert!(wrong.is_empty(), "{wrong:?}"),
            Some((line, what)) => {
                assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
                assert!(wrong[0].0 == line && wrong[0].1.contains(what), "{wrong:?}");
            }
        }
    }
}
