// SPDX-License-Identifier: BSD-2-Clause
//! `fuzz`: requests that nobody wrote, in guests.

use std::path::Path;
use std::time::{Duration, Instant};

use nlproof_base::counted;
use nlproof_wire::Os;

use super::args::{CorpusArg, FuzzArgs, ProjectArgs, VectorArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::lanes::{Places, lane_error};
use super::out::{say, tell};
use super::project::Project;
use super::targets::Targets;
use crate::draft::Draft;
use crate::fuzz::{
    Campaign, CampaignError, Crew, Finding, FindingsDir, Known, KnownLoss, Limits, Progress, ROUND, Replayed,
    Seeds, Setup, StateError, Status, Unread, seeds_in,
};
use crate::golden::load_bugs;
use crate::matrix::{Cell, LoadKind, TargetKind};
use crate::vector::{StatedLoss, Vector};

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
