// SPDX-License-Identifier: BSD-2-Clause
//! `run --timings`: the time of one command, as text and as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::stress::Spent;
use crate::targets::StartPart;

/// The time of one `run`.
pub(super) struct RunTimes {
    /// The cell's name, or `linux`.
    pub(super) cell: String,
    /// The vector's id.
    pub(super) vector: String,
    /// From the command's start until the target is open.
    pub(super) opened: Duration,
    /// The parts of the target's start that are told apart.
    pub(super) parts: Vec<StartPart>,
    /// The time of the vector; `None`: it did not come to its end.
    pub(super) spent: Option<Spent>,
    /// All of it.
    pub(super) all: Duration,
}

impl RunTimes {
    /// The rows: what, and how long. Together they are all of the time.
    fn rows(&self) -> [(&'static str, Duration, Vec<StartPart>); 3] {
        let parts = &self.parts;
        let started: Duration = parts.iter().map(|(_, time)| *time).sum();
        let mut start = vec![("files", self.opened.saturating_sub(started))];
        start.extend(parts);
        let spent = self.spent.as_ref();
        let vector = spent.map_or(Duration::ZERO, |spent| spent.all);
        let phases = spent.map(Spent::parts).unwrap_or_default();
        let rest = self.all.saturating_sub(self.opened + vector);
        [("start", self.opened, start), ("vector", vector, phases), ("comparison", rest, Vec::new())]
    }

    /// A line each.
    pub(super) fn text(&self) -> String {
        let line = |(name, time): (&str, Duration)| format!("{name:<16} {:>9}\n", ms(time));
        let mut text = line(("milliseconds", self.all));
        for (name, all, parts) in self.rows() {
            text.push_str(&line((name, all)));
            text.extend(parts.into_iter().map(|(part, time)| format!("  {}", line((part, time)))));
        }
        text
    }

    /// One object, times in milliseconds.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("v".into(), json!(1));
        object.insert("cell".into(), json!(self.cell));
        object.insert("vector".into(), json!(self.vector));
        object.insert("ms".into(), number(self.all));
        for (name, all, parts) in self.rows() {
            object.insert(name.into(), json!({ "ms": number(all), "parts": numbers(&parts) }));
        }
        Value::Object(object).to_string()
    }
}

/// Milliseconds with two digits.
pub(super) fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// Milliseconds, whole microseconds.
pub(super) fn number(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1e6).round() / 1e3)
}

/// The parts by name, in milliseconds.
pub(super) fn numbers(parts: &[StartPart]) -> Value {
    Value::Object(parts.iter().map(|(name, time)| ((*name).to_owned(), number(*time))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn times() -> RunTimes {
        RunTimes {
            cell: "freebsd/14.0-STABLE/stock".into(),
            vector: "link/create-lo".into(),
            opened: 200 * MS,
            parts: vec![("process", 20 * MS), ("set-up", 120 * MS)],
            spent: Some(Spent { name: "link/create-lo".into(), all: 40 * MS, ..Spent::default() }),
            all: 250 * MS,
        }
    }

    #[test]
    fn the_rows_are_all_of_the_time() {
        let text = times().text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected = [
            ["milliseconds", "250.00"],
            ["start", "200.00"],
            ["files", "60.00"],
            ["process", "20.00"],
            ["set-up", "120.00"],
            ["vector", "40.00"],
            ["comparison", "10.00"],
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn json_has_the_same() {
        let json: Value = serde_json::from_str(&times().json()).unwrap();
        assert_eq!(json["start"]["parts"]["set-up"], 120.0);
        assert_eq!((&json["ms"], &json["vector"]["ms"]), (&json!(250.0), &json!(40.0)));
        assert_eq!(json["vector"]["parts"], json!({}));
    }
}
