// SPDX-License-Identifier: BSD-2-Clause
//! `report trend`: several reports over time.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use nlproof_files::write_whole;

use super::html::read_baseline;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::{say, tell};
use crate::report::{CellTimes, Trend, trend_page};

/// Shows how cells and vectors fare from report to report, the oldest first.
pub(super) fn main(
    paths: &[PathBuf],
    factor: f64,
    json: bool,
    output: Option<&Path>,
) -> Result<ExitCode, CliError> {
    let (mut runs, mut errors) = (Vec::new(), Vec::new());
    let mut known = BTreeSet::new();
    for path in paths {
        if !known.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(CliError::Usage(format!("{} is given twice", path.display())));
        }
        match read_baseline(path) {
            Ok(run) => runs.push(run),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(CliError::Files(errors));
    }
    if runs.len() < 2 {
        return Err(CliError::Usage(
            "one report has no trend\n  help: give two or more, the oldest first".into(),
        ));
    }
    let trend = Trend::of(&runs, factor);
    if json {
        let text = serde_json::to_string_pretty(&trend)
            .map_err(|error| CliError::unwritten(Path::new("JSON"))(error.into()))?;
        say!("{text}");
    } else {
        show(&trend);
    }
    if let Some(file) = output {
        let bug = |error| CliError::unwritten(file)(io::Error::other(error));
        write_whole(file, trend_page(&trend).map_err(bug)?.as_bytes()).map_err(CliError::unwritten(file))?;
        tell!("page: {}", file.display());
    }
    Ok(ExitCode::OK)
}

fn show(trend: &Trend) {
    say!("{} reports, the oldest first: {}", trend.reports.len(), trend.reports.join(", "));
    say!("\ntimes of cells in seconds, and the last time a vector against the median of the others:");
    for cell in &trend.cells {
        say!("  {:<30} {}  {}", cell.cell, seconds(cell), against(cell));
    }
    say!("\nvectors that change their mind:{}", if trend.changed.is_empty() { " none" } else { "" });
    for changed in &trend.changed {
        let outcomes: Vec<_> = changed.outcomes.iter().map(|outcome| outcome.unwrap_or("-")).collect();
        let flaky = if changed.flaky { "FLAKY  " } else { "" };
        say!("  {flaky}{} in {}: {}", changed.vector, changed.cell, outcomes.join(", "));
    }
    say!("\ntrend: {}", trend.headline());
}

fn seconds(cell: &CellTimes) -> String {
    let one =
        |seconds: &Option<f64>| seconds.map_or("      -".to_owned(), |seconds| format!("{seconds:>7.1}"));
    cell.seconds.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn against(cell: &CellTimes) -> String {
    match cell.times {
        None => "nothing to compare".into(),
        Some(times) => format!("{times:.2} times{}", if cell.slower { "  SLOWER" } else { "" }),
    }
}
