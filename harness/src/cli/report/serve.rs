// SPDX-License-Identifier: BSD-2-Clause
//! `report serve`, and the page of a run that goes on (`test-matrix --serve`).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nlproof_guest::{About, Tasks, Told};
use tokio::time::sleep;

use super::directory::directory_of;
use super::html::{self, read_baseline};
use crate::cli::args::{ServeArgs, VectorArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::{say, tell};
use crate::cli::project::Project;
use crate::cli::verdict::closing_line;
use crate::golden::Store;
use crate::matrix::{Event, RunResult, VectorsOfRun};
use crate::report::{BlockFiles, Follows, HtmlReport, Live, read_report};
use crate::serve::{News, Served, Source};
use crate::vector::Vector;

/// Between two looks at a report of which the kernel does not tell.
const LOOK: Duration = Duration::from_secs(1);
/// How long readers may take for the last page of a run.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same when the user is in a hurry.
const HURRY: Duration = Duration::from_millis(500);

/// Serves the page of a report until Ctrl-C, and makes it again whenever the report is another.
pub(super) fn main(
    project: &Project,
    report: &Path,
    baseline: Option<&Path>,
    args: &ServeArgs,
) -> Result<ExitCode, CliError> {
    // What is no report is said here, not to a browser.
    read_report(report)?;
    let directory = directory_of(report);
    let file = if report.is_dir() { report.join("report.json") } else { report.to_owned() };
    let (baseline, goldens) = (baseline.map(read_baseline).transpose()?, project.goldens());
    let vectors = project.vectors(&VectorArgs::default())?;
    let (of, beside, tests) = (file.clone(), directory.clone(), project.root.clone());
    let source = move |news: &News| {
        let run = read_report(&of).map_err(|error| error.to_string())?;
        let closing = closing_line(&run);
        let page = html::report(&run, &closing, &vectors, &goldens, baseline.as_ref());
        let follows = Some(Follows { page: news.page, runs: false });
        let blocks = Some(BlockFiles { file: None, tests: &tests, source: None });
        text(&HtmlReport { directory: Some(&beside), blocks, follows, ..page })
    };
    let tasks = interrupt::tasks();
    let served = open(tasks, args, Box::new(source))?;
    say!("Ctrl-C ends it");
    tasks.drive(follow(tasks, &served, &directory, &file));
    served.stop(tasks);
    Ok(ExitCode::OK)
}

/// The page, on which is said what could not be read for it.
fn text(page: &HtmlReport<'_>) -> Result<String, String> {
    page.text().map(|(text, _)| text).map_err(|error| error.to_string())
}

/// Tells readers whenever the report is another, until the user ends it.
async fn follow(tasks: &Tasks, served: &Served, directory: &Path, file: &Path) {
    let told = Told::of(directory, About::Entries).ok();
    let mut known = Stamp::of(file);
    served.tell(known.line(), false);
    loop {
        let change = async {
            match &told {
                Some(told) if told.changed().await.is_ok() => {}
                _ => sleep(LOOK).await,
            }
        };
        if tasks.cancel().run_until_cancelled(change).await.is_none() {
            return;
        }
        let now = Stamp::of(file);
        if now != known {
            served.tell(now.line(), true);
            known = now;
        }
    }
}

/// What differs when a file was written again.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(Option<(u64, u64, SystemTime)>);

impl Stamp {
    fn of(file: &Path) -> Self {
        let data = fs::metadata(file).ok();
        Self(data.and_then(|data| Some((data.ino(), data.len(), data.modified().ok()?))))
    }

    fn line(&self) -> String {
        match self.0 {
            Some(_) => "this page follows its report".into(),
            None => "the report is gone; what is shown is its last state".into(),
        }
    }
}

/// Begins to serve, and says where.
fn open(tasks: &Tasks, args: &ServeArgs, source: Source) -> Result<Served, CliError> {
    let listen = args.listen.unwrap_or_default();
    let served = Served::start(tasks, listen, source).map_err(|error| CliError::Usage(error.to_string()))?;
    if listen.is_open_to_others() {
        tell!(
            "warning: {} can be reached from other machines: whoever knows the address reads the report, and so does \
             whoever sees it on its way, because nothing is encrypted",
            listen.address.ip()
        );
    }
    say!("page: {}", served.address());
    Ok(served)
}

/// The page of a run that goes on.
pub(in crate::cli) struct LivePage {
    live: Arc<Mutex<Live>>,
    served: Served,
    tasks: &'static Tasks,
}

impl LivePage {
    /// Begins to serve it.
    pub(in crate::cli) fn open(
        args: &ServeArgs,
        about: VectorsOfRun,
        (goldens, vectors): (Store, Arc<[Vector]>),
        directory: Option<PathBuf>,
        baseline: Option<(String, RunResult)>,
    ) -> Result<Self, CliError> {
        let live = Arc::new(Mutex::new(Live::of(about)));
        let of = Arc::clone(&live);
        let source = move |news: &News| {
            // A copy: the run does not wait for its page.
            let run = of.lock().unwrap_or_else(PoisonError::into_inner).run().clone();
            let closing = closing_line(&run);
            let page = html::report(&run, &closing, &vectors, &goldens, baseline.as_ref());
            let follows = (!news.over).then_some(Follows { page: news.page, runs: true });
            text(&HtmlReport { directory: directory.as_deref(), follows, ..page })
        };
        let tasks = interrupt::tasks();
        Ok(Self { live, served: open(tasks, args, Box::new(source))?, tasks })
    }

    /// Consumes one event.
    pub(in crate::cli) fn consume(&self, event: &Event<'_>) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let is_another = live.consume(event);
        self.served.tell(live.line(), is_another);
    }

    /// Gives the last page to those who have it open, and ends.
    pub(in crate::cli) fn end(self) {
        let line = closing_line(self.live.lock().unwrap_or_else(PoisonError::into_inner).run());
        let patience = if self.tasks.is_cancelled() { HURRY } else { PATIENCE };
        self.served.end(self.tasks, line, patience);
    }
}
