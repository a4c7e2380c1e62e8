// SPDX-License-Identifier: BSD-2-Clause
//! JSON under serde, with the parser's errors as [`FileError`]s.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::{FileError, Position};

/// Parses `bytes`, which stand in `path`.
///
/// # Errors
/// They are no JSON, or do not fit `T`.
pub fn parse_json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, FileError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        // The place stands before it.
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        match error.line() {
            0 => FileError::whole(path, what),
            line => {
                let place = Position { line: line as u64, column: error.column().max(1) as u64 };
                FileError::at(path, place, what)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_place_once() {
        let error = parse_json::<Vec<u8>>(Path::new("a.json"), b"[1,\n x]").unwrap_err();
        assert_eq!(error.to_string(), "a.json:2:2: expected value");
        let error = parse_json::<Vec<u8>>(Path::new("a.json"), b"").unwrap_err();
        assert_eq!(error.to_string(), "a.json:1:1: EOF while parsing a value");
    }
}
