// SPDX-License-Identifier: BSD-2-Clause
//! A live line per running cell on a terminal; finished cells stay above it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::summary::{cell_line, problems};
use crate::matrix::Event;

/// How often the live line moves while nothing is reported.
const TICK: Duration = Duration::from_millis(120);

/// Live progress. What stays on the screen is what [`Lines`] would print.
pub struct Terminal {
    bar: ProgressBar,
    vectors: u64,
    done: u64,
}

impl Terminal {
    /// A reporter on standard error, where progress belongs.
    pub fn new() -> Self {
        Self { bar: ProgressBar::new_spinner(), vectors: 0, done: 0 }
    }

    /// Consumes one event.
    pub fn consume(&mut self, event: &Event<'_>) {
        match event {
            Event::RunStarted { cells, vectors } => {
                self.vectors = *vectors as u64;
                self.bar.enable_steady_tick(TICK);
                self.keep(&format!("{vectors} vectors, {} cells", cells.len()));
            }
            Event::CellStarted { cell } => {
                self.done = 0;
                self.spinner();
                self.bar.set_message(cell.name());
            }
            Event::Stage { cell, stage, bytes } => {
                match bytes {
                    Some((done, total)) => {
                        self.bytes();
                        self.bar.set_length(*total);
                        self.bar.set_position(*done);
                    }
                    None => self.spinner(),
                }
                self.bar.set_message(format!("{}: {stage}", cell.name()));
            }
            Event::Note { cell, text } => self.keep(&format!("{:<30} {text}", cell.name())),
            Event::VectorFinished { cell, result } => {
                self.done += 1;
                self.spinner();
                self.bar.set_message(format!(
                    "{}: {}/{} {}",
                    cell.name(),
                    self.done,
                    self.vectors,
                    result.id
                ));
            }
            Event::CellFinished { result } => self.keep(&cell_line(result)),
            Event::RunFinished { result } => {
                self.bar.finish_and_clear();
                for problem in result.cells.iter().flat_map(problems) {
                    eprintln!("\n{problem}");
                }
            }
        }
    }

    /// Leaves the terminal as it was.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn keep(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn spinner(&self) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
            self.bar.set_style(style);
        }
    }

    fn bytes(&self) {
        let template = "{spinner} {elapsed:>4} {msg} [{bar:24}] {bytes}/{total_bytes}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}
