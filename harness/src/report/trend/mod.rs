// SPDX-License-Identifier: BSD-2-Clause
//! Several runs over time: vectors that change their mind, and how long cells take.

mod page;
mod plot;

use std::collections::BTreeMap;

use nlproof_base::counted;
use serde::Serialize;

pub use self::page::trend_page;
use crate::matrix::{CellResult, CellStatus, Outcome, RunResult};

/// Version of what `report trend --json` prints.
const SCHEMA: u32 = 1;
/// Less than this much more, in seconds, is noise whatever the factor.
const NOISE: f64 = 1.0;

/// What became of cells and vectors from run to run, the oldest first.
#[derive(Debug, PartialEq, Serialize)]
pub struct Trend {
    schema: u32,
    /// Names of the reports.
    pub reports: Vec<String>,
    /// More than so many times the median is slower.
    pub factor: f64,
    /// Vectors that did not come to the same in all runs; the flaky ones first.
    pub changed: Vec<Changed>,
    /// Cells in the order in which they first appear.
    pub cells: Vec<CellTimes>,
}

/// A vector in a cell that came to different outcomes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Id of the vector.
    pub vector: String,
    /// Name of the cell.
    pub cell: String,
    /// The vector came back to what it had been before.
    pub flaky: bool,
    /// What it came to in each report; `None`: it did not run there.
    pub outcomes: Vec<Option<&'static str>>,
}

/// How long a cell took.
#[derive(Debug, PartialEq, Serialize)]
pub struct CellTimes {
    /// Name of the cell.
    pub cell: String,
    /// Seconds in each report; `None`: it did not run to its end there.
    pub seconds: Vec<Option<f64>>,
    /// Vectors that ran in each report.
    pub vectors: Vec<usize>,
    /// Median of the milliseconds a vector in all reports but the last; `None`: there is none.
    pub median_ms: Option<f64>,
    /// How many times the median the last report's milliseconds a vector are.
    pub times: Option<f64>,
    /// More than the factor, and not for noise.
    pub slower: bool,
}

impl Trend {
    /// Compares runs with their names, the oldest first. Of vectors and cells that did not run nothing is said.
    pub fn of(runs: &[(String, RunResult)], factor: f64) -> Self {
        let mut cells: Vec<String> = Vec::new();
        let mut outcomes: BTreeMap<(String, String), Vec<Option<&'static str>>> = BTreeMap::new();
        for (place, (_, run)) in runs.iter().enumerate() {
            for cell in &run.cells {
                let name = cell.cell.name();
                if !cells.contains(&name) {
                    cells.push(name.clone());
                }
                for vector in cell.vectors.iter().filter(|vector| ran(&vector.outcome)) {
                    let of = outcomes.entry((vector.id.clone(), name.clone()));
                    of.or_insert_with(|| vec![None; runs.len()])[place] = Some(vector.outcome.word());
                }
            }
        }
        let mut changed: Vec<Changed> = outcomes
            .into_iter()
            .filter_map(|((vector, cell), outcomes)| {
                let turns = turns(&outcomes);
                let flaky = turns.iter().enumerate().any(|(place, word)| turns[..place].contains(word));
                (turns.len() > 1).then_some(Changed { vector, cell, flaky, outcomes })
            })
            .collect();
        changed.sort_by_key(|changed| !changed.flaky);
        let cells = cells.into_iter().map(|cell| CellTimes::of(cell, runs, factor)).collect();
        let reports = runs.iter().map(|(name, _)| name.clone()).collect();
        Self { schema: SCHEMA, reports, factor, changed, cells }
    }

    /// How many cells are slower.
    pub fn slower(&self) -> usize {
        self.cells.iter().filter(|cell| cell.slower).count()
    }

    /// The trend in one line.
    pub fn headline(&self) -> String {
        let flaky = self.changed.iter().filter(|changed| changed.flaky).count();
        let [slower, flaky] = [(self.slower(), "cell"), (flaky, "vector")]
            .map(|(number, noun)| counted(number, noun).verb("is", "are").to_string());
        format!("{slower} slower, {flaky} flaky")
    }
}

fn ran(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::NotRun(_))
}

/// The outcomes one after the other, equal ones in a row once.
fn turns(outcomes: &[Option<&'static str>]) -> Vec<&'static str> {
    let mut turns: Vec<_> = outcomes.iter().copied().flatten().collect();
    turns.dedup();
    turns
}

impl CellTimes {
    fn of(name: String, runs: &[(String, RunResult)], factor: f64) -> Self {
        let of_run = |run: &RunResult| {
            let cell = run.cells.iter().find(|cell| cell.cell.name() == name && is_whole(cell));
            cell.map_or((None, 0), |cell| {
                let vectors = cell.vectors.iter().filter(|vector| ran(&vector.outcome)).count();
                (Some(cell.duration.as_secs_f64()), vectors)
            })
        };
        let (seconds, vectors): (Vec<_>, Vec<_>) = runs.iter().map(|(_, run)| of_run(run)).unzip();
        let each: Vec<Option<f64>> = std::iter::zip(&seconds, &vectors)
            .map(|(seconds, vectors)| {
                seconds.filter(|_| *vectors > 0).map(|seconds| seconds * 1000.0 / *vectors as f64)
            })
            .collect();
        let (last, before) = each.split_last().map_or((None, &[][..]), |(last, before)| (*last, before));
        let median_ms = median(before.iter().copied().flatten().collect());
        let times = last.zip(median_ms.filter(|median| *median > 0.0)).map(|(last, median)| last / median);
        let more = last.zip(median_ms).map_or(0.0, |(last, median)| last - median);
        let more = more * vectors.last().copied().unwrap_or_default() as f64 / 1000.0;
        let slower = times.is_some_and(|times| times > factor) && more > NOISE;
        Self { cell: name, seconds, vectors, median_ms, times, slower }
    }
}

/// Whether its time is that of all its vectors.
fn is_whole(cell: &CellResult) -> bool {
    matches!(cell.status, CellStatus::Passed | CellStatus::Failed)
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        count if count % 2 == 0 => Some((numbers[middle - 1] + numbers[middle]) / 2.0),
        _ => Some(numbers[middle]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::summary::tests::sample_run;

    /// Runs of one cell that took so many seconds, in which its second vector came to this.
    pub(in crate::report) fn runs(of: &[(u64, Outcome)]) -> Vec<(String, RunResult)> {
        let one = |(number, (seconds, outcome)): (usize, &(u64, Outcome))| {
            let mut run = sample_run();
            run.cells[0].status = CellStatus::Failed;
            run.cells[0].duration = Duration::from_secs(*seconds);
            run.cells[0].vectors[0].outcome = outcome.clone();
            (format!("r{number}"), run)
        };
        of.iter().enumerate().map(one).collect()
    }

    fn violated() -> Outcome {
        Outcome::Violated("x".into())
    }

    #[test]
    fn a_vector_that_comes_back_is_flaky_and_one_that_stays_has_changed() {
        let of = |outcomes: &[Outcome]| {
            let runs: Vec<_> = outcomes.iter().map(|outcome| (1, outcome.clone())).collect();
            let trend = Trend::of(&self::runs(&runs), 1.5);
            trend.changed.into_iter().map(|changed| (changed.flaky, changed.outcomes)).collect::<Vec<_>>()
        };
        let (good, bad, none) = (Outcome::Passed, violated(), Outcome::NotRun("x".into()));
        assert_eq!(of(&[good.clone(), good.clone()]), []);
        assert_eq!(of(&[good.clone(), bad.clone()]), [(false, vec![Some("passed"), Some("violated")])]);
        let flaky = of(&[good.clone(), bad.clone(), none.clone(), good.clone()]);
        assert_eq!(flaky, [(true, vec![Some("passed"), Some("violated"), None, Some("passed")])]);
        assert_eq!(of(&[good.clone(), none.clone(), good]), [], "not to run is no change of mind");
        assert_eq!(of(&[none, bad]), []);
    }

    #[test]
    fn the_last_run_is_held_against_the_median_of_the_others() {
        let of = |seconds: &[u64], factor: f64| {
            let runs: Vec<_> = seconds.iter().map(|seconds| (*seconds, Outcome::Passed)).collect();
            let trend = Trend::of(&self::runs(&runs), factor);
            (trend.cells[0].times, trend.cells[0].slower)
        };
        assert_eq!(of(&[10, 12, 90, 24], 1.5), (Some(2.0), true));
        assert_eq!(of(&[10, 12, 90, 24], 2.0), (Some(2.0), false), "not more than the factor");
        assert_eq!(of(&[10, 20, 30], 1.5), (Some(2.0), true), "the mean of the middle two");
        assert_eq!(of(&[20, 10], 1.5), (Some(0.5), false));
        assert_eq!(of(&[20], 1.5), (None, false));
        assert!(!of(&[0, 1], 1.5).1, "nothing to compare with");
    }

    #[test]
    fn what_takes_no_time_is_not_slower_for_its_noise() {
        let mut runs = runs(&[(1, Outcome::Passed), (1, Outcome::Passed)]);
        runs[0].1.cells[0].duration = Duration::from_millis(10);
        runs[1].1.cells[0].duration = Duration::from_millis(100);
        let trend = Trend::of(&runs, 1.5);
        assert_eq!((trend.cells[0].times.map(f64::round), trend.cells[0].slower), (Some(10.0), false));
        runs[1].1.cells[0].duration = Duration::from_millis(1100);
        assert!(Trend::of(&runs, 1.5).cells[0].slower);
        // A cell that lost its guest did not take its time.
        runs[1].1.cells[0].status = CellStatus::GuestFailed("x".into());
        let trend = Trend::of(&runs, 1.5);
        assert_eq!(
            (trend.cells[0].seconds[1], trend.cells[0].times, trend.cells[0].slower),
            (None, None, false)
        );
    }

    #[test]
    fn fewer_vectors_are_no_slowdown() {
        let mut runs = runs(&[(10, Outcome::Passed), (20, Outcome::Passed)]);
        let more = runs[1].1.cells[0].vectors.clone();
        runs[1].1.cells[0].vectors.extend(more);
        assert_eq!(Trend::of(&runs, 1.5).cells[0].times, Some(1.0));
    }
}
