// SPDX-License-Identifier: BSD-2-Clause
//! `image build`, `list`, `rm` and `gc`.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration};
use nlproof_base::{ReleaseName, counted};
use nlproof_image::{Cache, CacheEntry, Dists, Found, ImageError, Interrupted};

use super::args::{ImageArgs, ImageCommand, ProjectArgs};
use super::default_cell::release_here;
use super::directories::{cache_directory, places};
use super::exit::{CliError, ExitCode};
use super::export_image;
use super::fetch;
use super::out::say;
use super::project::Project;
use super::stages::with_stages;
use super::targets::{cache_limit, open_error, plain_guests};
use crate::targets::{FreebsdTarget, Victim, over_limit, remove_victim, saved_guests, unwanted_guests};

/// Fewest digits of a key that may name an image; fewer match by accident.
const SHORTEST_KEY: usize = 4;
/// Age after which an interrupted download is not expected to be resumed.
const KEPT_DOWNLOAD: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an image that only some runs ask for is kept after the last of them.
const KEPT_UNUSED: Duration = KEPT_DOWNLOAD;

pub(super) fn main(project: &ProjectArgs, args: &ImageArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ImageCommand::Fetch(args) => fetch::main(project, args),
        ImageCommand::Build { release, stock_rc, kmod } => build_one(project, release, *stock_rc, kmod),
        ImageCommand::Export(args) => export_image::export_one(project, args),
        ImageCommand::Check(args) => export_image::check(args),
        ImageCommand::List => list(),
        ImageCommand::Rm { images } => remove(images),
        ImageCommand::Gc { all, dry_run } => collect(project, *all, *dry_run),
    }
}

fn build_one(
    project: &ProjectArgs,
    release: &str,
    stock_rc: bool,
    kmods: &[String],
) -> Result<ExitCode, CliError> {
    let (dists, _) = places()?;
    let project = Project::find(project)?.with_modules(kmods);
    let options = plain_guests(stock_rc, &project)?;
    let release = &release_here(&dists, release);
    dists.find_any(release).map_err(|error| CliError::Usage(error.to_string()))?;
    let started = Instant::now();
    let image =
        with_stages(|on_stage| FreebsdTarget::image(release, &options, on_stage)).map_err(open_error)?;
    let how = if image.cached { "found in the cache" } else { "built" };
    say!("{release}: {how} in {:.2} s", started.elapsed().as_secs_f64());
    say!("  disk    {} ({})", image.disk().display(), HumanBytes(image.info.disk_bytes));
    say!("          sha256:{}", image.info.disk_sha256);
    say!("  kernel  sha256:{}", image.info.kernel.sha256);
    for input in &image.info.inputs {
        say!("  from    {} sha256:{}", input.file, input.sha256);
    }
    Ok(ExitCode::OK)
}

fn list() -> Result<ExitCode, CliError> {
    let (dists, cache) = places()?;
    list_releases(&dists)?;
    let entries = cache.list().map_err(|error| CliError::Build(error.into()))?;
    for entry in &entries {
        say!(
            "{:<20} {:>10}  {}  kernel sha256:{:.12}",
            entry.image.info.release,
            HumanBytes(entry.bytes).to_string(),
            entry.key,
            entry.image.info.kernel.sha256.to_string(),
        );
        say!("{:<20} {:>10}  disk sha256:{}", "", "", entry.image.info.disk_sha256);
        if !entry.image.info.modules.is_empty() {
            say!("{:<20} {:>10}  modules {}", "", "", entry.image.info.modules.join(" "));
        }
        if let Some(module) = &entry.image.info.loader_module {
            say!("{:<20} {:>10}  loads {} sha256:{:.12}", "", "", module.file, module.sha256.to_string());
        }
        for input in &entry.image.info.inputs {
            say!("{:<20} {:>10}  from {} sha256:{:.12}", "", "", input.file, input.sha256.to_string());
        }
    }
    let (saved, bytes) = saved_guests(&cache_directory()?, false);
    if saved > 0 {
        say!(
            "{}, {}; nlproof image gc removes those that no run will ask for",
            counted(saved, "saved guest"),
            HumanBytes(bytes)
        );
    }
    if entries.is_empty() {
        say!("no images; nlproof image build RELEASE makes one");
    }
    Ok(ExitCode::OK)
}

/// The release directories, with what is in them and how much.
fn list_releases(dists: &Dists) -> Result<(), CliError> {
    let names = dists.list();
    for name in &names {
        match dists.find_any(name) {
            Ok(Found::Image(image)) => {
                say!("release {name:<20} ready image {}  {}", image.file, image.path.display());
            }
            Ok(Found::Sets(release)) => {
                let sizes = release.manifest.entries.iter().filter_map(|entry| {
                    let bytes = std::fs::metadata(release.path.join(&entry.file)).ok()?.len();
                    Some(format!("{} {}", entry.file, HumanBytes(bytes)))
                });
                let sizes: Vec<_> = sizes.collect();
                say!("release {name:<20} {}  {}", sizes.join(", "), release.path.display());
            }
            Err(error) => say!("release {name:<20} cannot be used: {error}"),
        }
    }
    for path in dists.misnamed() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(error) = name.parse::<ReleaseName>() {
            say!("not used: {}: {error}", path.display());
        }
    }
    if names.is_empty() {
        say!("no releases; nlproof image fetch --release RELEASE downloads one");
    }
    Ok(())
}

fn remove(wanted: &[String]) -> Result<ExitCode, CliError> {
    let (_, cache) = places()?;
    let entries = cache.list().map_err(failed)?;
    let matches = |entry: &CacheEntry, name: &String| {
        entry.image.info.release == *name
            || (name.len() >= SHORTEST_KEY && entry.key.starts_with(name.as_str()))
    };
    // All names are looked at before anything is removed.
    if let Some(unknown) = wanted.iter().find(|name| !entries.iter().any(|entry| matches(entry, name))) {
        return Err(CliError::Usage(format!("no image `{unknown}`\n  help: nlproof image list shows them")));
    }
    let chosen = entries.iter().filter(|entry| wanted.iter().any(|name| matches(entry, name)));
    remove_all(&cache, chosen.collect())
}

/// An image is of use as long as its release directory would be built into it again; one that only some runs ask for, as
/// long as there are such runs.
fn collect(project: &ProjectArgs, all: bool, dry_run: bool) -> Result<ExitCode, CliError> {
    let (dists, cache) = places()?;
    let entries = cache.list().map_err(failed)?;
    // Without a project nobody knows which modules are further ones.
    let ordinary = Project::find(project).and_then(|project| project.modules()).ok().map(sorted);
    let unused = |entry: &CacheEntry| {
        let age = entry.last_use().and_then(|used| used.elapsed().ok()).unwrap_or_default();
        all || age >= KEPT_UNUSED
    };
    let stale = |entry: &&CacheEntry| {
        let info = &entry.image.info;
        if let Some(base) = &info.base {
            return !entries.iter().any(|other| other.key == *base) || unused(entry);
        }
        let is_further = info.loader_module.is_some()
            || ordinary.as_ref().is_some_and(|modules| {
                !info.modules.is_empty() && info.modules.iter().any(|name| !modules.contains(name))
            });
        match dists.find_any(&info.release) {
            _ if is_further && unused(entry) => true,
            Ok(Found::Sets(release)) => info.inputs.iter().any(|input| {
                release.manifest.entry(&input.file).is_none_or(|now| now.sha256 != input.sha256)
            }),
            Ok(Found::Image(image)) => info.inputs.iter().any(|input| input.file != image.file),
            Err(ImageError::NoSuchRelease { .. }) => true,
            // A directory that cannot be read now may be mended: its image stays.
            Err(_) => false,
        }
    };
    let gone: Vec<_> = entries.iter().filter(stale).collect();
    let root = cache_directory()?;
    if dry_run {
        for entry in &gone {
            let size = HumanBytes(entry.bytes);
            say!("would remove {} {} ({size})", entry.image.info.release, entry.key);
        }
        say!("{}", would_free("image", gone.iter().map(|entry| entry.bytes)));
        say!(
            "{}",
            would_free(
                "saved guest",
                unwanted_guests(
                    &root,
                    &gone.iter().map(|entry| entry.image.dir.as_path()).collect::<Vec<_>>()
                )
                .into_iter()
            )
        );
        return collect_beyond(&root, true).map(|()| ExitCode::OK);
    }
    let (before, used) = saved_guests(&root, false);
    let code = remove_all(&cache, gone)?;
    // After the images: the guests of those that went are of no use.
    let (after, left) = saved_guests(&root, true);
    say!(
        "{} removed, {} freed",
        counted(before - after.min(before), "saved guest"),
        HumanBytes(used.saturating_sub(left))
    );
    collect_beyond(&root, false)?;
    collect_downloads(&dists, all)?;
    Ok(code)
}

fn sorted(mut modules: Vec<String>) -> Vec<String> {
    modules.sort();
    modules
}

fn would_free(what: &str, sizes: impl Iterator<Item = u64>) -> String {
    let sizes: Vec<u64> = sizes.collect();
    let bytes = HumanBytes(sizes.iter().sum());
    format!("{} would be removed, {bytes} freed", counted(sizes.len(), what))
}

/// What the cache has beyond its limit.
fn collect_beyond(root: &Path, dry_run: bool) -> Result<(), CliError> {
    let limit = cache_limit()?;
    let victims = over_limit(root, limit, None);
    for victim in &victims {
        let what = match victim {
            Victim::State { key, .. } => format!("saved guest {key:.12}"),
            Victim::KernelDisk { key, name, .. } => format!("{name} {key}"),
        };
        let verb = if dry_run { "would remove" } else { "removed" };
        say!("{verb} {what} ({}): the cache has more than {}", HumanBytes(victim.bytes()), HumanBytes(limit));
        if !dry_run {
            remove_victim(root, victim);
        }
    }
    Ok(())
}

/// Interrupted downloads can be resumed, so they stay for a while, or until the user wants otherwise.
fn collect_downloads(dists: &Dists, all: bool) -> Result<(), CliError> {
    for download in dists.interrupted() {
        let Interrupted { release, bytes, age, .. } = &download;
        let what = format!("{release}, interrupted {} ago, {}", HumanDuration(*age), HumanBytes(*bytes));
        if !all && *age < KEPT_DOWNLOAD {
            say!(
                "kept the download of {what}: nlproof image fetch --release {release} goes on from it, --all removes it"
            );
        } else if download.remove().map_err(failed)? {
            say!("removed the download of {what}");
        } else {
            say!("kept the download of {what}: it is being fetched");
        }
    }
    Ok(())
}

fn remove_all(cache: &Cache, entries: Vec<&CacheEntry>) -> Result<ExitCode, CliError> {
    let mut bytes = 0;
    for entry in &entries {
        cache.remove(entry).map_err(failed)?;
        bytes += entry.bytes;
        say!("removed {} {}", entry.image.info.release, entry.key);
    }
    say!("{} removed, {} freed", counted(entries.len(), "image"), HumanBytes(bytes));
    Ok(ExitCode::OK)
}

fn failed(error: ImageError) -> CliError {
    CliError::Build(error.into())
}
