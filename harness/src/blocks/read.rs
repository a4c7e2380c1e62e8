// SPDX-License-Identifier: BSD-2-Clause
//! A file of block coverage, read back.

use std::path::Path;

use nlproof_base::ReleaseName;

use super::reach::{BlockReport, SCHEMA};
use crate::file::{FileError, Limit, parse_json, read};

/// The name of such a file in a report directory.
pub const BLOCKS_FILE: &str = "blocks.json";

impl BlockReport {
    /// Reads what `nlproof coverage --kernel-blocks` wrote.
    ///
    /// # Errors
    /// The file cannot be read, is cut off, is no such file, or is one of another schema.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = read(path, Limit::REPORT)?;
        // The schema is looked at first: another one's fields would only be unknown.
        let value: serde_json::Value = parse_json(path, &bytes).map_err(|error| {
            error.help("`nlproof coverage --kernel-blocks --json FILE` writes such a file")
        })?;
        match value.get("schema") {
            Some(serde_json::Value::String(schema)) if schema == SCHEMA => {}
            Some(serde_json::Value::String(schema)) => {
                let what = format!("is of schema {schema}; this nlproof reads {SCHEMA}");
                return Err(FileError::whole(path, what).help("read it with the nlproof that wrote it"));
            }
            _ => return Err(FileError::whole(path, "is no block coverage of nlproof: it has no `schema`")),
        }
        let report: BlockReport = parse_json(path, &bytes)?;
        for cell in &report.cells {
            // Names of files are made of it.
            let name = cell.release.parse::<ReleaseName>();
            name.map_err(|error| FileError::whole(path, format!("{}: {error}", cell.cell.escape_debug())))?;
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::reach::tests::cell;

    fn read_text(text: &str) -> Result<BlockReport, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(BLOCKS_FILE);
        std::fs::write(&path, text).unwrap();
        BlockReport::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_written_is_read_and_an_older_one_names_no_kernel() {
        let report = BlockReport { schema: SCHEMA.into(), cells: vec![cell("", [Some("a"), None, None])] };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(read_text(&text).unwrap(), report);
        let older = text.replace("\"kernel\":\"aa\",", "");
        assert_ne!(older, text);
        assert_eq!(read_text(&older).unwrap().cells[0].kernel, None);
    }

    #[test]
    fn what_is_no_such_file_is_rejected() {
        let report = BlockReport { schema: SCHEMA.into(), cells: vec![cell("", [None; 3])] };
        let text = serde_json::to_string(&report).unwrap();
        for (wrong, wanted) in [
            (
                text.replace(SCHEMA, "nlproof-blocks-9"),
                "is of schema nlproof-blocks-9; this nlproof reads nlproof-blocks-1",
            ),
            (text[..text.len() / 2].to_owned(), "EOF"),
            ("{\"schema\": 2}".into(), "it has no `schema`"),
            (text.replace("\"vectors\":2", "\"vectors\":2,\"more\":1"), "more"),
            (text.replace("\"14.0-STABLE\"", "\"../14.0-STABLE\""), "cannot be the name of a release"),
        ] {
            assert_ne!(wrong, text);
            let told = read_text(&wrong).unwrap_err();
            assert!(told.contains(wanted), "{told}");
        }
    }
}
