// SPDX-License-Identifier: BSD-2-Clause
//! The trend as a page.

use minijinja::context;
use serde::Serialize;

use super::plot::Plot;
use super::{CellTimes, Trend};
use crate::report::html::{STYLE, plain_page};

const TEMPLATE: &str = include_str!("page.html");

#[derive(Serialize)]
struct CellShown<'t> {
    times: &'t CellTimes,
    last: Option<String>,
    against: Option<String>,
    plot: Plot,
}

/// The page as HTML.
///
/// # Errors
/// The template does not fit the data: a bug.
pub fn trend_page(trend: &Trend) -> Result<String, minijinja::Error> {
    let cells: Vec<_> = trend.cells.iter().map(|times| shown(times, &trend.reports)).collect();
    let (nlproof, headline, bad) = (env!("CARGO_PKG_VERSION"), trend.headline(), trend.slower() > 0);
    let title = format!("nlproof: trend of {} reports", trend.reports.len());
    plain_page(TEMPLATE, context! { title, trend, cells, nlproof, headline, bad, style => STYLE })
}

fn shown<'t>(times: &'t CellTimes, reports: &[String]) -> CellShown<'t> {
    let runs = || std::iter::zip(&times.seconds, &times.vectors);
    let each = |(seconds, vectors): (&Option<f64>, &usize)| {
        seconds.filter(|_| *vectors > 0).map(|seconds| seconds * 1000.0 / *vectors as f64)
    };
    let values: Vec<_> = runs().map(each).collect();
    let title = |(name, (seconds, vectors)): (&String, (&Option<f64>, &usize))| {
        format!("{name}: {:.1} s, {vectors} vectors", seconds.unwrap_or_default())
    };
    let titles: Vec<_> = std::iter::zip(reports, runs()).map(title).collect();
    CellShown {
        last: times.seconds.last().copied().flatten().map(|seconds| format!("{seconds:.1} s")),
        against: times.times.map(|times| format!("{times:.2}")),
        plot: Plot::of(&values, times.median_ms, &titles),
        times,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Outcome;
    use crate::report::trend::tests::runs;

    #[test]
    fn the_page_has_flaky_vectors_slow_cells_and_a_plot() {
        let mut runs =
            runs(&[(10, Outcome::Passed), (10, Outcome::Violated("x".into())), (30, Outcome::Passed)]);
        runs[0].0 = "<script>".into();
        let page = trend_page(&Trend::of(&runs, 1.5)).unwrap();
        for part in [
            "<h1>1 cell is slower, 1 vector is flaky</h1>",
            "link/a",
            "<td class=\"bad\">3.00 times</td>",
            "<polyline",
            "<title>r2: 30.0 s",
            "&lt;script&gt;",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("<script"), "{page}");
    }
}
