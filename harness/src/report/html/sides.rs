// SPDX-License-Identifier: BSD-2-Clause
//! A golden and what was seen, line beside line, with the words marked that differ.

use serde::Serialize;
use similar::{ChangeTag, DiffOp, TextDiff};

use crate::golden::enclosing;

/// Equal lines that are shown before and behind a difference.
const CONTEXT: usize = 3;

/// One row of the two columns.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// `same`, `changed`, `missing` (only the golden has it), `extra`, or `left-out`.
    class: &'static str,
    golden: Vec<Piece>,
    seen: Vec<Piece>,
}

/// A part of a line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece {
    text: String,
    differs: bool,
}

impl Piece {
    fn plain(text: &str) -> Vec<Piece> {
        vec![Piece { text: text.trim_end_matches('\n').to_owned(), differs: false }]
    }
}

/// Lays two texts beside each other. Equal lines far from any difference are left out, and counted, but those that it
/// belongs to: its step, its message.
pub(super) fn sides(golden: &str, seen: &str) -> Vec<Row> {
    let diff = TextDiff::from_lines(golden, seen);
    let mut rows = Vec::new();
    let mut shown = 0;
    for group in diff.grouped_ops(CONTEXT) {
        if let Some(first) = group.first() {
            let hidden = first.old_range().start - shown;
            let around: Vec<_> =
                enclosing(&diff, &group).into_iter().filter(|place| *place >= shown).collect();
            rows.extend(left_out(hidden - around.len()));
            let around = around.into_iter().filter_map(|place| diff.old_slice(place));
            rows.extend(around.map(|line| row(Some(line), Some(line))));
        }
        for op in group {
            shown = op.old_range().end;
            match op {
                DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                    for place in 0..old_len.max(new_len) {
                        let golden = (place < old_len).then(|| diff.old_slice(old_index + place)).flatten();
                        let seen = (place < new_len).then(|| diff.new_slice(new_index + place)).flatten();
                        rows.push(row(golden, seen));
                    }
                }
                op => rows.extend(diff.iter_changes(&op).map(|change| match change.tag() {
                    ChangeTag::Equal => row(Some(change.value()), Some(change.value())),
                    ChangeTag::Delete => row(Some(change.value()), None),
                    ChangeTag::Insert => row(None, Some(change.value())),
                })),
            }
        }
    }
    rows.extend(left_out(diff.old_len() - shown));
    rows
}

fn left_out(lines: usize) -> Option<Row> {
    let text = format!("{} alike", nlproof_base::counted(lines, "line"));
    (lines > 0).then(|| Row { class: "left-out", golden: Piece::plain(&text), seen: Vec::new() })
}

fn row(golden: Option<&str>, seen: Option<&str>) -> Row {
    match (golden, seen) {
        (Some(golden), Some(seen)) if golden == seen => {
            Row { class: "same", golden: Piece::plain(golden), seen: Piece::plain(seen) }
        }
        (Some(golden), Some(seen)) => {
            let (golden, seen) = words(golden.trim_end_matches('\n'), seen.trim_end_matches('\n'));
            Row { class: "changed", golden, seen }
        }
        (golden, seen) => Row {
            class: if golden.is_some() { "missing" } else { "extra" },
            golden: golden.map(Piece::plain).unwrap_or_default(),
            seen: seen.map(Piece::plain).unwrap_or_default(),
        },
    }
}

/// Two lines in pieces: words that only one has are marked.
fn words(golden: &str, seen: &str) -> (Vec<Piece>, Vec<Piece>) {
    let diff = TextDiff::from_words(golden, seen);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes() {
        let (text, differs) = (change.value(), change.tag() != ChangeTag::Equal);
        if change.tag() != ChangeTag::Insert {
            push(&mut left, text, differs);
        }
        if change.tag() != ChangeTag::Delete {
            push(&mut right, text, differs);
        }
    }
    (left, right)
}

fn push(pieces: &mut Vec<Piece>, text: &str, differs: bool) {
    match pieces.last_mut() {
        Some(last) if last.differs == differs => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), differs }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(pieces: &[Piece]) -> String {
        let one = |piece: &Piece| match piece.differs {
            true => format!("[{}]", piece.text),
            false => piece.text.clone(),
        };
        pieces.iter().map(one).collect()
    }

    fn text(rows: &[Row]) -> Vec<String> {
        rows.iter()
            .map(|row| format!("{}: {} / {}", row.class, marked(&row.golden), marked(&row.seen)))
            .collect()
    }

    #[test]
    fn changed_words_are_marked_and_far_lines_are_counted() {
        let golden = "a\nb\nc\nd\ne\nmtu 71 old\nz\n";
        let seen = "a\nb\nc\nd\ne\nmtu 72 old\nz\nmore\n";
        assert_eq!(
            text(&sides(golden, seen)),
            [
                "left-out: 2 lines alike / ",
                "same: c / c",
                "same: d / d",
                "same: e / e",
                "changed: mtu [71] old / mtu [72] old",
                "same: z / z",
                "extra:  / more",
            ]
        );
    }

    #[test]
    fn the_message_of_a_difference_is_shown_and_not_counted_among_the_lines_left_out() {
        let golden = "step 0\n  < a\n    b\n    c\n    d\n    e\n    f\n";
        let shown = text(&sides(golden, &golden.replace("f", "g")));
        let head = [
            "left-out: 1 line alike / ",
            "same: step 0 / step 0",
            "same:   < a /   < a",
            "same:     c /     c",
        ];
        assert_eq!(shown[..4], head);
    }

    #[test]
    fn equal_texts_have_nothing_to_show_but_how_long_they_are() {
        assert_eq!(text(&sides("a\nb\n", "a\nb\n")), ["left-out: 2 lines alike / "]);
        assert_eq!(text(&sides("a\n", "")), ["missing: a / "]);
    }
}
