// SPDX-License-Identifier: BSD-2-Clause
//! YAML under serde, with the parser's errors as [`FileError`]s.

use std::path::Path;

use nlproof_base::yaml_error;
use serde::de::DeserializeOwned;
use serde_saphyr::Options;

use super::{FileError, Limit, read_text};

/// Reads and parses one file.
///
/// # Errors
/// The file cannot be read, has more than [`Limit::YAML`], is not YAML, or does not fit `T`; an unknown key comes with
/// the nearest known.
pub fn load_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    parse_yaml(path, &read_text(path, Limit::YAML)?)
}

/// Parses `text`, which stands in `path`.
///
/// # Errors
/// Same as [`load_yaml`].
pub fn parse_yaml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    let mut options = Options::default();
    // Only `true` and `false` are booleans: `no` and `on` are words in vectors.
    options.strict_booleans = true;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| yaml_error(path, &error))
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

    #[test]
    fn a_file_beyond_the_limit_is_rejected_by_its_size() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(5 << 20).unwrap();
        let error = load_yaml::<Sample>(file.path()).unwrap_err();
        assert_eq!(error.what, "has 5242880 bytes; at most 4194304 bytes (4 MiB) are read");
    }
}
