// SPDX-License-Identifier: BSD-2-Clause
//! `image export` and `image check`: images that stand on their own, and what they were made of.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use indicatif::HumanBytes;
use nlproof_files::{work_directory_in, write_whole};
use nlproof_image::{
    AuthorizedKeys, Difference, ExportOptions, Exported, Format, Found, ImageError, LoaderModule,
    ModuleRecord, PROVENANCE_SCHEMA, Progress, Provenance, QemuImg, ReleaseDir, Sha256, export,
};

use super::args::{CheckImageArgs, ExportModule, ImageExportArgs, KernelArgs, OwnArgs, ProjectArgs};
use super::default_cell::release_here;
use super::directories::places;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::own::own_cells;
use super::project::Project;
use super::stages::with_stages;
use super::targets::open_error;
use crate::report::json_file;
use crate::targets::{BytesProgress, OnStage, OwnRelease, prepare_module};

/// Name of the module without `.ko`.
const MODULE: &str = "nlproof_iface";

/// A module for an image, and what to write down of it.
type Module = (LoaderModule, ModuleRecord);

pub(super) fn export_one(project: &ProjectArgs, args: &ImageExportArgs) -> Result<ExitCode, CliError> {
    let started = Instant::now();
    // Whatever can be wrong with the command line is, before anything takes time.
    let tool = QemuImg::for_format(args.format, std::env::var_os("PATH").as_deref())
        .map_err(|error| CliError::NothingRan(error.to_string()))?;
    let keys = authorized_keys(args)?;
    let (dists, _) = places()?;
    let project = Project::find(project)?;
    let own = own_kernel(args, &project)?;
    let name = match (&own, &args.release) {
        (Some(own), _) => own.base.clone(),
        (None, Some(release)) => release_here(&dists, release),
        (None, None) => return Err(CliError::Usage("name a release".into())),
    };
    let release = match dists.find_any(&name).map_err(|error| CliError::Usage(error.to_string()))? {
        Found::Sets(release) => release,
        Found::Image(image) => {
            return Err(CliError::Usage(format!(
                "{} holds a ready image, and an image to take away is made of base.txz and kernel.txz\n  help: nlproof \
                 image fetch --release {name}",
                image.path.display()
            )));
        }
    };
    let target = target(args, own.as_deref().map_or(name.as_str(), |own| own.name.as_str()))?;
    let module = with_stages(|on_stage| module(args.module, &release, own.as_deref(), &project, on_stage))?;
    let options = ExportOptions {
        release: &release,
        kernel: own.as_deref().map(|own| &own.kernel),
        module: module.as_ref().map(|(module, _)| module.clone()),
        hostname: args.hostname.clone(),
        user: args.user.clone(),
        keys,
        console: args.console,
        small: args.small,
        size: args.size,
    };
    let provenance = make(&options, args, tool.as_ref(), module.map(|(_, record)| record), &target)?;
    say!("{}: exported in {:.1} s", target.display(), started.elapsed().as_secs_f64());
    say!("  file    {} of {}", provenance.format, HumanBytes(provenance.bytes));
    say!("          sha256:{}", provenance.sha256);
    say!("  disk    {}", HumanBytes(provenance.disk_bytes));
    say!("          sha256:{}", provenance.disk_sha256);
    say!("  kernel  {}", provenance.kernel.version);
    if let Some(module) = &provenance.module {
        say!("  module  {} ({}); verification {}", module.name, module.mode, module.verdict);
    }
    say!("  user    {}, by {}", provenance.user, provenance.authorized_keys.join(", "));
    say!("  made of {}", Provenance::beside(&target).display());
    Ok(ExitCode::OK)
}

/// The keys that may log in.
fn authorized_keys(args: &ImageExportArgs) -> Result<AuthorizedKeys, CliError> {
    let keys = if args.authorized_key.is_empty() {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let none =
            || CliError::Usage("HOME is not set\n  help: --authorized-key FILE names a public key".into());
        AuthorizedKeys::of_user(&home.ok_or_else(none)?)
    } else {
        AuthorizedKeys::read(&args.authorized_key)
    };
    keys.map_err(|error| CliError::Usage(error.to_string()))
}

fn own_kernel(args: &ImageExportArgs, project: &Project) -> Result<Option<Arc<OwnRelease>>, CliError> {
    if args.kernel.is_none() && args.src.is_none() {
        return Ok(None);
    }
    let own = OwnArgs {
        kernel: args.kernel.iter().map(|path| path.display().to_string()).collect(),
        src: args.src.as_ref().map(|path| path.display().to_string()),
        profile: Vec::new(),
    };
    let kernel = KernelArgs { own, source: args.source.clone() };
    let bases: Vec<String> = args.release.iter().cloned().collect();
    let matrix = project.matrix()?;
    let mut found = own_cells(&kernel, &bases, &matrix, &project.modules()?)?;
    Ok(found.pop().map(|own| own.release))
}

/// The file to be written. One that is there is replaced only where the user says so.
fn target(args: &ImageExportArgs, name: &str) -> Result<PathBuf, CliError> {
    let target = args.output.clone().unwrap_or_else(|| format!("{name}.{}", args.format.extension()).into());
    for path in [target.clone(), Provenance::beside(&target)] {
        if path.is_dir() {
            let file = format!("{name}.{}", args.format.extension());
            return Err(CliError::Usage(format!(
                "{} is a directory\n  help: name a file: -o {}",
                path.display(),
                path.join(file).display()
            )));
        }
        if path.symlink_metadata().is_ok() && !args.force {
            return Err(CliError::Usage(format!(
                "{} is there already\n  help: name another file with -o, or replace it with --force",
                path.display()
            )));
        }
    }
    let parent = parent(&target);
    if !parent.is_dir() {
        return Err(CliError::Usage(format!(
            "{} is no directory, and {} cannot be written to it",
            parent.display(),
            target.display()
        )));
    }
    Ok(target)
}

fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| ".".into(), Path::to_owned)
}

/// Builds and verifies the module.
fn module(
    which: ExportModule,
    release: &ReleaseDir,
    own: Option<&OwnRelease>,
    project: &Project,
    on_stage: &mut OnStage<'_>,
) -> Result<Option<Module>, CliError> {
    let (mode, settings) = match which {
        ExportModule::None => return Ok(None),
        ExportModule::Rust => ("replace", ""),
        ExportModule::Observe => ("observe", "net.netlink.nlproof.mode=\"observe\"\n"),
    };
    let prepared =
        prepare_module(release, own, &project.module_options(false)?, interrupt::tasks().cancel(), on_stage)
            .map_err(open_error)?;
    let record = ModuleRecord {
        name: MODULE.to_owned(),
        mode: mode.to_owned(),
        sha256: Sha256::of(&prepared.bytes),
        verdict: prepared.verdict(),
    };
    let module =
        LoaderModule { name: MODULE.to_owned(), bytes: prepared.bytes, settings: settings.to_owned() };
    Ok(Some((module, record)))
}

/// Makes image and provenance in a directory beside the target, and moves them there when both are whole.
fn make(
    options: &ExportOptions<'_>,
    args: &ImageExportArgs,
    tool: Option<&QemuImg>,
    module: Option<ModuleRecord>,
    target: &Path,
) -> Result<Provenance, CliError> {
    let unwritten = |error: io::Error| CliError::Output { what: target.display().to_string(), error };
    let failed = |error: ImageError| failed(error, target);
    let work = work_directory_in(&parent(target)).map_err(unwritten)?;
    let cancel = interrupt::tasks().cancel();
    let (exported, file, (sha256, bytes)) = with_stages(|on_stage| {
        let mut progress = |progress: Progress| {
            let bytes = BytesProgress { done: progress.bytes_done, total: progress.bytes_total };
            on_stage(&progress.stage.to_string(), (bytes.total > 0).then_some(bytes));
        };
        let exported = export(options, work.path(), cancel, &mut progress)?;
        let file = match tool {
            None => exported.disk.clone(),
            Some(tool) => {
                on_stage(&format!("convert to {}", args.format), None);
                let file = work.path().join("converted");
                tool.convert(&exported.disk, args.format, &args.user, &file, cancel)?;
                file
            }
        };
        // A raw image has been read already.
        let measured = match tool {
            None => (exported.disk_sha256, exported.disk_bytes),
            Some(_) => {
                on_stage("digest", None);
                Provenance::measure(&file, cancel)?
            }
        };
        Ok((exported, file, measured))
    })
    .map_err(failed)?;
    let Exported { disk_sha256, disk_bytes, kernel, freebsd_version, inputs, .. } = exported;
    let provenance = Provenance {
        schema: PROVENANCE_SCHEMA,
        nlproof: env!("CARGO_PKG_VERSION").to_owned(),
        file: target.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        format: args.format,
        sha256,
        bytes,
        disk_sha256,
        disk_bytes,
        release: options.release.name.clone(),
        freebsd_version,
        kernel,
        inputs,
        module,
        hostname: options.hostname.clone(),
        user: options.user.clone(),
        authorized_keys: options.keys.fingerprints(),
        console: options.console.to_string(),
        small: options.small,
    };
    let json = json_file(&provenance).map_err(|error| unwritten(error.into()))?;
    std::fs::rename(&file, target).map_err(unwritten)?;
    let beside = Provenance::beside(target);
    write_whole(&beside, &json).map_err(CliError::unwritten(&beside))?;
    Ok(provenance)
}

fn failed(error: ImageError, target: &Path) -> CliError {
    match error {
        ImageError::Cancelled => CliError::Interrupted,
        ImageError::DiskFull { needed, free, .. } => CliError::Build(
            format!(
                "{}: not enough space: about {} needed, {} free\n  help: make room, or name a file elsewhere with -o",
                target.display(),
                HumanBytes(needed),
                HumanBytes(free)
            )
            .into(),
        ),
        error @ ImageError::TooSmall { .. } => CliError::Usage(format!("{error}\n  help: a larger --size")),
        error @ ImageError::MakefsMissing { .. } => CliError::NothingRan(error.to_string()),
        error => CliError::Build(error.into()),
    }
}

/// Holds an image against what was written down when it was made.
pub(super) fn check(args: &CheckImageArgs) -> Result<ExitCode, CliError> {
    let wrong = |error: ImageError| match error {
        ImageError::Cancelled => CliError::Interrupted,
        error => CliError::Usage(format!(
            "{error}\n  help: nlproof image export writes FILE.provenance.json beside its images; keep both together"
        )),
    };
    let provenance = Provenance::read(&args.file).map_err(wrong)?;
    let different = provenance.check(&args.file, interrupt::tasks().cancel()).map_err(wrong)?;
    let (dists, _) = places()?;
    say!(
        "{}: {} of {}, by nlproof {}",
        args.file.display(),
        provenance.format,
        provenance.release,
        provenance.nlproof
    );
    for input in &provenance.inputs {
        say!("  made of {} sha256:{}", input.file, input.sha256);
    }
    if let Some(module) = &provenance.module {
        say!("  module  {} ({}) sha256:{}", module.name, module.mode, module.sha256);
        say!("          verification {}", module.verdict);
    }
    say!("  disk    sha256:{}", provenance.disk_sha256);
    if provenance.format != Format::Raw && !provenance.format.is_reproducible() {
        say!(
            "  note    a second {} of this disk differs: qemu-img gives it an identifier by chance",
            provenance.format
        );
    }
    // Another release directory of that name is no fault of the image.
    match dists.find_any(&provenance.release) {
        Ok(Found::Sets(release)) => match &provenance.other_inputs(&release)[..] {
            [] => say!("  release {} here has the same files", provenance.release),
            others => others.iter().for_each(|other| say!("  release differs here: {other}")),
        },
        _ => say!("  release {} is not here to be compared", provenance.release),
    }
    if different.is_empty() {
        say!("the image is as it was made");
        return Ok(ExitCode::OK);
    }
    different.iter().for_each(|difference: &Difference| tell!("error: {difference}"));
    tell!("error: {} is not what was exported", args.file.display());
    Ok(ExitCode::COMPARISON)
}
