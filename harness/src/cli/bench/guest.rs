// SPDX-License-Identifier: BSD-2-Clause
//! `bench guest`: what a guest costs, from the image's build to the whole matrix.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Body, Step};
use nlproof_base::counted;
use nlproof_wire::Os;

use super::yardstick::yardstick;
use super::{code, verdict};
use crate::cli::args::{GuestBenchArgs, ProjectArgs, VectorArgs};
use crate::cli::directories::cache_directory;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::say;
use crate::cli::project::Project;
use crate::cli::targets::{Targets, lost, open_error};
use crate::cli::test_matrix::default_jobs;
use crate::matrix::{
    Cell, CellResult, Engine, Event, ModuleKind, RunRequest, TargetKind, Timings, VectorsOfRun,
};
use crate::targets::{Fact, MEMORY_MIB};
use crate::vector::{Vector, compile};

/// The limits, in seconds, under TCG with two processors.
const IMAGE: f64 = 10.0;
const BOOT: f64 = 8.0;
const RESTORE: f64 = 0.8;
const VECTOR: f64 = 0.020;
const CELL: f64 = 8.0;
const MATRIX: f64 = 30.0;

/// The matrix that the limit is for: two releases with both modules.
const RELEASES: [&str; 2] = ["14.0-STABLE", "15.1-RELEASE"];

/// All vectors.
const EVERY: VectorArgs = VectorArgs { suite: Vec::new(), filter: Vec::new() };

/// What a run came to.
struct Ran {
    cells: Vec<CellResult>,
    /// Time from the first target's opening to the last cell's end.
    all: Duration,
    /// Time from the first vector sent to the end of the last one.
    vectors: Duration,
}

struct Bench {
    project: Project,
    targets: Targets,
    vectors: Vec<Vector>,
    /// Number of guests side by side: a user's default, which the limits are for.
    jobs: NonZeroUsize,
    kept: bool,
    lost: bool,
}

/// The vectors that are measured: a guest that is lost, as some state, costs what losses cost.
pub(super) fn measured(project: &Project) -> Result<Vec<Vector>, CliError> {
    let mut vectors = project.vectors(&EVERY)?;
    vectors.retain(|vector| vector.losses.is_empty());
    Ok(vectors)
}

/// The vectors that the limits are for: a card comes and goes at its driver's pace, which is seconds and no work of
/// nlproof's, and a vector for several processors does not run here.
fn limited(project: &Project) -> Result<Vec<Vector>, CliError> {
    let mut vectors = measured(project)?;
    vectors.retain(|vector| vector.needs.hardware.is_empty() && vector.needs.processors == 1);
    Ok(vectors)
}

/// At most so many vectors, evenly chosen.
pub(super) fn some_of(mut vectors: Vec<Vector>, count: usize) -> Vec<Vector> {
    let all = vectors.len();
    let mut place = 0..all;
    // One of each `all / count` neighbours.
    let taken = |n: usize| count >= all || n * count / all != (n + 1) * count / all;
    vectors.retain(|_| place.next().is_some_and(taken));
    vectors
}

pub(super) fn main(project: &ProjectArgs, args: &GuestBenchArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.kernel, std::slice::from_ref(&args.release))?;
    let args = &GuestBenchArgs { release: project.subject(&args.release), ..args.clone() };
    let targets = Targets::new(&args.guest, &project)?;
    let vectors = limited(&project)?;
    interrupt::tasks();
    let jobs = default_jobs(args.guest.memory.unwrap_or(MEMORY_MIB));
    let mut bench = Bench { project, targets, vectors, jobs, kept: true, lost: false };
    say!("{:<52} {:>9} {:>9} {:>6}", "measured", "seconds", "limit", "ratio");
    let before = yardstick();
    let cell = bench.cell(&args.release, ModuleKind::Stock)?;
    bench.image(&args.release)?;
    // Also what the others need: an image, a saved state, and the accelerator.
    drop(bench.targets.open(&cell, &mut |_, _| ()).map_err(open_error)?);
    bench.boot(&cell)?;
    bench.restores(&cell, args.restores)?;
    let some = usize::try_from(args.vectors).unwrap_or(usize::MAX);
    for count in [some, usize::MAX] {
        if jobs > NonZeroUsize::MIN {
            bench.cells(std::slice::from_ref(&cell), count, NonZeroUsize::MIN)?;
        }
        bench.cells(std::slice::from_ref(&cell), count, jobs)?;
    }
    if !args.no_matrix {
        let mut cells = Vec::new();
        for module in [ModuleKind::Stock, ModuleKind::Rust] {
            for release in RELEASES {
                cells.push(bench.cell(release, module)?);
            }
        }
        // The first run builds modules and saves states; it is no measurement.
        bench.run(&cells, 1, jobs)?;
        for count in [some, usize::MAX] {
            bench.cells(&cells, count, jobs)?;
        }
    }
    say!("load of this machine: {}", load());
    say!(
        "a fixed program, interpreted: {before:.2} s before, {:.2} s after; on a machine that is twice as slow at it, \
         guests are too",
        yardstick()
    );
    Ok(if bench.lost { ExitCode::GUEST } else { code(bench.kept) })
}

impl Bench {
    fn row(&mut self, what: &str, seconds: f64, limit: Option<f64>) {
        match limit {
            Some(limit) => {
                let kept = seconds <= limit;
                self.kept &= kept;
                let (share, verdict) = (seconds / limit, verdict(kept));
                say!("{what:<52} {seconds:>9.3} {limit:>9.3} {share:>6.2}  {verdict}");
            }
            None => say!("{what:<52} {seconds:>9.3}"),
        }
    }

    /// The matrix's cell of a release.
    fn cell(&self, release: &str, module: ModuleKind) -> Result<Cell, CliError> {
        let matrix = self.project.matrix()?;
        let found = matrix.cells.into_iter().find(|cell| {
            cell.target == TargetKind::Freebsd
                && cell.release.as_deref() == Some(release)
                && cell.module == module
        });
        found.ok_or_else(|| CliError::Usage(format!("the matrix has no cell freebsd/{release}/{module}")))
    }

    /// Time from release directory to disk, in an empty cache. On the cache's own disk: the system's
    /// directory for temporary files may be memory.
    fn image(&mut self, release: &str) -> Result<(), CliError> {
        let cache = cache_directory()?;
        let failed = |error| CliError::Output { what: cache.display().to_string(), error };
        std::fs::create_dir_all(&cache).map_err(failed)?;
        let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(&cache).map_err(failed)?;
        let started = Instant::now();
        let bytes = self.targets.build_image_in(directory.path(), release).map_err(open_error)?;
        self.row(
            &format!("image of {release}, {} MB, from archives", bytes / 1_000_000),
            started.elapsed().as_secs_f64(),
            Some(IMAGE),
        );
        Ok(())
    }

    fn boot(&mut self, cell: &Cell) -> Result<(), CliError> {
        let cold = self.targets.cold();
        let started = Instant::now();
        drop(cold.open(cell, &mut |_, _| ()).map_err(open_error)?);
        self.row("cold boot to the agent in place", started.elapsed().as_secs_f64(), Some(BOOT));
        Ok(())
    }

    /// Restores, each up to the first reply of the kernel to a first vector, which begins with a request: the time of commands
    /// before it would be theirs.
    fn restores(&mut self, cell: &Cell, count: u32) -> Result<(), CliError> {
        let asks_first = |vector: &&Vector| {
            vector.needs.os.contains(&Os::FreeBsd)
                && compile(vector, Os::FreeBsd, 0)
                    .is_ok_and(|program| matches!(program.steps.first(), Some(Step::Send(_))))
        };
        let vector = self.vectors.iter().find(asks_first).ok_or_else(|| {
            CliError::Usage(
                "no vector begins with a request: a restored guest cannot be asked anything".into(),
            )
        })?;
        let mut seconds = Vec::new();
        let mut fallbacks = 0;
        for _ in 0..count {
            let started = Instant::now();
            let mut target = self.targets.open(cell, &mut |_, _| ()).map_err(open_error)?;
            let program = compile(vector, target.facts().os, 0)?;
            fallbacks += target.facts().fallbacks;
            let mut first = None;
            let run = target.run(&Batch { programs: vec![program] }, &mut |record| {
                if matches!(record.body, Body::Reply { .. }) {
                    first.get_or_insert_with(|| started.elapsed());
                }
            });
            run.map_err(lost)?;
            let first = first.ok_or_else(|| CliError::Guest("a restored guest gave no reply".into()))?;
            seconds.push(first.as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let middle = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
        let longest = seconds.last().copied().unwrap_or_default();
        self.row(&format!("restore to first reply, middle of {count}"), middle, Some(RESTORE));
        self.row("restore to first reply, longest", longest, None);
        say!("{:<52} {fallbacks:>9} {:>9}", "restores that fell back to a boot", 0);
        self.lost |= fallbacks > 0;
        Ok(())
    }

    /// Runs at most `most` vectors, evenly chosen, in each cell, with at most `jobs` guests side by side.
    fn cells(&mut self, cells: &[Cell], most: usize, jobs: NonZeroUsize) -> Result<(), CliError> {
        let Ran { cells: results, all: duration, vectors } = self.run(cells, most, jobs)?;
        let ran = results.iter().map(|result| result.vectors.len()).max().unwrap_or_default();
        let some = most < usize::MAX;
        if let [result] = results.as_slice() {
            let each = vectors.as_secs_f64() / f64::from(u32::try_from(ran.max(1)).unwrap_or(u32::MAX));
            // The limits are for what a user has: as many guests as there are processors. Two that share a cell halve
            // the time between one vector's end and the next one's, not what one takes.
            let with = match jobs.get() {
                1 => "one guest".to_owned(),
                _ => {
                    let guests = result.facts.iter().find_map(|fact| match fact {
                        Fact::Guests(count) => Some(format!("{count} guests")),
                        _ => None,
                    });
                    guests.unwrap_or_else(|| "one guest (no other was worth while)".to_owned())
                }
            };
            let for_users = jobs == self.jobs;
            let limit = |limit: f64| for_users.then_some(limit);
            self.row(
                &format!("each of {} with its jail, {with}", counted(ran, "vector")),
                each,
                limit(VECTOR),
            );
            let name = format!("{}, {}, {with}", result.cell.name(), counted(ran, "vector"));
            self.row(&name, duration.as_secs_f64(), limit(CELL).filter(|_| some));
        } else {
            let name = format!("{} of {}", counted(results.len(), "cell"), counted(ran, "vector"));
            self.row(&name, duration.as_secs_f64(), some.then_some(MATRIX));
        }
        for result in &results {
            if let Some((what, reason)) = result.status.failure() {
                say!("  {}: {what}: {reason}", result.cell.name());
                self.lost = true;
            }
            let counts = result.counts();
            if counts.passed < result.vectors.len() {
                say!(
                    "  {}: {} of {} passed",
                    result.cell.name(),
                    counts.passed,
                    counted(result.vectors.len(), "vector")
                );
            }
        }
        Ok(())
    }

    fn run(&self, cells: &[Cell], count: usize, jobs: NonZeroUsize) -> Result<Ran, CliError> {
        let chosen = some_of(limited(&self.project)?, count);
        let goldens = self.project.goldens();
        let divergences = self.project.divergences()?;
        let engine = Engine {
            open: &|place, on_stage| self.targets.open_at(place, on_stage),
            goldens: &goldens,
            divergences: &divergences,
            timings: &Timings::load(&cache_directory()?),
            follow_stock: false,
            raw: None,
            jobs,
            tasks: interrupt::tasks(),
        };
        let started = Instant::now();
        let (mut first, mut last) = (None, started);
        let request = RunRequest { cells, vectors: &chosen, about: VectorsOfRun::default() };
        let result = engine.run(&request, &mut |event| match event {
            Event::Stage { stage: "run vectors", .. } => drop(first.get_or_insert_with(Instant::now)),
            Event::VectorFinished { .. } => last = Instant::now(),
            _ => {}
        })?;
        if result.interrupted {
            return Err(CliError::Interrupted);
        }
        let vectors = first.map_or(Duration::ZERO, |first| last.saturating_duration_since(first));
        Ok(Ran { cells: result.cells, all: started.elapsed(), vectors })
    }
}

/// The load average of the last minute, in the light of which the numbers have to be read.
pub(super) fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").map_or_else(
        |_| "unknown".to_owned(),
        |text| {
            let last = text.split(' ').next().unwrap_or_default().to_owned();
            let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            format!("{last} on {} in the last minute", counted(processors, "processor"))
        },
    )
}
