// SPDX-License-Identifier: BSD-2-Clause
//! Kernel traces of stock code and Rust code beside each other: only the probes and arguments that both can tell, by
//! the table, are compared.

use std::iter::Peekable;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::render::{Open, level};
use super::table::{ArgType, Probe, Stock, table};

/// A line of two traces beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Both have it. What they say besides what is compared may differ.
    Both(String, String),
    /// Only the left one has it.
    Left(String),
    /// Only the right one has it.
    Right(String),
    /// The left one has it, and it is not compared.
    LeftIgnored(String),
    /// The right one has it, and it is not compared.
    RightIgnored(String),
}

/// A line of a trace.
struct Line<'a> {
    /// The line as it stands in the trace.
    text: &'a str,
    /// Number of the line in the trace, from 1.
    number: usize,
    /// The compared part of it; `None`: nothing.
    key: Option<String>,
}

/// The comparable part of a trace's text (`KernelTrace::to_text`) with one of the other code on that major: probes that
/// both pass, with the arguments that both know.
pub fn comparable(text: &str, major: u32) -> String {
    lines(text, major).into_iter().filter_map(|line| line.key).map(|key| key + "\n").collect()
}

/// Where each line of [`comparable`] stands in the trace's text, from 1.
pub fn comparable_places(text: &str, major: u32) -> Vec<usize> {
    lines(text, major).into_iter().filter(|line| line.key.is_some()).map(|line| line.number).collect()
}

/// Two traces' texts beside each other.
pub fn side_by_side(left: &str, right: &str, major: u32) -> Vec<Row> {
    let (left, right) = (lines(left, major), lines(right, major));
    let keys = |lines: &[Line<'_>]| lines.iter().filter_map(|line| line.key.clone()).collect::<Vec<_>>();
    let ops = capture_diff_slices(Algorithm::Myers, &keys(&left), &keys(&right));
    let mut rows = Vec::new();
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    for op in ops {
        let (only_left, only_right, both) = match op {
            DiffOp::Equal { len, .. } => (0, 0, len),
            DiffOp::Delete { old_len, .. } => (old_len, 0, 0),
            DiffOp::Insert { new_len, .. } => (0, new_len, 0),
            DiffOp::Replace { old_len, new_len, .. } => (old_len, new_len, 0),
        };
        for _ in 0..both {
            rows.extend(take_apart(&mut left).map(Row::LeftIgnored));
            rows.extend(take_apart(&mut right).map(Row::RightIgnored));
            if let (Some(left), Some(right)) = (left.next(), right.next()) {
                rows.push(Row::Both(left.text.to_owned(), right.text.to_owned()));
            }
        }
        for _ in 0..only_left {
            rows.extend(take_apart(&mut left).map(Row::LeftIgnored));
            rows.extend(left.next().map(|line| Row::Left(line.text.to_owned())));
        }
        for _ in 0..only_right {
            rows.extend(take_apart(&mut right).map(Row::RightIgnored));
            rows.extend(right.next().map(|line| Row::Right(line.text.to_owned())));
        }
    }
    rows.extend(take_apart(&mut left).map(Row::LeftIgnored));
    rows.extend(take_apart(&mut right).map(Row::RightIgnored));
    rows
}

/// The next lines that are not compared.
fn take_apart<'a>(lines: &mut Peekable<impl Iterator<Item = Line<'a>>>) -> impl Iterator<Item = String> {
    std::iter::from_fn(|| lines.next_if(|line| line.key.is_none()).map(|line| line.text.to_owned()))
}

/// The probes of a trace's text that are not compared on that major, each with the reason, in the order of the table.
pub fn uncompared(text: &str, major: u32) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let of_trace = table().probes.iter().filter(|probe| names.contains(&probe.name.as_str()));
    of_trace.filter_map(|probe| Some((probe.name.as_str(), apart(probe, major)?))).collect()
}

/// Why a probe is not compared.
fn apart(probe: &Probe, major: u32) -> Option<String> {
    if let Some(reason) = &probe.apart {
        return Some(reason.clone());
    }
    let major = major.to_string();
    probe.stock_of(&major).next().is_none().then(|| format!("the table names no function of FreeBSD {major}"))
}

/// A trace's lines in an order that both have: steps, in each its threads, requests' first.
fn lines(text: &str, major: u32) -> Vec<Line<'_>> {
    let mut all = Vec::new();
    let mut step: Option<Line<'_>> = None;
    let mut threads: Vec<Vec<Line<'_>>> = Vec::new();
    let mut open = Open::new();
    for (number, line) in (1..).zip(text.lines()) {
        if !line.starts_with(' ') {
            all.extend(
                step.take().map(|step| in_order(step, std::mem::take(&mut threads))).into_iter().flatten(),
            );
            step = Some(Line { text: line, number, key: None });
        } else if !line.starts_with("   ") {
            open.clear();
            threads.push(vec![Line { text: line, number, key: None }]);
        } else if let Some(thread) = threads.last_mut() {
            thread.push(Line { text: line, number, key: key(line.trim_start(), major, &mut open) });
        }
    }
    all.extend(step.map(|step| in_order(step, threads)).into_iter().flatten());
    all
}

/// A step's lines: threads with something to compare first, in the order of what that is.
fn in_order<'a>(mut step: Line<'a>, mut threads: Vec<Vec<Line<'a>>>) -> Vec<Line<'a>> {
    threads.sort_by_cached_key(|thread| {
        let keys: Vec<String> = thread.iter().filter_map(|line| line.key.clone()).collect();
        let request = keys.iter().any(|key| key.trim_start().starts_with("request-in "));
        (keys.is_empty(), !request, keys)
    });
    let compared = |thread: &&mut Vec<Line<'a>>| thread.iter().any(|line| line.key.is_some());
    for (number, thread) in threads.iter_mut().filter(compared).enumerate() {
        if let Some(header) = thread.first_mut() {
            header.key = Some(format!("  T{number}"));
        }
        step.key = Some(step.text.to_owned());
    }
    std::iter::once(step).chain(threads.into_iter().flatten()).collect()
}

/// The compared part of a probe's line, at its level among compared lines.
fn key(line: &str, major: u32, open: &mut Open) -> Option<String> {
    let name = line.split(' ').next()?;
    let probe = table().by_name(name)?;
    if apart(probe, major).is_some() {
        return None;
    }
    let args = args(line.get(name.len()..)?, probe);
    let mut key = name.to_owned();
    for arg in known(probe, &args, major) {
        if let Some((_, value)) = args.iter().find(|(name, _)| *name == arg) {
            key.push_str(&format!(" {arg}={value}"));
        }
    }
    let level = level(probe, open);
    Some(format!("{}{key}", "  ".repeat(2 + level)))
}

/// A line's arguments: ` name=value`, each up to where a later one begins.
fn args<'a>(text: &'a str, probe: &'static Probe) -> Vec<(&'static str, &'a str)> {
    let mut places: Vec<(&'static str, usize, usize)> = Vec::new();
    let mut from = 0;
    for arg in &probe.args {
        let mark = format!(" {}=", arg.name);
        if let Some(found) = text.get(from..).and_then(|rest| rest.find(&mark)) {
            let begin = from + found;
            from = begin + mark.len();
            places.push((arg.name.as_str(), begin, from));
        }
    }
    let ends = places.iter().skip(1).map(|(_, begin, _)| *begin).chain([text.len()]);
    places
        .iter()
        .zip(ends)
        .map(|((name, _, from), end)| (*name, text.get(*from..end).unwrap_or("")))
        .collect()
}

/// The arguments that stock code tells as well, in the table's order: those that all functions for this line have in
/// common.
fn known(probe: &'static Probe, args: &[(&str, &str)], major: u32) -> Vec<&'static str> {
    let major = major.to_string();
    let word = |stock: &Stock| -> Option<bool> {
        // `what: "0"` is a function for one word alone.
        let mut matched = None;
        for arg in &probe.args {
            let ArgType::Word(words) = &arg.kind else { continue };
            let Some(number) = stock.values.get(&arg.name).and_then(|value| value.parse::<usize>().ok())
            else {
                continue;
            };
            let said = args.iter().find(|(name, _)| *name == arg.name).map(|(_, value)| *value);
            matched = Some(said.is_some() && words.get(number).map(String::as_str) == said);
        }
        matched
    };
    let stocks: Vec<&Stock> = probe.stock_of(&major).collect();
    let exact: Vec<&Stock> = stocks.iter().copied().filter(|stock| word(stock) == Some(true)).collect();
    let any: Vec<&Stock> = stocks.iter().copied().filter(|stock| word(stock) != Some(false)).collect();
    let meant = match (exact.is_empty(), any.is_empty()) {
        (false, _) => exact,
        (true, false) => any,
        (true, true) => stocks,
    };
    let in_all = |name: &str| meant.iter().all(|stock| stock.values.contains_key(name));
    probe.args.iter().map(|arg| arg.name.as_str()).filter(|name| in_all(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "\
step 0
  T0
    request-in message=newlink flags=request seq=+0 pid=$self len=60
      request-parsed message=newlink index=0 name=epair7
      cloner-in op=create index=0 name=epair7
        event-begin what=arrived index=$epair7a change=- name=epair7a
        event-end what=arrived index=$epair7a
        reference-taken index=$epair7a interface=p0
      cloner-out op=create index=0 errno=0
      reference-released index=$epair7a interface=p0
    request-out message=newlink seq=+0 errno=0
  T1
    event-begin what=changed index=$epair7a change=up name=epair7a
    event-end what=changed index=$epair7a
step 1
  T0
    epoch-enter depth=1
    epoch-exit depth=1
";
    const STOCK: &str = "\
step 0
  T0
    request-in message=newlink flags=request seq=+0 pid=$self len=60
      cloner-in op=create name=epair7
        event-begin what=arrived index=$epair7a name=epair7a
        event-end
      cloner-out op=create errno=0
    request-out errno=0
  T1
    event-begin what=changed index=$epair7a change=up name=epair7a
    event-end
";

    #[test]
    fn what_only_one_can_tell_is_no_difference() {
        assert_eq!(comparable(RUST, 14), comparable(STOCK, 14));
        // What stock code tells is all compared.
        assert_eq!(comparable(STOCK, 14), STOCK);
        let places = comparable_places(RUST, 14);
        assert_eq!(places.len(), comparable(RUST, 14).lines().count());
        let at = |number: usize| RUST.lines().nth(number - 1).unwrap();
        let word = |line: &str| line.split_whitespace().next().map(str::to_owned);
        for (place, line) in
            places.into_iter().zip(comparable(RUST, 14).lines()).filter(|(_, line)| line.starts_with("   "))
        {
            assert_eq!(word(at(place)), word(line));
        }
        let rows = side_by_side(STOCK, RUST, 14);
        assert!(
            !rows.iter().any(|row| matches!(row, Row::Left(_) | Row::Right(_) | Row::LeftIgnored(_))),
            "{rows:?}"
        );
        assert_eq!(rows.iter().filter(|row| matches!(row, Row::RightIgnored(_))).count(), 7, "{rows:?}");
        // No line is left out, and the order of each is kept.
        let right: String = rows
            .iter()
            .filter_map(|row| match row {
                Row::Both(_, right) | Row::Right(right) | Row::RightIgnored(right) => {
                    Some(format!("{right}\n"))
                }
                Row::Left(_) | Row::LeftIgnored(_) => None,
            })
            .collect();
        assert_eq!(right, RUST);
        let names: Vec<_> = uncompared(RUST, 14).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["request-parsed", "reference-taken", "reference-released", "epoch-enter", "epoch-exit"]
        );
    }

    #[test]
    fn what_both_can_tell_is() {
        for (from, to) in [
            ("change=up", "change=-"),
            ("what=arrived", "what=departed"),
            ("errno=0", "errno=EPERM"),
            ("name=epair7\n", "name=epair8\n"),
            ("    event-end\n      cloner", "      cloner"),
        ] {
            let stock = STOCK.replace(from, to);
            assert_ne!(stock, STOCK, "{from}");
            assert_ne!(comparable(RUST, 14), comparable(&stock, 14), "{from}");
            let rows = side_by_side(&stock, RUST, 14);
            assert!(rows.iter().any(|row| matches!(row, Row::Right(_))), "{from}: {rows:?}");
        }
    }

    #[test]
    fn threads_are_told_apart_by_what_they_do() {
        let one = "step 0\n  T0\n    event-end\n  T1\n    request-out errno=0\n";
        let other = "step 0\n  T0\n    request-out errno=0\n  T1\n    event-end\n";
        assert_eq!(comparable(one, 14), comparable(other, 14));
    }

    #[test]
    fn a_release_whose_functions_the_table_does_not_name_compares_nothing() {
        assert_eq!(comparable(RUST, 13), "");
        assert!(uncompared(RUST, 13).iter().any(|(_, why)| why.contains("FreeBSD 13")));
    }
}
