// SPDX-License-Identifier: BSD-2-Clause
//! `--probe`: a pattern for nlproof's own probes, or a probe of DTrace's.

use crate::cli::exit::CliError;
use crate::file::nearest;
use crate::ktrace::{matches, table};
use crate::matrix::TargetKind;

/// The probes that the user wants to see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Patterns for nlproof's own probes; none means all.
    patterns: Vec<String>,
    /// Probes of other providers, for dtrace(1).
    pub(super) dtrace: Vec<String>,
}

impl Wanted {
    /// Sorts the patterns; rejects one that no provider can have.
    pub(super) fn of(given: &[String], target: TargetKind) -> Result<Wanted, CliError> {
        let mut wanted = Wanted::default();
        for pattern in given {
            let own = || table().probes.iter().map(|probe| probe.name.as_str());
            if own().any(|name| matches(pattern, name)) {
                wanted.patterns.push(pattern.clone());
                continue;
            }
            let bare = pattern.strip_prefix("nlproof:::").unwrap_or(pattern).replace('_', "-");
            let help = match nearest(&bare, own()) {
                Some(near) => format!("\n  help: did you mean `{near}`?"),
                None => {
                    format!("\n  help: nlproof's own probes are {}", own().collect::<Vec<_>>().join(", "))
                }
            };
            match (pattern.split_once(':'), target) {
                (Some((provider, _)), TargetKind::Sim) if provider != "nlproof" => {
                    return Err(CliError::Usage(format!(
                        "the simulator has no provider `{provider}`: only a FreeBSD kernel with DTrace has{help}"
                    )));
                }
                (Some((provider, _)), TargetKind::Freebsd) if provider != "nlproof" => {
                    // Each is one clause's beginning, on one line: what it does is written by nlproof.
                    if pattern.contains(['{', '}', '\n', '\r']) {
                        return Err(CliError::Usage(format!(
                            "--probe '{pattern}': a probe and at most a /predicate/, no action\n  help: what fires is \
                             shown with arg0 and arg1"
                        )));
                    }
                    wanted.dtrace.push(pattern.clone());
                }
                _ => return Err(CliError::Usage(format!("no probe matches `{pattern}`{help}"))),
            }
        }
        Ok(wanted)
    }

    /// Whether a probe of nlproof's own is shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| matches(pattern, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[&str], target: TargetKind) -> Result<Wanted, String> {
        let given: Vec<String> = given.iter().map(|&text| text.to_owned()).collect();
        Wanted::of(&given, target).map_err(|error| error.to_string())
    }

    #[test]
    fn ours_are_told_from_dtraces() {
        let wanted =
            of(&["request-*", "fbt::nlmsg_*:entry", "nlproof:::event-*"], TargetKind::Freebsd).unwrap();
        assert_eq!(wanted.dtrace, ["fbt::nlmsg_*:entry"]);
        assert!(wanted.shows("request-in") && wanted.shows("event-out") && !wanted.shows("error"));
        // A probe of DTrace's hides none of ours.
        assert!(of(&["fbt::f:entry /arg0/"], TargetKind::Freebsd).unwrap().shows("error"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (given, target, expected) in [
            ("fbt::f:entry", TargetKind::Sim, "the simulator has no provider `fbt`"),
            ("nope", TargetKind::Freebsd, "no probe matches `nope`"),
            ("nlproof:::nope", TargetKind::Freebsd, "no probe matches"),
            ("fbt::f:entry { panic(); }", TargetKind::Freebsd, "no action"),
            ("fbt::f:entry\nBEGIN", TargetKind::Freebsd, "no action"),
        ] {
            let error = of(&[given], target).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
