// SPDX-License-Identifier: BSD-2-Clause
//! A comparison of two cells as text: who answered, how much differs, of which kinds, which known bugs are among them,
//! and each difference where they are few or all are wanted.

use std::fmt::Write as _;

use crate::cli::exit::ExitCode;
use crate::cli::kinds::{cut, kind_line};
use crate::golden::{Bug, Change, Differences};

/// Number of differences shown unless all are wanted.
const FEW: usize = 10;
/// Number of vectors named for a difference unless all are wanted.
const SOME: usize = 3;
/// Length to which a bug's text is shown.
const BUG: usize = 120;

/// What was found.
pub(super) struct Comparison {
    /// The first side and the second.
    pub(super) sides: [Side; 2],
    /// How much differs, or why nothing was compared; one line each.
    pub(super) answer: Vec<String>,
    /// What differs.
    pub(super) differences: Differences,
    /// Exit code of the command, whether something differs or not.
    pub(super) code: ExitCode,
}

/// Who answered.
pub(super) struct Side {
    /// The cell.
    pub(super) name: String,
    /// Known facts of the side, one line each.
    pub(super) lines: Vec<String>,
    /// Releases that gave these answers.
    pub(super) releases: Vec<String>,
}

/// How it is shown.
pub(super) struct Shown<'a> {
    pub(super) found: &'a Comparison,
    pub(super) bugs: &'a [Bug],
    /// Every difference, with every vector.
    pub(super) all: bool,
}

impl Shown<'_> {
    /// The text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (mark, side) in ["-", "+"].into_iter().zip(&self.found.sides) {
            put(&mut text, &format!("{mark} {}", side.name));
            side.lines.iter().for_each(|line| put(&mut text, &format!("    {line}")));
        }
        put(&mut text, "");
        self.found.answer.iter().for_each(|line| put(&mut text, line));
        let ways = self.found.differences.ways();
        if ways.is_empty() {
            return text;
        }
        let few = ways.len() <= FEW;
        if !few {
            put(&mut text, "\nvectors  ways  where");
            for kind in self.found.differences.kinds() {
                put(&mut text, &kind_line(&kind));
            }
        }
        self.put_bugs(&mut text);
        if few || self.all {
            ways.iter().for_each(|(change, vectors)| self.put_change(&mut text, change, vectors));
        } else {
            put(&mut text, "\neach difference with its vectors: --all");
        }
        text
    }

    fn put_change(&self, text: &mut String, change: &Change, vectors: &[String]) {
        put(text, &format!("\n{}", change.place));
        let sides = [("-", &change.from), ("+", &change.to)];
        for (mark, what) in sides {
            what.iter().for_each(|what| put(text, &format!("  {mark} {what}")));
        }
        put(text, &format!("    {}", named(vectors, self.all)));
    }

    /// The known bugs of one side whose vectors differ.
    fn put_bugs(&self, text: &mut String) {
        let differing = self.found.differences.vectors();
        let mut first = true;
        for bug in self.bugs {
            let mark = match self.found.sides.each_ref().map(|side| self.has(side, bug)) {
                [Some(true), Some(false)] => "-",
                [Some(false), Some(true)] => "+",
                [Some(true), None] | [None, Some(true)] => "?",
                _ => continue,
            };
            let shown: Vec<_> = bug.vectors.iter().filter(|id| differing.contains(*id)).cloned().collect();
            if shown.is_empty() {
                continue;
            }
            if std::mem::take(&mut first) {
                put(
                    text,
                    "\nbugs of tests/bugs.md whose vectors differ (-, +: of that side alone; ?: nobody looked at the other):",
                );
            }
            let reference = match bug.reference.as_str() {
                "" => String::new(),
                reference => format!(" ({reference})"),
            };
            let what = if self.all { bug.what.clone() } else { cut(&bug.what, BUG) };
            put(text, &format!("  {mark} {what}{reference}\n      {}", named(&shown, self.all)));
        }
    }

    /// Whether a side has a bug; `None`: the table knows nothing of its release.
    fn has(&self, side: &Side, bug: &Bug) -> Option<bool> {
        let of = |bug: &Bug| side.releases.iter().any(|release| bug.is_in(release));
        self.bugs.iter().any(of).then(|| of(bug))
    }
}

fn put(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

fn named(vectors: &[String], all: bool) -> String {
    if all || vectors.len() <= SOME {
        return vectors.join(", ");
    }
    format!("{}, and {} more", vectors[..SOME].join(", "), vectors.len() - SOME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::changes;

    fn side(release: &str) -> Side {
        let name = format!("freebsd/{release}/stock");
        Side { name, lines: vec!["asked".into()], releases: vec![release.into()] }
    }

    fn found(vectors: usize, ways: usize) -> Comparison {
        let mut differences = Differences::default();
        for number in 0..vectors {
            let new = format!("step 0\n  < newlink\n      mtu {}\n", number % ways + 2);
            differences.add(&format!("link/{number}"), changes("step 0\n  < newlink\n      mtu 1\n", &new));
        }
        let sides = [side("14.0-STABLE"), side("15.1-RELEASE")];
        Comparison { sides, answer: vec!["many differ".into()], differences, code: ExitCode::OK }
    }

    fn bug(releases: &[&str], vector: &str) -> Bug {
        Bug {
            what: format!("{vector} lies"),
            releases: releases.iter().map(|release| (*release).to_owned()).collect(),
            vectors: vec![vector.into()],
            findings: Vec::new(),
            reference: "fixed in 15.0".into(),
        }
    }

    #[test]
    fn few_differences_are_shown_and_many_are_summed_up() {
        let few = found(6, 2);
        let text = Shown { found: &few, bugs: &[], all: false }.text();
        assert!(
            text.starts_with("- freebsd/14.0-STABLE/stock\n    asked\n+ freebsd/15.1-RELEASE/stock\n"),
            "{text}"
        );
        assert!(text.contains("\n< newlink mtu\n  - 1\n  + 2\n    link/0, link/2, link/4\n"), "{text}");
        assert!(!text.contains("--all") && !text.contains("where"), "{text}");
        let many = found(50, 11);
        let text = Shown { found: &many, bugs: &[], all: false }.text();
        assert!(
            text.contains("\nvectors  ways  where\n     50    11  < newlink mtu: 11 changed\n"),
            "{text}"
        );
        assert!(text.ends_with("--all\n") && !text.contains("  - 1"), "{text}");
        let text = Shown { found: &many, bugs: &[], all: true }.text();
        assert!(text.contains("    link/0, link/11, link/22, link/33, link/44\n"), "{text}");
    }

    #[test]
    fn a_bug_is_named_where_one_side_has_it_and_a_vector_shows_it() {
        let found = found(2, 1);
        let bugs = [
            bug(&["14.0"], "link/0"),
            bug(&["14.0", "15.1"], "link/1"),
            bug(&["15.1"], "link/1"),
            bug(&["14.0"], "link/7"),
        ];
        let text = Shown { found: &found, bugs: &bugs, all: false }.text();
        assert!(text.contains("  - link/0 lies (fixed in 15.0)\n      link/0\n  + link/1 lies"), "{text}");
        assert_eq!(text.matches(" lies").count(), 2, "{text}");
        let unknown = Comparison { sides: [side("14.0-STABLE"), side("15.0-RELEASE")], ..found };
        let text = Shown { found: &unknown, bugs: &bugs, all: false }.text();
        assert!(text.contains("  ? link/0 lies") && !text.contains("  - link/0 lies"), "{text}");
    }
}
