// SPDX-License-Identifier: BSD-2-Clause
//! The code of a cell: which functions of its kernel are looked at, and their blocks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nlproof_verify::{BlockFunction, BlocksError, KernelCode, Policy, module_blocks};

use crate::cli::exit::CliError;
use crate::cli::out::tell;
use crate::cli::project::Project;
use crate::cli::targets::{Targets, open_error};
use crate::file::{FileError, Limit, nearest, read, read_text};
use crate::ktrace::table;
use crate::matrix::{Cell, ModuleKind};

/// Functions closer together than this share a range of the log, in bytes.
const NEAR: u64 = 4096;
/// Where netlink's sources stand in a tree.
const NETLINK: &str = "sys/netlink/";

/// Which code is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct Wanted<'a> {
    /// Functions by name.
    pub(in crate::cli) function: &'a [String],
    /// Source files.
    pub(in crate::cli) file: &'a [String],
    /// Files with debug information.
    pub(in crate::cli) debug: &'a [PathBuf],
}

/// Functions of a cell as blocks.
pub(in crate::cli) struct CellCode {
    /// Functions of the kernel.
    pub(in crate::cli) kernel: Vec<BlockFunction>,
    /// Functions of the module, if the cell has one.
    pub(in crate::cli) module: Option<Vec<BlockFunction>>,
    /// The build id of the kernel.
    pub(super) build: Option<String>,
    /// Address after the kernel's last byte, where modules lie.
    end: u64,
}

impl CellCode {
    /// Takes the kernel of a cell apart, and the module's file where it has one. `listed` are functions of the list of what
    /// is not reached.
    pub(in crate::cli) fn of(
        project: &Project,
        wanted: Wanted<'_>,
        targets: &Targets,
        cell: &Cell,
        listed: BTreeSet<String>,
    ) -> Result<CellCode, CliError> {
        let (path, beside) = targets.kernel_files(&cell.release_or_profile())?;
        let bytes = read(&path, Limit::OBJECT)?;
        let bad = |path: &Path, error: &BlocksError| {
            CliError::Files(vec![FileError::whole(path, error.to_string())])
        };
        let mut kernel = KernelCode::read(&bytes).map_err(|error| bad(&path, &error))?;
        let debug = debug_of(wanted, beside, &kernel)?;
        if let Some((path, debug)) = &debug {
            kernel.add_debug(debug).map_err(|error| bad(path, &error))?;
        } else {
            tell!(
                "note: {}: no kernel.debug of this kernel: source files and lines are not known (--debug FILE)",
                cell.name()
            );
        }
        let blocks = Selection::of(project, wanted, &kernel, debug.is_some(), listed)?.blocks(&kernel);
        let module = match cell.module {
            ModuleKind::Stock => None,
            ModuleKind::Rust => {
                let module = targets.module(&cell.release_or_profile()).map_err(open_error)?;
                Some(module_blocks(&module.bytes).map_err(|error| bad(&module.path, &error))?)
            }
        };
        let build = kernel.build_id().map(str::to_owned);
        Ok(CellCode { kernel: blocks, module, build, end: kernel.end() })
    }

    /// Addresses that QEMU logs: where each range begins, and its length.
    pub(in crate::cli) fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for function in &self.kernel {
            match ranges.last_mut() {
                Some((start, length)) if function.start <= *start + *length + NEAR => {
                    *length = (*length).max(function.end - *start);
                }
                _ => ranges.push((function.start, function.end - function.start)),
            }
        }
        if self.module.is_some() {
            // Where the loader puts it is only known in the guest.
            ranges.push((self.end, u64::MAX - self.end));
        }
        ranges
    }
}

/// The debug information of this kernel, if there is one: of the files that the user names the one of the same build, else
/// what lies beside the kernel.
fn debug_of(
    wanted: Wanted<'_>,
    beside: Option<PathBuf>,
    kernel: &KernelCode<'_>,
) -> Result<Option<(PathBuf, Vec<u8>)>, CliError> {
    let named = !wanted.debug.is_empty();
    let mut last = None;
    for path in wanted.debug.iter().cloned().chain(beside.filter(|_| !named)) {
        let bytes = read(&path, Limit::OBJECT)?;
        match kernel.is_debug(&bytes) {
            Ok(()) => return Ok(Some((path, bytes))),
            Err(error) if named => {
                let help =
                    "kernel.debug of the very build that runs: that of kernel-dbg.txz beside kernel.txz";
                last = Some(FileError::whole(&path, error.to_string()).help(help));
            }
            Err(error) => tell!("note: {} {error}: it is not used", path.display()),
        }
    }
    last.map_or(Ok(None), |error| Err(CliError::Files(vec![error])))
}

/// Which functions.
struct Selection {
    names: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Selection {
    fn of(
        project: &Project,
        wanted: Wanted<'_>,
        kernel: &KernelCode<'_>,
        lines: bool,
        listed: BTreeSet<String>,
    ) -> Result<Selection, CliError> {
        if wanted.function.is_empty() && wanted.file.is_empty() {
            let known = known_functions(project)?;
            if lines {
                let files = kernel.files_of(&known).into_iter().filter(|file| file.starts_with(NETLINK));
                return Ok(Selection { names: listed, files: files.collect() });
            }
            let named = known.into_iter().filter(|name| name.trim_start_matches('_').starts_with("nl"));
            let stock = table().probes.iter().flat_map(|probe| &probe.stock);
            let stock = stock.map(|stock| stock.function.clone()).filter(|name| !name.starts_with("if_"));
            return Ok(Selection {
                names: listed.into_iter().chain(named).chain(stock).collect(),
                files: BTreeSet::new(),
            });
        }
        for name in wanted.function {
            if !kernel.names().any(|known| known == name) {
                let near = nearest(name, kernel.names());
                let help = near.map(|near| format!("\n  help: there is {near}")).unwrap_or_default();
                return Err(CliError::Usage(format!("the kernel has no function {name}{help}")));
            }
        }
        if !lines && !wanted.file.is_empty() {
            let text = "which functions are of a source file is not known without the kernel's debug information\n  help: \
                        --debug kernel.debug";
            return Err(CliError::Usage(text.into()));
        }
        let all = kernel.files();
        let mut files = BTreeSet::new();
        for path in wanted.file {
            let ends = |file: &&String| *file == path || file.ends_with(&format!("/{path}"));
            let found: Vec<_> = all.iter().filter(ends).cloned().collect();
            if found.is_empty() {
                return Err(CliError::Usage(format!("no function of the kernel is of a file {path}")));
            }
            files.extend(found);
        }
        Ok(Selection { names: wanted.function.iter().cloned().collect(), files })
    }

    fn blocks(&self, kernel: &KernelCode<'_>) -> Vec<BlockFunction> {
        kernel.blocks(&|name, file| {
            self.names.contains(name) || file.is_some_and(|file| self.files.contains(file))
        })
    }
}

/// Functions that the probes and the module's policy name.
fn known_functions(project: &Project) -> Result<BTreeSet<String>, CliError> {
    let path = project.root.join("fixtures/verify/nlproof_iface.yaml");
    let policy = if path.is_file() {
        Policy::parse(&path, &read_text(&path, Limit::YAML)?).map_err(|error| CliError::Files(vec![error]))?
    } else {
        Policy::default()
    };
    let stock = table().probes.iter().flat_map(|probe| &probe.stock).map(|stock| stock.function.clone());
    Ok(stock.chain(policy.imports.into_iter().flatten()).collect())
}
