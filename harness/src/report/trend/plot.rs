// SPDX-License-Identifier: BSD-2-Clause
//! A cell's times as a line, from the oldest report to the newest.

use serde::Serialize;

/// Size of the drawing, in its own units.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 48.0;
/// Room at each side for the points themselves.
const EDGE: f64 = 4.0;

/// The drawing.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Plot {
    width: f64,
    height: f64,
    /// Corners of lines, `x,y x,y`: a line for each stretch of reports in which the cell ran.
    lines: Vec<String>,
    points: Vec<Point>,
    /// Height of the median.
    median: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Point {
    x: f64,
    y: f64,
    title: String,
}

impl Plot {
    /// Draws milliseconds a vector; zero is at the bottom.
    pub(super) fn of(values: &[Option<f64>], median: Option<f64>, titles: &[String]) -> Self {
        let highest = values.iter().copied().flatten().chain(median).fold(0.0, f64::max);
        let step = (WIDTH - 2.0 * EDGE) / (values.len().saturating_sub(1)).max(1) as f64;
        let y = |value: f64| {
            let share = if highest > 0.0 { value / highest } else { 0.0 };
            tenth(HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE))
        };
        let point = |(place, value): (usize, &Option<f64>)| {
            let title = titles.get(place).cloned().unwrap_or_default();
            value.map(|value| Point { x: tenth(EDGE + place as f64 * step), y: y(value), title })
        };
        let placed: Vec<Option<Point>> = values.iter().enumerate().map(point).collect();
        let stretches = placed.split(Option::is_none).filter(|stretch| stretch.len() > 1);
        let corner = |point: &Option<Point>| point.as_ref().map(|point| format!("{},{}", point.x, point.y));
        let lines =
            stretches.map(|points| points.iter().filter_map(corner).collect::<Vec<_>>().join(" ")).collect();
        Self {
            width: WIDTH,
            height: HEIGHT,
            lines,
            median: median.map(y),
            points: placed.into_iter().flatten().collect(),
        }
    }
}

/// A tenth of a unit is finer than any screen.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_the_cell_did_not_run() {
        let titles = ["a", "b", "c", "d"].map(str::to_owned);
        let plot = Plot::of(&[Some(10.0), Some(20.0), None, Some(20.0)], Some(10.0), &titles);
        assert_eq!(plot.lines, ["4,24 108,4"]);
        let points: Vec<_> =
            plot.points.iter().map(|point| (point.title.as_str(), point.x, point.y)).collect();
        assert_eq!(points, [("a", 4.0, 24.0), ("b", 108.0, 4.0), ("d", 316.0, 4.0)]);
        assert_eq!(plot.median, Some(24.0));
    }

    #[test]
    fn nothing_and_zero_can_be_drawn() {
        assert_eq!(Plot::of(&[None], None, &[]).points, []);
        assert_eq!(Plot::of(&[Some(0.0)], None, &["a".into()]).points[0].y, 44.0);
    }
}
