// SPDX-License-Identifier: BSD-2-Clause
//! `diff CELL CELL`: what differs on the wire between two cells, by their goldens or asked now.

mod live;
mod observed;
mod show;
mod sides;

use show::Shown;
use sides::Names;

use super::args::{DiffArgs, ProjectArgs};
use super::directories::places;
use super::exit::{CliError, ExitCode};
use super::pager::page;
use super::project::Project;
use crate::golden::load_bugs;

pub(super) fn main(project: &ProjectArgs, args: &DiffArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let matrix = project.matrix()?;
    let kernels = project.goldens().kernels()?;
    let here = places()?.0.list();
    let names = Names { cells: &matrix.cells, here: &here, kernels: &kernels };
    let pair = names.pair(&args.from, &args.to)?;
    let vectors = project.vectors(&args.vectors)?;
    let found = if args.live {
        live::ask(&project, args, &pair, &vectors)?
    } else {
        observed::look_up(&project.goldens(), &pair, &vectors, &kernels)?
    };
    let bugs = load_bugs(&project.root.join("bugs.md"))?;
    page(&Shown { found: &found, bugs: &bugs, all: args.all }.text(), args.no_pager);
    Ok(match found.code {
        ExitCode::OK if args.exit_code && !found.differences.vectors().is_empty() => ExitCode::COMPARISON,
        code => code,
    })
}
