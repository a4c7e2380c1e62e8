// SPDX-License-Identifier: BSD-2-Clause
//! A live line per running cell on a terminal; finished cells stay above them.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nlproof_base::counted;

use super::problems::problems;
use super::summary::cell_line;
use crate::matrix::{Cell, Event};
use crate::out::{progress_target, tell};
use crate::targets::BytesProgress;

/// Interval at which a live line moves while nothing is reported.
const TICK: Duration = Duration::from_millis(120);

/// Live progress. What stays on the screen is what [`Lines`](super::Lines) would print.
pub struct Terminal {
    screen: MultiProgress,
    running: HashMap<String, Running>,
    vectors: usize,
}

/// The line of a running cell.
struct Running {
    bar: ProgressBar,
    done: usize,
}

impl Terminal {
    /// A reporter on standard error, where progress belongs.
    pub fn new() -> Self {
        let screen = MultiProgress::with_draw_target(progress_target());
        Self { screen, running: HashMap::new(), vectors: 0 }
    }

    /// Consumes one event.
    pub fn consume(&mut self, event: &Event<'_>) {
        match event {
            Event::RunStarted { cells, vectors } => {
                self.vectors = *vectors;
                self.keep(&format!("{}, {}", counted(*vectors, "vector"), counted(cells.len(), "cell")));
            }
            Event::CellStarted { cell } => self.line(cell).bar.set_message(cell.name()),
            Event::Stage { cell, stage, bytes } => {
                let bar = &self.line(cell).bar;
                match bytes {
                    Some(BytesProgress { done, total }) => {
                        bytes_style(bar);
                        bar.set_length(*total);
                        bar.set_position(*done);
                    }
                    None => spinner_style(bar),
                }
                bar.set_message(format!("{}: {stage}", cell.name()));
            }
            Event::Note { cell, text } => self.keep(&format!("{:<30} {text}", cell.name())),
            Event::VectorAnswered { .. } => {}
            Event::VectorFinished { cell, result } => {
                let vectors = self.vectors;
                let line = self.line(cell);
                line.done += 1;
                spinner_style(&line.bar);
                line.bar.set_message(format!("{}: {}/{vectors} {}", cell.name(), line.done, result.id));
            }
            Event::CellFinished { result } => {
                if let Some(line) = self.running.remove(&result.cell.name()) {
                    line.bar.finish_and_clear();
                }
                self.keep(&cell_line(result));
            }
            Event::RunFinished { result } => {
                for problem in problems(result) {
                    self.keep(&format!("\n{problem}"));
                }
            }
        }
    }

    /// Leaves the terminal as it was.
    pub fn finish(self) {
        for line in self.running.into_values() {
            line.bar.finish_and_clear();
        }
    }

    fn line(&mut self, cell: &Cell) -> &mut Running {
        let screen = &self.screen;
        self.running.entry(cell.name()).or_insert_with(|| {
            let bar = screen.add(ProgressBar::new_spinner());
            spinner_style(&bar);
            bar.enable_steady_tick(TICK);
            Running { bar, done: 0 }
        })
    }

    fn keep(&self, text: &str) {
        self.screen.suspend(|| tell!("{text}"));
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

fn spinner_style(bar: &ProgressBar) {
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
        bar.set_style(style);
    }
}

fn bytes_style(bar: &ProgressBar) {
    let template = "{spinner} {elapsed:>4} {msg} [{bar:24}] {bytes}/{total_bytes}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
}
