// SPDX-License-Identifier: BSD-2-Clause
//! The opening of a guest: image and module, accelerator, start, and what is known of it then.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nlproof_files::require;
use nlproof_image::{Found, Image};
use nlproof_wire::Os;

use super::console::{Blame, console};
use super::faulty_cards::{FaultyCards, are_wanted};
use super::guest_image::{image, no_sources, release_dir};
use super::guest_target::{FreebsdTarget, KernelFile};
use super::module::{ModuleOptions, Prepared, prepare_module};
use super::options::{FreebsdOptions, MEMORY_MIB};
use super::own::OwnRelease;
use super::start::start;
use super::starter::{StartRequest, Started};
use crate::targets::fact::Fact;
use crate::targets::facts::{Cards, Commands, Facts, Kernel};
use crate::targets::{OnStage, OpenError};
use crate::vm::{Accelerator, AcceleratorKind, CardRack, SelectedAccelerator, Tools, remembered_accelerator};

/// Bytes of a console's log: a boot has some 20 KiB, a panic with the stacks of all threads ten times that.
const CONSOLE: u64 = 1024 * 1024;

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
                on_stage("build nlproof_faultnic, the driver of cards with faults", None);
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
            rack: CardRack::default(),
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
