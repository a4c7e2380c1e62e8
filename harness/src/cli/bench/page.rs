// SPDX-License-Identifier: BSD-2-Clause
//! `bench report`: how large the page of a report is, how long it takes to make, and when a browser shows it.

use std::time::{Duration, Instant};

use nlproof_base::counted;

use super::{code, verdict};
use crate::cli::args::{ProjectArgs, ReportBenchArgs, VectorArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::say;
use crate::cli::project::Project;
use crate::cli::report::directory::directory_of;
use crate::cli::report::html;
use crate::cli::verdict::closing_line;
use crate::microbench::{PaintError, first_paint};
use crate::report::{HtmlReport, read_report};

/// Most bytes of the page of ten cells.
const LARGEST: usize = 6_000_000;
/// Longest time until the first paint of the page of ten cells.
const PAINTED: Duration = Duration::from_secs(1);
/// Number of cells for which the limits are; each more adds a tenth.
const CELLS: usize = 10;

pub(super) fn main(project: &ProjectArgs, args: &ReportBenchArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let run = read_report(&args.report)?;
    let directory = directory_of(&args.report);
    let (closing, goldens) = (closing_line(&run), project.goldens());
    let vectors = project.vectors(&VectorArgs::default())?;
    let began = Instant::now();
    let page = html::report(&run, &closing, &vectors, &goldens, None);
    let page = HtmlReport { directory: Some(&directory), ..page };
    let (text, _) = page.text().map_err(|error| html::unmade(&args.report, error))?;
    let made = began.elapsed();
    let cells = run.cells.len();
    let shown = run.cells.iter().map(|cell| cell.vectors.len()).max().unwrap_or_default();
    say!("{}: {} of up to {}", args.report.display(), counted(cells, "cell"), counted(shown, "vector"));
    let (most, largest, painted) = limits(cells);
    let limit = format!("at most {:.1} MB for {}", largest as f64 / 1e6, counted(most, "cell"));
    let fits = text.len() <= largest;
    say!("{:<12} {:>9.2} MB  [{limit}: {}]", "size", text.len() as f64 / 1e6, verdict(fits));
    say!("{:<12} {:>9.2} s", "made in", made.as_secs_f64());
    let mut paints = Vec::new();
    for _ in 0..args.turns {
        if interrupt::tasks().is_cancelled() {
            return Err(CliError::Interrupted);
        }
        match first_paint(&text, None) {
            Ok(paint) => paints.push(paint),
            Err(PaintError::Browser(error)) => {
                say!("{:<12} not measured: no chromium: {error}", "first paint");
                return Ok(code(fits));
            }
            Err(error) => return Err(CliError::NothingRan(error.to_string())),
        }
    }
    paints.sort_unstable();
    let (Some(median), Some(worst)) = (paints.get(paints.len() / 2), paints.last()) else {
        return Err(CliError::NothingRan("nothing was measured".into()));
    };
    let in_time = *median <= painted;
    say!(
        "{:<12} {:>9.2} s   [at most {:.1} s for {}: {}], the middle one of {}; the longest {:.2} s",
        "first paint",
        median.as_secs_f64(),
        painted.as_secs_f64(),
        counted(most, "cell"),
        verdict(in_time),
        paints.len(),
        worst.as_secs_f64()
    );
    Ok(code(fits && in_time))
}

/// The number of cells that limits are told for, most bytes and the longest time.
fn limits(cells: usize) -> (usize, usize, Duration) {
    let most = cells.max(CELLS);
    (most, LARGEST * most / CELLS, PAINTED.mul_f64(most as f64 / CELLS as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_ten_cells_may_have_more_and_fewer_no_less() {
        assert_eq!(limits(1), (10, 6_000_000, Duration::from_secs(1)));
        assert_eq!(limits(10), limits(1));
        assert_eq!(limits(15), (15, 9_000_000, Duration::from_millis(1500)));
    }
}
