// SPDX-License-Identifier: BSD-2-Clause
//! `run --record` and `repro --record`: a vector in a guest whose every instruction can be come to again.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nlproof_agent::Batch;

use super::args::{AccelArg, GuestArgs};
use super::conversation::one;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::replay_progress::{Progress, patience};
use super::targets::{Targets, open_error, open_freebsd_shown};
use crate::file::{Limit, read};
use crate::matrix::{Cell, TargetKind};
use crate::replay::{Died, Disk, Instructions, Kept, QemuKept, Recording, Replayer, SCHEMA, find_death};
use crate::targets::{FreebsdTarget, RecordingPlace, Target as _};
use crate::vector::Vector;
use crate::vm::{AcceleratorKind, Recorder, Tools, VmConfig, log_version};

/// What QEMU says on standard error when its log finds no room.
const LOG_FULL: &str = "replay write error";

/// What a recording is made with.
pub(super) struct ToRecord<'a> {
    pub(super) project: &'a Project,
    pub(super) targets: &'a Targets,
    pub(super) guest: &'a GuestArgs,
    pub(super) raw: bool,
}

/// The directory for a report's problem: `REPORT/recorded/CELL.VECTOR`.
pub(super) fn place_in_report(what: &str, cell: &Cell, vector: &str) -> Result<PathBuf, CliError> {
    let Some((report, _)) = what.rsplit_once('#') else {
        let help = format!("nlproof run {vector} --record DIR names a directory");
        let text = format!("{what} is no problem of a report in whose directory a recording could be kept");
        return Err(CliError::Usage(format!("{text}\n  help: {help}")));
    };
    let report = Path::new(report);
    let directory = if report.is_file() { report.parent().unwrap_or(Path::new(".")) } else { report };
    Ok(directory.join("recorded").join(format!("{}.{vector}", cell.name()).replace('/', "-")))
}

impl ToRecord<'_> {
    /// Runs the vector in a recorded guest.
    pub(super) fn record(
        &self,
        cell: &Cell,
        vector: &Vector,
        directory: &Path,
    ) -> Result<ExitCode, CliError> {
        if let Some(why) = not_recorded(cell, vector, self.guest) {
            return Err(CliError::Usage(why));
        }
        let tools = Tools::find(std::env::current_exe().unwrap_or_default());
        let tools = tools.map_err(|error| CliError::NothingRan(error.to_string()))?;
        let recorder = Recorder::ask(&tools).map_err(|error| CliError::NothingRan(error.to_string()))?;
        make(directory)?;
        let place = RecordingPlace::new(directory);
        let opened = open_freebsd_shown(&self.targets.recorded_in(place.clone()), cell);
        let mut target = match opened {
            Ok(target) => target,
            Err(error) => {
                // Nothing was asked of that guest.
                drop(fs::remove_dir_all(directory));
                return Err(open_error(error));
            }
        };
        let begin = target.instructions().map_err(|error| CliError::Guest(error.into()))?;
        let outcome = one(self.project, &mut target, Some(cell), vector, self.raw);
        let end = target.instructions().ok();
        let words = target.vm().last_words().to_owned();
        if words.is_empty() && !interrupt::tasks().is_cancelled() {
            // The log goes on behind the vector then: a replay that runs its last instruction ends before it can be looked at.
            // A guest that is lost here has told all that was asked of it.
            drop(target.run(&Batch { programs: Vec::new() }, &mut |_| ()));
        }
        let (exit, said) = target.end_in_order().map_err(|error| CliError::Guest(error.into()))?;
        if said.contains(LOG_FULL) {
            drop(fs::remove_dir_all(directory));
            let text = format!("{}: the log found no room: {said}", place.log().display());
            return Err(CliError::Guest(
                format!("{text}\n  help: make room there, or name another directory").into(),
            ));
        }
        let log_version = log_version(&place.log())
            .map_err(|error| CliError::Guest(format!("{error}; qemu ended with {exit}: {said}").into()))?;
        let qemu = QemuKept { version: recorder.version, log_version, command: Vec::new() };
        let mut recording = kept(&target, &place, self.guest, cell, vector, qemu)?;
        recording.instructions = Instructions { begin, end: end.filter(|_| words.is_empty()) };
        recording.outcome = in_words(&outcome, &words);
        drop(target);
        recording.write(directory)?;
        let interrupted = interrupt::tasks().is_cancelled();
        if !words.is_empty() && !interrupted {
            recording.died = self.find(&recording, directory, &tools)?;
            recording.write(directory)?;
        }
        told(&recording, directory);
        outcome
    }

    /// Replays once, to find the instruction of which the kernel died.
    fn find(&self, recording: &Recording, directory: &Path, tools: &Tools) -> Result<Option<Died>, CliError> {
        let Some(kernel) = &recording.kernel_file else {
            tell!("where the kernel died is not looked for: its file, with its symbols, is not here");
            return Ok(None);
        };
        let kernel = read(kernel, Limit::OBJECT)?;
        let tasks = interrupt::tasks();
        let replayer = Replayer {
            machine: recording.machine(directory),
            tools,
            patience: patience(self.guest.timeout_factor),
            tasks,
        };
        let begin = recording.instructions.begin;
        let mut progress = Progress::new("replay to find where the kernel died".into(), begin);
        let found = replayer.visit(begin, &mut |now| progress.at(now)).and_then(|(mut replay, _)| {
            tasks.drive(find_death(&mut replay, &kernel, &mut |now| progress.at(now)))
        });
        match &found {
            Ok(None) => tell!("a replay does not come to the function in which a kernel dies"),
            Err(error) if !tasks.is_cancelled() => tell!("where the kernel died was not found: {error}"),
            Ok(Some(_)) | Err(_) => {}
        }
        Ok(found.ok().flatten())
    }
}

/// Why nothing is recorded, with what helps.
fn not_recorded(cell: &Cell, vector: &Vector, guest: &GuestArgs) -> Option<String> {
    if cell.target != TargetKind::Freebsd {
        let why = "the simulator runs no instructions of a guest: it answers the same each time";
        return Some(format!("{}: {why}\n  help: --target freebsd", cell.name()));
    }
    if guest.accel == AccelArg::Kvm {
        let why = "--accel kvm runs the guest on the processor itself, where nobody counts its instructions";
        return Some(format!("{why}\n  help: leave it out: guests are recorded under TCG"));
    }
    if guest.cpus != 1 {
        let why = format!(
            "--cpus {}: QEMU records one processor: of several, the order of their accesses is chance",
            guest.cpus
        );
        return Some(format!("{why}\n  help: leave --cpus out"));
    }
    (!vector.needs.hardware.is_empty()).then(|| {
        let why = "needs network cards that are plugged while it runs, and what is plugged is not in QEMU's log; virtio's stand \
                   still in a replay";
        format!("{} {why}\n  help: nlproof repro --keep or --gdb looks at it in another way", vector.id)
    })
}

/// Makes the directory, for its owner alone. One that is there may be somebody's recording.
fn make(directory: &Path) -> Result<(), CliError> {
    let parents = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    parents.map_or(Ok(()), fs::create_dir_all).map_err(CliError::unwritten(directory))?;
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CliError::Usage(format!(
            "{} is there already, and stays as it is: a recording, or one that is being made\n  help: name another directory, \
             or remove this one",
            directory.display()
        ))),
        Err(error) => Err(CliError::unwritten(directory)(error)),
    }
}

/// What is known once QEMU has ended.
fn kept(
    target: &FreebsdTarget,
    place: &RecordingPlace,
    guest: &GuestArgs,
    cell: &Cell,
    vector: &Vector,
    qemu: QemuKept,
) -> Result<Recording, CliError> {
    let disk = |path: PathBuf| Kept::of(&path).map(|contents| Disk { path, contents });
    let (root, kernel) = target.disks();
    let facts = target.facts();
    let fact =
        |name: &str| facts.known.iter().find(|fact| fact.label() == name).map(|fact| fact.text().to_string());
    let mut recording = Recording {
        schema: SCHEMA.to_owned(),
        vector: vector.id.clone(),
        cell: cell.name(),
        outcome: String::new(),
        kernel_sha256: facts.kernel.as_ref().map(|kernel| kernel.sha256.clone()).unwrap_or_default(),
        kernel_file: target.kernel_path(),
        module: fact("module"),
        qemu,
        memory_mib: guest.memory.unwrap_or(crate::targets::MEMORY_MIB),
        root_disk: disk(root)?,
        kernel_disk: kernel.map(disk).transpose()?,
        log: Kept::of(&place.log())?,
        seed: Kept::of(&place.seed())?,
        console: Kept::of(&place.console())?,
        instructions: Instructions { begin: 0, end: None },
        died: None,
    };
    recording.qemu.command = command(&recording.machine(place.directory()).config());
    Ok(recording)
}

/// The arguments of a replay by hand.
fn command(config: &VmConfig) -> Vec<String> {
    let line = crate::vm::CommandLine {
        accelerator: AcceleratorKind::Tcg,
        qmp_socket: None,
        serial_log: Path::new("replayed.console"),
    };
    config.arguments(line).iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// What became of the vector.
fn in_words(outcome: &Result<ExitCode, CliError>, words: &str) -> String {
    let panic = words.lines().find(|line| line.starts_with("panic: ")).or_else(|| words.lines().next());
    match (panic, outcome) {
        (Some(panic), _) => panic.trim().to_owned(),
        (None, Ok(ExitCode::OK)) => "as expected".to_owned(),
        (None, Ok(ExitCode::COMPARISON)) => "not as expected".to_owned(),
        (None, Ok(code)) => format!("exit code {}", code.number()),
        (None, Err(error)) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

fn told(recording: &Recording, directory: &Path) {
    let Instructions { begin, end } = recording.instructions;
    say!(
        "recorded in {}: a log of {} bytes, by QEMU {}",
        directory.display(),
        recording.log.bytes,
        recording.qemu.version
    );
    match end {
        Some(end) => say!("  the vector: from instruction {begin} to {end}"),
        None => say!("  the vector: from instruction {begin} on"),
    }
    if let Some(died) = &recording.died {
        let place = died.place.as_deref().unwrap_or(&died.address);
        say!(
            "  the kernel died at instruction {}, {place}, and entered {} at {}",
            died.instruction,
            died.function,
            died.entered
        );
    }
    say!("  nlproof replay {}", directory.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_never_written_into_what_is_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let new = directory.path().join("a/b");
        make(&new).unwrap();
        assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
        let error = make(&new).unwrap_err().to_string();
        assert!(error.contains("is there already, and stays as it is"), "{error}");
    }

    #[test]
    fn a_guest_that_qemu_does_not_record_is_told_with_the_reason() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            guest: GuestArgs,
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let suite = crate::vector::load_suite(&root.join("vectors")).unwrap();
        let vector = |id: &str| suite.vectors.iter().find(|vector| vector.id == id).unwrap();
        let cells = crate::matrix::load_matrix(&root.join("matrix.yaml")).unwrap().cells;
        let cell = |target| cells.iter().find(|cell| cell.target == target).unwrap();
        let why = |target, id: &str, args: &[&str]| {
            let line = <Line as clap::Parser>::parse_from([&["x"], args].concat());
            not_recorded(cell(target), vector(id), &line.guest)
        };
        let (freebsd, lo) = (TargetKind::Freebsd, "link/create-lo");
        assert_eq!(why(freebsd, lo, &[]), None);
        for (target, id, args, said) in [
            (freebsd, lo, &["--accel", "kvm"][..], "where nobody counts its instructions"),
            (freebsd, lo, &["--cpus", "2"], "QEMU records one processor"),
            (freebsd, "hardware/plug-e1000", &[], "is not in QEMU's log"),
            (TargetKind::Sim, lo, &[], "the simulator runs no instructions"),
        ] {
            let text = why(target, id, args).unwrap();
            assert!(text.contains(said) && text.contains("\n  help: "), "{text}");
        }
    }

    #[test]
    fn what_became_of_a_vector_is_one_line() {
        assert_eq!(in_words(&Ok(ExitCode::OK), "Fatal trap 12\npanic: page fault\n"), "panic: page fault");
        assert_eq!(in_words(&Ok(ExitCode::COMPARISON), ""), "not as expected");
        assert_eq!(in_words(&Err(CliError::Interrupted), ""), "interrupted");
    }
}
