// SPDX-License-Identifier: BSD-2-Clause
//! A vector in one cell: the live view, counts, folded stacks, files.

use nlproof_base::counted;

use super::files::{write_perfetto, write_raw};
use super::follow::followed;
use super::probes::Wanted;
use super::side_by_side;
use crate::cli::args::{ProjectArgs, ShowTraceArgs};
use crate::cli::default_cell::default_cell;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::{say, say_text, tell};
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::ktrace::{self, Moment, Said, Voice};
use crate::matrix::{ModuleKind, VectorRun};
use crate::targets::SimTrace;

/// Shows one vector's trace, or those of both implementations if both are named.
pub(in crate::cli) fn main(project: &ProjectArgs, args: &ShowTraceArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let vector = &project.vector(&args.vector)?;
    interrupt::tasks();
    let targets = Targets::new(&args.guest, &project)?.traced(SimTrace::Timed);
    if [ModuleKind::Stock, ModuleKind::Rust].iter().all(|module| args.cells.module.contains(module)) {
        return side_by_side::main(&project, &targets, vector, args);
    }
    let cell = default_cell(&project, &targets, &args.cells, &vector.id)?;
    let wanted = Wanted::of(&args.probe, cell.target)?;
    let (vector_run, _) = followed(&targets, &cell, vector, &wanted.dtrace)?;
    show(&vector_run, args, &wanted)
}

fn show(vector_run: &VectorRun<'_>, args: &ShowTraceArgs, wanted: &Wanted) -> Result<ExitCode, CliError> {
    let (vector, kernel) = (vector_run.vector, &vector_run.kernel);
    let trace = &vector_run.trace;
    let said: Vec<Said> = [(Voice::Wire, trace.headlines()), (Voice::Console, trace.console_lines())]
        .into_iter()
        .flat_map(|(voice, lines)| lines.into_iter().map(move |line| (voice, line)))
        .map(|(voice, (step, t_ns, text))| Said { step, moment: Moment { voice, t_ns, text } })
        .collect();
    // A file that cannot be written does not cost what the guest has said.
    let mut written = ExitCode::OK;
    if let Some(path) = &args.perfetto {
        let moments: Vec<_> = said.iter().map(|said| said.moment.clone()).collect();
        match write_perfetto(path, &ktrace::perfetto(&vector.id, kernel, &moments)) {
            Ok(()) => tell!("trace: {} (open it in ui.perfetto.dev or chrome://tracing)", path.display()),
            Err(error) => written = error.told(),
        }
    }
    if let Some(path) = &args.ndjson {
        match write_raw(path, vector_run) {
            Ok(()) => tell!("raw trace: {}", path.display()),
            Err(error) => written = error.told(),
        }
    }
    if args.flame {
        say_text!(ktrace::folded(kernel));
    } else if args.aggregate {
        say_text!(ktrace::aggregate(kernel));
    } else {
        say!("{}: {}", vector.id, vector.about);
        say_text!(ktrace::live(kernel, &said, |name| wanted.shows(name)));
        if let Some(shortfall) = trace.console.status.shortfall() {
            say!("console lines: {shortfall}");
        }
    }
    if !kernel.present {
        return Err(CliError::NothingRan(
            "no kernel trace: nothing in this cell tells what its kernel does\n  help: the simulator's cells do, those of \
             the module (--module rust), and stock kernels with DTrace"
                .into(),
        ));
    }
    if kernel.lost > 0 {
        say!("inconclusive: {} lost of the kernel trace", counted(kernel.lost, "record").verb("was", "were"));
        return Ok(ExitCode::GUEST);
    }
    for violation in &vector_run.violations {
        say!("violated: {violation}");
    }
    Ok(if vector_run.violations.is_empty() { written } else { ExitCode::COMPARISON })
}
