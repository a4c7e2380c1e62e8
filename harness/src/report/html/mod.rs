// SPDX-License-Identifier: BSD-2-Clause
//! `report.html`: the run for people, in one file that asks nobody for anything.
//!
//! What the page shows is gathered as data (`page.rs`) and turned into markup by a template that escapes whatever a kernel
//! said. The page needs no script to be read; its own one filters, searches and opens what an address names.

mod blocks;
mod conversation;
mod facets;
mod listing;
mod own_tests;
mod page;
mod sides;
mod since;
mod timeline;

use std::io;
use std::path::Path;

use minijinja::{AutoEscape, Environment, Output, UndefinedBehavior, context};
use nlproof_files::write_whole;
use serde::Serialize;

pub use self::blocks::BlockFiles;
use self::page::Page;
use crate::file::FileError;
use crate::golden::Store;
use crate::matrix::RunResult;
use crate::vector::Vector;

const TEMPLATE: &str = include_str!("page.html");
/// The style that every page has.
pub const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// What a page that is served does besides.
const LIVE: &str = include_str!("live.js");

/// What the page is made of.
#[derive(Clone, Copy)]
pub struct HtmlReport<'r> {
    /// The run.
    pub run: &'r RunResult,
    /// The run in one line.
    pub closing: &'r str,
    /// Nothing in it fails the run.
    pub passed: bool,
    /// The vectors, for what they are about.
    pub vectors: &'r [Vector],
    /// The goldens that the run was compared with.
    pub goldens: &'r Store,
    /// The report directory with the raw traces, if there is one.
    pub directory: Option<&'r Path>,
    /// An earlier run and its name.
    pub baseline: Option<(&'r str, &'r RunResult)>,
    /// Where the blocks come from that ran of the kernels' own code, if they are to be shown.
    pub blocks: Option<BlockFiles<'r>>,
    /// The page is served, and followed by others; `None`: it is a file.
    pub follows: Option<Follows>,
}

/// A page that is one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Follows {
    /// Number of the page.
    pub page: u64,
    /// The run goes on: nothing has passed yet.
    pub runs: bool,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// A golden, or a file that was asked for, cannot be read.
    #[error("{0}")]
    Input(#[from] FileError),
    /// The template does not fit the data: a bug.
    #[error("the page's template: {0}")]
    Template(#[from] minijinja::Error),
    /// The file cannot be written.
    #[error("{0}")]
    Output(#[source] io::Error),
}

impl HtmlReport<'_> {
    /// Writes the page; it appears whole or not at all. What could not be read for it, and is left out, comes back.
    ///
    /// # Errors
    /// A golden cannot be read, or the file not written.
    pub fn write(&self, path: &Path) -> Result<Vec<String>, HtmlError> {
        let (text, notes) = self.text()?;
        write_whole(path, text.as_bytes()).map_err(HtmlError::Output)?;
        Ok(notes)
    }

    /// The page, and what could not be read for it and is left out.
    ///
    /// # Errors
    /// A golden cannot be read.
    pub fn text(&self) -> Result<(String, Vec<String>), HtmlError> {
        let page = Page::of(self)?;
        Ok((render(&page)?, page.notes))
    }
}

fn render(page: &Page<'_>) -> Result<String, minijinja::Error> {
    let mut environment = plain_environment();
    environment.add_template("page", TEMPLATE)?;
    environment
        .get_template("page")?
        .render(context! { page, style => STYLE, script => SCRIPT, follower => LIVE })
}

/// What every page without scripts begins with.
const HEAD: &str = include_str!("head.html");

/// A page without scripts: `body` is the template of what follows its head, and the data have the page's `title` and
/// `style` too.
///
/// # Errors
/// The template does not fit the data: a bug.
pub fn plain_page(body: &str, data: minijinja::Value) -> Result<String, minijinja::Error> {
    plain_environment().render_named_str("page", &format!("{HEAD}{body}"), data)
}

/// Templates of pages: whatever is filled in is text and never markup.
fn plain_environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, _, value| match value.as_str() {
        Some(text) if !value.is_safe() => escape(out, text),
        _ => write!(out, "{value}").map_err(minijinja::Error::from),
    });
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("join", minijinja::filters::join);
    environment.add_filter("length", minijinja::filters::length);
    environment.add_filter("lower", minijinja::filters::lower);
    environment.add_filter("safe", minijinja::filters::safe);
    environment.add_test("none", minijinja::tests::is_none);
    environment.add_test("defined", minijinja::tests::is_defined);
    environment
}

/// Writes text as it may stand between tags and in quotes. minijinja's own escapes `/` too, of which a report has very many.
fn escape(out: &mut Output<'_>, text: &str) -> Result<(), minijinja::Error> {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        out.write_str(&rest[..at])?;
        out.write_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&#34;",
            _ => "&#39;",
        })?;
        rest = &rest[at + 1..];
    }
    Ok(out.write_str(rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atf::Outcome as Tests;
    use crate::atf::tests::run_of;
    use crate::matrix::Outcome;
    use crate::report::summary::tests::sample_run;

    fn page(run: &RunResult, baseline: Option<(&str, &RunResult)>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.html");
        let goldens = Store::new(&directory.path().join("golden"));
        let report = HtmlReport {
            run,
            closing: "1 vector passed",
            passed: false,
            vectors: &[],
            goldens: &goldens,
            directory: Some(directory.path()),
            baseline,
            blocks: None,
            follows: None,
        };
        assert_eq!(report.write(&path).unwrap(), Vec::<String>::new());
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_page_has_verdict_cells_problems_and_every_vector() {
        let text = page(&sample_run(), None);
        for part in [
            "<h1>Not passed</h1>",
            "<p>1 vector passed</p>",
            "data-filter=\"suite:link cell:freebsd/14.0-STABLE/stock\">4/6</td>",
            "1 vector: link/b",
            "id=\"link/b@freebsd/14.0-STABLE/stock\"",
            "data-cells=\"f\"",
            "nlproof repro &#39;.#1&#39;",
            "<i class=\"stated\">1 lost</i>",
            "needs linux",
        ] {
            let text = text.replace("repro '.#1'", "repro &#39;.#1&#39;");
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_a_kernel_said_is_never_markup() {
        let mut run = sample_run();
        let bad = "<script>alert(1)</script>\"'&";
        run.cells[0].vectors[2].outcome = Outcome::Inconclusive(bad.into());
        run.cells[0].vectors[1].id = format!("link/{bad}");
        let text = page(&run, None);
        let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;";
        assert!(text.contains(&format!("id=\"link/{escaped}\"")), "{text}");
        assert!(text.contains(&format!("<pre>{escaped}</pre>")), "{text}");
        assert!(!text.contains("<script>alert"));
        assert_eq!(text.matches("<script").count(), 1, "the page's own");
    }

    #[test]
    fn freebsds_own_tests_are_a_section_and_what_they_say_is_text() {
        assert!(!page(&sample_run(), None).contains("FreeBSD&#39;s own tests"));
        let of = |module: &str, second| {
            let cases = [("sys/net/if_clone_test:a", Tests::Passed), ("sys/net/if_clone_test:b", second)];
            let mut run = run_of("14.0-STABLE", module, &cases);
            run.cases.iter_mut().for_each(|case| case.said = "<i>stderr</i>".into());
            run
        };
        let atf = vec![of("stock", Tests::Passed), of("rust", Tests::Failed("<b>".into()))];
        let text = page(&RunResult { cells: vec![], atf, ..sample_run() }, None);
        for part in [
            "14.0-STABLE: 1 case ended alike with both, 1 otherwise",
            "<td>passed</td><td>failed: &lt;b&gt;</td>",
            "&lt;i&gt;stderr&lt;/i&gt;",
            "2 cases: 1 passed, 1 failed",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<i>stderr"));
    }

    #[test]
    fn a_baseline_is_told_against() {
        let mut old = sample_run();
        old.cells[0].vectors[1].outcome = Outcome::Passed;
        let text = page(&sample_run(), Some(("last week", &old)));
        assert!(text.contains("Since last week"), "{text}");
        assert!(text.contains("1 newly failing") && text.contains("passed then, failed now"), "{text}");
        let text = page(&sample_run(), Some(("last week", &sample_run())));
        assert!(text.contains("Nothing changed."), "{text}");
    }

    #[test]
    fn a_page_that_cannot_be_written_says_why() {
        let run = sample_run();
        let goldens = Store::new(Path::new("/nonexistent"));
        let (closing, vectors) = ("", &[]);
        let report = HtmlReport {
            run: &run,
            closing,
            passed: true,
            vectors,
            goldens: &goldens,
            directory: None,
            baseline: None,
            blocks: None,
            follows: None,
        };
        let error = report.write(Path::new("/nonexistent/report.html")).unwrap_err();
        assert!(matches!(error, HtmlError::Output(_)), "{error}");
    }
}
