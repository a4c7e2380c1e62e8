// SPDX-License-Identifier: BSD-2-Clause
//! How long cells took in earlier runs. The longest begins first, so that a run ends with the short ones and no
//! processor waits for one long cell. The time of a cell is that of all its guests together: a cell is not smaller
//! because several guests shared it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nlproof_base::{Limit, read};
use nlproof_files::write_whole;

use super::cell::Cell;
use super::outcome::{CellResult, CellStatus};

const FILE: &str = "timings.json";

/// Seconds for each vector that ran, by the cell's name: a run of a part of the vectors says as much as a whole one.
#[derive(Debug, Clone, Default)]
pub struct Timings {
    path: PathBuf,
    seconds: BTreeMap<String, f64>,
}

impl Timings {
    /// Timings kept in `directory`; none where there is no file that can be read.
    pub fn load(directory: &Path) -> Self {
        let path = directory.join(FILE);
        let seconds = read(&path, Limit::REPORT).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path, seconds: seconds.unwrap_or_default() }
    }

    /// The places of the cells in the order in which they are to be begun: first those of which nothing is known, then
    /// the longest.
    pub fn order(&self, cells: &[Cell]) -> Vec<usize> {
        let seconds = |place: &usize| {
            let name = cells.get(*place).map(Cell::name).unwrap_or_default();
            self.seconds.get(&name).copied().unwrap_or(f64::INFINITY)
        };
        let mut places: Vec<_> = (0..cells.len()).collect();
        places.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
        places
    }

    /// Stores the times of cells that ran to their end.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&mut self, results: &[CellResult]) -> io::Result<()> {
        let ran = results
            .iter()
            .filter(|result| matches!(result.status, CellStatus::Passed | CellStatus::Failed))
            .filter(|result| result.guest_time > Duration::ZERO);
        for result in ran {
            let counts = result.counts();
            let vectors = u32::try_from(result.vectors.len() - counts.not_run).unwrap_or(u32::MAX).max(1);
            self.seconds.insert(result.cell.name(), result.guest_time.as_secs_f64() / f64::from(vectors));
        }
        let Some(directory) = self.path.parent() else { return Ok(()) };
        fs::create_dir_all(directory)?;
        // Whole or not at all: another run may read it.
        write_whole(&self.path, &serde_json::to_vec(&self.seconds)?)
    }
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::super::outcome::{Outcome, VectorResult};
    use super::*;

    fn cell(profile: Profile) -> Cell {
        crate::matrix::tests::cell(None, profile)
    }

    fn result(profile: Profile, seconds: u64, status: CellStatus) -> CellResult {
        let vector = VectorResult {
            id: "v".into(),
            outcome: Outcome::Passed,
            duration: Duration::ZERO,
            standing: None,
            golden_layer: None,
        };
        let time = Duration::from_secs(seconds);
        CellResult {
            vectors: vec![vector],
            duration: time,
            guest_time: time,
            ..crate::matrix::tests::cell_result(cell(profile), status)
        }
    }

    #[test]
    fn the_unknown_and_the_longest_come_first() {
        let directory = tempfile::tempdir().unwrap();
        let cells = [cell(Profile::R14_0), cell(Profile::R15), cell(Profile::R13)];
        let mut timings = Timings::load(directory.path());
        assert_eq!(timings.order(&cells), [0, 1, 2]);
        let lost = CellStatus::GuestFailed("panicked".into());
        timings
            .keep(&[
                result(Profile::R14_0, 3, CellStatus::Passed),
                result(Profile::R15, 9, CellStatus::Failed),
                result(Profile::R13, 1, lost),
            ])
            .unwrap();
        let timings = Timings::load(directory.path());
        assert_eq!(timings.order(&cells), [2, 1, 0]);
        assert_eq!(timings.order(&[]), [0; 0]);
    }

    #[test]
    fn a_file_that_is_none_counts_as_nothing() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "[").unwrap();
        assert_eq!(
            Timings::load(directory.path()).order(&[cell(Profile::R15), cell(Profile::R14_0)]),
            [0, 1]
        );
    }
}
