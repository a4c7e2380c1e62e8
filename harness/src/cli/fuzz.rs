// SPDX-License-Identifier: BSD-2-Clause
//! `fuzz`: requests that nobody wrote, in guests.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nlproof_base::counted;
use nlproof_wire::Os;

use super::args::{AccelArg, CorpusArg, FuzzArgs, ProjectArgs, VectorArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::kernel_blocks::{CellCode, Wanted, locate};
use super::out::{say, tell};
use super::project::Project;
use super::targets::{Targets, open_error};
use super::test_matrix::default_jobs;
use crate::blocks::TranslationLogReader;
use crate::draft::Draft;
use crate::fuzz::{
    BlockWatch, Campaign, CampaignError, Code, Crew, Finding, FindingsDir, Known, KnownLoss, Lane, LaneError,
    Limits, Open, Opened, Progress, ROUND, Replayed, Seeds, Setup, Side, StateError, Status, Unread,
    seeds_in,
};
use crate::golden::load_bugs;
use crate::matrix::{Cell, GuestRequest, LoadKind, ModuleKind, TargetKind};
use crate::targets::{MEMORY_MIB, OnStage, SimTarget, SimTrace, Target};
use crate::vector::{LossCode, StatedLoss, Vector};
use crate::vm::TranslationLog;

/// How often it is told how far a campaign is.
const TOLD_EVERY: Duration = Duration::from_secs(15);

pub(super) fn main(project: &ProjectArgs, args: &FuzzArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let cells = cells(&project, args)?;
    let targets = Targets::new(&args.guest, &project)?;
    if let Some(missing) = cells.iter().find_map(|cell| Some((cell, targets.unavailable_reason(cell)?))) {
        let (cell, (reason, remedy)) = missing;
        return Err(CliError::NothingRan(format!("{}: {reason}\n  help: {remedy}", cell.name())));
    }
    let logs = tempfile::Builder::new().prefix("nlproof-fuzz-").tempdir();
    let logs = logs.map_err(|error| CliError::Output { what: "QEMU's log".into(), error })?;
    let places = Places::of(&project, args, &targets, cells, logs.path())?;
    let crew = places.crew(args);
    let vectors = project.vectors(&VectorArgs { suite: vec![], filter: vec![] })?;
    let setup = setup(&project, args, &places, &vectors)?;
    match &args.replay {
        Some(directory) => replay(setup, crew, directory),
        None => fuzz(setup, crew, args),
    }
}

/// The cells that were asked for: guests, or simulators alone.
fn cells(project: &Project, args: &FuzzArgs) -> Result<Vec<Cell>, CliError> {
    let mut cells = project.weighed_cells(&args.cells)?;
    if args.cells.load.kinds.is_empty() {
        cells.retain(|cell| cell.load == LoadKind::Kldload);
    }
    let everything = args.cells.target.is_empty() && args.cells.release.is_empty();
    if everything {
        let text = "a campaign needs its cells\n  help: --release 15.1-RELEASE --module stock,rust; nlproof matrix lists \
                    them";
        return Err(CliError::Usage(text.into()));
    }
    if cells.iter().any(|cell| cell.target == TargetKind::Freebsd) {
        // Simulators are beside each of them.
        cells.retain(|cell| cell.target == TargetKind::Freebsd);
    }
    match cells.is_empty() {
        true => Err(CliError::Usage("no cell is selected\n  help: nlproof matrix lists them".into())),
        false => Ok(cells),
    }
}

/// Where requests run.
struct Places<'a> {
    sides: Vec<Side>,
    /// Of each side what opens its targets, and whether it is a guest.
    open: Vec<(Arc<Open<'a>>, bool)>,
}

impl<'a> Places<'a> {
    fn of(
        project: &Project,
        args: &FuzzArgs,
        targets: &'a Targets,
        cells: Vec<Cell>,
        logs: &'a Path,
    ) -> Result<Places<'a>, CliError> {
        let mut places = Places { sides: Vec::new(), open: Vec::new() };
        let guests = Arc::new(AtomicUsize::new(0));
        let sims = project.matrix()?.cells.into_iter().filter(|cell| cell.target == TargetKind::Sim);
        let sims: Vec<Cell> = sims
            .filter(|sim| cells.iter().any(|cell| (cell.profile, &cell.layer) == (sim.profile, &sim.layer)))
            .collect();
        for cell in cells.into_iter().filter(|cell| cell.target == TargetKind::Freebsd) {
            let side = side(&cell);
            let open: Arc<Open<'a>> = if args.guest.accel == AccelArg::Kvm {
                unwatched(targets, cell)
            } else {
                let wanted = Wanted { debug: &args.debug, ..Wanted::default() };
                let code = CellCode::of(project, wanted, targets, &cell, BTreeSet::new())?;
                let blocks: usize = code.kernel.iter().map(|function| function.blocks.len()).sum();
                tell!("{}: {} of the kernel are watched", side.name, counted(blocks, "block"));
                logged(targets, cell, &code, logs, Arc::clone(&guests))
            };
            places.sides.push(side);
            places.open.push((open, true));
        }
        for cell in sims {
            places.sides.push(side(&cell));
            places.open.push((unwatched(targets, cell), false));
        }
        Ok(places)
    }

    /// The lanes: of each simulator one, of each cell of guests as many as there is work for.
    fn crew(&self, args: &FuzzArgs) -> Crew<'a> {
        let jobs = args.jobs.unwrap_or_else(|| default_jobs(args.guest.memory.unwrap_or(MEMORY_MIB))).get();
        let guests = self.open.iter().filter(|(_, guest)| *guest).count();
        let each = jobs.checked_div(guests).unwrap_or(1).max(1);
        let mut lanes = Vec::new();
        for (place, (side, (open, guest))) in self.sides.iter().zip(&self.open).enumerate() {
            let count = if *guest { each } else { 1 };
            lanes.extend((0..count).map(|_| Lane::new(place, &side.name, Arc::clone(open))));
        }
        Crew::new(lanes, jobs)
    }
}

/// Tells what the first guest of a cell is waited for: it may have to be built and booted. Others are restored.
struct Stages {
    name: String,
    first: AtomicBool,
}

impl Stages {
    fn new(cell: &Cell) -> Stages {
        Stages { name: cell.name(), first: AtomicBool::new(true) }
    }

    fn told<T>(&self, open: impl FnOnce(&mut OnStage<'_>) -> T) -> T {
        let first = self.first.swap(false, Ordering::SeqCst);
        let mut last = String::new();
        open(&mut |stage, _| {
            if first && stage != last {
                tell!("{}: {stage}", self.name);
                stage.clone_into(&mut last);
            }
        })
    }
}

/// Opens targets of a cell, whose blocks nobody watches.
pub(super) fn unwatched(targets: &Targets, cell: Cell) -> Arc<Open<'_>> {
    let stages = Stages::new(&cell);
    Arc::new(move || {
        let target: Box<dyn Target + Send> = match cell.target {
            TargetKind::Sim => {
                let sim = SimTarget::traced(cell.profile, SimTrace::Counted);
                Box::new(match cell.plays {
                    Some(release) => sim.playing(release),
                    None => sim,
                })
            }
            TargetKind::Freebsd => {
                Box::new(stages.told(|on_stage| targets.open_freebsd(GuestRequest::first(&cell), on_stage))?)
            }
        };
        Ok(Opened { target, watch: None })
    })
}

fn side(cell: &Cell) -> Side {
    let code = match (cell.target, cell.module) {
        (TargetKind::Sim, _) => Code::Sim,
        (TargetKind::Freebsd, ModuleKind::Stock) => Code::Kernel(LossCode::Stock),
        (TargetKind::Freebsd, ModuleKind::Rust) => Code::Kernel(LossCode::Rust),
    };
    Side {
        name: cell.name(),
        release: cell.release_or_profile(),
        profile: cell.profile,
        layer: cell.layer.clone(),
        code,
    }
}

/// Opens guests under a log of the blocks that QEMU translates.
fn logged<'a>(
    targets: &'a Targets,
    cell: Cell,
    code: &CellCode,
    logs: &'a Path,
    guests: Arc<AtomicUsize>,
) -> Arc<Open<'a>> {
    let starts = |functions: &[nlproof_verify::BlockFunction]| -> Arc<BTreeSet<u64>> {
        let blocks = functions.iter().flat_map(|function| &function.blocks);
        Arc::new(blocks.map(|block| block.start).collect())
    };
    let (kernel, offsets) = (starts(&code.kernel), starts(code.module.as_deref().unwrap_or_default()));
    let ranges = code.ranges();
    let stages = Stages::new(&cell);
    Arc::new(move || {
        let path = logs.join(format!("{}.log", guests.fetch_add(1, Ordering::SeqCst)));
        let log = TranslationLog { path: path.clone(), ranges: ranges.clone() };
        let request = GuestRequest::first(&cell);
        let mut target = stages.told(|on_stage| targets.logging(log).open_freebsd(request, on_stage))?;
        let module = match cell.module {
            ModuleKind::Stock => None,
            ModuleKind::Rust => Some(locate(&mut target)?),
        };
        let reader = TranslationLogReader::new(&path);
        let watch = BlockWatch { reader, module, kernel: Arc::clone(&kernel), offsets: Arc::clone(&offsets) };
        Ok(Opened { target: Box::new(target), watch: Some(watch) })
    })
}

fn setup(
    project: &Project,
    args: &FuzzArgs,
    places: &Places<'_>,
    vectors: &[Vector],
) -> Result<Setup, CliError> {
    let drafts = |wanted: &dyn Fn(&Vector) -> bool| -> Vec<(String, Draft)> {
        let fine = |vector: &&Vector| {
            vector.needs.os.contains(&Os::FreeBsd) && vector.losses.is_empty() && wanted(vector)
        };
        let draft = |vector: &Vector| {
            let draft = Draft::of(vector, Os::FreeBsd).filter(|draft| !draft.has_race())?;
            Some((vector.id.clone(), draft))
        };
        vectors.iter().filter(fine).filter_map(draft).collect()
    };
    let bugs = load_bugs(&project.root.join("bugs.md"))?;
    let is_bug = |vector: &Vector| bugs.iter().any(|bug| bug.vectors.contains(&vector.id));
    // Long ones would make every round long.
    let is_short = |vector: &Vector| vector.commands().next().is_none() && !vector.id.starts_with("limits/");
    let losses = vectors.iter().flat_map(|vector| {
        let known = |stated: &StatedLoss| KnownLoss { vector: vector.id.clone(), stated: stated.clone() };
        vector.losses.iter().map(known)
    });
    let named = bugs.iter().flat_map(|bug| &bug.findings).filter_map(|name| {
        let (_, fingerprint) = name.rsplit_once('-')?;
        Some((fingerprint.to_owned(), name.clone()))
    });
    Ok(Setup {
        seed: args.seed,
        sides: places.sides.clone(),
        seeds: match &args.corpus {
            CorpusArg::Vectors => drafts(&is_short),
            CorpusArg::Empty => Vec::new(),
            CorpusArg::Directory(directory) => {
                let Seeds { requests, unread } = seeds_in(directory).map_err(CliError::Files)?;
                for Unread { path, why } in unread {
                    tell!("{}: left out: {why}", path.display());
                }
                requests
            }
        },
        round: ROUND,
        bugs: drafts(&|vector| is_bug(vector) && is_short(vector)),
        known: Known { losses: losses.collect(), fingerprints: named.collect() },
    })
}

fn fuzz(setup: Setup, crew: Crew<'_>, args: &FuzzArgs) -> Result<ExitCode, CliError> {
    let Some(directory) = &args.findings else {
        return Err(CliError::Usage("where are findings kept?\n  help: --findings DIR".into()));
    };
    let dir = FindingsDir::new(directory);
    let mut campaign = Campaign::new(setup, crew, dir, args.resume).map_err(state_error)?;
    let limits = Limits { time: args.time, rounds: args.rounds };
    let mut told = None::<Instant>;
    let tasks = interrupt::tasks();
    let run = campaign.run(limits, tasks.cancel(), &mut |progress| match progress {
        Progress::Round { .. } if told.is_some_and(|told| told.elapsed() < TOLD_EVERY) => {}
        Progress::Round { seconds, executions, corpus, shapes, blocks, findings } => {
            told = Some(Instant::now());
            let blocks: Vec<_> = blocks
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(side, count)| format!("{side} {count}"))
                .collect();
            tell!(
                "{seconds} s: {executions} requests, {corpus} kept, {shapes} shapes, blocks: {}, {}",
                if blocks.is_empty() { "none seen".into() } else { blocks.join(", ") },
                counted(findings, "finding")
            );
        }
        Progress::Met(suspicion) => {
            tell!("met: {} ({}); it is asked again and reduced", suspicion.oracle, suspicion.key);
        }
        Progress::Found(finding) => tell!("{}", line(finding)),
        Progress::Note(note) => tell!("note: {note}"),
    });
    let code = summary(campaign.findings(), directory);
    match run {
        Ok(()) if tasks.is_cancelled() => {
            tell!("interrupted; nothing is lost: --resume goes on");
            Ok(ExitCode::INTERRUPTED)
        }
        Ok(()) => Ok(code),
        Err(error) => Err(campaign_error(error)),
    }
}

fn line(finding: &Finding) -> String {
    let status = match &finding.status {
        Status::New => "FOUND".to_owned(),
        Status::Known(vector) => format!("known ({vector})"),
        Status::NotReproduced => "not reproduced".to_owned(),
    };
    format!(
        "{status}: {} ({}): {}; {}, met {} times: {}",
        finding.oracle,
        finding.cells.join(", "),
        finding.key.lines().next().unwrap_or_default(),
        counted(finding.messages, "message"),
        finding.met,
        finding.vector
    )
}

fn summary(findings: &[Finding], directory: &Path) -> ExitCode {
    for finding in findings {
        say!("{}", line(finding));
    }
    let count = |wanted: &dyn Fn(&Finding) -> bool| findings.iter().filter(|finding| wanted(finding)).count();
    let new = count(&Finding::is_new);
    let lost = count(&|finding| finding.status == Status::NotReproduced);
    say!(
        "fuzz: {}: {new} new, {} known, {lost} not reproduced; {}",
        counted(findings.len(), "finding"),
        findings.len() - new - lost,
        directory.display()
    );
    if new > 0 { ExitCode::COMPARISON } else { ExitCode::OK }
}

fn replay(setup: Setup, crew: Crew<'_>, directory: &Path) -> Result<ExitCode, CliError> {
    let dir = FindingsDir::new(directory);
    let told = |replayed: &Replayed| {
        let Replayed { finding, cells, others } = replayed;
        match cells.is_empty() {
            true => say!("gone: {}: {} ({})", finding.vector, finding.oracle, finding.key),
            false => {
                say!(
                    "STILL THERE: {}: {} ({}): {}",
                    finding.vector,
                    finding.oracle,
                    cells.join(", "),
                    finding.key
                );
            }
        }
        for other in others {
            say!("  besides: {other}");
        }
    };
    let replayed =
        Campaign::replay(setup, crew, &dir, &mut |replayed| told(replayed)).map_err(campaign_error)?;
    let still = replayed.iter().filter(|replayed| !replayed.cells.is_empty()).count();
    say!("fuzz --replay: {}, {still} still there", counted(replayed.len(), "finding"));
    Ok(if still > 0 { ExitCode::COMPARISON } else { ExitCode::OK })
}

fn campaign_error(error: CampaignError) -> CliError {
    match error {
        CampaignError::State(error) => state_error(error),
        CampaignError::Lane(error) => lane_error(error),
    }
}

/// The error of a command whose lane cannot go on.
pub(super) fn lane_error(error: LaneError) -> CliError {
    match error {
        LaneError::Interrupted => CliError::Interrupted,
        LaneError::Open { name, error } => match open_error(error) {
            CliError::Guest(cause) => CliError::Guest(crate::targets::Explained::before(name, cause)),
            other => other,
        },
        error @ LaneError::Host { .. } => CliError::Guest(error.into()),
    }
}

fn state_error(error: StateError) -> CliError {
    let error = match error {
        StateError::Write { path, error } => {
            return CliError::Output { what: path.display().to_string(), error };
        }
        error => error,
    };
    let help = match &error {
        StateError::File(error) => return CliError::Files(vec![error.clone()]),
        StateError::Write { .. } => "",
        StateError::Used(_) => "--resume goes on with it; or name another directory",
        StateError::Unused(_) => "--findings without --resume begins one",
        StateError::Other { .. } => "go on with what it was begun with, or name another directory",
    };
    CliError::Usage(format!("{error}\n  help: {help}"))
}
