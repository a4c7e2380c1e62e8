// SPDX-License-Identifier: BSD-2-Clause
//! `image build` and `image list`.

use std::io::IsTerminal as _;
use std::time::Instant;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use nlproof_image::{Cache, CacheEntry, ImageError, build};

use super::args::{ImageArgs, ImageCommand};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::targets::{cache_directory, places};
use crate::target::{image_options, saved_guests};

/// Fewer digits of a key name an image only by accident.
const SHORTEST_KEY: usize = 4;

pub(super) fn main(args: &ImageArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ImageCommand::Build { release, stock_rc } => build_one(release, *stock_rc),
        ImageCommand::List => list(),
        ImageCommand::Rm { images } => remove(images),
        ImageCommand::Gc => collect(),
    }
}

fn build_one(release: &str, stock_rc: bool) -> Result<ExitCode, CliError> {
    let (dists, cache) = places()?;
    let directory = dists.find(release).map_err(|error| CliError::Usage(error.to_string()))?;
    let started = Instant::now();
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {elapsed:>4} {msg} [{bar:24}] {bytes}/{total_bytes}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    let live = std::io::stderr().is_terminal();
    // The archives are extracted side by side and take turns: a log gets one line a stage.
    let mut shown = Vec::new();
    let result = build(&directory, &image_options(stock_rc), &cache, interrupt::flag(), &mut |progress| {
        if !live && !shown.contains(&progress.stage) {
            eprintln!("{}", progress.stage);
            shown.push(progress.stage);
        }
        bar.set_message(progress.stage.to_string());
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
    });
    bar.finish_and_clear();
    let image = result.map_err(|error| match error {
        ImageError::Cancelled => CliError::Interrupted,
        error => CliError::Build(error.to_string()),
    })?;
    let how = if image.cached { "found in the cache" } else { "built" };
    say!("{release}: {how} in {:.2} s", started.elapsed().as_secs_f64());
    say!("  disk    {} ({})", image.disk().display(), HumanBytes(image.info.disk_bytes));
    say!("  kernel  sha256:{}", image.info.kernel.sha256);
    for input in &image.info.inputs {
        say!("  from    {} sha256:{}", input.file, input.sha256);
    }
    Ok(ExitCode::OK)
}

fn list() -> Result<ExitCode, CliError> {
    let (_, cache) = places()?;
    let entries = cache.list().map_err(|error| CliError::Build(error.to_string()))?;
    for entry in &entries {
        say!(
            "{:<20} {:>10}  {}  kernel sha256:{:.12}",
            entry.image.info.release,
            HumanBytes(entry.bytes).to_string(),
            entry.key,
            entry.image.info.kernel.sha256.to_string(),
        );
        for input in &entry.image.info.inputs {
            say!("{:<20} {:>10}  from {} sha256:{:.12}", "", "", input.file, input.sha256.to_string());
        }
    }
    let (count, bytes) = saved_guests(&cache_directory()?, false);
    if count > 0 {
        say!(
            "{count} saved guests, {}; nlproof image gc removes those that no run will ask for",
            HumanBytes(bytes)
        );
    }
    if entries.is_empty() {
        say!("no images; nlproof image build RELEASE makes one");
    }
    Ok(ExitCode::OK)
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

/// An image is of use as long as its release directory would be built into it again.
fn collect() -> Result<ExitCode, CliError> {
    let (dists, cache) = places()?;
    let entries = cache.list().map_err(failed)?;
    let stale =
        |entry: &&CacheEntry| match dists.find(&entry.image.info.release) {
            Ok(release) => entry.image.info.inputs.iter().any(|input| {
                release.manifest.entry(&input.file).is_some_and(|now| now.sha256 != input.sha256)
            }),
            Err(ImageError::NoSuchRelease { .. }) => true,
            // A directory that cannot be read now may be mended: its image stays.
            Err(_) => false,
        };
    let (before, used) = saved_guests(&cache_directory()?, false);
    let code = remove_all(&cache, entries.iter().filter(stale).collect())?;
    // After the images: the guests of those that went are of no use.
    let (after, left) = saved_guests(&cache_directory()?, true);
    say!(
        "{} saved guests removed, {} freed",
        before - after.min(before),
        HumanBytes(used.saturating_sub(left))
    );
    Ok(code)
}

fn remove_all(cache: &Cache, entries: Vec<&CacheEntry>) -> Result<ExitCode, CliError> {
    let mut bytes = 0;
    for entry in &entries {
        cache.remove(entry).map_err(failed)?;
        bytes += entry.bytes;
        say!("removed {} {}", entry.image.info.release, entry.key);
    }
    say!("{} images removed, {} freed", entries.len(), HumanBytes(bytes));
    Ok(ExitCode::OK)
}

fn failed(error: ImageError) -> CliError {
    CliError::Build(error.to_string())
}
