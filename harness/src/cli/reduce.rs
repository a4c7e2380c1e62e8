// SPDX-License-Identifier: BSD-2-Clause
//! `reduce`: a vector made small while what it shows stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nlproof_base::counted;
use nlproof_files::write_whole;
use nlproof_wire::Os;

use super::args::{ProjectArgs, ReduceArgs};
use super::default_cell::default_cell;
use super::exit::{CliError, ExitCode};
use super::lanes::{lane_error, unwatched};
use super::out::{say, tell};
use super::project::Project;
use super::repro::{Wanted, wanted};
use super::targets::Targets;
use super::test_matrix::default_jobs;
use crate::draft::Draft;
use crate::file::FileError;
use crate::fuzz::{Crew, Lane, LaneError};
use crate::matrix::{Cell, ModuleKind, Outcome as Became, TargetKind};
use crate::reduction::{Journal, JournalError, Keep, Limits, Outcome, Reduction, ReductionError, Try};
use crate::targets::MEMORY_MIB;
use crate::vector::{Vector, parse_vector};

/// How often it is told how far a search is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Lines that are shown of a conversation that does not show what was asked for.
const SHOWN: usize = 30;

pub(super) fn main(project: &ProjectArgs, args: &ReduceArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let Wanted { vector, cell, outcome } = wanted(&project, &args.what, &args.cells)?;
    let keep = keep(args, outcome.as_ref())?;
    let vector = project.vector_or_file(&vector)?;
    let files = Files::of(&project, &vector, args.output.as_deref());
    files.demand_free()?;
    let draft = draft_of(&vector)?;
    let targets = Targets::new(&args.guest, &project)?;
    let cell = match cell {
        Some(cell) => cell,
        None => default_cell(&project, &targets, &args.cells, &vector.id)?,
    };
    let mut cells = vec![cell];
    if keep == Keep::Differs {
        let other = other(&project, args, &cells[0])?;
        cells.push(other);
    } else if args.against.is_some() {
        return Err(CliError::Usage(format!("--against is for --keep differs, not for {keep}")));
    }
    if let Some((cell, (reason, remedy))) =
        cells.iter().find_map(|cell| Some((cell, targets.unavailable_reason(cell)?)))
    {
        return Err(CliError::NothingRan(format!("{}: {reason}\n  help: {remedy}", cell.name())));
    }
    let jobs = jobs(args, &cells);
    let names: Vec<String> = cells.iter().map(Cell::name).collect();
    let settles = matches!(keep, Keep::Panics | Keep::Lost | Keep::Complains | Keep::Text(_));
    let mut lanes = Vec::new();
    for (side, cell) in cells.into_iter().enumerate() {
        let name = cell.name();
        let open = unwatched(&targets, cell);
        for _ in 0..jobs {
            let lane = Lane::new(side, &name, Arc::clone(&open));
            lanes.push(if settles { lane.settling() } else { lane });
        }
    }
    let crew = Crew::new(lanes, jobs * names.len());
    let journal =
        Journal::open(&files.journal, &draft, names.clone(), &keep.to_string()).map_err(journal_error)?;
    if journal.is_begun() {
        let tries = counted(journal.tries(), "try");
        tell!("{}: goes on after {tries}", files.journal.display());
    }
    tell!("{}: keep {keep} in {}", vector.id, names.join(" and "));
    let limits = Limits { tries: args.tries, time: args.time, attempts: args.attempts.get(), jobs };
    let mut search = Reduction::new(crew, names.len(), keep.clone(), journal);
    let ended = search.run(&draft, limits, &mut told());
    let outcome = ended.map_err(|error| failed(error, &vector, &keep, &names, &files))?;
    files.write(&vector, &keep, &names, &outcome)?;
    if outcome.whole {
        search.journal().end().map_err(journal_error)?;
    }
    Ok(summary(&draft, &outcome, &files))
}

/// What has to stay: as asked, else what the report says of its problem.
fn keep(args: &ReduceArgs, outcome: Option<&Became>) -> Result<Keep, CliError> {
    match (&args.keep, outcome) {
        (Some(keep), _) => Ok(keep.clone()),
        (None, Some(Became::Violated(_))) => Ok(Keep::Violated),
        (None, Some(Became::Failed(_))) => Ok(Keep::Differs),
        (None, Some(outcome)) => Err(CliError::Usage(format!(
            "the report says `{}` of it, which is nothing to keep\n  help: --keep WHAT, or --keep 'TEXT' of the console",
            outcome.word()
        ))),
        (None, None) => Err(CliError::Usage(
            "what has to stay?\n  help: --keep differs, panics, lost, violated, malformed, complains, or --keep 'TEXT' of the \
             conversation"
                .into(),
        )),
    }
}

fn draft_of(vector: &Vector) -> Result<Draft, CliError> {
    if !vector.needs.os.contains(&Os::FreeBsd) {
        return Err(CliError::DoesNotApply(format!("{} is not for FreeBSD", vector.id)));
    }
    Draft::of(vector, Os::FreeBsd).ok_or_else(|| {
        CliError::DoesNotApply(format!(
            "{} has no parts that could be left out: it does something with network cards, or a datagram of it is no sequence of \
             messages",
            vector.id
        ))
    })
}

/// What a cell is compared with.
fn other(project: &Project, args: &ReduceArgs, cell: &Cell) -> Result<Cell, CliError> {
    if let Some(name) = &args.against {
        let found = project.cell_named(name)?;
        return found.ok_or_else(|| {
            CliError::Usage(format!("no cell is called {name}\n  help: nlproof matrix lists them"))
        });
    }
    let beside = project.cells(&args.cells)?;
    let all = project.matrix()?.cells;
    let twin = |other: &&Cell| {
        other.target == cell.target && other.release == cell.release && other.module != cell.module
    };
    let asked = args.cells.module.len() > 1;
    let of_module = cell.module == ModuleKind::Rust || asked;
    let sim = |other: &&Cell| {
        other.target == TargetKind::Sim && (other.profile, &other.layer) == (cell.profile, &cell.layer)
    };
    let found = match cell.target {
        TargetKind::Sim => None,
        TargetKind::Freebsd if of_module => beside.iter().chain(&all).find(twin),
        TargetKind::Freebsd => all.iter().find(sim),
    };
    found.cloned().ok_or_else(|| {
        CliError::Usage(format!(
            "{} differs from what? Its golden is that of the whole vector\n  help: --against CELL, or --keep 'TEXT' of the \
             conversation",
            cell.name()
        ))
    })
}

/// Tries at a time: guests have memory of their own, simulators cost nothing.
fn jobs(args: &ReduceArgs, cells: &[Cell]) -> usize {
    let guests = cells.iter().filter(|cell| cell.target == TargetKind::Freebsd).count();
    let most = args.jobs.map_or_else(
        || default_jobs(args.guest.memory.unwrap_or(MEMORY_MIB)).get() / guests.max(1),
        std::num::NonZeroUsize::get,
    );
    if guests == 0 && args.jobs.is_none() { 1 } else { most.max(1) }
}

/// Tells how far it is, now and then.
fn told() -> impl FnMut(Try) {
    let mut last = Instant::now();
    move |at| {
        if last.elapsed() >= TOLD_EVERY {
            last = Instant::now();
            let unclear =
                if at.unclear > 0 { format!(", {} inconclusive", at.unclear) } else { String::new() };
            tell!(
                "{}{unclear}: {} in {}",
                counted(at.tries, "try"),
                counted(at.messages, "message"),
                counted(at.steps, "step")
            );
        }
    }
}

/// Where everything goes.
struct Files {
    vector: PathBuf,
    conversation: PathBuf,
    journal: PathBuf,
    /// The id of the vector, which its name says.
    id: String,
}

impl Files {
    fn of(project: &Project, vector: &Vector, output: Option<&Path>) -> Files {
        let path = match output {
            Some(path) => path.to_owned(),
            None => vector.path.with_file_name(format!(
                "{}-reduced.yaml",
                vector.path.file_stem().unwrap_or_default().to_string_lossy()
            )),
        };
        let below = path.strip_prefix(project.root.join("vectors")).unwrap_or(&path).with_extension("");
        Files {
            conversation: path.with_extension("txt"),
            journal: path.with_extension("reduce.ndjson"),
            id: below.to_string_lossy().into_owned(),
            vector: path,
        }
    }

    /// What is there stays.
    fn demand_free(&self) -> Result<(), CliError> {
        for path in [&self.vector, &self.conversation] {
            // A search that ended early is gone on with, and writes its vector anew.
            if path.exists() && !self.journal.exists() {
                let error = FileError::whole(path, "is there already, and stays as it is");
                return Err(error.help("-o names another file, or remove it first").into());
            }
        }
        let directory = self.vector.parent().filter(|directory| !directory.as_os_str().is_empty());
        match directory.map(fs::create_dir_all) {
            Some(Err(error)) => Err(FileError::unwritable(&self.vector, &error).into()),
            _ => Ok(()),
        }
    }

    fn write(&self, from: &Vector, keep: &Keep, cells: &[String], outcome: &Outcome) -> Result<(), CliError> {
        let text = outcome.draft.to_yaml(Os::FreeBsd, &from.about, &[])?;
        let mut vector = parse_vector(self.id.clone(), &self.vector, &text)?;
        vector.ordered = from.ordered;
        if matches!(keep, Keep::Panics | Keep::Lost) {
            vector.losses.clone_from(&from.losses);
        }
        let mut story = vec![
            format!("Reduced from {} by nlproof reduce --keep {keep}, in {}.", from.id, cells.join(" and ")),
            format!("{}{}.", took(outcome), if outcome.whole { "" } else { "; it could be smaller" }),
        ];
        story.extend(outcome.name.as_ref().map(|name| format!("It shows: {name}")));
        let mut text = String::from("# SPDX-License-Identifier: BSD-2-Clause\n");
        for line in story.iter().flat_map(|line| line.lines()) {
            text.push_str(&format!("# {}\n", line.trim_end()));
        }
        text.push_str(&vector.to_yaml());
        let written = |path: &Path, text: &str| {
            write_whole(path, text.as_bytes()).map_err(|error| FileError::unwritable(path, &error))
        };
        written(&self.vector, &text)?;
        written(&self.conversation, &format!("{}\n", outcome.conversation.trim_end()))?;
        Ok(())
    }
}

/// `127 tries, 3 of them inconclusive, 40 s`.
fn took(outcome: &Outcome) -> String {
    let tries = counted(outcome.tries, "try");
    let unclear = match outcome.unclear {
        0 => String::new(),
        unclear => format!(", {unclear} of them inconclusive"),
    };
    format!("{tries}{unclear}, {:.1} s", outcome.milliseconds as f64 / 1000.0)
}

fn summary(from: &Draft, outcome: &Outcome, files: &Files) -> ExitCode {
    let size = |draft: &Draft| {
        format!("{} in {}", counted(draft.messages().count(), "message"), counted(draft.steps.len(), "step"))
    };
    say!("{}", outcome.conversation.trim_end());
    say!("{} of {}: {}", size(&outcome.draft), size(from), took(outcome));
    if let Some(name) = &outcome.name {
        say!("it shows: {name}");
    }
    say!("wrote {} and {}", files.vector.display(), files.conversation.display());
    if !outcome.whole {
        say!("it could be smaller: the same command with more --tries or --time goes on");
    }
    if outcome.again {
        return ExitCode::OK;
    }
    say!("the last run did not show it again: it does not come every time\n  help: --attempts N");
    ExitCode::COMPARISON
}

fn failed(error: ReductionError, vector: &Vector, keep: &Keep, cells: &[String], files: &Files) -> CliError {
    let what = format!("{} in {}", vector.id, cells.join(" and "));
    match error {
        ReductionError::NotShown(said) => {
            let lines: Vec<_> = said.lines().collect();
            for line in lines.iter().take(SHOWN) {
                tell!("  {line}");
            }
            if lines.len() > SHOWN {
                tell!("  ({} lines more)", lines.len() - SHOWN);
            }
            CliError::NothingRan(format!(
                "{what}: the first run does not show `{keep}`: there is nothing to keep\n  help: --attempts N for what does not \
                 come every time; nlproof run shows what it shows"
            ))
        }
        ReductionError::Unclear(why) => {
            CliError::Guest(format!("{what}: the first run is inconclusive: {why}").into())
        }
        ReductionError::Lane(LaneError::Interrupted) => {
            if files.journal.exists() {
                tell!("interrupted; nothing is lost: the same command goes on ({})", files.journal.display());
            }
            CliError::Interrupted
        }
        ReductionError::Lane(error) => lane_error(error),
        ReductionError::Journal(error) => journal_error(error),
    }
}

fn journal_error(error: JournalError) -> CliError {
    match error {
        JournalError::File(error) => error.into(),
        JournalError::Write { path, error } => CliError::Output { what: path.display().to_string(), error },
        error @ JournalError::Other(_) => CliError::Usage(format!(
            "{error}\n  help: go on as it was begun, name another file with -o, or remove it"
        )),
    }
}
