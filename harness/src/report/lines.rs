// SPDX-License-Identifier: BSD-2-Clause
//! Plain lines, for logs and pipes: one for each stage of a cell, one when it ends.

use std::collections::HashSet;
use std::io::{self, Write};

use nlproof_base::counted;

use super::problems::problems;
use super::summary::cell_line;
use crate::matrix::{Cell, Event};

/// Writes plain lines. Errors of the output are kept and returned by [`Lines::finish`]: a broken pipe must
/// not change a result.
pub struct Lines<W> {
    out: W,
    failed: Option<io::Error>,
    /// Cells and stages that have had their line; some stages run side by side and report in turn.
    stages: HashSet<(String, String)>,
}

impl<W: Write> Lines<W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, failed: None, stages: HashSet::new() }
    }

    /// Consumes one event.
    pub fn consume(&mut self, event: &Event<'_>) {
        match event {
            Event::RunStarted { cells, vectors } => {
                self.line(&format!("{}, {}", counted(*vectors, "vector"), counted(cells.len(), "cell")));
            }
            Event::Stage { cell, stage, .. } => self.stage(cell, stage),
            Event::Note { cell, text } => self.line(&format!("{:<30} {text}", cell.name())),
            // A cell's first stage says that it has begun, and one that does not run begins nothing.
            Event::CellStarted { .. } | Event::VectorAnswered { .. } | Event::VectorFinished { .. } => {}
            Event::CellFinished { result } => self.line(&cell_line(result)),
            Event::RunFinished { result } => {
                for problem in problems(result) {
                    self.line(&format!("\n{problem}"));
                }
            }
        }
    }

    /// Flushes.
    ///
    /// # Errors
    /// The first error that the output gave.
    pub fn finish(mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    /// A stage reports its bytes many times: one line when it begins is enough for a log.
    fn stage(&mut self, cell: &Cell, stage: &str) {
        if self.stages.insert((cell.name(), stage.to_owned())) {
            self.line(&format!("{:<30} {stage}", cell.name()));
        }
    }

    fn line(&mut self, line: &str) {
        if self.failed.is_none() {
            self.failed = writeln!(self.out, "{line}").err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::sample;
    use crate::targets::BytesProgress;

    #[test]
    fn a_stage_is_one_line_however_often_it_reports() {
        let cell = sample().cell;
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        for done in 0..100 {
            let bytes = Some(BytesProgress { done, total: 100 });
            lines.consume(&Event::Stage { cell: &cell, stage: "extract base", bytes });
        }
        lines.consume(&Event::Stage { cell: &cell, stage: "boot", bytes: None });
        lines.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_broken_output_is_reported_once_and_changes_nothing() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let result = sample();
        let mut lines = Lines::new(Broken);
        lines.consume(&Event::CellFinished { result: &result });
        lines.consume(&Event::CellFinished { result: &result });
        assert_eq!(lines.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
