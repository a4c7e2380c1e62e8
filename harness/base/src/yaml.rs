// SPDX-License-Identifier: BSD-2-Clause
//! Errors in a YAML file, in words for the people who write such files. The parser's own words are for its callers in
//! Rust.

use std::path::Path;

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use crate::{FileError, Position, counted, nearest};

/// An error of the parser about the file at `path`, with its place and, where there is one, the remedy.
#[must_use]
pub fn yaml_error(path: &Path, error: &Error) -> FileError {
    let place = error.location().map(Position::from);
    let (what, help) = words(error.without_snippet());
    FileError { place, help, ..FileError::whole(path, what) }
}

fn words(error: &Error) -> (String, Option<String>) {
    let plain = |what: &str| (what.to_owned(), None);
    let helped = |what: String, help: &str| (what, Some(help.to_owned()));
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => words(error),
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => {
            (format!("the key `{field}` is missing"), Some(format!("add `{field}: ...` here")))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            helped(format!("the key `{key}` is there twice"), "keep one of the two")
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            helped("a key is there twice".into(), "keep one of the two")
        }
        Error::Eof { .. } => plain("the text ends where more is expected"),
        Error::MultipleDocuments { .. } => helped(
            "a second document begins here".into(),
            "a file is one document: leave out what begins with `---`",
        ),
        Error::Unexpected { expected, .. } => (format!("{} is expected here", form(expected)), None),
        Error::NullIntoString { .. } => {
            helped("a text is expected here, and there is nothing".into(), "an empty text is ''")
        }
        Error::InvalidBooleanStrict { .. } => plain("`true` or `false` is expected here"),
        Error::InvalidScalar { ty, .. } => (format!("{} is expected here", kind(ty)), None),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. }
        | Error::UnexpectedValueForUnitEnumVariant { .. } => plain("one word is expected here"),
        Error::UnknownAnchor { .. } => helped(
            "the alias refers to nothing".into(),
            "`*name` stands for what has `&name` before it, above",
        ),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => plain("`<<` takes a mapping or a list of mappings"),
        Error::InvalidUtf8Input => plain("is not UTF-8"),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            (format!("{} is expected here, and this is {}", form(expected), found(unexpected)), None)
        }
        Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("{} does not fit here: {expected} is expected", found(unexpected)), None)
        }
        Error::SerdeInvalidLength { len, expected, .. } => {
            (format!("{} where {expected} is expected", counted(*len, "element")), None)
        }
        Error::Budget { breach, .. } => helped(too_much(breach), "a file of this project is far smaller"),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => helped(
            "aliases repeat more than is read".into(),
            "write out what `*name` stands for, or make it smaller",
        ),
        other => (without_place(&other.render()), None),
    }
}

fn unknown(what: &str, given: &str, expected: &[&'static str]) -> (String, Option<String>) {
    let known = format!("known here: {}", expected.join(", "));
    let help = match nearest(given, expected.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {known}"),
        None => known,
    };
    (format!("unknown {what} `{given}`"), Some(help))
}

/// The parser's or serde's expectation.
fn form(expected: &str) -> &str {
    match expected {
        "mapping start" | "a map" => "a mapping",
        "sequence start" | "a sequence" => "a list",
        "string scalar" | "scalar" => "one value",
        "a string" | "string" => "a text",
        "a boolean" => "`true` or `false`",
        other if other.starts_with("struct ") => "a mapping",
        other if other.starts_with("enum ") => "one word",
        other => other,
    }
}

/// What serde found.
fn found(unexpected: &str) -> String {
    match unexpected.split_once(' ') {
        Some(("integer" | "floating", rest)) => format!("the number {}", rest.trim_start_matches("point ")),
        Some(("string", text)) => format!("the text {text}"),
        Some(("boolean", word)) => word.to_owned(),
        Some(("unit", _)) => "nothing".into(),
        _ => match unexpected {
            "sequence" => "a list".into(),
            "map" => "a mapping".into(),
            other => other.to_owned(),
        },
    }
}

/// The name in YAML of a Rust type's value.
fn kind(ty: &str) -> String {
    let range = |min: i128, max: i128| format!("a whole number from {min} to {max}");
    match ty {
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "u64" | "usize" => range(0, u64::MAX.into()),
        "i8" => range(i8::MIN.into(), i8::MAX.into()),
        "i16" => range(i16::MIN.into(), i16::MAX.into()),
        "i32" => range(i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => range(i64::MIN.into(), i64::MAX.into()),
        _ if ty.starts_with(['u', 'i']) => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        other => other.to_owned(),
    }
}

fn too_much(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Nodes { nodes } => format!("too much: {nodes} values are more than are read"),
        BudgetBreach::Events { events } => format!("too much: {events} parts are more than are read"),
        BudgetBreach::Depth { depth } => format!("too deep: {depth} lists or mappings within each other"),
        BudgetBreach::Aliases { aliases } => format!("too much: {aliases} aliases are more than are read"),
        BudgetBreach::Anchors { anchors } => format!("too much: {anchors} anchors are more than are read"),
        BudgetBreach::ScalarBytes { total_scalar_bytes } => {
            format!("too much: {total_scalar_bytes} bytes of text are more than are read")
        }
        BudgetBreach::Documents { documents } => {
            format!("too much: {documents} documents are more than are read")
        }
        BudgetBreach::MergeKeys { merge_keys } => {
            format!("too much: {merge_keys} `<<` are more than are read")
        }
        _ => "too much, too deep, or too often repeated".into(),
    }
}

/// The parser's text without the place, which stands before it.
fn without_place(text: &str) -> String {
    let line = text.lines().next().unwrap_or("not YAML");
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = match line.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest,
        None => line,
    };
    line.rsplit_once(" at line ").map_or(line, |(what, _)| what).to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_saphyr::Spanned;
    use serde_saphyr::budget::Budget;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only read")]
    struct Sample {
        name: Spanned<String>,
        number: Option<Spanned<u32>>,
        rows: Option<Vec<Spanned<Row>>>,
        word: Option<Word>,
        truth: Option<bool>,
        words: Option<Vec<Spanned<String>>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Row {
        a: i16,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        Sim,
        Freebsd,
    }

    fn error(text: &str) -> String {
        error_within(text, Budget::default())
    }

    fn error_within(text: &str, budget: Budget) -> String {
        let mut options = serde_saphyr::Options::default();
        (options.strict_booleans, options.budget) = (true, Some(budget));
        let parsed: Result<Sample, _> = serde_saphyr::from_str_with_options(text, options);
        yaml_error(Path::new("f"), &parsed.unwrap_err()).to_string()
    }

    #[test]
    fn every_error_has_its_place_once_and_words_for_people() {
        for (text, expected) in [
            ("", "f:1:1: the text ends where more is expected"),
            ("- 1", "f:1:1: a mapping is expected here"),
            ("name: [a]", "f:1:7: one value is expected here"),
            ("name:", "f:1:5: a text is expected here, and there is nothing\n  help: an empty text is ''"),
            ("name: x\nname: y", "f:2:1: the key `name` is there twice\n  help: keep one of the two"),
            ("name: x\nnumber: -1", "f:2:9: a whole number from 0 to 4294967295 is expected here"),
            ("name: x\nrows: {a: 1}", "f:2:7: a list is expected here"),
            ("name: x\nrows: [{a: 70000}]", "f:2:12: a whole number from -32768 to 32767 is expected here"),
            ("name: x\nword: [sim]", "f:2:7: one word is expected here"),
            ("name: x\ntruth: maybe", "f:2:8: `true` or `false` is expected here"),
            ("name: 'x", "f:1:7: unclosed quote"),
            ("name: *a", "f:1:7: the alias refers to nothing"),
            ("name: x\n---\nname: y", "f:3:1: a second document begins here"),
            ("name: x\n<<: 3", "f:2:5: `<<` takes a mapping or a list of mappings"),
            ("number: 1", "f:1:1: the key `name` is missing"),
            (
                "name: x\nword: smi",
                "f:2:7: unknown word `smi`\n  help: did you mean `sim`? known here: sim, freebsd",
            ),
            ("name: x\nrows: &r [{a: x}]\n", "f:2:15: a whole number"),
        ] {
            let said = error(text);
            assert!(said.starts_with(expected), "{text:?}: {said}");
            assert!(!said.contains(" at line "), "{text:?}: {said}");
        }
    }

    #[test]
    fn too_much_is_said_without_the_parser_s_names() {
        let mut budget = Budget::default();
        (budget.max_nodes, budget.max_aliases) = (50, 20);
        let many = format!("name: x\nwords: [{}]\n", "x, ".repeat(60));
        let aliases = format!("name: x\nwords: [&a x, {}]\n", "*a, ".repeat(30));
        for (text, expected) in [
            (many, "too much: 51 values are more than are read"),
            (aliases, "too much: 21 aliases are more than are read"),
        ] {
            let said = error_within(&text, budget.clone());
            assert!(said.contains(expected), "{said}");
        }
    }
}
