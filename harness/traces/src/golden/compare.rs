// SPDX-License-Identifier: BSD-2-Clause
//! Comparison of a golden with a trace: the first difference, and how much differs.

use std::fmt;

use similar::{ChangeTag, TextDiff};

use super::changes::{changes, fingerprint, fingerprint_of};
use super::enclosing::enclosing;
use super::file::Golden;
use crate::trace::with_names;

/// Lines shown around the first difference.
const CONTEXT: usize = 3;

/// Which trace was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// What was said.
    Wire,
    /// The kernel's part.
    Kernel,
}

/// The difference between a trace and its golden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Which trace.
    pub compared: Compared,
    /// The `step N` line above the first difference; empty if that is before the first step.
    pub step: String,
    /// Line of the first difference in the golden's file, from 1.
    pub line: usize,
    /// The golden's lines that the first differing region belongs to and does not show, below the step, the outermost
    /// first: a message, an attribute with others in it.
    pub within: Vec<String>,
    /// The first differing region: lines with `- ` (golden), `+ ` (seen) or two spaces in front.
    pub hunk: Vec<String>,
    /// Lines that only the golden has.
    pub missing: usize,
    /// Lines that only the trace has.
    pub extra: usize,
    /// Equal for the same differences in two vectors ([`fingerprint`]).
    pub fingerprint: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.step.is_empty() { "before the first step" } else { &format!("in {}", self.step) };
        let of = match self.compared {
            Compared::Wire => "",
            Compared::Kernel => " of the kernel trace",
        };
        writeln!(f, "first difference{of} {place}, line {} of the golden (- golden, + seen):", self.line)?;
        for line in &self.within {
            writeln!(f, "      {}", with_names(line))?;
        }
        if !self.within.is_empty() {
            writeln!(f, "      ...")?;
        }
        for line in &self.hunk {
            writeln!(f, "    {}", with_names(line))?;
        }
        write!(f, "  in all: {} missing, {} extra", self.missing, self.extra)
    }
}

/// Compares a golden with a trace's text. `None`: they are equal.
pub fn compare(compared: Compared, golden: &Golden, seen: &str) -> Option<Divergence> {
    let header = golden.header_lines();
    compare_texts(compared, &golden.body, seen, |line| header + line)
}

/// Compares a part of a golden's lines with that part of a trace: `places` are those of the lines in the golden's body,
/// from 1. `None`: they are equal.
pub fn compare_part(
    compared: Compared,
    golden: &Golden,
    part: &str,
    places: &[usize],
    seen: &str,
) -> Option<Divergence> {
    let header = golden.header_lines();
    let place =
        |line: usize| header + places.get(line.saturating_sub(1)).or(places.last()).copied().unwrap_or(1);
    compare_texts(compared, part, seen, place)
}

fn compare_texts(
    compared: Compared,
    golden: &str,
    seen: &str,
    line_of_file: impl Fn(usize) -> usize,
) -> Option<Divergence> {
    if golden == seen {
        return None;
    }
    let diff = TextDiff::from_lines(golden, seen);
    let mut divergence = Divergence {
        compared,
        step: String::new(),
        line: 0,
        within: Vec::new(),
        hunk: Vec::new(),
        missing: 0,
        extra: 0,
        fingerprint: String::new(),
    };
    let mut golden_line = 0;
    for change in diff.iter_all_changes() {
        let text = change.value();
        match change.tag() {
            ChangeTag::Equal => {}
            ChangeTag::Delete => divergence.missing += 1,
            ChangeTag::Insert => divergence.extra += 1,
        }
        if change.tag() != ChangeTag::Insert {
            golden_line += 1;
        }
        let first_seen = divergence.missing + divergence.extra > 0;
        if !first_seen && text.starts_with("step ") {
            divergence.step = text.trim_end().to_owned();
        }
        if first_seen && divergence.line == 0 {
            divergence.line = line_of_file(golden_line.max(1));
        }
    }
    divergence.fingerprint = match compared {
        Compared::Wire => changes_or_lines(golden, seen, &diff),
        Compared::Kernel => lines(&diff),
    };
    if let Some(group) = diff.grouped_ops(CONTEXT).first() {
        let within = enclosing(&diff, group).into_iter().filter_map(|place| diff.old_slice(place));
        let within = within.filter(|line| !line.starts_with("step "));
        divergence.within = within.map(|line| line.trim_end_matches('\n').to_owned()).collect();
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            divergence.hunk.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    Some(divergence)
}

/// The fingerprint of the differences message by message; of texts whose messages are equal, that of their lines.
fn changes_or_lines<'a>(golden: &str, seen: &str, diff: &TextDiff<'a, 'a, str>) -> String {
    match changes(golden, seen) {
        none if none.is_empty() => lines(diff),
        some => fingerprint(&some),
    }
}

/// The fingerprint of the lines that only one of two texts has.
fn lines<'a>(diff: &TextDiff<'a, 'a, str>) -> String {
    let line = |change: similar::Change<&str>| {
        let text = Some(change.value().trim_end_matches('\n').to_owned());
        match change.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Delete => Some([None, text, None]),
            ChangeTag::Insert => Some([None, None, text]),
        }
    };
    fingerprint_of(diff.iter_all_changes().filter_map(line))
}

#[cfg(test)]
mod tests {
    use super::super::origin::Origin;
    use super::*;

    fn golden(body: &str) -> Golden {
        Golden::new("v", Origin::predicted("15"), body)
    }

    #[test]
    fn equal_texts_do_not_diverge() {
        assert_eq!(compare(Compared::Wire, &golden("step 0\n  a\n"), "step 0\n  a\n"), None);
    }

    #[test]
    fn the_first_difference_is_shown_with_its_step_and_its_line_of_the_file() {
        let golden = golden("step 0\n  a\n  b\nstep 1\n  c\n  d\n");
        let seen = "step 0\n  a\n  b\nstep 1\n  c\n  D\n";
        let divergence = compare(Compared::Kernel, &golden, seen).unwrap();
        let begin = "first difference of the kernel trace in step 1, line 9 of the golden (";
        assert!(divergence.to_string().starts_with(begin), "{divergence}");
        assert_eq!(golden.to_text().lines().nth(divergence.line - 1), Some("  d"));
        assert_eq!(divergence.step, "step 1");
        assert_eq!((divergence.missing, divergence.extra), (1, 1));
        assert_eq!(divergence.hunk, ["    b", "  step 1", "    c", "-   d", "+   D"]);
    }

    #[test]
    fn the_message_of_a_difference_is_shown_however_far_above_it_stands() {
        let body = "step 0\n  < newlink\n      a 1\n      b 1\n      c 1\n      d 1\n";
        let divergence =
            |seen: &str| compare(Compared::Wire, &golden(body), &body.replace(seen, "x 2")).unwrap();
        let far = divergence("d 1");
        assert_eq!((far.step.as_str(), far.within.as_slice()), ("step 0", &["  < newlink".to_owned()][..]));
        let shown = "\n        < newlink\n      ...\n            a 1\n            b 1\n            c 1\n    -       d 1\n";
        assert!(far.to_string().contains(shown), "{far}");
        let near = divergence("b 1");
        assert_eq!(near.within, [""; 0]);
        assert!(!near.to_string().contains("..."), "{near}");
    }

    #[test]
    fn what_comes_before_the_first_step_is_said_so() {
        let divergence = compare(Compared::Wire, &golden("step 0\n"), "  x\nstep 0\n").unwrap();
        let begin = "first difference before the first step, line 4 of the golden (";
        assert!(divergence.to_string().starts_with(begin), "{divergence}");
    }

    #[test]
    fn capabilities_are_shown_by_name_and_kept_as_they_came() {
        let line = |word| format!("step 0\n          value {word}\n");
        let divergence =
            compare(Compared::Wire, &golden(&line("0x0300000000000000")), &line("0x0100000000000000"));
        let divergence = divergence.unwrap();
        assert!(divergence.to_string().contains("-           value rxcsum|txcsum\n"), "{divergence}");
        assert!(divergence.hunk.iter().any(|line| line.ends_with("0x0300000000000000")), "{divergence}");
    }

    #[test]
    fn a_line_of_a_part_is_that_of_the_file() {
        let golden = golden("step 0\n  a\n  b\n  c\n");
        let divergence = compare_part(Compared::Kernel, &golden, "a\nc\n", &[2, 4], "a\nd\n").unwrap();
        assert_eq!(golden.to_text().lines().nth(divergence.line - 1), Some("  c"));
    }

    #[test]
    fn a_final_newline_counts() {
        assert!(compare(Compared::Wire, &golden("step 0\n"), "step 0").is_some());
    }

    #[test]
    fn vectors_that_differ_alike_have_one_fingerprint() {
        let of =
            |compared, text: &str, seen: &str| compare(compared, &golden(text), seen).unwrap().fingerprint;
        let wire = |golden, seen| of(Compared::Wire, golden, seen);
        let one = wire("step 0\n  < a\n      b 1\n", "step 0\n  < a\n      b 2\n");
        assert_eq!(one, wire("step 0\n  < c\n  < a\n      b 1\n", "step 0\n  < c\n  < a\n      b 2\n"));
        assert_ne!(one, wire("step 0\n  < a\n      b 1\n", "step 0\n  < a\n      b 3\n"));
        assert_ne!(wire("step 0\n", "step 0"), wire("step 1\n", "step 0"));
        let kernel = |golden, seen| of(Compared::Kernel, golden, seen);
        assert_eq!(kernel("a\nb\n", "a\nc\n"), kernel("x\ny\nb\n", "x\ny\nc\n"));
        assert_ne!(kernel("a\nb\n", "a\nc\n"), kernel("a\nc\n", "a\nb\n"));
    }
}
