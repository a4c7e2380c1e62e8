// SPDX-License-Identifier: BSD-2-Clause
//! `trace VECTOR --module stock,rust`: both implementations of one release beside each other.

use std::fmt::Write as _;

use nlproof_base::counted;

use super::follow::followed;
use crate::cli::args::{CellArgs, ShowTraceArgs};
use crate::cli::default_cell::newest_observed;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::{say, say_text};
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::ktrace::{Row, side_by_side, uncompared};
use crate::matrix::{Cell, ModuleKind, TargetKind};
use crate::vector::Vector;

/// Marks between the columns, or before a line where there are no columns.
fn mark(row: &Row) -> char {
    match row {
        Row::Both(..) => ' ',
        Row::Left(_) => '<',
        Row::Right(_) => '>',
        Row::LeftIgnored(_) | Row::RightIgnored(_) => '.',
    }
}

/// Runs the vector on both implementations and shows the traces.
pub(super) fn main(
    project: &Project,
    targets: &Targets,
    vector: &Vector,
    args: &ShowTraceArgs,
) -> Result<ExitCode, CliError> {
    let alone = args.aggregate
        || args.flame
        || args.perfetto.is_some()
        || args.ndjson.is_some()
        || !args.probe.is_empty();
    if alone {
        return Err(CliError::Usage(
            "--aggregate, --flame, --perfetto, --ndjson and --probe are for one module\n  help: give --module stock or \
             --module rust"
                .into(),
        ));
    }
    let [stock, rust] = pair(project, &args.cells, targets)?;
    let (left, major) = followed(targets, &stock, vector, &[])?;
    let (right, _) = followed(targets, &rust, vector, &[])?;
    let (left_text, right_text) = (left.kernel.to_text(), right.kernel.to_text());
    let rows = side_by_side(&left_text, &right_text, major);
    say!("{}: {}", vector.id, vector.about);
    let heads = [format!("{} (dtrace)", stock.name()), format!("{} (ring)", rust.name())];
    say_text!(shown(&rows, &heads, width()));
    say_text!(not_compared(&uncompared(&left_text, major), &uncompared(&right_text, major)));
    let mut code = ExitCode::OK;
    let differing = rows.iter().filter(|row| matches!(row, Row::Left(_) | Row::Right(_))).count();
    let same = rows.iter().filter(|row| matches!(row, Row::Both(..))).count();
    if differing > 0 {
        let differing = counted(differing, "line").verb("is", "are");
        say!(
            "different: {differing} only in one of them, {}",
            counted(same, "line").verb("is the same", "are the same")
        );
        code = ExitCode::COMPARISON;
    } else if left.kernel.lost + right.kernel.lost == 0 {
        say!("the same: {}", counted(same, "line"));
    }
    for (cell, vector_run) in [(&stock, &left), (&rust, &right)] {
        for violation in &vector_run.violations {
            say!("{}: violated: {violation}", cell.name());
            code = ExitCode::COMPARISON;
        }
        if vector_run.kernel.lost > 0 {
            let lost = vector_run.kernel.lost;
            say!(
                "{}: inconclusive: {} lost of the kernel trace",
                cell.name(),
                counted(lost, "record").verb("was", "were")
            );
            code = ExitCode::GUEST;
        }
    }
    Ok(code)
}

/// The probes that are not compared, each with the reason on one line.
fn not_compared(stock: &[(&str, String)], rust: &[(&str, String)]) -> String {
    let in_rust = |name: &str| rust.iter().any(|(other, _)| *other == name);
    let mut rows = Vec::new();
    for (name, why) in stock {
        let place = if in_rust(name) { "in both" } else { "only in stock" };
        rows.push((*name, place, why));
    }
    let only = rust.iter().filter(|(name, _)| !stock.iter().any(|(other, _)| other == name));
    rows.extend(only.map(|(name, why)| (*name, "only in rust", why)));
    rows.into_iter().map(|(name, place, why)| format!("not compared: {name} ({place}): {why}\n")).collect()
}

/// The two cells of one release: of the newest observed one that can run both here.
pub(in crate::cli) fn pair(
    project: &Project,
    args: &CellArgs,
    targets: &Targets,
) -> Result<[Cell; 2], CliError> {
    let cells = project.cells(args)?;
    let of = |module| {
        let guest = move |cell: &&Cell| cell.target == TargetKind::Freebsd && cell.module == module;
        cells.iter().filter(guest)
    };
    let pairs: Vec<[&Cell; 2]> = of(ModuleKind::Stock)
        .filter_map(|stock| Some([stock, of(ModuleKind::Rust).find(|rust| rust.release == stock.release)?]))
        .collect();
    let unavailable_reason = |[stock, rust]: [&Cell; 2]| {
        targets.unavailable_reason(stock).or_else(|| targets.unavailable_reason(rust))
    };
    let mut here = pairs.iter().filter(|pair| unavailable_reason(**pair).is_none());
    let stocks: Vec<&Cell> = here.clone().map(|[stock, _]| *stock).collect();
    let newest = newest_observed(&stocks, project, None)?;
    let newest = pairs.iter().find(|[stock, _]| Some(*stock) == newest);
    match (newest.or_else(|| here.next()), pairs.first()) {
        (Some(&[stock, rust]), _) => Ok([stock.clone(), rust.clone()]),
        (None, Some(&first)) => {
            let (reason, remedy) = unavailable_reason(first).unwrap_or_default();
            Err(CliError::NothingRan(format!("{reason}\n  help: {remedy}")))
        }
        (None, None) => Err(CliError::Usage(
            "no release of a FreeBSD guest has both modules in what was selected: the simulator has one implementation"
                .into(),
        )),
    }
}

/// The terminal's columns; `None` if standard output is none, and lines may be as long as they are.
fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Two columns, or where the terminal is too narrow for them the lines of both one after the other.
fn shown(rows: &[Row], heads: &[String; 2], width: Option<usize>) -> String {
    let sides = |row: &Row| match row {
        Row::Both(left, right) => (left.clone(), right.clone()),
        Row::Left(left) | Row::LeftIgnored(left) => (left.clone(), String::new()),
        Row::Right(right) | Row::RightIgnored(right) => (String::new(), right.clone()),
    };
    let long = |text: &str| text.chars().count();
    let all: Vec<(char, (String, String))> = [('=', (heads[0].clone(), heads[1].clone()))]
        .into_iter()
        .chain(rows.iter().map(|row| (mark(row), sides(row))))
        .collect();
    let column = all.iter().map(|(_, (left, _))| long(left)).max().unwrap_or(0);
    let needed = column + 3 + all.iter().map(|(_, (_, right))| long(right)).max().unwrap_or(0);
    let mut text = String::new();
    if width.is_none_or(|width| needed <= width) {
        for (mark, (left, right)) in all {
            let mark = if mark == '=' { '|' } else { mark };
            let padding = " ".repeat(column - long(&left));
            text.push_str(format!("{left}{padding} {mark} {right}").trim_end());
            text.push('\n');
        }
        return text;
    }
    writeln!(text, "< {}\n> {}", heads[0], heads[1]).ok();
    for row in rows {
        match row {
            Row::Both(left, right) if left == right => writeln!(text, "  {left}"),
            Row::Both(left, right) => writeln!(text, "  {left}\n  {right}"),
            Row::Left(only) | Row::Right(only) => writeln!(text, "{} {only}", mark(row)),
            Row::LeftIgnored(only) => writeln!(text, ".<{only}"),
            Row::RightIgnored(only) => writeln!(text, ".>{only}"),
        }
        .ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row::Both("step 0".into(), "step 0".into()),
            Row::Both("  a b=1".into(), "  a b=1 c=2".into()),
            Row::RightIgnored("    d".into()),
            Row::Left("  e".into()),
            Row::Right("  f".into()),
        ]
    }

    #[test]
    fn what_is_not_compared_is_named_with_the_side_that_has_it() {
        let row = |name, why: &str| (name, why.to_owned());
        assert_eq!(
            not_compared(&[row("a", "x"), row("b", "y")], &[row("b", "y"), row("c", "z")]),
            "not compared: a (only in stock): x\nnot compared: b (in both): y\nnot compared: c (only in rust): z\n"
        );
    }

    #[test]
    fn columns_where_they_fit_and_lines_where_they_do_not() {
        let heads = ["stock".to_owned(), "rust".to_owned()];
        let columns = shown(&rows(), &heads, None);
        assert_eq!(
            columns,
            "stock   | rust\nstep 0    step 0\n  a b=1     a b=1 c=2\n        .     d\n  e     <\n        >   f\n"
        );
        let widest = columns.lines().map(str::len).max().unwrap();
        assert_eq!(shown(&rows(), &heads, Some(widest)), columns);
        assert_eq!(
            shown(&rows(), &heads, Some(widest - 1)),
            "< stock\n> rust\n  step 0\n    a b=1\n    a b=1 c=2\n.>    d\n<   e\n>   f\n"
        );
    }
}
