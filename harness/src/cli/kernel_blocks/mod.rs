// SPDX-License-Identifier: BSD-2-Clause
//! `coverage --kernel-blocks`: which basic blocks of a kernel's own code the vectors reach.

mod code;
mod show;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nlproof_agent::Step;
use nlproof_files::write_whole;

pub(super) use self::code::{CellCode, Wanted};
use super::args::{AccelArg, BlocksArgs, CoverageArgs, VectorArgs};
use super::directories::cache_directory;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::report::html;
use super::targets::Targets;
use super::test_matrix::default_jobs;
use super::verdict::exit_code;
use crate::blocks::{
    BLOCKS_FILE, BlockReport, CellBlocks, Covered, Heard, Loaded, SCHEMA, Side, TranslationLogReader,
    Unreached, judge, lcov, listing, merge, rows,
};
use crate::file::FileError;
use crate::matrix::{
    Cell, CellResult, Engine, GuestRequest, LoadKind, ModuleKind, Outcome, RunRequest, RunResult, TargetKind,
    Timings, VectorsOfRun, selection_digest,
};
use crate::report::{Screen, json_file, read_report};
use crate::targets::{Fact, FreebsdTarget, MEMORY_MIB, OnStage, OpenError, Target, loaded_files};
use crate::vector::Vector;
use crate::vm::TranslationLog;

/// Limit for one command in the guest.
const LIMIT: Duration = Duration::from_secs(30);
/// The module as kldstat(8) names it.
const MODULE: &str = "nlproof_iface.ko";

pub(super) fn main(project: &Project, args: &CoverageArgs) -> Result<ExitCode, CliError> {
    if !args.blocks.merge.is_empty() {
        let reports =
            args.blocks.merge.iter().map(|path| BlockReport::read(path)).collect::<Result<Vec<_>, _>>()?;
        let report = merge(reports).map_err(|error| CliError::Usage(error.to_string()))?;
        return finish(project, args, &report);
    }
    if args.blocks.guest.accel == AccelArg::Kvm {
        let text = "--accel kvm runs the guest on the processor itself, and nobody sees its blocks\n  help: leave it out: \
                    --kernel-blocks runs guests under TCG";
        return Err(CliError::Usage(text.into()));
    }
    let mut cells = project.weighed_cells(&args.blocks.cells)?;
    if args.blocks.cells.load.kinds.is_empty() {
        cells.retain(|cell| cell.load == LoadKind::Kldload);
    }
    cells.retain(|cell| cell.target == TargetKind::Freebsd);
    if cells.is_empty() {
        let text = "blocks are those of a kernel, and no cell of a FreeBSD guest is selected\n  help: nlproof matrix \
                    --target freebsd lists them";
        return Err(CliError::Usage(text.into()));
    }
    let vectors = project.vectors(&args.blocks.vectors)?;
    let targets = Targets::new(&args.blocks.guest, project)?;
    let run = Run::prepare(project, args, &targets, &cells)?;
    let about = VectorsOfRun { selection: selection_digest(&vectors), slice: args.blocks.partition };
    let mut taken = vectors;
    if let Some(slice) = args.blocks.partition {
        taken.retain(|vector| slice.takes(&vector.id));
    }
    let result = run.engine(project, args, &cells, &taken, &about, true)?;
    let report = run.report(args, &result);
    let code = exit_code(&result, false);
    if report.cells.is_empty() {
        let why = result.cells.iter().map(|cell| format!("{}: {:?}", cell.cell.name(), cell.status));
        let why: Vec<_> = why.collect();
        tell!("nothing is known of any kernel: {}", why.join("; "));
        return Ok(code.or(ExitCode::NOTHING_RAN));
    }
    let found = finish(project, args, &report)?;
    if args.blocks.cost && !result.interrupted {
        let plain = run.engine(project, args, &cells, &taken, &about, false)?;
        // Half a run costs half.
        if plain.interrupted {
            return Err(CliError::Interrupted);
        }
        cost(&result, &plain);
    }
    Ok(code.or(found))
}

/// Shows, writes and judges a report.
fn finish(project: &Project, args: &CoverageArgs, report: &BlockReport) -> Result<ExitCode, CliError> {
    // First: what was found shall not go with a list that cannot be read.
    if let Some(path) = &args.blocks.json {
        let text = json_file(report).map_err(|error| CliError::Usage(error.to_string()))?;
        write(path, &text)?;
    }
    if let Some(path) = &args.blocks.lcov {
        write(path, lcov(report).as_bytes())?;
    }
    let mut code = match &args.blocks.report_dir {
        Some(directory) => into_report(project, directory, report)?,
        None => ExitCode::OK,
    };
    for cell in &report.cells {
        let path = Unreached::path(&project.root, &cell.release);
        let list = list_of(project, args, &cell.release)?;
        // Distances of another build's blocks mean nothing here.
        let reasons = list.as_ref().filter(|list| list.of_another_build(cell).is_none());
        show::cell(cell, reasons, args.rows);
        let stock = cell.functions.iter().all(|row| row.side == Side::Kernel);
        match (&list, unjudged(cell, list.as_ref())) {
            _ if !stock => {}
            (_, Some(why)) => say!("  not held against a list: {why}"),
            (Some(list), None) => {
                let findings = judge(cell, list);
                for finding in &findings {
                    say!("  {finding}");
                }
                match findings.is_empty() {
                    true => say!("  every block that is not reached has its reason in {}", path.display()),
                    false => code = code.or(ExitCode::COMPARISON),
                }
            }
            (None, None) => {}
        }
        if args.blocks.write_list && stock {
            let ours = |name: &str| match &list {
                Some(list) => list.names().contains(name),
                None => cell.functions.iter().any(|row| row.name == name && show::is_interface_code(row)),
            };
            write(&path, listing(cell, &ours, list.as_ref()).as_bytes())?;
        }
    }
    Ok(code)
}

/// Puts the blocks into a report directory, and on its page if there is a report.
fn into_report(project: &Project, directory: &Path, report: &BlockReport) -> Result<ExitCode, CliError> {
    let text = json_file(report).map_err(|error| CliError::Usage(error.to_string()))?;
    write(&directory.join(BLOCKS_FILE), &text)?;
    if !directory.join("report.json").exists() {
        let directory = directory.display();
        tell!(
            "note: {directory} has no report.json, and a page needs one: `nlproof test-matrix --report-dir {directory}` \
             leaves both"
        );
        return Ok(ExitCode::OK);
    }
    let run = read_report(directory)?;
    let vectors = project.vectors(&VectorArgs::default())?;
    Ok(html::beside(project, &vectors, directory, &run, None))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let made =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| write_whole(path, bytes)).map_err(CliError::unwritten(path))
}

/// The list of a release, if there is one. One that is being written anew may have reasons that are to be written.
fn list_of(project: &Project, args: &CoverageArgs, release: &str) -> Result<Option<Unreached>, FileError> {
    match Unreached::of(&project.root, release) {
        Err(_) if args.blocks.write_list => Ok(None),
        list => list,
    }
}

/// Why a cell proves nothing about unreached blocks, if so.
fn unjudged(cell: &CellBlocks, list: Option<&Unreached>) -> Option<String> {
    if !cell.all {
        return Some("not all vectors were selected".into());
    }
    if let Some(hole) = cell.holes.first() {
        return Some(hole.clone());
    }
    match list {
        None => Some(format!("there is no tests/unreached/{}.yaml; --write-list makes one", cell.release)),
        Some(list) => list.of_another_build(cell),
    }
}

fn cost(covered: &RunResult, plain: &RunResult) {
    for (covered, plain) in covered.cells.iter().zip(&plain.cells) {
        let seconds = |result: &CellResult| result.duration.as_secs_f64();
        let (with, without) = (seconds(covered), seconds(plain));
        say!(
            "{}: {with:.1} s with QEMU's log and vectors one by one, {without:.1} s plain ({:+.0} %)",
            covered.cell.name(),
            (with / without - 1.0) * 100.0
        );
    }
}

/// A run with its logs.
struct Run<'a> {
    targets: &'a Targets,
    code: BTreeMap<String, CellCode>,
    heard: BTreeMap<String, Arc<Mutex<Heard>>>,
    logs: tempfile::TempDir,
    guests: AtomicUsize,
}

impl<'a> Run<'a> {
    fn prepare(
        project: &Project,
        args: &CoverageArgs,
        targets: &'a Targets,
        cells: &[Cell],
    ) -> Result<Self, CliError> {
        let mut code = BTreeMap::new();
        let BlocksArgs { function, file, debug, .. } = &args.blocks;
        let wanted = Wanted { function, file, debug };
        for cell in cells.iter().filter(|cell| targets.unavailable_reason(cell).is_none()) {
            let list = list_of(project, args, &cell.release_or_profile())?;
            let names = list.map(|list| list.names()).unwrap_or_default();
            code.insert(cell.name(), CellCode::of(project, wanted, targets, cell, names)?);
        }
        let heard = cells.iter().map(|cell| (cell.name(), Arc::default())).collect();
        let logs = tempfile::Builder::new().prefix("nlproof-blocks-").tempdir();
        let logs = logs.map_err(|error| CliError::Output { what: "QEMU's log".into(), error })?;
        Ok(Run { targets, code, heard, logs, guests: AtomicUsize::new(0) })
    }

    fn engine(
        &self,
        project: &Project,
        args: &CoverageArgs,
        cells: &[Cell],
        vectors: &[Vector],
        about: &VectorsOfRun,
        logged: bool,
    ) -> Result<RunResult, CliError> {
        let timings = Timings::load(&cache_directory()?);
        let (goldens, divergences) = (project.goldens(), project.divergences()?);
        let engine = Engine {
            open: &|place, on_stage| match logged {
                true => self.open(place, on_stage),
                false => self.targets.open_at(place, on_stage),
            },
            goldens: &goldens,
            divergences: &divergences,
            timings: &timings,
            follow_stock: false,
            raw: None,
            jobs: args
                .blocks
                .jobs
                .unwrap_or_else(|| default_jobs(args.blocks.guest.memory.unwrap_or(MEMORY_MIB))),
            tasks: interrupt::tasks(),
        };
        let mut screen = Screen::new(super::test_matrix::is_ci());
        let request = RunRequest { cells, vectors, about: about.clone() };
        let result = engine.run(&request, &mut |event| screen.consume(event))?;
        screen.finish();
        Ok(result)
    }

    fn open(
        &self,
        request: GuestRequest<'_>,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Box<dyn Target>, OpenError> {
        let name = request.cell.name();
        let (Some(code), Some(heard)) = (self.code.get(&name), self.heard.get(&name)) else {
            return self.targets.open_at(request, on_stage);
        };
        let number = self.guests.fetch_add(1, Ordering::SeqCst);
        let path = self.logs.path().join(format!("{number}.log"));
        let log = TranslationLog { path: path.clone(), ranges: code.ranges() };
        let mut target = self.targets.logging(log).open_freebsd(request, on_stage)?;
        let module = match request.cell.module {
            ModuleKind::Stock => None,
            ModuleKind::Rust => Some(locate(&mut target)?),
        };
        let reader = TranslationLogReader::new(&path);
        Ok(Box::new(Covered::new(Box::new(target), reader, module, Arc::clone(heard))))
    }

    fn report(&self, args: &CoverageArgs, result: &RunResult) -> BlockReport {
        let cells = result.cells.iter().filter_map(|cell| self.cell(args, result, cell));
        BlockReport { schema: SCHEMA.to_owned(), cells: cells.collect() }
    }

    fn cell(&self, args: &CoverageArgs, run: &RunResult, result: &CellResult) -> Option<CellBlocks> {
        let name = result.cell.name();
        let (code, heard) = (self.code.get(&name)?, self.heard.get(&name)?);
        let heard = Heard::of(heard);
        let ran = |outcome: &Outcome| !matches!(outcome, Outcome::NotRun(_));
        let vectors = result.vectors.iter().filter(|vector| ran(&vector.outcome)).count();
        if vectors == 0 {
            return None;
        }
        let mut holes = heard.holes.clone();
        if heard.kernel.is_empty() {
            holes.push("QEMU's log names no instruction: is this a QEMU with `-d in_asm`?".to_owned());
        }
        if run.interrupted {
            holes.push("the run was interrupted".into());
        }
        holes.extend(result.losses.iter().map(|lost| format!("the guest was lost in {}", lost.vector)));
        if let Some((word, reason)) = result.status.failure() {
            holes.push(format!("{word}: {}", reason.lines().next().unwrap_or_default()));
        }
        let mut functions = rows(&code.kernel, Side::Kernel, &heard.kernel);
        if let Some(module) = &code.module {
            functions.extend(rows(module, Side::Module, &heard.module));
            let torn = functions.iter().find(|row| {
                row.side == Side::Module
                    && row.entered()
                    && row.blocks.first().is_some_and(|block| block.first.is_none())
            });
            if let Some(torn) = torn {
                holes.push(format!("{} ran without its first block: the module lies elsewhere", torn.name));
            }
        }
        Some(CellBlocks {
            cell: name,
            release: result.cell.release_or_profile(),
            build: code.build.clone(),
            kernel: Fact::kernel_sha256(&result.facts).map(str::to_owned),
            selection: run.vectors.selection.clone(),
            all: args.blocks.vectors.suite.is_empty() && args.blocks.vectors.filter.is_empty(),
            slices: run.vectors.slice.iter().map(ToString::to_string).collect(),
            vectors,
            holes,
            functions,
        })
    }
}

/// Where the module lies in a guest.
pub(super) fn locate(target: &mut FreebsdTarget) -> Result<Loaded, OpenError> {
    let steps = vec![Step::Exec { argv: vec!["/sbin/kldstat".into()], limit_ms: 30_000 }];
    let outcome = target
        .in_host_stack("kldstat", steps, Vec::new(), LIMIT)
        .map_err(|error| OpenError::Guest(error.into()))?;
    place_of(&outcome.output).ok_or_else(|| {
        OpenError::Guest(format!("kldstat(8) does not say where {MODULE} is: {}", outcome.output).into())
    })
}

/// Address and length of the module, in a list of kldstat(8).
fn place_of(kldstat: &str) -> Option<Loaded> {
    let module = loaded_files(kldstat).find(|file| file.name == MODULE)?;
    Some(Loaded { base: module.address, length: module.length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_among_the_loaded_files() {
        let said = "Id Refs Address                Size Name\n 1   42 0xffffffff80200000  1f3a5b0 kernel\n 9    1 \
                    0xffffffff8301c000    2c2e8 nlproof_iface.ko\n";
        assert_eq!(place_of(said), Some(Loaded { base: 0xffff_ffff_8301_c000, length: 0x2_c2e8 }));
        assert_eq!(place_of("Id Refs Address                Size Name\n"), None);
    }
}
