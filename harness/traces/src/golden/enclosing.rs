// SPDX-License-Identifier: BSD-2-Clause
//! The lines that a difference belongs to: its step, its message, its nest, where the lines around it do not show them.

use std::fmt::Write as _;

use similar::{ChangeTag, DiffOp, TextDiff};

/// The places, from 0, of the lines of the old text that enclose the first change of a hunk and stand above the hunk, the
/// outermost first. A trace nests by indentation: a line belongs to the nearest one above it that is indented less.
pub fn enclosing(diff: &TextDiff<'_, '_, str>, hunk: &[DiffOp]) -> Vec<usize> {
    let begin = hunk.first().map_or(0, |op| op.old_range().start);
    // What the hunk itself shows above the change need not be said again.
    let mut depth = usize::MAX;
    for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
        depth = depth.min(indentation(change.value()));
        if change.tag() != ChangeTag::Equal {
            break;
        }
    }
    let mut lines = Vec::new();
    for place in (0..begin).rev() {
        let Some(line) = diff.old_slice(place) else { continue };
        let indent = indentation(line);
        if indent < depth {
            lines.push(place);
            depth = indent;
        }
    }
    lines.reverse();
    lines
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// A unified difference of two traces. Behind the place of each hunk stand the step and the message that it belongs to,
/// as the function's name in `diff -p`, where its lines do not show them.
pub fn unified(old: &str, new: &str, context: usize) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut text = String::new();
    for hunk in diff.unified_diff().context_radius(context).iter_hunks() {
        let shown = hunk.to_string();
        let Some((place, lines)) = shown.split_once('\n') else { continue };
        text.push_str(place);
        let around = enclosing(&diff, hunk.ops());
        for line in around.into_iter().take(2).filter_map(|place| diff.old_slice(place)) {
            // Writing to a String cannot fail.
            write!(text, " {}", line.trim()).unwrap_or_default();
        }
        text.push('\n');
        text.push_str(lines);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "step 0\n  > a\n    x 1\nstep 1\n  < b\n    c 1\n    d 1\n    nest\n      e 1\n      f 1\n      g 1\n      h 1\n";

    fn of(new: &str, context: usize) -> Vec<String> {
        let diff = TextDiff::from_lines(OLD, new);
        let hunk = diff.grouped_ops(context).into_iter().next().unwrap();
        enclosing(&diff, &hunk).into_iter().map(|place| OLD.lines().nth(place).unwrap().to_owned()).collect()
    }

    #[test]
    fn what_the_hunk_does_not_show_is_told_from_the_outermost_to_the_innermost() {
        let new = OLD.replace("h 1", "h 2");
        assert_eq!(of(&new, 1), ["step 1", "  < b", "    nest"]);
        assert_eq!(of(&new, 3), ["step 1", "  < b", "    nest"]);
        // With four lines around it the nest is among them, and with seven everything.
        assert_eq!(of(&new, 4), ["step 1", "  < b"]);
        assert_eq!(of(&new, 7), ["step 1"]);
        assert_eq!(of(&new, 8), [""; 0]);
    }

    #[test]
    fn a_line_that_is_added_belongs_to_what_stands_above_it() {
        assert_eq!(of(&format!("{OLD}    i 1\n"), 1), ["step 1", "  < b"]);
        assert_eq!(of(&format!("{OLD}step 2\n"), 1), [""; 0]);
        assert_eq!(of(&OLD.replace("step 0", "step 9"), 1), [""; 0]);
    }

    #[test]
    fn a_unified_difference_names_the_message_of_each_hunk() {
        let new = OLD.replace("x 1", "x 2").replace("h 1", "h 2");
        let shown = unified(OLD, &new, 1);
        let heads: Vec<_> = shown.lines().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(heads, ["@@ -2,3 +2,3 @@ step 0", "@@ -11,2 +11,2 @@ step 1 < b"], "{shown}");
        assert!(shown.contains("\n-      h 1\n+      h 2\n"), "{shown}");
        assert_eq!(unified(OLD, OLD, 3), "");
    }
}
