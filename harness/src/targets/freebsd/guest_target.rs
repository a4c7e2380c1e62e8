// SPDX-License-Identifier: BSD-2-Clause
//! A FreeBSD guest as a target: image, QEMU, ssh, agent.
//!
//! A guest is booted once per image: as soon as the agent is in place, its state is saved (see
//! [`start`](super::start)), and later runs go on from there.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Program, Record};
use nlproof_files::require;
use nlproof_guest::Tasks;
use nlproof_image::{Found, Image, ReleaseDir};
use nlproof_kmod::kernel;
use nlproof_wire::Os;

use super::cards::{has_cards, patience, run_with_cards};
use super::connection::Link;
use super::console::{Blame, console, console_since};
use super::faulty_cards::{FaultyCards, are_wanted};
use super::guest_image::{image, no_sources, release_dir};
use super::keys::Keys;
use super::loaded_module::Loaded;
use super::lost::{LostConsole, loss};
use super::module::{ModuleOptions, Prepared, prepare_module};
use super::options::{FreebsdOptions, MEMORY_MIB};
use super::own::OwnRelease;
use super::start::{StartRequest, Started, start};
use super::symbols::Functions;
use crate::guest::{ExecOutput, SshError};
use crate::targets::fact::Fact;
use crate::targets::facts::{Cards, Commands, Facts, Kernel};
use crate::targets::{DtraceOutput, Finish, OnStage, Target};
use crate::targets::{OpenError, StartPart, TargetError};
use crate::vm::{
    Accelerator, AcceleratorKind, GuestFailure, SelectedAccelerator, Tools, Vm, Wait, remembered_accelerator,
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
    pub(super) tasks: Tasks,
    /// The image that it was booted from.
    pub(super) image: Image,
    parts: Vec<StartPart>,
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
                Some(prepare_module(sets, own, module, options.tasks.cancel(), on_stage)?)
            }
            (Some(_), Found::Image(image)) => return Err(no_sources(image)),
        };
        let cards = match &directory {
            Found::Sets(sets) if are_wanted(options) => {
                on_stage("build the faulty cards", None);
                Some(FaultyCards::prepare(sets, own, options))
            }
            _ => None,
        };
        let for_loader = module.as_ref().filter(|_| by_loader).map(Prepared::for_loader);
        let image = image(&directory, own, options, for_loader, on_stage)?;
        let built = started.elapsed();
        on_stage("choose the accelerator", None);
        let accelerator = options
            .tasks
            .drive(remembered_accelerator(options.accelerator, &tools, &options.state))
            .map_err(|error| OpenError::Guest(error.into()))?;
        if options.accelerator == Accelerator::Auto && accelerator.kind == AcceleratorKind::Tcg {
            say_once_why_slow(on_stage);
        }
        let accelerator_kind = accelerator.kind;
        let chosen = started.elapsed() - built;
        let booting = Instant::now();
        let (cards, no_cards) = match cards {
            Some(Ok(cards)) => (Some(cards), None),
            Some(Err(OpenError::Interrupted)) => return Err(OpenError::Interrupted),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let request = StartRequest {
            image: &image,
            module: module.as_ref(),
            by_loader,
            cards: cards.as_ref(),
            options,
            tools: &tools,
        };
        let (started, accelerator) = match options.tasks.drive(start(&request, &accelerator, on_stage)) {
            Err(OpenError::Guest(cause)) if options.may_fall_back(&accelerator_kind) => {
                let text = cause.to_string();
                let first = text.lines().next().unwrap_or_default();
                on_stage("kvm ran a test guest, and not this one: tcg", None);
                let fallback = SelectedAccelerator {
                    kind: AcceleratorKind::Tcg,
                    reason: format!("a test guest ran under kvm, this one did not: {first}"),
                };
                (options.tasks.drive(start(&request, &fallback, on_stage))?, fallback)
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
        if let Some(error) = no_cards {
            let first = error.to_string();
            let first = first.lines().next().unwrap_or_default();
            facts.known.push(Fact::line("faulty cards", format!("none: {first}")));
        }
        facts.processors = Some(options.cpus);
        if options.cpus != 1 {
            facts.known.push(Fact::line("processors", options.cpus.to_string()));
        }
        if options.memory_mib != MEMORY_MIB {
            facts.known.push(Fact::line("memory", format!("{} MiB", options.memory_mib)));
        }
        if !options.demanded.is_empty() {
            facts.known.push(Fact::line("further modules", options.demanded.join(", ")));
        }
        let Started { vm, link, keys, module: loaded, models, parts: start_parts, .. } = started;
        let mut parts = vec![("image", built), ("accelerator", chosen)];
        parts.extend(start_parts);
        facts.cards = Cards::Models(models);
        if let Some(module) = module {
            facts.known.push(Fact::line("module", module.measures()));
            facts.known.push(Fact::line("verification", module.verdict()));
            facts.known.push(Fact::line("module sources", module.origin()));
        }
        let console_from = console(&vm).len();
        let tasks = options.tasks.clone();
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
            tasks,
            image,
            parts,
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
        let wait = Wait::new("a script in the guest", limit);
        let mut input = Cursor::new(script);
        let run = self.tasks.drive(async {
            let ssh = self.link.ssh(&mut self.vm).await?;
            ssh.run_with("/bin/sh -s", &mut input, &wait, &mut self.vm).await
        });
        run.map_err(|error| self.lost(error))
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
        let uploaded = self.tasks.drive(async {
            self.link.ssh(&mut self.vm).await?.upload(bytes, path, &wait, &mut self.vm).await
        });
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

    /// Path of the kernel's file, if there is one.
    pub fn kernel_path(&self) -> Option<PathBuf> {
        match self.kernel_file.as_ref()? {
            KernelFile::Release(release, cache) => kernel(release, cache).ok(),
            KernelFile::Own(path) => Some(path.clone()),
        }
    }

    /// The kernel's file. Without it a loss is told without the names of functions.
    fn kernel(&self) -> Option<Vec<u8>> {
        std::fs::read(self.kernel_path()?).ok()
    }
}

impl Target for FreebsdTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn start_parts(&self) -> &[StartPart] {
        &self.parts
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
        let run = self.tasks.drive(async {
            match has_cards(batch) {
                true => run_with_cards(&mut self.link, &mut self.vm, batch, &wait, &mut on_record).await,
                false => self.link.run(batch, &wait, &mut self.vm, &mut on_record).await,
            }
        });
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
            Some(module) => self.tasks.drive(module.finish(&mut self.link, &mut self.vm)),
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
        processors: None,
        modules: Some(kernel.modules.clone()),
        settings: kernel.settings.clone(),
        fallbacks: u32::from(*fell_back),
        stacks: *stacks,
        known,
    }
}
