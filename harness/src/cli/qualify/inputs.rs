// SPDX-License-Identifier: BSD-2-Clause
//! The digests of what went into a qualification.

use std::path::Path;

use nlproof_image::Found;

use crate::cli::directories::places;
use crate::cli::exit::CliError;
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::file::FileError;
use crate::matrix::{CellResult, ModuleKind};
use crate::qualify::{Input, Reports, digests_of_tests};
use crate::targets::Fact;
use crate::vm::Tools;

/// Every input that is here, and what reports tell of the others.
pub(super) fn all(project: &Project, targets: &Targets, reports: &Reports) -> Result<Vec<Input>, CliError> {
    let program = std::env::current_exe()
        .map_err(|error| CliError::Usage(format!("nlproof does not find itself: {error}")))?;
    let version = format!("nlproof {}", env!("CARGO_PKG_VERSION"));
    let mut found = vec![file("program", &version, &program)?];
    let sides = [("baseline", &reports.baseline.0), ("candidate", &reports.candidate.0)];
    if sides.iter().any(|(_, result)| result.cell.release.is_some()) {
        found.push(match Tools::find(&program) {
            Ok(tools) => file("QEMU", &tools.qemu.display().to_string(), &tools.qemu)?,
            Err(error) => Input::new("QEMU", error.to_string(), None),
        });
    }
    for (side, result) in sides {
        of_side(project, side, result, &mut found)?;
    }
    if let Some((result, _)) = &reports.module {
        found.push(module(targets, result));
    }
    found.extend(digests_of_tests(&project.root)?);
    Ok(found)
}

fn file(name: &str, about: &str, path: &Path) -> Result<Input, FileError> {
    Input::file(name, about, path).map_err(|error| FileError::whole(path, format!("cannot be read: {error}")))
}

/// Kernel, image, and the files of the release.
fn of_side(
    project: &Project,
    side: &str,
    result: &CellResult,
    found: &mut Vec<Input>,
) -> Result<(), CliError> {
    let cell = result.cell.name();
    let Some(release) = result.cell.release.as_deref() else {
        found.push(Input::new(
            format!("{side}: kernel"),
            format!("{cell}: the simulator, in the program"),
            None,
        ));
        return Ok(());
    };
    let version = result.facts.iter().find_map(|fact| match fact {
        Fact::Kernel(version) => Some(version.as_str()),
        _ => None,
    });
    let about = format!("{cell}: {}", version.unwrap_or("not known: it did not boot"));
    found.push(Input::new(
        format!("{side}: kernel"),
        about,
        Fact::kernel_sha256(&result.facts).map(str::to_owned),
    ));
    let image = result.facts.iter().find(|fact| fact.label() == "image").map(Fact::text);
    let key = image.as_deref().and_then(|text| Path::new(text.split(' ').next()?).file_name()?.to_str());
    let about = "key of the disk image: the SHA-256 of everything that it was built from";
    found.push(Input::new(format!("{side}: image"), about, key.map(str::to_owned)));
    let own = project.own.iter().find(|own| own.release.name.as_str() == release);
    let base = own.map_or(release, |own| own.release.base.as_str());
    let (dists, _) = places()?;
    match dists.find_any(base) {
        Ok(Found::Sets(sets)) => {
            for name in ["base.txz", "kernel.txz"] {
                found.push(file(&format!("{side}: {name}"), base, &sets.path.join(name))?);
            }
        }
        Ok(Found::Image(_)) => {
            found.push(Input::new(format!("{side}: base"), format!("{base}: a ready image"), None));
        }
        Err(error) => found.push(Input::new(format!("{side}: base"), error.to_string(), None)),
    }
    Ok(())
}

/// The module as it is built here. One that ran elsewhere is known by its report alone.
fn module(targets: &Targets, result: &CellResult) -> Input {
    debug_assert_eq!(result.cell.module, ModuleKind::Rust);
    let release = result.cell.release_or_profile();
    match targets.module(&release) {
        Ok(prepared) => {
            let digest = prepared.digest();
            let sha256 = digest.split(' ').next().map(str::to_owned);
            Input::new("module", prepared.measures(), sha256)
        }
        Err(error) => Input::new("module", format!("not here: {error}"), None),
    }
}
