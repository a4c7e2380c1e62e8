// SPDX-License-Identifier: BSD-2-Clause
//! `image build` and `image list`.

use std::io::IsTerminal as _;
use std::time::Instant;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use nlproof_image::{ImageError, build};

use super::args::{ImageArgs, ImageCommand};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::targets::places;
use crate::target::image_options;

pub(super) fn main(args: &ImageArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ImageCommand::Build { release } => build_one(release),
        ImageCommand::List => list(),
    }
}

fn build_one(release: &str) -> Result<ExitCode, CliError> {
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
    let result = build(&directory, &image_options(), &cache, interrupt::flag(), &mut |progress| {
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
    if entries.is_empty() {
        say!("no images; nlproof image build RELEASE makes one");
    }
    Ok(ExitCode::OK)
}
