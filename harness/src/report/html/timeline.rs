// SPDX-License-Identifier: BSD-2-Clause
//! A vector's kernel trace on a line of time: the spans of each thread as bars, one row a depth, and what the sockets sent
//! and heard as marks above them.

use serde::Serialize;

use crate::ktrace::{Spent, spans};
use crate::matrix::VectorRun;

/// Width of the drawing, in its own units.
const WIDTH: f64 = 960.0;
/// Height of a row.
const ROW: f64 = 18.0;
/// Least width of a bar: it can be seen and pointed at.
const NARROWEST: f64 = 1.5;
/// Most bars that are drawn: the trace of a dump of thousands is no picture.
const MOST: usize = 200;

/// The drawing.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Timeline {
    width: f64,
    height: f64,
    /// What the whole width is, for people.
    span: String,
    bars: Vec<Bar>,
    marks: Vec<Mark>,
    /// Bars that are not drawn.
    left_out: usize,
}

#[derive(Debug, PartialEq, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    label: String,
    /// Label, thread and duration.
    title: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Mark {
    x: f64,
    /// `sent`, `heard`.
    class: &'static str,
    title: String,
}

impl Timeline {
    /// The drawing of a vector's kernel trace; `None` if the kernel told nothing that lasts.
    pub(super) fn of(run: &VectorRun<'_>) -> Option<Timeline> {
        let mut spans = spans(&run.kernel);
        spans.sort_by_key(|span| (span.begin_ns, span.stack.len()));
        let marks: Vec<_> = run.trace.headlines();
        draw(&spans, &marks)
    }
}

fn draw(spans: &[Spent], headlines: &[(Option<u32>, u64, String)]) -> Option<Timeline> {
    let begins = spans.iter().map(|span| span.begin_ns).chain(headlines.iter().map(|(_, t_ns, _)| *t_ns));
    let begin = begins.min().filter(|_| !spans.is_empty())?;
    let ends = spans.iter().map(|span| span.end_ns).chain(headlines.iter().map(|(_, t_ns, _)| *t_ns));
    let length = (ends.max()? - begin).max(1) as f64;
    let x = |t_ns: u64| tenth((t_ns - begin) as f64 / length * WIDTH);
    let mut threads: Vec<u32> = spans.iter().map(|span| span.tid).collect();
    threads.sort_unstable();
    threads.dedup();
    let deepest = spans.iter().map(|span| span.stack.len()).max().unwrap_or(1);
    let bars = spans.iter().take(MOST).map(|span| {
        let thread = threads.iter().position(|tid| *tid == span.tid).unwrap_or(0);
        let row = thread * deepest + span.stack.len();
        let label = span.stack.last().cloned().unwrap_or_else(|| span.name.clone());
        let took = (span.end_ns - span.begin_ns) as f64 / 1000.0;
        Bar {
            x: x(span.begin_ns),
            y: row as f64 * ROW,
            width: (x(span.end_ns) - x(span.begin_ns)).max(NARROWEST),
            title: format!("{label}, T{}, {took:.3} us", span.tid),
            label,
        }
    });
    let bars = bars.collect::<Vec<_>>();
    let mark = |(_, t_ns, text): &(Option<u32>, u64, String)| Mark {
        x: x(*t_ns),
        class: if text.starts_with('>') { "sent" } else { "heard" },
        title: text.clone(),
    };
    Some(Timeline {
        width: WIDTH,
        height: (threads.len() * deepest + 1) as f64 * ROW,
        span: format!("{:.3} us", length / 1000.0),
        left_out: spans.len() - bars.len(),
        bars,
        marks: headlines.iter().take(MOST).map(mark).collect(),
    })
}

/// A tenth of a unit is finer than any screen.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(stack: &[&str], tid: u32, begin_ns: u64, end_ns: u64) -> Spent {
        Spent {
            name: "request".into(),
            stack: stack.iter().map(|label| (*label).to_owned()).collect(),
            tid,
            begin_ns,
            end_ns,
            own_ns: 0,
        }
    }

    #[test]
    fn spans_lie_below_each_other_and_threads_apart() {
        let spans = [
            span(&["request newlink"], 7, 1_000, 2_000),
            span(&["request newlink", "cloner create"], 7, 1_250, 1_500),
            span(&["event"], 9, 1_900, 1_901),
        ];
        let heard = [(Some(0), 900, "> newlink".to_owned()), (Some(0), 2_900, "< error".to_owned())];
        let drawn = draw(&spans, &heard).unwrap();
        let places: Vec<_> = drawn.bars.iter().map(|bar| (bar.x, bar.y, bar.width)).collect();
        assert_eq!(places, [(48.0, 18.0, 480.0), (168.0, 36.0, 120.0), (480.0, 54.0, NARROWEST)]);
        assert_eq!(drawn.bars[1].title, "cloner create, T7, 0.250 us");
        assert_eq!((drawn.marks[0].x, drawn.marks[0].class), (0.0, "sent"));
        assert_eq!((drawn.marks[1].x, drawn.marks[1].class), (WIDTH, "heard"));
        assert_eq!((drawn.span.as_str(), drawn.height, drawn.left_out), ("2.000 us", 90.0, 0));
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_only_part_of_very_much() {
        assert_eq!(draw(&[], &[(None, 1, "> x".into())]), None);
        let many: Vec<_> = (0..300).map(|number| span(&["x"], 1, number, number + 1)).collect();
        let drawn = draw(&many, &[]).unwrap();
        assert_eq!((drawn.bars.len(), drawn.left_out), (MOST, 100));
    }
}
