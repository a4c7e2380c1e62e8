// SPDX-License-Identifier: BSD-2-Clause
//! Lanes of `fuzz` and `reduce`: what opens the targets in which requests run.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nlproof_base::counted;

use super::args::{AccelArg, FuzzArgs};
use super::exit::CliError;
use super::kernel_blocks::{CellCode, Wanted, locate};
use super::out::tell;
use super::project::Project;
use super::targets::{Targets, open_error};
use super::test_matrix::default_jobs;
use crate::blocks::TranslationLogReader;
use crate::fuzz::{BlockWatch, Code, Crew, Lane, LaneError, Open, Opened, Side};
use crate::matrix::{Cell, GuestRequest, ModuleKind, TargetKind};
use crate::targets::{Explained, MEMORY_MIB, OnStage, SimTarget, SimTrace, Target};
use crate::vector::LossCode;
use crate::vm::TranslationLog;

/// Where requests run.
pub(super) struct Places<'a> {
    pub(super) sides: Vec<Side>,
    /// Of each side what opens its targets, and whether it is a guest.
    open: Vec<(Arc<Open<'a>>, bool)>,
}

impl<'a> Places<'a> {
    pub(super) fn of(
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
            let side = Side { several_processors: args.guest.cpus > 1, ..side(&cell) };
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
    pub(super) fn crew(&self, args: &FuzzArgs) -> Crew<'a> {
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
        several_processors: false,
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

/// The error of a command whose lane cannot go on.
pub(super) fn lane_error(error: LaneError) -> CliError {
    match error {
        LaneError::Interrupted => CliError::Interrupted,
        LaneError::Open { name, error } => match open_error(error) {
            CliError::Guest(cause) => CliError::Guest(Explained::before(name, cause)),
            other => other,
        },
        error @ LaneError::Host { .. } => CliError::Guest(error.into()),
    }
}
