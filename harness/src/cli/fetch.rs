// SPDX-License-Identifier: BSD-2-Clause
//! `image fetch`, and the downloads of `test-matrix --fetch`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use nlproof_base::ReleaseName;
use nlproof_image::{
    Dists, FetchError, FetchEvent, Fetched, Fetcher, How, ImageError, Limits, Pins, Sets, VmImages,
};

use super::args::{FetchArgs, ProjectArgs};
use super::directories::places;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{is_watched, progress_target, say, tell};
use super::project::Project;
use crate::file::nearest;
use crate::releases::{Release, Releases, newest_of};

/// Sets that an image is made of.
pub(super) const NEEDED: [&str; 2] = ["base.txz", "kernel.txz"];
/// Set that a module needs besides.
const SOURCES: &str = "src.txz";

pub(super) fn main(project: &ProjectArgs, args: &FetchArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let (dists, _) = places()?;
    let releases = project.releases()?;
    let mut store = Store::open(&project.root, &dists)?;
    // All names are looked at before anything is fetched.
    let wanted: Vec<Release> =
        args.release.iter().map(|name| known(name, &releases, &args.mirror)).collect::<Result<_, _>>()?;
    for mut release in wanted {
        for mirror in args.mirror.iter().rev() {
            let own = format!("{}/{}", mirror.trim_end_matches('/'), release.name);
            release.sets.insert(0, own.clone());
            release.images.insert(0, own);
        }
        let what = match (args.image, &args.sets[..]) {
            (true, _) => What::Image,
            (false, []) => What::Sets([NEEDED[0], NEEDED[1], SOURCES].map(str::to_owned).to_vec()),
            (false, sets) => What::Sets(sets.to_vec()),
        };
        let how = Freshness { refresh: args.refresh, repin: args.lock };
        let fetched = store.fetch(&release, &what, how)?;
        shown(&release, &fetched, &store.pins, args.lock);
        if args.lock {
            for file in fetched.files.iter().filter(|file| file.name != "MANIFEST") {
                store.pins.set(&release.name, &file.name, file.sha256, file.bytes);
            }
            store.pins.save().map_err(|error| match error {
                FetchError::Image(ImageError::Io { path, source, .. }) => {
                    CliError::Output { what: path.display().to_string(), error: source }
                }
                error => failed(error),
            })?;
            say!("  pinned in {}", store.pins.path().display());
        }
    }
    Ok(ExitCode::OK)
}

/// The release that the user means. With mirrors of his own it need not be in the table.
fn known(wanted: &str, releases: &Releases, mirrors: &[String]) -> Result<Release, CliError> {
    if let Some(release) = newest_of(wanted, releases.names()).and_then(|name| releases.get(name)) {
        if release.name != wanted {
            tell!("{wanted}: {} is the newest", release.name);
        }
        return Ok(release.clone());
    }
    if let Err(error) = wanted.parse::<ReleaseName>() {
        return Err(CliError::Usage(error.to_string()));
    }
    if mirrors.is_empty() {
        let names: Vec<_> = releases.names().collect();
        return Err(CliError::Usage(format!(
            "no release `{wanted}` in releases.yaml\n  help: {}known: {}; --mirror URL fetches others, and a row in \
             releases.yaml makes one known",
            nearest(wanted, names.iter().copied())
                .map_or(String::new(), |near| format!("did you mean `{near}`? ")),
            names.join(", ")
        )));
    }
    let branch = wanted.split(['.', '-']).next().unwrap_or_default().to_owned();
    let support = crate::releases::Support::Soft;
    Ok(Release { name: wanted.to_owned(), branch, support, sets: vec![], images: vec![] })
}

fn shown(release: &Release, fetched: &Fetched, pins: &Pins, pinning: bool) {
    say!("{}: {}", release.name, fetched.dir.display());
    for file in &fetched.files {
        let how = match file.how {
            How::There => "was there",
            How::Downloaded => "downloaded",
        };
        say!("  {:<10} {:>10}  sha256:{}  {how}", file.name, HumanBytes(file.bytes).to_string(), file.sha256);
    }
    if !pinning && !pins.knows(&release.name) {
        tell!("note: nothing pins {}: its mirror alone vouches for it; --lock pins it", release.name);
    }
}

/// The wanted parts of a release.
pub(super) enum What {
    /// The named distribution sets.
    Sets(Vec<String>),
    /// The ready VM image.
    Image,
}

/// Which of the existing files count.
#[derive(Clone, Copy, Default)]
pub(super) struct Freshness {
    /// The mirror is asked for its MANIFEST again.
    pub(super) refresh: bool,
    /// Pins are ignored, because they are about to be written.
    pub(super) repin: bool,
}

/// Where releases are fetched to.
pub(super) struct Store {
    root: PathBuf,
    pub(super) pins: Pins,
}

impl Store {
    /// The first directory in which releases are looked for, and the pins of this project.
    pub(super) fn open(project: &Path, dists: &Dists) -> Result<Self, CliError> {
        let root = dists.search.first().cloned().ok_or_else(|| {
            CliError::Usage("neither NLPROOF_DISTS nor HOME is set: there is no place for releases".into())
        })?;
        let pins = Pins::load(&project.join("releases.lock")).map_err(failed)?;
        Ok(Self { root, pins })
    }

    /// Fetches a release and shows the progress.
    pub(super) fn fetch(&self, release: &Release, what: &What, how: Freshness) -> Result<Fetched, CliError> {
        let live = is_watched();
        let bar = ProgressBar::with_draw_target(Some(0), progress_target());
        if let Ok(style) = ProgressStyle::with_template(
            "{spinner} {elapsed:>4} {msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ) {
            bar.set_style(style.progress_chars("=> "));
        }
        let said = RefCell::new(HashSet::new());
        let once = |text: String| {
            if !live && said.borrow_mut().insert(text.clone()) {
                tell!("{text}");
            }
        };
        let mut on_event = |event: FetchEvent<'_>| match event {
            FetchEvent::Wait => {
                bar.set_message(format!("{}: another fetch is at it", release.name));
                once(format!("{}: wait for another fetch", release.name));
            }
            FetchEvent::Bytes { file, done, total } => {
                bar.set_message(format!("{} {file}", release.name));
                bar.set_length(total.unwrap_or(0));
                bar.set_position(done);
                once(format!("{}: fetch {file} ({})", release.name, HumanBytes(total.unwrap_or(0))));
            }
            FetchEvent::Verify { file } => bar.set_message(format!("{}: verify {file}", release.name)),
            FetchEvent::Note(text) => bar.suspend(|| tell!("note: {text}")),
            _ => {}
        };
        let tasks = interrupt::tasks();
        let mut fetcher = Fetcher::new(Limits::default(), tasks.cancel(), &mut on_event);
        let fetched = match what {
            What::Sets(files) => {
                let files: Vec<&str> = files.iter().map(String::as_str).collect();
                let (mirrors, Freshness { refresh, repin }) = (&release.sets, how);
                let sets =
                    Sets { release: &release.name, mirrors, files: &files, pins: &self.pins, refresh, repin };
                tasks.drive(sets.fetch(&self.root, &mut fetcher))
            }
            What::Image => {
                let (mirrors, repin) = (&release.images, how.repin);
                let images = VmImages { release: &release.name, mirrors, pins: &self.pins, repin };
                tasks.drive(images.fetch(&self.root, &mut fetcher))
            }
        };
        bar.finish_and_clear();
        fetched.map_err(failed)
    }
}

fn failed(error: FetchError) -> CliError {
    match error {
        FetchError::Image(ImageError::Cancelled) => CliError::Interrupted,
        error @ FetchError::Cancelled { .. } => {
            tell!("{error}");
            CliError::Interrupted
        }
        error @ FetchError::Lock { .. } => CliError::Usage(error.to_string()),
        error => CliError::Build(error.into()),
    }
}
