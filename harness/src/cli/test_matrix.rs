// SPDX-License-Identifier: BSD-2-Clause
//! `test-matrix`: the main job.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use nlproof_base::counted;
use nlproof_image::ImageError;

use super::args::{ProjectArgs, TestMatrixArgs};
use super::directories::{cache_directory, places};
use super::exit::{CliError, ExitCode};
use super::fetch::{Freshness, NEEDED, Store, What};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::report::directory::{Claim, write_reports};
use super::report::html;
use super::report::serve::LivePage;
use super::targets::{Targets, sim_trace};
use super::verdict::{closing_line, exit_code};
use crate::matrix::{Cell, Engine, ModuleKind, RunRequest, Timings, VectorsOfRun, selection_digest};
use crate::report::{Screen, forget};
use crate::targets::MEMORY_MIB;
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &TestMatrixArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.what.guest.kmod)
        .with_kernels(&args.what.cells.kernel, &args.what.cells.release)?;
    let mut cells = project.weighed_cells(&args.what.cells)?;
    if args.hard {
        cells.iter_mut().for_each(|cell| cell.soft = None);
    }
    let mut vectors = project.vectors(&args.what.vectors)?;
    let about = VectorsOfRun { selection: selection_digest(&vectors), slice: args.partition };
    if let Some(slice) = args.partition {
        vectors.retain(|vector| slice.takes(&vector.id));
    }
    let vectors: Arc<[Vector]> = vectors.into();
    let targets = Targets::new(&args.what.guest, &project)?.traced(sim_trace(args.what.trace));
    if args.list {
        list(&project, &cells, &vectors, &targets)?;
        return Ok(ExitCode::OK);
    }
    if args.dry_run {
        dry_run(&cells, &vectors, &targets);
        return Ok(ExitCode::OK);
    }
    if let (Some(slice), true) = (args.partition, vectors.is_empty()) {
        return Err(CliError::NothingRan(format!(
            "slice {slice} has none of the selected vectors\n  help: cut the run into fewer slices"
        )));
    }
    if args.fetch {
        fetch_missing(&project, &cells)?;
    }
    let baseline = args.baseline.as_deref().map(html::read_baseline).transpose()?;
    let goldens = project.goldens();
    let divergences = project.divergences()?;
    refuse_unreviewed(&goldens)?;
    let _claim = args.report_dir.as_ref().map(|directory| fresh_report_dir(directory, &cells)).transpose()?;
    let targets = targets.keep_consoles_in(args.report_dir.as_deref());
    let mut timings = Timings::load(&cache_directory()?);
    let engine = Engine {
        open: &|request, on_stage| targets.open_at(request, on_stage),
        goldens: &goldens,
        divergences: &divergences,
        timings: &timings,
        follow_stock: args.kernel_trace,
        raw: args.report_dir.clone(),
        jobs: args.jobs.unwrap_or_else(|| default_jobs(args.what.guest.memory.unwrap_or(MEMORY_MIB))),
        tasks: interrupt::tasks(),
    };
    let page = if args.serve {
        let with = (goldens.clone(), Arc::clone(&vectors));
        Some(LivePage::open(&args.listen, about.clone(), with, args.report_dir.clone(), baseline.clone())?)
    } else {
        None
    };
    let mut screen = Screen::new(is_ci());
    let result = engine.run(&RunRequest { cells: &cells, vectors: &vectors, about }, &mut |event| {
        screen.consume(event);
        page.iter().for_each(|page| page.consume(event));
    })?;
    screen.finish();
    if let Err(error) = timings.keep(&result.cells) {
        tell!("note: how long cells took is not kept: {error}");
    }
    let written = match &args.report_dir {
        Some(directory) => {
            let baseline = baseline.as_ref();
            write_reports(directory, &result)
                .or(html::beside(&project, &vectors, directory, &result, baseline))
        }
        None => ExitCode::OK,
    };
    say!("test-matrix: {}", closing_line(&result));
    page.into_iter().for_each(LivePage::end);
    Ok(exit_code(&result, args.require_all).or(written))
}

/// Prepares a report directory: consoles that an earlier run kept of these cells are removed.
pub(super) fn fresh_report_dir(directory: &Path, cells: &[Cell]) -> Result<Claim, CliError> {
    let names: Vec<_> = cells.iter().map(Cell::file_name).collect();
    std::fs::create_dir_all(directory).map_err(CliError::unwritten(directory))?;
    let claim = Claim::of(directory)?;
    forget(directory, &names).map_err(CliError::unwritten(directory))?;
    Ok(claim)
}

/// Downloads what the cells lack. A release that cannot be had leaves its cells as not run, or ends the run if that is
/// because of the user or the disk.
fn fetch_missing(project: &Project, cells: &[Cell]) -> Result<(), CliError> {
    let (dists, _) = places()?;
    let (releases, store) = (project.releases()?, Store::open(&project.root, &dists)?);
    let mut wanted: Vec<_> = cells.iter().filter_map(|cell| cell.release.as_deref()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for release in wanted {
        let missing = matches!(dists.find_any(release), Err(ImageError::NoSuchRelease { .. }));
        let Some(known) = releases.get(release).filter(|_| missing) else { continue };
        let mut files = NEEDED.map(str::to_owned).to_vec();
        let of_it = |cell: &&Cell| cell.release.as_deref() == Some(release);
        if cells.iter().filter(of_it).any(|cell| cell.module == ModuleKind::Rust) {
            files.push("src.txz".to_owned());
        }
        match store.fetch(known, &What::Sets(files), Freshness::default()) {
            Ok(fetched) => tell!("{release}: fetched into {}", fetched.dir.display()),
            Err(CliError::Build(reason)) => tell!("warning: {release} could not be fetched: {reason}"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The default number of guests: one a processor, because under TCG each keeps one busy, as far as memory reaches for
/// guests of this size in MiB.
pub(super) fn default_jobs(memory_mib: u32) -> NonZeroUsize {
    let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok();
    let memory = meminfo.and_then(|text| guests_in_memory(&text, memory_mib));
    memory.map_or(processors, |guests| guests.min(processors))
}

/// How many guests of this size in MiB fit into the memory that Linux reports as available; at least one.
fn guests_in_memory(meminfo: &str, memory_mib: u32) -> Option<NonZeroUsize> {
    /// QEMU's own memory with the translated code, in MiB.
    const QEMU_MIB: usize = 256;
    let guest_kib = (usize::try_from(memory_mib).ok()? + QEMU_MIB) * 1024;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(NonZeroUsize::new(kib / guest_kib).unwrap_or(NonZeroUsize::MIN))
}

/// Under CI a `.new` file in the tree means that somebody forgot to review it.
fn refuse_unreviewed(goldens: &crate::golden::Store) -> Result<(), CliError> {
    let [wire, kernel] = goldens.both();
    let pending = wire.pending()?.len() + kernel.pending()?.len();
    if pending == 0 {
        return Ok(());
    }
    let text =
        format!("{} review (nlproof review)", counted(pending, "recorded golden").verb("awaits", "await"));
    if is_ci() {
        return Err(CliError::Usage(text));
    }
    tell!("note: {text}");
    Ok(())
}

pub(super) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

fn list(project: &Project, cells: &[Cell], vectors: &[Vector], targets: &Targets) -> Result<(), CliError> {
    say!("vectors:");
    for vector in vectors {
        say!("  {:<30} {}", vector.id, vector.about);
    }
    say!("\n{} by suite:", counted(vectors.len(), "vector"));
    let mut suites: Vec<&str> = vectors.iter().filter_map(|vector| vector.id.split('/').next()).collect();
    suites.dedup();
    for suite in suites {
        let count = vectors.iter().filter(|vector| vector.id.split('/').next() == Some(suite)).count();
        say!("  {suite:<30} {count}");
    }
    say!("\ncells, and the goldens that hold in them:");
    let goldens = project.goldens();
    for cell in cells {
        let (mut observed, mut predicted, mut none) = (0, 0, 0);
        for vector in vectors {
            match goldens.find(&cell.layers(), &vector.id)? {
                None => none += 1,
                Some(found) if cell.standing(&found.golden.origins, None).0.is_observed() => observed += 1,
                Some(_) => predicted += 1,
            }
        }
        let soft = cell.soft.map_or(String::new(), |soft| format!("; {soft}: what differs is not counted"));
        let here = match targets.unavailable_reason(cell) {
            Some((reason, _)) => format!("; cannot run here: {reason}"),
            None => String::new(),
        };
        say!(
            "  {:<34} profile {:<5} {observed:>4} observed {predicted:>4} predicted {none:>4} missing{soft}{here}",
            cell.name(),
            cell.profile.to_string(),
        );
    }
    Ok(())
}

fn dry_run(cells: &[Cell], vectors: &[Vector], targets: &Targets) {
    for cell in cells {
        match targets.unavailable_reason(cell) {
            None => say!("{:<30} would run {}", cell.name(), counted(vectors.len(), "vector")),
            Some((reason, remedy)) => {
                say!("{:<30} would not run: {reason}\n{:<30}   to run it: {remedy}", cell.name(), "");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_as_many_as_memory_holds() {
        let of_size = |text: &str, mib| guests_in_memory(text, mib).map(NonZeroUsize::get);
        let of = |text: &str| of_size(text, 512);
        assert_eq!(of("MemTotal: 9 kB\nMemAvailable:    3145728 kB\n"), Some(4));
        assert_eq!(of_size("MemAvailable:    3145728 kB\n", 1280), Some(2));
        assert_eq!(of("MemAvailable:    1000 kB\n"), Some(1));
        assert_eq!(of("MemTotal: 9 kB\n"), None);
    }
}
