// SPDX-License-Identifier: BSD-2-Clause
//! A run that goes on, as far as it is: the cells that have ended, and a line about the others.

use std::collections::BTreeMap;

use nlproof_base::counted;

use super::problems::is_trouble;
use crate::matrix::{Event, RunResult, VectorsOfRun};

/// A reporter that can be asked at any time.
#[derive(Debug)]
pub struct Live {
    run: RunResult,
    cells: usize,
    vectors: usize,
    running: BTreeMap<String, Running>,
}

/// A cell that runs.
#[derive(Debug, Default)]
struct Running {
    done: usize,
    troubles: usize,
}

impl Live {
    /// A run that is about these vectors, before it begins.
    pub fn of(vectors: VectorsOfRun) -> Self {
        let run = RunResult { cells: vec![], interrupted: false, vectors, missing: vec![], atf: vec![] };
        Self { run, cells: 0, vectors: 0, running: BTreeMap::new() }
    }

    /// Consumes one event. Whether the run's page is another now.
    pub fn consume(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::RunStarted { cells, vectors } => (self.cells, self.vectors) = (cells.len(), *vectors),
            Event::CellStarted { cell } => drop(self.running.insert(cell.name(), Running::default())),
            Event::VectorFinished { cell, result } => {
                let running = self.running.entry(cell.name()).or_default();
                running.done += 1;
                running.troubles += usize::from(is_trouble(&result.outcome));
            }
            Event::CellFinished { result } => {
                self.running.remove(&result.cell.name());
                self.run.cells.push((*result).clone());
                return true;
            }
            Event::RunFinished { result } => {
                self.run = (*result).clone();
                self.running.clear();
                return true;
            }
            Event::Stage { .. } | Event::Note { .. } | Event::VectorAnswered { .. } => {}
        }
        false
    }

    /// What has ended, the cells in the order of their ends while the run goes on.
    pub fn run(&self) -> &RunResult {
        &self.run
    }

    /// How far the run is, in a line.
    pub fn line(&self) -> String {
        let mut line = format!("{} of {}", self.run.cells.len(), counted(self.cells, "cell"));
        for (cell, running) in &self.running {
            line.push_str(&format!("; {cell}: {}/{}", running.done, self.vectors));
            if running.troubles > 0 {
                line.push_str(&format!(", {} did not pass", running.troubles));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::sample_run;

    #[test]
    fn cells_come_as_they_end_and_vectors_are_counted_meanwhile() {
        let run = sample_run();
        let (result, cell) = (&run.cells[0], &run.cells[0].cell);
        let mut live = Live::of(VectorsOfRun::default());
        let cells = [cell.clone(), cell.clone()];
        assert!(!live.consume(&Event::RunStarted { cells: &cells, vectors: 7 }));
        assert_eq!(live.line(), "0 of 2 cells");
        assert!(!live.consume(&Event::CellStarted { cell }));
        for vector in &result.vectors[..2] {
            assert!(!live.consume(&Event::VectorFinished { cell, result: vector }));
        }
        assert_eq!(live.line(), "0 of 2 cells; freebsd/14.0-STABLE/stock: 2/7, 1 did not pass");
        assert_eq!(live.run().cells, []);
        assert!(live.consume(&Event::CellFinished { result }));
        assert_eq!((live.line().as_str(), live.run().cells.len()), ("1 of 2 cells", 1));
        assert!(live.consume(&Event::RunFinished { result: &run }));
        assert_eq!(live.run(), &run);
    }
}
