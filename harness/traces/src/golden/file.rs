// SPDX-License-Identifier: BSD-2-Clause
//! One golden file: a header of `#` lines that says where the trace comes from, then the trace as text.
//!
//! ```text
//! # nlproof golden, schema 1
//! # vector: link/create-lo
//! # observed: 14.0-STABLE osreldate=1400507 kernel=sha256:0123...
//! step 0
//!   > newlink ...
//! ```

use std::fmt::Write as _;
use std::path::Path;

use super::origin::Origin;
use crate::file::{FileError, Position};

/// Version of the golden format. A golden of another version is rejected, never guessed at.
pub const SCHEMA: u32 = 1;

const TITLE: &str = "# nlproof golden, schema ";

/// A golden trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    /// The vector's id.
    pub vector: String,
    /// Where the trace comes from: sorted, without repetitions, never empty.
    pub origins: Vec<Origin>,
    /// The normalised trace; ends with a newline.
    pub body: String,
}

impl Golden {
    /// A golden with one origin.
    pub fn new(vector: &str, origin: Origin, body: &str) -> Self {
        Self { vector: vector.to_owned(), origins: vec![origin], body: body.to_owned() }
    }

    /// Adds an origin; one with the same release or profile is replaced. Whether anything changed.
    pub fn add_origin(&mut self, origin: Origin) -> bool {
        if self.origins.contains(&origin) {
            return false;
        }
        let same_source = |other: &Origin| match (&origin, other) {
            (Origin::Observed { release: a, .. }, Origin::Observed { release: b, .. }) => a == b,
            (Origin::Predicted { profile: a, .. }, Origin::Predicted { profile: b, .. }) => a == b,
            _ => false,
        };
        self.origins.retain(|other| !same_source(other));
        self.origins.push(origin);
        self.origins.sort();
        true
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{TITLE}{SCHEMA}\n# vector: {}\n", self.vector);
        for origin in &self.origins {
            // Writing to a String cannot fail.
            writeln!(text, "# {}", origin.line()).unwrap_or_default();
        }
        text.push_str(&self.body);
        text
    }

    /// How many lines of the file stand before the body: the title, the vector, and one for each origin.
    pub fn header_lines(&self) -> usize {
        2 + self.origins.len()
    }

    /// Parses a file's text.
    ///
    /// # Errors
    /// No golden, one whose lines end in CR and LF, another schema version, another vector than `vector`, or a header line
    /// that says nothing.
    pub fn parse(path: &Path, vector: &str, text: &str) -> Result<Golden, FileError> {
        let mut lines = text.split_inclusive('\n').enumerate().peekable();
        let at = |line: usize, what: String| FileError::at(path, Position::at_line(line as u64 + 1), what);
        // A bare CR may be part of what a command printed.
        if let Some(line) = text.split_inclusive('\n').position(|line| line.ends_with("\r\n")) {
            return Err(at(line, "has CRLF line ends; those of a golden are LF".into())
                .help("check it out anew without autocrlf (.gitattributes asks for LF), or remove them: sed -i 's/\\r$//' FILE"));
        }
        let title = lines.next().map_or("", |(_, line)| line.trim_end());
        let schema = title
            .strip_prefix(TITLE)
            .ok_or_else(|| at(0, format!("not a golden: the first line is not `{TITLE}N`")))?;
        if schema != SCHEMA.to_string() {
            return Err(at(0, format!("a golden of schema {schema}; this nlproof reads schema {SCHEMA}")).help(
                "use the nlproof that wrote it, or record it anew: nlproof record --filter VECTOR, then accept",
            ));
        }
        let mut origins = Vec::new();
        let mut seen_vector = false;
        while let Some((number, line)) = lines.next_if(|(_, line)| line.starts_with('#')) {
            let line = line.trim_end();
            if let Some(id) = line.strip_prefix("# vector: ") {
                if id != vector {
                    return Err(at(
                        number,
                        format!("the golden of vector `{id}` stands where `{vector}` is expected"),
                    ));
                }
                if seen_vector {
                    return Err(at(number, "the vector is named twice".into()));
                }
                seen_vector = true;
            } else {
                let origin = Origin::parse(line.strip_prefix("# ").unwrap_or(line));
                origins.push(origin.map_err(|what| at(number, format!("unusable origin: {what}")))?);
            }
        }
        if !seen_vector {
            return Err(at(1, "the line `# vector: ID` is missing".into()));
        }
        if origins.is_empty() {
            return Err(at(1, "no origin: a golden says `# observed:` or `# predicted:`".into()));
        }
        Ok(Golden { vector: vector.to_owned(), origins, body: lines.map(|(_, line)| line).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::tests::observed;
    use super::*;

    #[test]
    fn the_module_that_answered_is_told() {
        let Origin::Observed { release, osreldate, kernel_sha256, .. } = observed("14.0-STABLE", 'a') else {
            unreachable!()
        };
        let module = Some("rust".into());
        let origin = Origin::Observed { release, osreldate, kernel_sha256, module, build: None };
        let golden = Golden::new("link/x", origin, "step 0\n");
        let text = golden.to_text();
        assert!(text.contains(" module=rust\n"), "{text}");
        assert_eq!(Golden::parse(Path::new("x.ktrace"), "link/x", &text).unwrap(), golden);
        for bad in [" module=\n", " rust\n", " module=rust twice\n"] {
            let text = text.replace(" module=rust\n", bad);
            assert!(Golden::parse(Path::new("x.ktrace"), "link/x", &text).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_read_for_a_prediction_is_told() {
        let origin = Origin::Predicted { profile: "16".into(), revision: Some("2019f3d86f78".into()) };
        assert_eq!(origin.line(), "predicted: profile 16 read=2019f3d86f78");
        assert_eq!(Origin::parse(&origin.line()), Ok(origin.clone()));
        assert_eq!(origin.to_string(), "the simulator's profile 16 (freebsd-src 2019f3d86f78)");
        let mut golden = Golden::new("v", Origin::predicted("16"), "step 0\n");
        assert!(golden.add_origin(origin.clone()));
        assert_eq!(golden.origins, [origin], "the same profile, read anew");
        for bad in ["16 read=", "16 read=main", "16 2019f3d86f78", "16 read=2019f3d86f78 twice"] {
            assert!(Origin::parse(&format!("predicted: profile {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_round_trips() {
        let mut golden = Golden::new("link/x", observed("14.0-STABLE", 'a'), "step 0\n  > getlink\n");
        assert!(golden.add_origin(Origin::predicted("16")));
        let text = golden.to_text();
        assert_eq!(Golden::parse(Path::new("x.trace"), "link/x", &text).unwrap(), golden);
    }

    #[test]
    fn a_new_kernel_of_the_same_release_replaces_the_old() {
        let mut golden = Golden::new("link/x", observed("14.0-STABLE", 'a'), "");
        assert!(!golden.add_origin(observed("14.0-STABLE", 'a')));
        assert!(golden.add_origin(observed("14.0-STABLE", 'b')));
        assert_eq!(golden.origins, [observed("14.0-STABLE", 'b')]);
        assert!(golden.add_origin(observed("15.1-RELEASE", 'b')));
        assert_eq!(golden.origins.len(), 2);
    }

    #[test]
    fn bad_headers_are_refused_with_their_line() {
        let digest = "a".repeat(64);
        let cases = [
            ("step 0\n", "x:1:1: not a golden"),
            ("# nlproof golden, schema 2\n", "x:1:1: a golden of schema 2; this nlproof reads schema 1"),
            ("# nlproof golden, schema 1\n# predicted: profile 16\n", "`# vector: ID` is missing"),
            ("# nlproof golden, schema 1\n# vector: v\nstep 0\n", "no origin"),
            ("# nlproof golden, schema 1\n# vector: w\n", "the golden of vector `w`"),
            ("# nlproof golden, schema 1\n# vector: v\n# vector: v\n", "x:3:1: the vector is named twice"),
            ("# nlproof golden, schema 1\r\n# vector: v\r\n", "x:1:1: has CRLF line ends"),
            (
                "# nlproof golden, schema 1\n# vector: v\n# predicted: profile 15\na\n  b\r\n",
                "x:5:1: has CRLF line ends",
            ),
            ("# nlproof golden, schema 1\n# vector: v\n# seen: it\n", "x:3:1: unusable origin"),
            (
                &format!(
                    "# nlproof golden, schema 1\n# vector: v\n# observed: 14 osreldate=x kernel=sha256:{digest}\n"
                ),
                "no `osreldate=NUMBER`",
            ),
            (
                "# nlproof golden, schema 1\n# vector: v\n# observed: 14 osreldate=1 kernel=sha256:abc\n",
                "64 hex digits",
            ),
        ];
        for (text, expected) in cases {
            let error = Golden::parse(Path::new("x"), "v", text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }
}
