// SPDX-License-Identifier: BSD-2-Clause
//! `kmod build`: the Rust-backed module for the kernel of a release.

use nlproof_files::write_whole;

use super::args::{KmodArgs, KmodCommand, ProjectArgs};
use super::default_cell::release_here;
use super::directories::places;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::targets::open_error;
use crate::targets::{Explained, prepare_module};

pub(super) fn main(project: &ProjectArgs, args: &KmodArgs) -> Result<ExitCode, CliError> {
    let KmodCommand::Build { release, kernel, output, unverified } = &args.command;
    let project = Project::find(project)?.with_kernels(kernel, release.as_slice())?;
    let (dists, _) = places()?;
    let own = project.own.first().map(|own| own.release.as_ref());
    let release = match (own, release) {
        (Some(own), _) => own.base.clone(),
        (None, Some(release)) => release_here(&dists, release),
        (None, None) => return Err(CliError::Usage("which kernel?\n  help: --release RELEASE".into())),
    };
    let directory = dists.find(&release).map_err(|error| CliError::Usage(error.to_string()))?;
    let options = project.module_options(*unverified)?;
    let mut on_stage = |stage: &str, _| tell!("{stage}");
    let module = prepare_module(&directory, own, &options, interrupt::tasks().cancel(), &mut on_stage)
        .map_err(open_error)?;
    let path = match output {
        Some(output) => {
            let bytes = std::fs::read(&module.path)
                .map_err(|error| CliError::Build(Explained::before(module.path.display(), error)))?;
            write_whole(output, &bytes).map_err(CliError::unwritten(output))?;
            output.clone()
        }
        None => module.path.clone(),
    };
    let how = if module.cached { "found in the cache" } else { "built" };
    say!("{}: {how}, {}; verification: {}", path.display(), module.measures(), module.verdict());
    Ok(ExitCode::OK)
}
