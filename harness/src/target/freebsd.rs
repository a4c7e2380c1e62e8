// SPDX-License-Identifier: BSD-2-Clause
//! A FreeBSD guest as a target: image, QEMU, ssh, agent.
//!
//! A guest is booted once per image: as soon as the agent is in place, its state is saved (see
//! [`start`](super::start)), and later runs go on from there.

use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Record};
use nlproof_image::{BuildOptions, Cache, Dists, Image, ImageError, ReleaseDir, build};
use nlproof_wire::Os;

use super::error::{OpenError, TargetError};
use super::facts::{Commands, Facts, Kernel};
use super::loaded::{Loaded, load};
use super::module::{ModuleOptions, prepare_module};
use super::start::{Start, Started, start};
use super::{Finish, OnStage, Target};
use crate::guest::{ExecOutput, HostKey, Output, Ssh, SshError, SshKey, SshTarget, run_agent};
use crate::vm::{
    Accelerator, AcceleratorKind, GuestFailure, HostPort, Patience, SelectedAccelerator, Tools, Vm, VmConfig,
    Wait, remembered_accelerator,
};

/// A command that asks the guest about itself.
const ASK_LIMIT: Duration = Duration::from_secs(20);
/// For a batch, beside what each of its programs may take.
const BATCH_LIMIT: Duration = Duration::from_secs(30);
/// For each program of a batch: most take milliseconds.
const PROGRAM_LIMIT: Duration = Duration::from_secs(5);
/// Memory of a guest, in MiB: enough for 14 and 15 with all modules of the image.
const MEMORY_MIB: u32 = 512;

/// How guests are run.
#[derive(Clone)]
pub struct FreebsdOptions {
    /// Where release directories are.
    pub dists: Dists,
    /// Where images are kept.
    pub cache: Cache,
    /// Where else this program keeps what it found out: `$XDG_CACHE_HOME/nlproof`.
    pub state: PathBuf,
    /// Which accelerator is wanted.
    pub accelerator: Accelerator,
    /// Whether a saved state may be used.
    pub start: Start,
    /// Every limit is multiplied by this.
    pub patience_factor: f64,
    /// Where to keep the console's log, if anywhere.
    pub console: Option<PathBuf>,
    /// The program that supervises QEMU: nlproof itself.
    pub supervisor: PathBuf,
    /// Set when the user interrupts.
    pub cancel: Arc<AtomicBool>,
}

impl FreebsdOptions {
    /// Nested virtualisation can run a small guest and fail on a loader that changes processor modes: if
    /// nobody insists on KVM, a guest that does not come up under it is booted under TCG.
    fn may_fall_back(&self, tried: &AcceleratorKind) -> bool {
        self.accelerator == Accelerator::Auto
            && *tried == AcceleratorKind::Kvm
            && !self.cancel.load(Ordering::SeqCst)
    }
}

/// A booted guest with the agent in place.
pub struct FreebsdTarget {
    pub(super) vm: Vm,
    ssh: Ssh,
    agent: String,
    facts: Facts,
    module: Option<Loaded>,
    /// The private key that the guest accepts.
    pub(super) client_key: PathBuf,
    /// The guest's own public key.
    pub(super) host_key: String,
    pub(super) cancel: Arc<AtomicBool>,
}

/// The options with which guests' images are built.
pub fn image_options() -> BuildOptions {
    BuildOptions::default()
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
        image(&release_dir(release, options)?, options, on_stage)
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
        let started = Instant::now();
        let tools = Tools::find(&options.supervisor).map_err(|error| OpenError::NotHere {
            reason: error.to_string(),
            remedy: "nlproof doctor shows what is missing and how to install it".into(),
        })?;
        let directory = release_dir(release, options)?;
        // Before the image: what must not be loaded shall not cost a boot.
        let module =
            module.map(|module| prepare_module(&directory, module, &options.cancel, on_stage)).transpose()?;
        let image = image(&directory, options, on_stage)?;
        let built = started.elapsed();
        on_stage("choose the accelerator", None);
        let accelerator = remembered_accelerator(options.accelerator, &tools, &options.state)
            .map_err(|error| OpenError::Guest(error.to_string()))?;
        let accelerator_kind = accelerator.kind;
        let booting = Instant::now();
        let (mut started, accelerator) = match start(&image, &accelerator, options, &tools, on_stage) {
            Err(OpenError::Guest(reason)) if options.may_fall_back(&accelerator_kind) => {
                let first = reason.lines().next().unwrap_or_default();
                let fallback = SelectedAccelerator {
                    kind: AcceleratorKind::Tcg,
                    reason: format!("a test guest ran under kvm, this one did not: {first}"),
                };
                (start(&image, &fallback, options, &tools, on_stage)?, fallback)
            }
            other => (other?, accelerator),
        };
        let booted = booting.elapsed();
        let mut facts = facts(release, &image, &accelerator, &mut started, (built, booted))?;
        let Started { mut vm, ssh, agent, .. } = started;
        let module = match module {
            Some(module) => {
                on_stage("load the module", None);
                facts.lines.push(("module".into(), module.measures()));
                facts.lines.push(("verification".into(), module.verdict()));
                Some(load(&module, &ssh, &mut vm)?)
            }
            None => None,
        };
        let (client_key, host_key) = (image.client_key(), image.info.host_key.clone());
        let cancel = Arc::clone(&options.cancel);
        Ok(FreebsdTarget { vm, ssh, agent, facts, module, client_key, host_key, cancel })
    }
}

impl FreebsdTarget {
    /// Runs a script with the guest's `/bin/sh`, as root.
    pub(super) fn shell(&mut self, script: &str, limit: Duration) -> Result<ExecOutput, TargetError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let wait = Wait::new("a script in the guest", limit);
        let mut input = Cursor::new(script);
        let run = self.ssh.exec("/bin/sh -s", &mut input, &wait, &mut self.vm, &mut |output| {
            match output {
                Output::Stdout(bytes) => stdout.extend_from_slice(bytes),
                Output::Stderr(bytes) => stderr.extend_from_slice(bytes),
            }
            ControlFlow::Continue(())
        });
        match run {
            Ok(status) => Ok(ExecOutput { status, stdout, stderr }),
            Err(error) => Err(self.lost(error)),
        }
    }

    fn lost(&self, error: SshError) -> TargetError {
        match error.into_failure(&self.vm) {
            GuestFailure::Interrupted { .. } => TargetError::Interrupted,
            failure => TargetError::Lost(failure.to_string()),
        }
    }
}

impl Target for FreebsdTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let programs = u32::try_from(batch.programs.len()).unwrap_or(u32::MAX);
        let wait = Wait::new("the vectors", BATCH_LIMIT + PROGRAM_LIMIT.saturating_mul(programs));
        match run_agent(&self.ssh, &self.agent, batch, &wait, &mut self.vm, on_record) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.lost(error)),
        }
    }

    fn finish(&mut self) -> Finish {
        match self.module.take() {
            Some(module) => module.finish(&self.ssh, &mut self.vm),
            None => Finish::default(),
        }
    }
}

fn release_dir(release: &str, options: &FreebsdOptions) -> Result<ReleaseDir, OpenError> {
    options.dists.find(release).map_err(|error| match error {
        ImageError::NoSuchRelease { .. } => OpenError::NotHere {
            reason: error.to_string(),
            remedy: "nlproof doctor shows where releases are looked for".into(),
        },
        error => OpenError::Build(error.to_string()),
    })
}

fn image(
    directory: &ReleaseDir,
    options: &FreebsdOptions,
    on_stage: &mut OnStage<'_>,
) -> Result<Image, OpenError> {
    build(directory, &image_options(), &options.cache, &options.cancel, &mut |progress| {
        let bytes = (progress.bytes_total > 0).then_some((progress.bytes_done, progress.bytes_total));
        on_stage(&progress.stage.to_string(), bytes);
    })
    .map_err(|error| match error {
        ImageError::Cancelled => OpenError::Interrupted,
        error @ ImageError::MakefsMissing { .. } => OpenError::NotHere {
            reason: error.to_string(),
            remedy: "nlproof doctor shows what is missing and how to install it".into(),
        },
        error => OpenError::Build(error.to_string()),
    })
}

/// The machine, but for its disk.
pub(super) fn machine(options: &FreebsdOptions) -> VmConfig {
    let mut config = VmConfig::default();
    config.memory_mib(MEMORY_MIB).ssh(HostPort::Any);
    if let Some(console) = &options.console {
        config.serial_log(console);
    }
    config
}

/// Waits until the guest answers over ssh.
pub(super) fn connect(
    vm: &mut Vm,
    image: &Image,
    limit: Duration,
    patience: &Patience,
) -> Result<Ssh, OpenError> {
    let port = vm.ssh_port().ok_or_else(|| OpenError::Guest("qemu named no port for ssh".into()))?;
    let host_key =
        HostKey::parse(&image.info.host_key).map_err(|error| OpenError::Build(error.to_string()))?;
    let target = SshTarget {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        user: "root".into(),
        key: SshKey::File(image.client_key()),
        host_key,
    };
    Ssh::connect(&target, &Wait::new("ssh in the guest", limit), patience, vm)
        .map_err(|error| open_failure(error, vm))
}

pub(super) fn open_failure(error: SshError, vm: &Vm) -> OpenError {
    match error.into_failure(vm) {
        GuestFailure::Interrupted { .. } => OpenError::Interrupted,
        failure => OpenError::Guest(failure.to_string()),
    }
}

/// Asks the running kernel who it is: what the image says of itself would be no observation.
fn facts(
    release: &str,
    image: &Image,
    accelerator: &SelectedAccelerator,
    Started { vm, ssh, how, fell_back, .. }: &mut Started,
    (built, booted): (Duration, Duration),
) -> Result<Facts, OpenError> {
    let mut ask = |command: &str| -> Result<String, OpenError> {
        let wait = Wait::new(format!("the answer to `{command}`"), ASK_LIMIT);
        let output = ssh.run(command, &wait, vm).map_err(|error| OpenError::Guest(error.to_string()))?;
        if !output.status.is_success() {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(OpenError::Guest(format!("`{command}` failed in the guest: {}", stderr.trim_end())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    let osreldate = ask("sysctl -n kern.osreldate")?;
    let osreldate: u32 = osreldate
        .parse()
        .map_err(|_| OpenError::Guest(format!("kern.osreldate is {osreldate:?}, which is no number")))?;
    let version = ask("sysctl -n kern.version")?;
    let modules = modules(&ask("kldstat -v")?);
    let sha256 = image.info.kernel.sha256.to_string();
    let line = |name: &str, value: String| (name.to_owned(), value);
    let lines = vec![
        line("kernel", version.lines().next().unwrap_or_default().to_owned()),
        line("kernel sha256", sha256.clone()),
        line("osreldate", osreldate.to_string()),
        line("accelerator", accelerator.to_string()),
        line(
            "image",
            format!("{} ({})", image.dir.display(), if image.cached { "cached" } else { "built now" }),
        ),
        line("image time", format!("{:.2} s", built.as_secs_f64())),
        line("start", how.clone()),
        line("boot time", format!("{:.2} s from qemu's start to the agent in place", booted.as_secs_f64())),
    ];
    let kernel = Some(Kernel { release: release.to_owned(), osreldate, sha256 });
    Ok(Facts {
        os: Os::FreeBsd,
        kernel,
        commands: Commands::All,
        modules: Some(modules),
        fallbacks: u32::from(*fell_back),
        lines,
    })
}

/// Names in `kldstat -v`: files without `.ko`, and the modules in them.
fn modules(kldstat: &str) -> Vec<String> {
    kldstat
        .lines()
        .filter_map(|line| {
            let name = line.split_whitespace().find(|word| {
                !word.starts_with('(') && word.contains(char::is_alphabetic) && !word.starts_with("0x")
            })?;
            Some(name.trim_end_matches(".ko").to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_files_and_in_the_kernel() {
        let kldstat = "Id Refs Address                Size Name\n \
             1   12 0xffffffff80200000  1d4e0b8 kernel (/boot/kernel/kernel)\n\tContains modules:\n\t\t Id Name\n\
             \t\t481 if_vlan\n 2    1 0xffffffff81f4f000     6230 if_epair.ko (/boot/kernel/if_epair.ko)\n\
             \tContains modules:\n\t\t Id Name\n\t\t500 if_epair\n";
        let modules = modules(kldstat);
        assert!(modules.contains(&"if_vlan".to_owned()), "{modules:?}");
        assert!(modules.contains(&"if_epair".to_owned()), "{modules:?}");
        assert!(!modules.contains(&"if_bridge".to_owned()), "{modules:?}");
    }
}
