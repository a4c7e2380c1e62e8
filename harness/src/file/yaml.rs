// SPDX-License-Identifier: BSD-2-Clause
//! YAML under serde, with the parser's errors as [`FileError`]s.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Options};

use super::{FileError, nearest};

/// Reads and parses one file.
///
/// # Errors
/// The file cannot be read, is not YAML, or does not fit `T`; an unknown key comes with the nearest known.
pub fn load_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| FileError::whole(path, format!("cannot be read: {error}")))?;
    parse_yaml(path, &text)
}

/// Parses `text`, which stands in `path`.
///
/// # Errors
/// As [`load_yaml`].
pub fn parse_yaml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    let mut options = Options::default();
    // Only `true` and `false` are booleans: `no` and `on` are words in vectors.
    options.strict_booleans = true;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| file_error(path, &error))
}

fn file_error(path: &Path, error: &Error) -> FileError {
    let error = error.without_snippet();
    let place = error.location().map(|location| (location.line(), location.column()));
    let (what, help) = match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => {
            (format!("the key `{field}` is missing"), Some(format!("add `{field}: ...` here")))
        }
        other => (first_line(&other.render()), None),
    };
    FileError { place, help, ..FileError::whole(path, what) }
}

fn unknown(what: &str, given: &str, expected: &[&'static str]) -> (String, Option<String>) {
    let known = format!("known here: {}", expected.join(", "));
    let help = match nearest(given, expected.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {known}"),
        None => known,
    };
    (format!("unknown {what} `{given}`"), Some(help))
}

/// The parser's text without the place, which [`FileError`] shows in its own form.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("not valid YAML");
    let line = line.strip_prefix("error: ").unwrap_or(line);
    match line.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest.to_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        flags: u32,
        name: String,
    }

    #[test]
    fn a_good_file_is_read() {
        let sample: Sample = parse_yaml(Path::new("a.yaml"), "flags: 1\nname: x\n").unwrap();
        assert_eq!(sample, Sample { flags: 1, name: "x".into() });
    }

    #[test]
    fn an_unknown_key_names_place_and_nearest_key() {
        let error = parse_yaml::<Sample>(Path::new("a.yaml"), "name: x\nfalgs: 1\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.yaml:2:1: unknown key `falgs`\n  help: did you mean `flags`? known here: flags, name"
        );
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = parse_yaml::<Sample>(Path::new("a.yaml"), "name: x\n").unwrap_err();
        assert!(error.to_string().contains("the key `flags` is missing"), "{error}");
    }

    #[test]
    fn broken_yaml_has_a_place() {
        let error = parse_yaml::<Sample>(Path::new("a.yaml"), "name: [x\nflags: 1\n").unwrap_err();
        assert!(error.place.is_some(), "{error}");
    }

    #[test]
    fn an_absent_file_is_named() {
        let error = load_yaml::<Sample>(Path::new("no/such/file.yaml")).unwrap_err();
        assert!(error.to_string().starts_with("no/such/file.yaml: cannot be read: "), "{error}");
    }
}
