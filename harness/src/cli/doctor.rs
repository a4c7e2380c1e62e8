// SPDX-License-Identifier: BSD-2-Clause
//! `doctor`: everything that this machine has and lacks, on one screen.

use std::path::PathBuf;

use nlproof_base::counted;
use nlproof_kmod::{ToolPaths, Toolchain};

use super::args::{CellArgs, ProjectArgs};
use super::directories::places;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::project::Project;
use crate::kernels::{Compilers, lacking_here, remedy};
use crate::vm::{Accelerator, Tools, choose_accelerator};

/// A requirement of a part of nlproof: its name, what was found, and the remedy if nothing was.
struct Finding {
    name: &'static str,
    found: Result<String, String>,
}

pub(super) fn main(project: &ProjectArgs, cells: &CellArgs) -> Result<ExitCode, CliError> {
    if !cells.release.is_empty() || !cells.module.is_empty() || !cells.target.is_empty() {
        let help = "--nics shows which network cards its kernel sees";
        return Err(CliError::Usage(format!("doctor is about this machine and no release\n  help: {help}")));
    }
    let (dists, cache) = places()?;
    let exe = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("nlproof"));
    let tools = Tools::find(exe);
    let mut findings = vec![
        Finding { name: "simulator", found: Ok("built in".into()) },
        Finding {
            name: "qemu",
            found: tools.as_ref().map(|tools| tools.qemu.display().to_string()).map_err(ToString::to_string),
        },
        Finding { name: "makefs", found: makefs() },
    ];
    if let Ok(tools) = &tools {
        findings.push(Finding {
            name: "accelerator",
            found: interrupt::tasks()
                .drive(choose_accelerator(Accelerator::Auto, tools))
                .map(|selected| selected.to_string())
                .map_err(|error| error.to_string()),
        });
    }
    let releases = dists.list();
    let places: Vec<_> = dists.search.iter().map(|path| path.display().to_string()).collect();
    findings.push(Finding {
        name: "releases",
        found: if releases.is_empty() {
            Err(format!(
                "none in {}; nlproof image fetch --release {} downloads one; or put \
                 RELEASE/{{MANIFEST,base.txz,kernel.txz}} there, or set NLPROOF_DISTS",
                places.join(", "),
                fetchable(project).unwrap_or_else(|| "RELEASE".into())
            ))
        } else {
            Ok(format!("{} in {}", releases.join(", "), places.join(", ")))
        },
    });
    findings.push(Finding {
        name: "images",
        found: cache
            .list()
            .map(|entries| format!("{} in the cache", counted(entries.len(), "image")))
            .map_err(|error| error.to_string()),
    });
    findings.push(Finding { name: "kmod tools", found: kmod_tools() });
    findings.push(Finding { name: "kernel build", found: kernel_build() });
    let mut missing = 0;
    for finding in &findings {
        match &finding.found {
            Ok(text) => say!("{:<12} ok       {text}", finding.name),
            Err(text) => {
                missing += 1;
                say!("{:<12} MISSING  {text}", finding.name);
            }
        }
    }
    if missing == 0 {
        say!("everything is there for real kernels");
    } else {
        say!(
            "the simulator works without these; real kernels need them, kmod tools only for the module, kernel build only for --src"
        );
    }
    Ok(ExitCode::OK)
}

/// The first release that can be downloaded.
fn fetchable(project: &ProjectArgs) -> Option<String> {
    let releases = Project::find(project).ok()?.releases().ok()?;
    releases.names().next().map(str::to_owned)
}

/// What FreeBSD's build needs here.
fn kernel_build() -> Result<String, String> {
    let found = Compilers::from_env().map_err(|missing| format!("{missing}; install it ({})", remedy()))?;
    match lacking_here() {
        Some(lacking) => Err(lacking),
        None => Ok(format!("{}, clang and ld.lld in {}", found.python.display(), found.directory.display())),
    }
}

/// What compiles the Rust-backed module.
fn kmod_tools() -> Result<String, String> {
    let tools = Toolchain::find(&ToolPaths::from_env())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let [clang, lld] = &tools.c.versions;
    let [rustc, clang, lld] =
        [&tools.rustc_version, clang, lld].map(|text| text.lines().next().unwrap_or_default());
    Ok(format!(
        "{} ({rustc}), {} ({clang}), {} ({lld})",
        tools.rustc.display(),
        tools.c.clang.display(),
        tools.c.lld.display()
    ))
}

fn makefs() -> Result<String, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join("makefs"))
        .find(|program| program.is_file())
        .map(|program| program.display().to_string())
        .ok_or_else(|| "no makefs in $PATH; install it (Debian: `apt-get install makefs`)".into())
}
