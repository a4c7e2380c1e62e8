// SPDX-License-Identifier: BSD-2-Clause
//! A FreeBSD guest as a target: image, QEMU, ssh, agent.
//!
//! A guest is booted once per image: as soon as the agent is in place, its state is saved (see
//! [`start`](super::start)), and later runs go on from there.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Program, Record};
use nlproof_files::require;
use nlproof_image::{
    BuildOptions, Found, Image, ImageError, LoaderModule, Over, Progress, ReleaseDir, VmImageDir, build,
    kernel_disk,
};
use nlproof_kmod::kernel;
use nlproof_wire::Os;

use super::cards::{has_cards, patience, run_with_cards};
use super::connection::Link;
use super::console::{Blame, console, console_since};
use super::keys::Keys;
use super::loaded_module::Loaded;
use super::lost::{LostConsole, loss};
use super::module::{ModuleOptions, Prepared, prepare_module};
use super::options::{FreebsdOptions, MEMORY_MIB, image_options};
use super::own::OwnRelease;
use super::provision::provisioned;
use super::start::{StartRequest, Started, start};
use super::symbols::Functions;
use crate::file::nearest;
use crate::guest::{ExecOutput, Output, SshError};
use crate::targets::fact::Fact;
use crate::targets::facts::{Cards, Commands, Facts, Kernel};
use crate::targets::{BytesProgress, DtraceOutput, Finish, OnStage, Target};
use crate::targets::{OpenError, TargetError};
use crate::vm::{
    Accelerator, AcceleratorKind, GuestFailure, SelectedAccelerator, Tools, Vm, Wait, device_models,
    remembered_accelerator,
};

/// Limit for a batch, beside the time of each of its programs.
const BATCH_LIMIT: Duration = Duration::from_secs(30);
/// Limit for each program of a batch; most take milliseconds.
const PROGRAM_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of a console's log: a boot has some 20 KiB, a panic with the stacks of all threads ten times that.
const CONSOLE: u64 = 1024 * 1024;

/// A booted guest with the agent in place.
pub struct FreebsdTarget {
    pub(super) vm: Vm,
    pub(super) link: Link,
    facts: Facts,
    module: Option<Loaded>,
    kernel_trace: bool,
    /// How much of the console's log was there before the first vector, in bytes.
    console_from: usize,
    /// Attribution of the kernel's complaints to vectors.
    blame: Blame,
    /// Source of the kernel's file; a ready image has none.
    kernel_file: Option<KernelFile>,
    pub(super) keys: Keys,
    /// Path at which the console is kept if the guest is lost.
    pub(super) lost_console: Option<LostConsole>,
    pub(super) cancel: Arc<AtomicBool>,
}

/// Source of a kernel's file.
enum KernelFile {
    /// In a release's kernel.txz, with a place to unpack it.
    Release(ReleaseDir, PathBuf),
    /// There.
    Own(PathBuf),
}

impl FreebsdTarget {
    /// Builds the release's image or finds it in the cache.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn image(
        release: &str,
        options: &FreebsdOptions,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Image, OpenError> {
        let own = options.own_release(release);
        image(&release_dir(release, options)?, own.map(Arc::as_ref), options, None, on_stage)
    }

    /// Builds the image or finds it, boots it, puts the agent in place, and loads the module, if one is
    /// wanted. `on_stage` hears what is being done, with bytes where they are known.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        release: &str,
        options: &FreebsdOptions,
        module: Option<&ModuleOptions>,
        on_stage: &mut OnStage<'_>,
    ) -> Result<FreebsdTarget, OpenError> {
        let (options, unkept) = &with_room_for_console(options);
        let started = Instant::now();
        let tools = Tools::find(&options.supervisor).map_err(|error| OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "nlproof doctor shows what is missing and how to install it".into(),
        })?;
        let directory = release_dir(release, options)?;
        let own = options.own_release(release).map(Arc::as_ref);
        // Before the image: what must not be loaded shall not cost a boot.
        let by_loader = module.is_some_and(|module| module.by_loader);
        let module = match (module, &directory) {
            (None, _) => None,
            (Some(module), Found::Sets(sets)) => {
                Some(prepare_module(sets, own, module, &options.cancel, on_stage)?)
            }
            (Some(_), Found::Image(image)) => return Err(no_sources(image)),
        };
        let for_loader = module.as_ref().filter(|_| by_loader).map(Prepared::for_loader);
        let image = image(&directory, own, options, for_loader, on_stage)?;
        let built = started.elapsed();
        on_stage("choose the accelerator", None);
        let accelerator = remembered_accelerator(options.accelerator, &tools, &options.state)
            .map_err(|error| OpenError::Guest(error.into()))?;
        if options.accelerator == Accelerator::Auto && accelerator.kind == AcceleratorKind::Tcg {
            say_once_why_slow(on_stage);
        }
        let accelerator_kind = accelerator.kind;
        let booting = Instant::now();
        let request =
            StartRequest { image: &image, module: module.as_ref(), by_loader, options, tools: &tools };
        let (started, accelerator) = match start(&request, &accelerator, on_stage) {
            Err(OpenError::Guest(cause)) if options.may_fall_back(&accelerator_kind) => {
                let text = cause.to_string();
                let first = text.lines().next().unwrap_or_default();
                on_stage("kvm ran a test guest, and not this one: tcg", None);
                let fallback = SelectedAccelerator {
                    kind: AcceleratorKind::Tcg,
                    reason: format!("a test guest ran under kvm, this one did not: {first}"),
                };
                (start(&request, &fallback, on_stage)?, fallback)
            }
            other => (other?, accelerator),
        };
        let booted = booting.elapsed();
        if let Some(missing) = options.demanded.iter().find(|name| !started.kernel.modules.contains(name)) {
            return Err(OpenError::Unavailable {
                reason: format!("the guest of {release} has no kernel module {missing}"),
                remedy: "kldstat -v in a guest (nlproof shell) shows those that it has".into(),
            });
        }
        let mut facts = facts(release, own, &image, &accelerator, &started, (built, booted));
        facts.known.extend(unkept.iter().cloned().map(Fact::Unkept));
        if options.cpus != 1 {
            facts.known.push(Fact::line("processors", options.cpus.to_string()));
        }
        if options.memory_mib != MEMORY_MIB {
            facts.known.push(Fact::line("memory", format!("{} MiB", options.memory_mib)));
        }
        if !options.demanded.is_empty() {
            facts.known.push(Fact::line("further modules", options.demanded.join(", ")));
        }
        let Started { mut vm, link, keys, module: loaded, .. } = started;
        // A QEMU that does not tell has none.
        facts.cards = Cards::Models(device_models(vm.qmp()).unwrap_or_default());
        if let Some(module) = module {
            facts.known.push(Fact::line("module", module.measures()));
            facts.known.push(Fact::line("verification", module.verdict()));
            facts.known.push(Fact::line("module sources", module.origin()));
        }
        let console_from = console(&vm).len();
        let cancel = Arc::clone(&options.cancel);
        let kernel_trace = options.kernel_trace;
        let kernel_file = match (own, directory) {
            (Some(own), _) => Some(KernelFile::Own(own.kernel.file.clone())),
            (None, Found::Sets(sets)) => Some(KernelFile::Release(sets, options.state.join("kmod"))),
            (None, Found::Image(_)) => None,
        };
        Ok(FreebsdTarget {
            vm,
            link,
            facts,
            module: loaded,
            kernel_trace,
            console_from,
            blame: Blame::default(),
            kernel_file,
            keys,
            lost_console: options.lost_console.clone(),
            cancel,
        })
    }
}

impl FreebsdTarget {
    /// The machine, for those who look at it from outside or do something to it.
    pub fn vm(&mut self) -> &mut Vm {
        &mut self.vm
    }

    /// Runs a script with the guest's `/bin/sh`, as root.
    pub(crate) fn shell(&mut self, script: &str, limit: Duration) -> Result<ExecOutput, TargetError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let wait = Wait::new("a script in the guest", limit);
        let mut input = Cursor::new(script);
        let run = self.link.ssh(&mut self.vm).and_then(|ssh| {
            ssh.exec("/bin/sh -s", &mut input, &wait, &mut self.vm, &mut |output| {
                match output {
                    Output::Stdout(bytes) => stdout.extend_from_slice(bytes),
                    Output::Stderr(bytes) => stderr.extend_from_slice(bytes),
                }
                ControlFlow::Continue(())
            })
        });
        match run {
            Ok(status) => Ok(ExecOutput { status, stdout, stderr }),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// Writes a file into the guest; `what` names it in messages.
    ///
    /// # Errors
    /// The guest was lost.
    pub(crate) fn upload(
        &mut self,
        what: &str,
        bytes: &[u8],
        path: &str,
        limit: Duration,
    ) -> Result<(), TargetError> {
        let wait = Wait::new(format!("{what}'s upload"), limit);
        let uploaded =
            self.link.ssh(&mut self.vm).and_then(|ssh| ssh.upload(bytes, path, &wait, &mut self.vm));
        uploaded.map_err(|error| self.lost(error))
    }

    pub(super) fn lost(&self, error: SshError) -> TargetError {
        self.lost_by(error.into_failure(&self.vm))
    }

    pub(super) fn lost_by(&self, failure: GuestFailure) -> TargetError {
        match failure {
            GuestFailure::Interrupted { .. } => TargetError::Interrupted,
            GuestFailure::Busy(mut busy) => {
                if let Some(kernel) = self.kernel() {
                    let addresses = busy.stacks.iter().flatten().copied();
                    busy.calls = Functions::around(&kernel, addresses).common_calls(&busy.stacks);
                }
                let failure = GuestFailure::Busy(busy);
                TargetError::Guest(loss(failure, &self.vm, self.lost_console.as_ref()))
            }
            failure => TargetError::Guest(loss(failure, &self.vm, self.lost_console.as_ref())),
        }
    }

    /// The kernel's file. Without it a loss is told without the names of functions.
    fn kernel(&self) -> Option<Vec<u8>> {
        match self.kernel_file.as_ref()? {
            KernelFile::Release(release, cache) => std::fs::read(kernel(release, cache).ok()?).ok(),
            KernelFile::Own(path) => std::fs::read(path).ok(),
        }
    }
}

impl Target for FreebsdTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let programs = u32::try_from(batch.programs.len()).unwrap_or(u32::MAX);
        let limit = BATCH_LIMIT + PROGRAM_LIMIT.saturating_mul(programs) + patience(batch);
        let wait = Wait::new("the vectors", limit);
        let traced = (self.kernel_trace && self.module.is_some()).then(|| traced(batch));
        let blame = &mut self.blame;
        let mut on_record = |record: Record| {
            blame.hear(batch, &record);
            on_record(record);
        };
        let batch = traced.as_ref().unwrap_or(batch);
        let run = match has_cards(batch) {
            true => run_with_cards(&mut self.link, &mut self.vm, batch, &wait, &mut on_record),
            false => self.link.run(batch, &wait, &mut self.vm, &mut on_record),
        };
        run.map_err(|error| self.lost(error))
    }

    fn expect_hang(&mut self) {
        self.link.expect_hang();
    }

    fn begin_dtrace(&mut self, script: &str) -> Result<(), TargetError> {
        self.start_dtrace(script)
    }

    fn end_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        self.stop_dtrace()
    }

    fn finish(&mut self) -> Finish {
        let mut finish = match self.module.take() {
            None => Finish::default(),
            Some(module) => module.finish(&mut self.link, &mut self.vm),
        };
        let said = console_since(&self.vm, self.console_from);
        let (kernel, module) = self.blame.told(&said);
        finish.console.extend(kernel);
        finish.complaints.extend(module);
        finish
    }
}

/// The same, but why the console's log was not kept if it found no room. A guest that nobody can hear would be taken
/// for one that hangs.
fn with_room_for_console(options: &FreebsdOptions) -> (FreebsdOptions, Option<String>) {
    let directory = options.console.as_deref().and_then(Path::parent);
    let room =
        directory.map(|directory| require(directory, CONSOLE, "make room there, or name another directory"));
    match room {
        Some(Err(error)) => {
            (FreebsdOptions { console: None, ..options.clone() }, Some(format!("console: {error}")))
        }
        _ => (options.clone(), None),
    }
}

/// The same, with the kernel's probes recorded.
fn traced(batch: &Batch) -> Batch {
    let programs = batch.programs.iter().cloned();
    Batch { programs: programs.map(|program| Program { kernel_trace: true, ..program }).collect() }
}

fn release_dir(release: &str, options: &FreebsdOptions) -> Result<Found, OpenError> {
    let release = options.own_release(release).map_or(release, |own| own.base.as_str());
    options.dists.find_any(release).map_err(|error| match error {
        ImageError::NoSuchRelease { .. } => OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "nlproof doctor shows where releases are looked for".into(),
        },
        error => OpenError::Build(error.into()),
    })
}

/// A ready image has no kernel headers in it.
fn no_sources(image: &VmImageDir) -> OpenError {
    OpenError::Unavailable {
        reason: format!("the module is built from src.txz, and {} holds a ready image", image.path.display()),
        remedy: format!("nlproof image fetch --release {}", image.name),
    }
}

fn image(
    directory: &Found,
    own: Option<&OwnRelease>,
    options: &FreebsdOptions,
    loader_module: Option<LoaderModule>,
    on_stage: &mut OnStage<'_>,
) -> Result<Image, OpenError> {
    let mut progress = |progress: Progress| {
        let bytes = BytesProgress { done: progress.bytes_done, total: progress.bytes_total };
        let bytes = (bytes.total > 0).then_some(bytes);
        on_stage(&progress.stage.to_string(), bytes);
    };
    match (directory, own) {
        (Found::Sets(sets), Some(own)) => over(sets, own, options, &mut progress),
        (Found::Image(image), Some(_)) => return Err(no_userland(image)),
        (Found::Sets(sets), None) => {
            let wanted = BuildOptions {
                demanded: options.demanded.clone(),
                free_mib: options.free_mib,
                loader_module,
                ..image_options(options.stock_rc, &options.modules)
            };
            build(sets, &wanted, &options.cache, &options.cancel, &mut progress)
        }
        (Found::Image(image), None) => provisioned(image, options, &mut progress),
    }
    .map_err(|error| match error {
        ImageError::Cancelled => OpenError::Interrupted,
        error @ (ImageError::MakefsMissing { .. } | ImageError::QemuImgMissing) => OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "nlproof doctor shows what is missing and how to install it".into(),
        },
        error @ ImageError::NoModule { .. } => no_module(&error),
        error @ ImageError::OwnKernel { .. } => OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "name another kernel with --kernel".into(),
        },
        error => OpenError::Build(error.into()),
    })
}

/// The image of the release, the same that its own cells use, and a disk with the kernel beside it.
fn over(
    sets: &ReleaseDir,
    own: &OwnRelease,
    options: &FreebsdOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Image, ImageError> {
    let is_further = |name: &&String| options.demanded.contains(name);
    let modules: Vec<_> = options.modules.iter().filter(|name| !is_further(name)).cloned().collect();
    let base = BuildOptions { free_mib: options.free_mib, ..image_options(options.stock_rc, &modules) };
    let base = build(sets, &base, &options.cache, &options.cancel, progress)?;
    let wanted = BuildOptions {
        demanded: options.demanded.clone(),
        ..image_options(options.stock_rc, &options.modules)
    };
    let over = Over { name: own.name.as_str(), kernel: &own.kernel, release: sets, base: &base };
    kernel_disk(&over, &wanted, &options.cache, &options.cancel, progress)
}

/// Rejects a ready image: how it names its root file system is unknown.
fn no_userland(image: &VmImageDir) -> OpenError {
    OpenError::Unavailable {
        reason: format!(
            "{} holds a ready image, and another kernel needs base.txz below it",
            image.path.display()
        ),
        remedy: format!("nlproof image fetch --release {}, or another --release", image.name),
    }
}

/// Reports a release that lacks a requested module: nothing can be run in it.
fn no_module(error: &ImageError) -> OpenError {
    let near = match error {
        ImageError::NoModule { module, known, .. } => nearest(module, known.iter().map(String::as_str)),
        _ => None,
    };
    let remedy = match near {
        Some(name) => format!("did you mean {name}?"),
        None => "kernel.txz of the release has its modules in boot/kernel".into(),
    };
    OpenError::Unavailable { reason: error.to_string(), remedy }
}

/// Notes once a run that guests are slow here. The report's facts have the whole reason, and so has `nlproof doctor`.
fn say_once_why_slow(on_stage: &mut OnStage<'_>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        on_stage("kvm runs no guest here, tcg does (nlproof doctor says why)", None);
    }
}

/// What is known of a guest that was started.
fn facts(
    release: &str,
    own: Option<&OwnRelease>,
    image: &Image,
    accelerator: &SelectedAccelerator,
    started: &Started,
    (built, booted): (Duration, Duration),
) -> Facts {
    let Started { kernel, how, fell_back, stacks, .. } = started;
    let sha256 = image.info.kernel.sha256.to_string();
    let mut known = vec![
        Fact::Kernel(kernel.version.clone()),
        Fact::KernelSha256(sha256.clone()),
        Fact::Osreldate(kernel.osreldate.to_string()),
        Fact::line("accelerator", accelerator.to_string()),
        Fact::line(
            "image",
            format!("{} ({})", image.dir.display(), if image.cached { "cached" } else { "built now" }),
        ),
        Fact::line("image time", format!("{:.2} s", built.as_secs_f64())),
        Fact::line("start", how.clone()),
        Fact::line(
            "boot time",
            format!("{:.2} s from qemu's start to the agent in place", booted.as_secs_f64()),
        ),
    ];
    known.splice(3..3, own.map(OwnRelease::facts).unwrap_or_default());
    let build = own.map(OwnRelease::build);
    Facts {
        os: Os::FreeBsd,
        kernel: Some(Kernel { release: release.to_owned(), osreldate: kernel.osreldate, sha256, build }),
        commands: Commands::All,
        cards: Cards::None,
        modules: Some(kernel.modules.clone()),
        fallbacks: u32::from(*fell_back),
        stacks: *stacks,
        known,
    }
}
