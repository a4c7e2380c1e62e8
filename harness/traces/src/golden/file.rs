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

use std::fmt::{self, Write as _};
use std::path::Path;

use crate::file::{FileError, Position};

/// Version of the golden format. A golden of another version is refused, never guessed at.
pub const SCHEMA: u32 = 1;

const TITLE: &str = "# nlproof golden, schema ";

/// Where a trace comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Recorded from a kernel.
    Observed {
        /// The release as its directory names it, such as `14.0-STABLE`.
        release: String,
        /// `kern.osreldate` of that kernel.
        osreldate: u32,
        /// SHA-256 of the kernel file, in hex.
        kernel_sha256: String,
        /// The module that answered, for what only that can tell: the way it took. `None`: the stock code.
        module: Option<String>,
        /// What is known of a kernel that somebody has built; `None`: that of a release. What such a kernel answers is
        /// never taken for what a release does.
        build: Option<Build>,
    },
    /// Derived from sources and produced by the simulator only.
    Predicted {
        /// The simulator's profile.
        profile: String,
        /// The git revision of freebsd-src that was read for it, where the branch moves on.
        revision: Option<String>,
    },
}

/// A kernel that somebody has built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Build {
    /// The name of its configuration, such as `GENERIC`: one word.
    pub ident: String,
    /// The git revision of its sources, where its version string has one: one word.
    pub revision: Option<String>,
    /// The first line of its version string.
    pub version: String,
}

impl Build {
    /// As a golden's header has it, behind the other words.
    fn words(&self) -> String {
        let revision =
            self.revision.as_ref().map_or(String::new(), |revision| format!(" revision={revision}"));
        format!(" ident={}{revision} version={}", self.ident, self.version)
    }

    /// Reads that back; `text` begins with `ident=`.
    fn parse(text: &str) -> Option<Build> {
        let (words, version) = text.split_once(" version=")?;
        let mut words = words.split(' ');
        let ident = words.next()?.strip_prefix("ident=").filter(|ident| !ident.is_empty())?.to_owned();
        let revision = match words.next() {
            None => None,
            Some(word) => Some(word.strip_prefix("revision=").filter(|hash| !hash.is_empty())?.to_owned()),
        };
        let whole = words.next().is_none() && !version.is_empty();
        whole.then(|| Build { ident, revision, version: version.to_owned() })
    }
}

/// How much of a digest people need to tell kernels apart.
const SHORT_DIGEST: usize = 12;

/// The beginning of a digest, for people.
pub fn short_digest(sha256: &str) -> &str {
    sha256.get(..SHORT_DIGEST).unwrap_or(sha256)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Observed { release, osreldate, kernel_sha256, module, build } => {
                let kernel = short_digest(kernel_sha256);
                write!(f, "{release} (osreldate {osreldate}, kernel {kernel}")?;
                let revision = build.as_ref().and_then(|build| build.revision.as_ref());
                revision.map_or(Ok(()), |revision| write!(f, ", revision {revision}"))?;
                module.as_ref().map_or(Ok(()), |module| write!(f, ", module {module}"))?;
                f.write_str(")")
            }
            Origin::Predicted { profile, revision: None } => write!(f, "the simulator's profile {profile}"),
            Origin::Predicted { profile, revision: Some(revision) } => {
                write!(f, "the simulator's profile {profile} (freebsd-src {revision})")
            }
        }
    }
}

impl Origin {
    /// A prediction of a profile whose sources do not move.
    pub fn predicted(profile: &str) -> Self {
        Origin::Predicted { profile: profile.to_owned(), revision: None }
    }

    /// Whether a kernel produced the trace.
    pub fn is_observed(&self) -> bool {
        matches!(self, Origin::Observed { .. })
    }

    /// The line of a golden's header and of `report.json`: `observed: 14.0-STABLE osreldate=1400507 kernel=sha256:...`.
    pub fn line(&self) -> String {
        match self {
            Origin::Observed { release, osreldate, kernel_sha256, module, build } => {
                let module = module.as_ref().map_or(String::new(), |module| format!(" module={module}"));
                let build = build.as_ref().map_or(String::new(), Build::words);
                format!(
                    "observed: {release} osreldate={osreldate} kernel=sha256:{kernel_sha256}{module}{build}"
                )
            }
            Origin::Predicted { profile, revision } => {
                let read = revision.as_ref().map_or(String::new(), |revision| format!(" read={revision}"));
                format!("predicted: profile {profile}{read}")
            }
        }
    }

    /// Reads that back.
    ///
    /// # Errors
    /// The line says something else. What is wrong.
    pub fn parse(line: &str) -> Result<Origin, String> {
        if let Some(fields) = line.strip_prefix("predicted: profile ") {
            let Some((profile, read)) = fields.split_once(' ') else { return Ok(Origin::predicted(fields)) };
            let hex = |revision: &&str| {
                revision.len() >= 12 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
            };
            let revision = read.strip_prefix("read=").filter(hex);
            let revision =
                revision.ok_or("words other than `read=` with a git revision after the profile")?;
            return Ok(Origin::Predicted {
                profile: profile.to_owned(),
                revision: Some(revision.to_owned()),
            });
        }
        let fields = line.strip_prefix("observed: ").ok_or("neither `observed:` nor `predicted:`")?;
        let (fields, build) = match fields.split_once(" ident=") {
            None => (fields, None),
            Some((fields, build)) => {
                let build = Build::parse(&format!("ident={build}"));
                (fields, Some(build.ok_or("no `ident=NAME [revision=REVISION] version=TEXT` at its end")?))
            }
        };
        let mut words = fields.split(' ');
        let release = words.next().filter(|word| !word.is_empty()).ok_or("no release")?;
        let osreldate = words
            .next()
            .and_then(|word| word.strip_prefix("osreldate="))
            .and_then(|number| number.parse().ok())
            .ok_or("no `osreldate=NUMBER` after the release")?;
        let kernel_sha256 = words
            .next()
            .and_then(|word| word.strip_prefix("kernel=sha256:"))
            .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or("no `kernel=sha256:` with 64 hex digits after osreldate")?;
        let module = match words.next() {
            None => None,
            Some(word) => {
                let name = word.strip_prefix("module=").filter(|name| !name.is_empty());
                Some(name.ok_or("words other than `module=NAME` after the kernel's digest")?.to_owned())
            }
        };
        if words.next().is_some() {
            return Err("words after the module".into());
        }
        Ok(Origin::Observed {
            release: release.to_owned(),
            osreldate,
            kernel_sha256: kernel_sha256.to_owned(),
            module,
            build,
        })
    }
}

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
    use super::*;

    fn observed(release: &str, digit: char) -> Origin {
        Origin::Observed {
            release: release.into(),
            osreldate: 1_400_507,
            kernel_sha256: std::iter::repeat_n(digit, 64).collect(),
            module: None,
            build: None,
        }
    }

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
    fn a_kernel_that_somebody_built_says_what_is_known_of_it() {
        for revision in [None, Some("77205dbc1397-dirty".to_owned())] {
            let Origin::Observed { release, osreldate, kernel_sha256, module, .. } =
                observed("14.0-STABLE+mine", 'a')
            else {
                unreachable!()
            };
            let version = "FreeBSD 14.0-STABLE #0 n1 ident=x: Mon".to_owned();
            let build = Some(Build { ident: "GENERIC".into(), revision, version });
            let origin = Origin::Observed { release, osreldate, kernel_sha256, module, build };
            let line = origin.line();
            assert!(line.contains(" ident=GENERIC ") && line.ends_with(": Mon"), "{line}");
            assert_eq!(Origin::parse(&line).unwrap(), origin);
        }
        let line = observed("x", 'a').line();
        for bad in [
            " ident=",
            " ident=G",
            " ident=G version=",
            " ident=G rev version=v",
            " ident=G revision=a b version=v",
        ] {
            assert!(Origin::parse(&format!("{line}{bad}")).is_err(), "{bad}");
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
    fn people_are_told_who_answered() {
        let digest = "a".repeat(12);
        let expected = format!("14.0-STABLE (osreldate 1400507, kernel {digest})");
        assert_eq!(observed("14.0-STABLE", 'a').to_string(), expected);
        assert_eq!(Origin::predicted("16").to_string(), "the simulator's profile 16");
        assert_eq!(short_digest("abc"), "abc");
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
