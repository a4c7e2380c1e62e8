// SPDX-License-Identifier: BSD-2-Clause
//! The reports of a qualification: what earlier runs have, and what is run now.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::run::run_cells;
use super::side::{Side, cell_named, of_report};
use crate::cli::args::QualifyArgs;
use crate::cli::exit::CliError;
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::matrix::{Cell, CellResult, ModuleKind, RunResult, TargetKind, VectorsOfRun};
use crate::qualify::{BASELINE, CANDIDATE, Reports};
use crate::report::{KINDS, kept, write_json};
use crate::trace::{PACKED, PLAIN};
use crate::vector::Vector;

/// A cell that is wanted: one that is to run, or one of a report.
enum Wanted {
    ToRun(Box<Cell>),
    Report(Box<CellResult>, PathBuf),
}

/// What a qualification needs.
pub(super) struct Evidence {
    baseline: Wanted,
    candidate: Wanted,
    module: Option<Wanted>,
}

impl Wanted {
    fn cell(&self) -> &Cell {
        match self {
            Wanted::ToRun(cell) => cell,
            Wanted::Report(result, _) => &result.cell,
        }
    }
}

impl Evidence {
    /// Finds the cells of both sides, and the module's.
    pub(super) fn gather(
        project: &Project,
        [baseline, candidate]: [Side; 2],
        module: bool,
    ) -> Result<Evidence, CliError> {
        // Kernels of one's own have the project's order: those of files, then that of a source tree.
        let mut files = project.own.iter();
        let mut from_tree = project.own.iter().rev();
        let mut own_cells = |side: &Side| {
            let own = if matches!(side, Side::Source(_)) { from_tree.next() } else { files.next() };
            own.map(|own| own.cells.clone()).unwrap_or_default()
        };
        let mut found = |side: Side, module: bool| -> Result<(Wanted, Option<Wanted>), CliError> {
            let of_module = |cells: &[Cell]| {
                cells
                    .iter()
                    .find(|cell| cell.module == ModuleKind::Rust)
                    .cloned()
                    .map(|cell| Wanted::ToRun(Box::new(cell)))
            };
            Ok(match side {
                Side::Report { directory, run, cell } => {
                    let stock = of_report(&run, cell.as_deref(), &directory)?.clone();
                    let rust = run.cells.iter().find(|result| {
                        result.cell.module == ModuleKind::Rust && result.cell.release == stock.cell.release
                    });
                    let rust = rust
                        .filter(|_| module)
                        .map(|rust| Wanted::Report(Box::new(rust.clone()), directory.clone()));
                    let rust = match (module, rust) {
                        (true, None) => Some(Wanted::ToRun(Box::new(module_of(project, &stock.cell)?))),
                        (_, rust) => rust,
                    };
                    (Wanted::Report(Box::new(stock), directory), rust)
                }
                Side::Named(text) => {
                    let cell = cell_named(project, &text)?;
                    let rust = match module {
                        true => Some(Wanted::ToRun(Box::new(module_of(project, &cell)?))),
                        false => None,
                    };
                    (Wanted::ToRun(Box::new(cell)), rust)
                }
                side @ (Side::Kernel(_) | Side::Source(_)) => {
                    let cells = own_cells(&side);
                    let stock = cells.iter().find(|cell| cell.module == ModuleKind::Stock).cloned();
                    let stock = stock.ok_or_else(|| CliError::Usage("the kernel has no cell".into()))?;
                    (Wanted::ToRun(Box::new(stock)), of_module(&cells).filter(|_| module))
                }
            })
        };
        let (baseline, _) = found(baseline, false)?;
        let (candidate, module) = found(candidate, module)?;
        for (side, wanted) in [("--baseline", &baseline), ("--candidate", &candidate)] {
            if wanted.cell().module == ModuleKind::Rust {
                return Err(CliError::Usage(format!(
                    "{side} is a cell of the module: {}\n  help: name the kernel's own code, and --module rust",
                    wanted.cell().name()
                )));
            }
        }
        let both_run = matches!((&baseline, &candidate), (Wanted::ToRun(_), Wanted::ToRun(_)));
        if both_run && baseline.cell().name() == candidate.cell().name() {
            return Err(CliError::Usage(format!("both sides are {}", baseline.cell().name())));
        }
        Ok(Evidence { baseline, candidate, module })
    }

    /// Whether a report of an earlier run is among it.
    pub(super) fn has_reports(&self) -> bool {
        let all = [Some(&self.baseline), Some(&self.candidate), self.module.as_ref()];
        all.into_iter().flatten().any(|wanted| matches!(wanted, Wanted::Report(..)))
    }

    /// Runs what is missing, and puts the reports of all below `directory`.
    pub(super) fn complete(
        self,
        project: &Project,
        targets: &Targets,
        vectors: &[Vector],
        directory: &Path,
        args: &QualifyArgs,
    ) -> Result<Reports, CliError> {
        let all = [Some(&self.baseline), Some(&self.candidate), self.module.as_ref()];
        let to_run: Vec<Cell> = all
            .into_iter()
            .flatten()
            .filter_map(|wanted| match wanted {
                Wanted::ToRun(cell) => Some(cell.as_ref().clone()),
                Wanted::Report(..) => None,
            })
            .collect();
        let work = nlproof_files::work_directory_in(directory).map_err(CliError::unwritten(directory))?;
        let ran = match to_run.as_slice() {
            [] => Vec::new(),
            cells => {
                run_cells(project, targets, (cells, vectors), work.path(), (args.jobs, &args.guest))?.cells
            }
        };
        let result = |wanted: &Wanted| -> Result<(CellResult, PathBuf), CliError> {
            Ok(match wanted {
                Wanted::Report(result, from) => (result.as_ref().clone(), from.clone()),
                Wanted::ToRun(cell) => {
                    let found = ran.iter().find(|result| result.cell.name() == cell.name());
                    let none = || CliError::NothingRan(format!("{} did not run", cell.name()));
                    (found.ok_or_else(none)?.clone(), work.path().to_owned())
                }
            })
        };
        let [old, new] = [BASELINE, CANDIDATE].map(|name| directory.join(name));
        let baseline = result(&self.baseline)?;
        let candidate = result(&self.candidate)?;
        let module = self.module.as_ref().map(result).transpose()?;
        place(&[&baseline], &old)?;
        place(&[Some(&candidate), module.as_ref()].into_iter().flatten().collect::<Vec<_>>(), &new)?;
        Ok(Reports::read(directory)?)
    }
}

/// The cell of the module in a kernel.
fn module_of(project: &Project, stock: &Cell) -> Result<Cell, CliError> {
    let Some(release) = stock.release.as_deref().filter(|_| stock.target == TargetKind::Freebsd) else {
        return Err(CliError::Usage(format!(
            "{} has no kernel module\n  help: leave out --module, or name a release",
            stock.name()
        )));
    };
    let name = format!("{}/{release}/{}", stock.target, ModuleKind::Rust);
    project.cell_named(&name)?.ok_or_else(|| {
        CliError::Usage(format!(
            "no cell {name}\n  help: name the kernel itself, not a report: --candidate PATH"
        ))
    })
}

/// Puts cells with their raw traces and consoles into a new report directory.
fn place(cells: &[&(CellResult, PathBuf)], into: &Path) -> Result<(), CliError> {
    fs::create_dir(into).map_err(CliError::unwritten(into))?;
    for (result, from) in cells {
        let name = result.cell.file_name();
        for kind in [PACKED, PLAIN].iter().chain(&KINDS) {
            for file in kept(from, kind)
                .map_err(CliError::unwritten(from))?
                .iter()
                .filter(|file| file.name.cell == name)
            {
                let target = into.join(format!("{}.{kind}", file.name));
                copy(&file.path, &target).map_err(CliError::unwritten(&target))?;
            }
        }
    }
    let run = RunResult {
        cells: cells.iter().map(|(result, _)| result.clone()).collect(),
        interrupted: false,
        vectors: VectorsOfRun::default(),
        missing: Vec::new(),
        atf: Vec::new(),
    };
    let report = into.join("report.json");
    write_json(&report, &run).map_err(CliError::unwritten(&report))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut nlproof_base::open(from).map_err(io::Error::other)?, &mut File::create_new(to)?)?;
    Ok(())
}
