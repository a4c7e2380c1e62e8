// SPDX-License-Identifier: BSD-2-Clause
//! `qualify`: one kernel against another one, as a page for deciding and a signed bundle of the evidence.

mod check;
mod evidence;
mod inputs;
mod run;
mod side;

use std::io;
use std::path::{Path, PathBuf};

use nlproof_files::write_whole;

use super::args::{KernelArgs, OwnArgs, ProjectArgs, QualifyArgs, QualifyCommand, VectorArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::targets::Targets;
use crate::atf::Run;
use crate::coverage::Inventory;
use crate::file::{Limit, read_text};
use crate::golden::{Divergences, Store};
use crate::matrix::ModuleKind;
use crate::qualify::{
    ATF, BASELINE, BENCH, CANDIDATE, Class, Inputs, Qualification, Reports, Signer, Tests, WriteError,
    derive, doubts, write,
};
use crate::report::read_report;
use crate::vector::Vector;
use evidence::Evidence;
use side::Side;

/// The project's tests, loaded.
struct Loaded {
    vectors: Vec<Vector>,
    goldens: Store,
    divergences: Divergences,
    inventory: Inventory,
}

impl Loaded {
    fn of(project: &Project) -> Result<Loaded, CliError> {
        Ok(Loaded {
            vectors: project.vectors(&VectorArgs::default())?,
            goldens: project.goldens(),
            divergences: project.divergences()?,
            inventory: Inventory::load(&project.root.join("inventory.yaml"))?,
        })
    }

    fn tests(&self) -> Tests<'_> {
        let Loaded { vectors, goldens, divergences, inventory } = self;
        Tests { vectors, goldens, divergences, inventory }
    }
}

pub(super) fn main(project: &ProjectArgs, args: &QualifyArgs) -> Result<ExitCode, CliError> {
    if let Some(QualifyCommand::Check(args)) = &args.command {
        return check::main(project, args);
    }
    let (Some(baseline), Some(candidate)) = (&args.baseline, &args.candidate) else {
        return Err(CliError::Usage("both --baseline and --candidate are needed".into()));
    };
    let [baseline, candidate] = [Side::parse(baseline)?, Side::parse(candidate)?];
    let project =
        with_kernels(Project::find(project)?.with_modules(&args.guest.kmod), args, [&baseline, &candidate])?;
    // What is missing is told before anything runs for minutes.
    let home = std::env::home_dir();
    let signer = Signer::find(args.key.as_deref(), home.as_deref())
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let bench = args.bench.as_deref().map(|path| read_text(path, Limit::YAML)).transpose()?;
    let atf = args.atf.as_deref().map(own_tests).transpose()?.unwrap_or_default();
    let loaded = Loaded::of(&project)?;
    let wanted = project.vectors(&args.vectors)?;
    let targets = Targets::new(&args.guest, &project)?;
    let evidence = Evidence::gather(&project, [baseline, candidate], args.module == Some(ModuleKind::Rust))?;
    interrupt::tasks();
    let output = Output::begin(&args.output)?;
    let is_ours = !evidence.has_reports();
    let reports = evidence.complete(&project, &targets, &wanted, &output.directory, args)?;
    if let Some(text) = &bench {
        output.put(BENCH, text.as_bytes())?;
    }
    if !atf.is_empty() {
        let bytes = serde_json::to_vec_pretty(&atf);
        output.put(ATF, &bytes.map_err(|error| CliError::unwritten(ATF.as_ref())(error.into()))?)?;
    }
    if !is_ours {
        tell!("judge the vectors of earlier runs again");
        demand_sound(&reports, loaded.tests())?;
    }
    tell!("compare");
    let reports = Reports { bench, atf, ..reports };
    let found = derive(&reports.sources(loaded.tests()))?;
    tell!("digests of what went into it");
    let inputs = Inputs::new(inputs::all(&project, &targets, &reports)?);
    write(&output.directory, &output.archive, &found, &inputs, &signer).map_err(unwritten)?;
    show(&found);
    let size = std::fs::metadata(&output.archive).map_or(0, |meta| meta.len());
    say!("page:   {}", output.directory.join("index.html").display());
    say!("bundle: {} ({size} bytes)", output.archive.display());
    output.keep();
    Ok(code_of(&found))
}

/// FreeBSD's own tests of a report.
fn own_tests(path: &Path) -> Result<Vec<Run>, CliError> {
    let runs = read_report(path)?.atf;
    if runs.is_empty() {
        return Err(CliError::Usage(format!(
            "--atf {}: the report has none of FreeBSD's own tests\n  help: nlproof atf --report-dir DIR adds them",
            path.display()
        )));
    }
    Ok(runs)
}

/// Rejects a report that does not follow from its raw traces: a qualification is signed for what these show.
fn demand_sound(reports: &Reports, tests: Tests<'_>) -> Result<(), CliError> {
    let mut doubted = Vec::new();
    for told in reports.all() {
        doubted.extend(doubts(told, &tests)?);
    }
    if doubted.is_empty() {
        return Ok(());
    }
    let help = "run it again (nlproof test-matrix --report-dir DIR), with the vectors and goldens of now";
    Err(CliError::Refused(format!("{}\n  help: {help}", doubted.join("\nerror: ")).into()))
}

/// The project with the kernels of one's own that the two sides name.
fn with_kernels(project: Project, args: &QualifyArgs, sides: [&Side; 2]) -> Result<Project, CliError> {
    let mut own = OwnArgs::default();
    for side in sides {
        match side {
            Side::Kernel(text) => own.kernel.push(text.clone()),
            Side::Source(text) if own.src.is_none() => own.src = Some(text.clone()),
            Side::Source(_) => {
                return Err(CliError::Usage(
                    "one of the two can be a source tree\n  help: nlproof kernel build --src TREE builds the other".into(),
                ));
            }
            Side::Named(_) | Side::Report { .. } => {}
        }
    }
    project.with_kernels(&KernelArgs { own, source: args.source.clone() }, &[])
}

/// Text that somebody else may have made, for a terminal: control characters are escaped, but for the ends of lines.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Shows a qualification on a terminal.
fn show(found: &Qualification) {
    for (class, what) in [(Class::Unexplained, "UNEXPLAINED"), (Class::Allowed, "allowed")] {
        for one in found.differences().filter(|one| one.class == class) {
            say!("{what}: {}", shown(&one.line()));
            if class == Class::Unexplained {
                say!("    {}", shown(&one.vectors.join(", ")));
            }
        }
    }
    let told: Vec<_> = found.differences().map(|one| one.line()).collect();
    for line in found.unexplained().iter().filter(|line| !told.contains(line)) {
        say!("UNEXPLAINED: {}", shown(line));
    }
    for one in &found.not_run {
        say!("not run: {}: {}", one.what, one.why);
    }
    say!("qualify: {}", shown(&found.closing()));
}

/// The exit code of a qualification.
fn code_of(found: &Qualification) -> ExitCode {
    match (found.passed, found.wire.compared.is_empty()) {
        (true, _) => ExitCode::OK,
        (false, true) => ExitCode::NOTHING_RAN,
        (false, false) => ExitCode::COMPARISON,
    }
}

fn unwritten(error: WriteError) -> CliError {
    match error {
        WriteError::Output { path, error } => CliError::Output { what: path.display().to_string(), error },
        WriteError::Input(error) => error.into(),
        WriteError::Sign(error) => CliError::Usage(error.to_string()),
    }
}

/// Where a qualification goes. What a failure leaves is removed, but for reports that took minutes.
struct Output {
    directory: PathBuf,
    archive: PathBuf,
    kept: std::cell::Cell<bool>,
}

impl Output {
    /// Makes the directory, which nobody may have made before: so no two runs write into one.
    fn begin(directory: &Path) -> Result<Output, CliError> {
        let archive = archive_of(directory)?;
        let there = |path: &Path| {
            CliError::Usage(format!(
                "{} is there already: an earlier qualification, or one that runs\n  help: remove it, or name another \
                 directory: -o DIR",
                path.display()
            ))
        };
        if archive.exists() {
            return Err(there(&archive));
        }
        match std::fs::create_dir(directory) {
            Ok(()) => {
                Ok(Output { directory: directory.to_owned(), archive, kept: std::cell::Cell::new(false) })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(there(directory)),
            Err(error) => Err(CliError::Output { what: directory.display().to_string(), error }),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CliError> {
        let path = self.directory.join(name);
        write_whole(&path, bytes).map_err(CliError::unwritten(&path))
    }

    fn keep(&self) {
        self.kept.set(true);
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.kept.get() {
            return;
        }
        let whole = [BASELINE, CANDIDATE].map(|name| self.directory.join(name));
        if whole.iter().all(|report| report.join("report.json").is_file()) {
            let [baseline, candidate] = whole.map(|report| report.display().to_string());
            tell!(
                "the runs are kept: nlproof qualify --baseline {baseline} --candidate {candidate} -o DIR goes on with them"
            );
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tell!("warning: {} is left, and is of no use: {error}", self.directory.display());
        }
    }
}

/// `DIR.tar.zst` of `DIR`.
fn archive_of(directory: &Path) -> Result<PathBuf, CliError> {
    let Some(name) = directory.file_name() else {
        return Err(CliError::Usage(format!("{} cannot be a new directory", directory.display())));
    };
    let mut name = name.to_owned();
    name.push(".tar.zst");
    Ok(directory.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_moves_no_cursor() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n\u{9b}c\u{e4}"), "a\\u{1b}[2Jb\\r\n\\u{9b}c\u{e4}");
    }

    #[test]
    fn the_bundle_stands_beside_its_directory() {
        assert_eq!(archive_of(Path::new("a/q")).unwrap(), Path::new("a/q.tar.zst"));
        assert_eq!(archive_of(Path::new("q/")).unwrap(), Path::new("q.tar.zst"));
        assert!(archive_of(Path::new("/")).is_err());
    }
}
