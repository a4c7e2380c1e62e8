// SPDX-License-Identifier: BSD-2-Clause
//! From the command line to open targets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nlproof_image::{BuildOptions, Cache, Found, ImageError};

use super::args::{AccelArg, GuestArgs, TraceArgs};
use super::directories::{cache_directory, places};
use super::exit::CliError;
use super::interrupt;
use super::project::Project;
use super::size::size;
use crate::matrix::{Cell, Event, GuestRequest, LoadKind, ModuleKind, TargetKind};
use crate::releases::Releases;
use crate::report::Screen;
use crate::targets::{
    CACHE_LIMIT, FreebsdOptions, FreebsdTarget, LostConsole, MEMORY_MIB, ModuleOptions, OnStage, OpenError,
    Prepared, RecordingPlace, STACKS, SimTarget, SimTrace, Start, Target, TargetError,
    module_unavailable_reason, prepare_module,
};
use crate::vm::{Accelerator, AcceleratorKind, Tools, TranslationLog};

/// Opens the targets of cells.
#[derive(Clone)]
pub(super) struct Targets {
    freebsd: FreebsdOptions,
    module: ModuleOptions,
    consoles: Option<PathBuf>,
    releases: Releases,
    trace: SimTrace,
}

/// Tracing of the simulator in commands that compare.
pub(super) fn sim_trace(args: TraceArgs) -> SimTrace {
    if args.no_kernel_trace { SimTrace::Off } else { SimTrace::Counted }
}

/// Bytes that the cache may have: `$NLPROOF_CACHE_LIMIT`, such as `20G`.
pub(super) fn cache_limit() -> Result<u64, CliError> {
    match std::env::var("NLPROOF_CACHE_LIMIT") {
        Err(_) => Ok(CACHE_LIMIT),
        Ok(text) if text.is_empty() => Ok(CACHE_LIMIT),
        Ok(text) => size(&text).ok_or_else(|| {
            CliError::Usage(format!(
                "NLPROOF_CACHE_LIMIT is `{}`\n  help: a number of bytes, or with K, M, G or T behind it, such as 20G",
                text.escape_debug()
            ))
        }),
    }
}

/// Guests with default options and the project's kernel modules.
pub(super) fn plain_guests(stock_rc: bool, project: &Project) -> Result<FreebsdOptions, CliError> {
    let (dists, cache) = places()?;
    let supervisor = std::env::current_exe()
        .map_err(|error| CliError::Usage(format!("nlproof does not find itself: {error}")))?;
    Ok(FreebsdOptions {
        dists,
        own: project.own_releases(),
        cache,
        state: cache_directory()?,
        cache_limit: cache_limit()?,
        accelerator: Accelerator::Auto,
        start: Start::Warm,
        stock_rc,
        checkout: project.checkout(),
        modules: project.modules()?,
        demanded: project.kmods.clone(),
        cpus: 1,
        memory_mib: MEMORY_MIB,
        free_mib: BuildOptions::default().free_mib,
        stacks: STACKS,
        instruction_clock: false,
        translation_log: None,
        recording: None,
        patience_factor: 1.0,
        kernel_trace: true,
        console: None,
        lost_console: None,
        supervisor,
        tasks: interrupt::tasks().clone(),
    })
}

impl Targets {
    /// Targets as the user wants them.
    pub(super) fn new(args: &GuestArgs, project: &Project) -> Result<Targets, CliError> {
        if !(args.timeout_factor.is_finite() && args.timeout_factor > 0.0) {
            return Err(CliError::Usage(format!("--timeout-factor {} is not above 0", args.timeout_factor)));
        }
        let freebsd = FreebsdOptions {
            accelerator: match args.accel {
                AccelArg::Auto => Accelerator::Auto,
                AccelArg::Kvm => Accelerator::Forced(AcceleratorKind::Kvm),
                AccelArg::Tcg => Accelerator::Forced(AcceleratorKind::Tcg),
            },
            start: if args.cold { Start::Cold } else { Start::Warm },
            cpus: args.cpus,
            memory_mib: args.memory.unwrap_or(MEMORY_MIB),
            stacks: args.stacks.unwrap_or(STACKS),
            patience_factor: args.timeout_factor,
            ..plain_guests(args.stock_rc, project)?
        };
        let module = project.module_options(args.unverified)?;
        let (consoles, trace) = (None, SimTrace::Counted);
        Ok(Targets { freebsd, module, consoles, releases: project.releases()?, trace })
    }

    /// How the simulator's kernel is traced.
    pub(super) fn traced(mut self, trace: SimTrace) -> Targets {
        self.trace = trace;
        self.freebsd.kernel_trace = trace != SimTrace::Off;
        self
    }

    /// Keeps the consoles of guests as `CELL.console`, `CELL.guest2.console` and so on in this directory.
    pub(super) fn keep_consoles_in(mut self, directory: Option<&Path>) -> Targets {
        self.consoles = directory.map(Path::to_owned);
        self
    }

    /// Guests with room for so many bytes that are copied into them.
    pub(super) fn with_room_for(mut self, bytes: u64) -> Targets {
        self.freebsd.free_mib = self.freebsd.free_mib.max(free_mib(bytes));
        self
    }

    /// The obstacle that keeps a cell from running here, with the remedy, as far as it can be told without starting
    /// anything.
    pub(super) fn unavailable_reason(&self, cell: &Cell) -> Option<(String, String)> {
        let release = match (cell.target, &cell.release) {
            (TargetKind::Freebsd, Some(release)) => release,
            _ => return None,
        };
        // A directory that is there and cannot be used is no obstacle but a fault, and opening it says so.
        let own = self.freebsd.own_release(release).map(Arc::as_ref);
        let release = own.map_or(release.as_str(), |own| own.base.as_str());
        let directory = self.freebsd.dists.find_any(release);
        if let Err(ImageError::NoSuchRelease { .. }) = directory {
            let place = self.freebsd.dists.search.first().map(|path| path.join(release)).unwrap_or_default();
            let by_hand =
                format!("put MANIFEST, base.txz and kernel.txz of {release} into {}", place.display());
            let remedy = match self.releases.get(release) {
                Some(_) => format!("nlproof image fetch --release {release}"),
                None => by_hand,
            };
            return Some((format!("no release directory {release}"), remedy));
        }
        let tools = Tools::find(&self.freebsd.supervisor).err();
        let tools = tools.map(|error| (error.to_string(), "nlproof doctor shows what is missing".to_owned()));
        let module = match directory {
            Ok(Found::Sets(sets)) if cell.module == ModuleKind::Rust => {
                module_unavailable_reason(&sets, own, &self.freebsd.state.join("kmod"))
            }
            Ok(Found::Image(_)) if cell.module == ModuleKind::Rust => Some((
                format!("{release} is here as a ready image, and the module is built from src.txz"),
                format!("nlproof image fetch --release {release}"),
            )),
            _ => None,
        };
        // All at once: who mends one thing shall not learn of the next one afterwards.
        let (reasons, remedies): (Vec<_>, Vec<_>) = tools.into_iter().chain(module).unzip();
        (!reasons.is_empty()).then(|| (reasons.join("; "), remedies.join("; ")))
    }

    /// The same, but guests are booted.
    pub(super) fn cold(&self) -> Targets {
        let mut cold = self.clone();
        cold.freebsd.start = Start::Cold;
        cold
    }

    /// Builds the release's image in a cache of its own and gives the bytes of its disk.
    pub(super) fn build_image_in(&self, directory: &Path, release: &str) -> Result<u64, OpenError> {
        let options = FreebsdOptions { cache: Cache::new(directory), ..self.freebsd.clone() };
        FreebsdTarget::image(release, &options, &mut |_, _| ()).map(|image| image.info.disk_bytes)
    }

    /// Opens a guest of the release with the module loaded.
    pub(super) fn open_module(
        &self,
        release: &str,
        on_stage: &mut OnStage<'_>,
    ) -> Result<FreebsdTarget, OpenError> {
        let lost_console = Some(lost_console(&self.freebsd.state, &format!("freebsd/{release}/rust")));
        let options = FreebsdOptions { lost_console, ..self.freebsd.clone() };
        FreebsdTarget::open(release, &options, Some(&self.module), on_stage)
    }

    /// The same, but under TCG with one processor whose clocks count instructions.
    pub(super) fn counting_instructions(&self) -> Targets {
        let mut cold = self.cold();
        cold.freebsd.accelerator = Accelerator::Forced(AcceleratorKind::Tcg);
        cold.freebsd.instruction_clock = true;
        cold.freebsd.cpus = 1;
        cold
    }

    /// The module for a release, verified.
    pub(super) fn module(&self, release: &str) -> Result<Prepared, OpenError> {
        let own = self.freebsd.own_release(release).map(Arc::as_ref);
        let base = own.map_or(release, |own| own.base.as_str());
        let directory = self.freebsd.dists.find(base).map_err(|error| OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "nlproof doctor shows where releases are looked for".into(),
        })?;
        prepare_module(&directory, own, &self.module, self.freebsd.tasks.cancel(), &mut |_, _| ())
    }

    /// The same, with a module for a test of its unloading. It has more imports than the policy knows.
    pub(super) fn with_faults(&self) -> Targets {
        let mut targets = self.clone();
        targets.module.faults = true;
        targets.module.unverified = true;
        targets
    }

    /// Opens the target of a cell.
    pub(super) fn open(&self, cell: &Cell, on_stage: &mut OnStage<'_>) -> Result<Box<dyn Target>, OpenError> {
        self.open_at(GuestRequest::first(cell), on_stage)
    }

    /// Opens one of the targets of a cell.
    pub(super) fn open_at(
        &self,
        request: GuestRequest<'_>,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Box<dyn Target>, OpenError> {
        match request.cell.target {
            TargetKind::Sim => {
                let sim = SimTarget::traced(request.cell.profile, self.trace);
                Ok(Box::new(match request.cell.plays {
                    Some(release) => sim.playing(release),
                    None => sim,
                }))
            }
            TargetKind::Freebsd => Ok(Box::new(self.open_freebsd(request, on_stage)?)),
        }
    }

    /// The same, under TCG with a log of the blocks that QEMU translates.
    pub(super) fn logging(&self, log: TranslationLog) -> Targets {
        let mut targets = self.clone();
        targets.freebsd.accelerator = Accelerator::Forced(AcceleratorKind::Tcg);
        targets.freebsd.translation_log = Some(log);
        targets
    }

    /// The same, under TCG with one processor whose every instruction can be come to again: what comes to the guest is logged in
    /// this place.
    pub(super) fn recorded_in(&self, place: RecordingPlace) -> Targets {
        let mut targets = self.cold();
        targets.freebsd.accelerator = Accelerator::Forced(AcceleratorKind::Tcg);
        targets.freebsd.console = Some(place.console());
        targets.freebsd.recording = Some(place);
        targets
    }

    /// The kernel's file of a release, and its debug information if that lies beside.
    pub(super) fn kernel_files(&self, release: &str) -> Result<(PathBuf, Option<PathBuf>), CliError> {
        let directory = self.freebsd.dists.find(release).map_err(|error| {
            CliError::NothingRan(format!("{error}\n  help: nlproof image fetch --release {release}"))
        })?;
        let cache = self.freebsd.state.join("kmod");
        let failed = |error: nlproof_kmod::KmodError| CliError::Build(error.into());
        let kernel = nlproof_kmod::kernel(&directory, &cache).map_err(failed)?;
        Ok((kernel, nlproof_kmod::kernel_debug(&directory, &cache).map_err(failed)?))
    }

    /// Opens one of the guests of a cell.
    pub(super) fn open_freebsd(
        &self,
        request: GuestRequest<'_>,
        on_stage: &mut OnStage<'_>,
    ) -> Result<FreebsdTarget, OpenError> {
        let cell = request.cell;
        if let Some((reason, remedy)) = self.unavailable_reason(cell) {
            return Err(OpenError::Unavailable { reason, remedy });
        }
        let mut options = self.freebsd.clone();
        let kept = |directory: &PathBuf| directory.join(format!("{}.console", request.file_name()));
        options.console = self.consoles.as_ref().map(kept).or(options.console);
        if options.console.is_none() {
            options.lost_console = Some(lost_console(&options.state, &cell.name()));
        }
        if request.restore_only {
            options.start = Start::Saved;
        }
        let by_loader = cell.load == LoadKind::Boot;
        let module = ModuleOptions { by_loader, ..self.module.clone() };
        let module = (cell.module == ModuleKind::Rust).then_some(&module);
        let target = FreebsdTarget::open(&cell.release_or_profile(), &options, module, on_stage)?;
        if let Some(kernel) = &target.facts().kernel {
            cell.suits(kernel.osreldate).map_err(|error| OpenError::Guest(error.into()))?;
        }
        Ok(target)
    }
}

/// Where the console of a cell's guest is kept if the guest is lost.
fn lost_console(cache: &Path, cell: &str) -> LostConsole {
    let directory = cache.join("lost");
    LostConsole {
        file: directory.join(format!("{}.console", cell.replace('/', "-"))),
        shown_by: format!("nlproof console {} {cell}", directory.display()),
    }
}

/// Free space of a guest that takes so many bytes, in MiB: in steps, so that images serve more than one copy.
fn free_mib(bytes: u64) -> u32 {
    const STEP: u64 = 256;
    /// Room for a guest's other writes and for the file system itself.
    const BESIDES: u64 = 32;
    let mib = bytes.div_ceil(1 << 20);
    if mib < BESIDES {
        return 0;
    }
    u32::try_from((mib + mib / 8 + BESIDES).next_multiple_of(STEP)).unwrap_or(u32::MAX)
}

/// Opens a cell's target and shows the progress on standard error.
pub(super) fn open_shown(targets: &Targets, cell: &Cell) -> Result<Box<dyn Target>, OpenError> {
    shown(cell, |on_stage| targets.open(cell, on_stage))
}

/// Opens a cell's guest and shows the progress on standard error.
pub(super) fn open_freebsd_shown(targets: &Targets, cell: &Cell) -> Result<FreebsdTarget, OpenError> {
    shown(cell, |on_stage| targets.open_freebsd(GuestRequest::first(cell), on_stage))
}

fn shown<T>(
    cell: &Cell,
    open: impl FnOnce(&mut OnStage<'_>) -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let mut screen = Screen::new(false);
    let opened = open(&mut |stage, bytes| screen.consume(&Event::Stage { cell, stage, bytes }));
    screen.finish();
    opened
}

/// The error of a command whose target does not open.
pub(super) fn open_error(error: OpenError) -> CliError {
    match error {
        OpenError::Unavailable { reason, remedy } => {
            CliError::NothingRan(format!("{reason}\n  help: {remedy}"))
        }
        OpenError::Build(cause) => CliError::Build(cause),
        OpenError::Refused(cause) => CliError::Refused(cause),
        error @ OpenError::Load(_) => CliError::Guest(error.into()),
        OpenError::Guest(cause) => CliError::Guest(cause),
        OpenError::Interrupted => CliError::Interrupted,
    }
}

/// The error of a command whose target was lost, or that the user interrupted.
pub(super) fn lost(error: TargetError) -> CliError {
    match error {
        TargetError::Interrupted => CliError::Interrupted,
        // What is to be copied is named on the command line.
        error @ TargetError::Copy(_) => CliError::Usage(error.to_string()),
        error => CliError::Guest(error.into()),
    }
}
