// SPDX-License-Identifier: BSD-2-Clause
//! `kmod build`: the Rust-backed module for the kernel of a release.

use nlproof_kmod::{KmodError, Options, ToolPaths, Toolchain, build};

use super::args::{KmodArgs, KmodCommand, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::project::Project;
use super::targets::{cache_directory, places};

pub(super) fn main(project: &ProjectArgs, args: &KmodArgs) -> Result<ExitCode, CliError> {
    let KmodCommand::Build { release, output } = &args.command;
    let project = Project::find(project)?;
    // kmod-src and harness stand beside tests.
    let checkout = project.root.join("..").canonicalize().map_err(|error| {
        CliError::Usage(format!("{}: the checkout cannot be read: {error}", project.root.display()))
    })?;
    let (dists, _) = places()?;
    let directory = dists.find(release).map_err(|error| CliError::Usage(error.to_string()))?;
    let cache = cache_directory()?.join("kmod");
    let tools =
        Toolchain::find(&ToolPaths::from_env()).map_err(|error| CliError::Build(error.to_string()))?;
    let options =
        Options { release: &directory, checkout: &checkout, cache: &cache, cancel: interrupt::flag() };
    let module = match build(&tools, &options, &mut |stage| eprintln!("{stage}")) {
        Ok(module) => module,
        Err(KmodError::Refused(refusal)) => {
            eprintln!("error: {refusal}");
            return Ok(ExitCode::REFUSED);
        }
        Err(KmodError::Interrupted) => return Err(CliError::Interrupted),
        Err(error) => return Err(CliError::Build(error.to_string())),
    };
    let path = match output {
        Some(output) => {
            std::fs::copy(&module.path, output)
                .map_err(|error| CliError::Output { what: output.display().to_string(), error })?;
            output.clone()
        }
        None => module.path.clone(),
    };
    let how = if module.cached { "found in the cache" } else { "built" };
    say!("{}: {how}, {} bytes, {} imports", path.display(), module.bytes, module.imports.len());
    Ok(ExitCode::OK)
}
