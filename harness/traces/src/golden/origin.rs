// SPDX-License-Identifier: BSD-2-Clause
//! Where a trace comes from: the kernel that produced it, or the simulator's profile that predicts it.

use std::fmt;

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
        /// The module that answered, in goldens of the kernel's part, which only the module tells. `None`: the stock
        /// code.
        module: Option<String>,
        /// Facts about a kernel of one's own; `None`: a release's kernel. What such a kernel answers is never taken
        /// for what a release does.
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

/// A kernel of one's own.
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
    /// The words of a golden's header, behind the others.
    fn words(&self) -> String {
        let revision =
            self.revision.as_ref().map_or(String::new(), |revision| format!(" revision={revision}"));
        format!(" ident={}{revision} version={}", self.ident, self.version)
    }

    /// Reads these words back; `text` begins with `ident=`.
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

/// Number of digits by which people tell kernels apart.
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

    /// Reads such a line back.
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A release's kernel whose digest is that digit over and over.
    pub(in super::super) fn observed(release: &str, digit: char) -> Origin {
        Origin::Observed {
            release: release.into(),
            osreldate: 1_400_507,
            kernel_sha256: std::iter::repeat_n(digit, 64).collect(),
            module: None,
            build: None,
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
    fn people_are_told_who_answered() {
        let digest = "a".repeat(12);
        let expected = format!("14.0-STABLE (osreldate 1400507, kernel {digest})");
        assert_eq!(observed("14.0-STABLE", 'a').to_string(), expected);
        assert_eq!(Origin::predicted("16").to_string(), "the simulator's profile 16");
        assert_eq!(short_digest("abc"), "abc");
    }
}
