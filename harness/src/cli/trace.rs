// SPDX-License-Identifier: BSD-2-Clause
//! `trace VECTOR`: which way a vector's requests and events take through the kernel.

use std::path::Path;

use super::args::{ProjectArgs, ShowTraceArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, say_text};
use super::project::Project;
use super::run::find_vector;
use super::targets::{Targets, lost, open_error, open_shown};
use crate::ktrace::{self, Moment, Said, matches, table};
use crate::matrix::{Conversation, ConversationError, ModuleKind, TargetKind, converse, mismatch};
use crate::target::SimTrace;

pub(super) fn main(project: &ProjectArgs, args: &ShowTraceArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let vectors = project.all_vectors()?;
    let vector = find_vector(&args.vector, &vectors)?;
    interrupt::flag();
    let targets = Targets::new(&args.guest, &project)?.traced(SimTrace::Timed);
    let cell = project.first_cell_here(&targets, &args.cells)?;
    for pattern in &args.probe {
        usable(pattern, cell.target)?;
    }
    let mut target = open_shown(&targets, &cell).map_err(open_error)?;
    if let Some(reason) = mismatch(vector, target.facts()) {
        return Err(CliError::NothingRan(format!("{} does not apply here: it {reason}", vector.id)));
    }
    let mut seen = None;
    // Stock code says nothing by itself.
    let with_dtrace = cell.target == TargetKind::Freebsd && cell.module == ModuleKind::Stock;
    if with_dtrace {
        let osreldate = target.facts().kernel.as_ref().map_or(0, |kernel| kernel.osreldate);
        eprintln!("{}: start dtrace(1)", cell.name());
        target.begin_dtrace(&ktrace::script(osreldate / 100_000)).map_err(lost)?;
    }
    let run = converse(target.as_mut(), &[vector], &mut |conversation| seen = Some(conversation));
    if with_dtrace && let (Ok(()), Some(conversation)) = (&run, &mut seen) {
        let output = target.end_dtrace().map_err(lost)?;
        conversation.follow_dtrace(&output);
    }
    match (run, seen) {
        (Ok(()), Some(conversation)) => show(&conversation, args),
        (Ok(()), None) => Err(CliError::Guest("the target ended without a word about the vector".into())),
        (Err(ConversationError::Vector(error)), _) => Err(error.into()),
        (Err(ConversationError::Target(error)), _) => Err(CliError::Guest(error.to_string())),
    }
}

/// Whether the target has probes of that name.
fn usable(pattern: &str, target: TargetKind) -> Result<(), CliError> {
    let own = || table().probes.iter().map(|probe| probe.name.as_str());
    if own().any(|name| matches(pattern, name)) {
        return Ok(());
    }
    let names = own().collect::<Vec<_>>().join(", ");
    Err(CliError::Usage(match (pattern.split_once(':'), target) {
        (Some((provider, _)), TargetKind::Sim) if provider != "nlproof" => format!(
            "the simulator has no provider `{provider}`: only a FreeBSD kernel with DTrace has\n  help: nlproof's own \
             probes are {names}"
        ),
        (Some((provider, _)), TargetKind::Freebsd) if provider != "nlproof" => {
            format!(
                "probes of `{provider}` cannot be asked for yet\n  help: nlproof's own probes are {names}"
            )
        }
        _ => format!("no probe matches `{pattern}`\n  help: nlproof's own probes are {names}"),
    }))
}

fn show(conversation: &Conversation<'_>, args: &ShowTraceArgs) -> Result<ExitCode, CliError> {
    let (vector, kernel) = (conversation.vector, &conversation.kernel);
    let said: Vec<Said> = conversation
        .trace
        .headlines()
        .into_iter()
        .map(|(step, t_ns, text)| Said { step, moment: Moment { t_ns, text } })
        .collect();
    if let Some(path) = &args.perfetto {
        let moments: Vec<_> = said.iter().map(|said| said.moment.clone()).collect();
        write(path, &ktrace::perfetto(&vector.id, kernel, &moments))?;
        eprintln!("trace: {} (open it in ui.perfetto.dev or chrome://tracing)", path.display());
    }
    if args.flame {
        say_text!(ktrace::folded(kernel));
    } else if args.aggregate {
        say_text!(ktrace::aggregate(kernel));
    } else {
        say!("{}: {}", vector.id, vector.about);
        let wanted =
            |name: &str| args.probe.is_empty() || args.probe.iter().any(|pattern| matches(pattern, name));
        say_text!(ktrace::live(kernel, &said, wanted));
    }
    if !kernel.present {
        return Err(CliError::NothingRan(
            "no kernel trace: nothing in this cell tells what its kernel does\n  help: the simulator's cells do, those of \
             the module (--module rust), and stock kernels with DTrace"
                .into(),
        ));
    }
    if kernel.lost > 0 {
        say!("inconclusive: {} records of the kernel trace were lost", kernel.lost);
        return Ok(ExitCode::GUEST);
    }
    for violation in &conversation.violations {
        say!("violated: {violation}");
    }
    Ok(if conversation.violations.is_empty() { ExitCode::OK } else { ExitCode::COMPARISON })
}

/// Writes the file whole or not at all.
fn write(path: &Path, trace: &serde_json::Value) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Output { what: path.display().to_string(), error };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    serde_json::to_writer(&mut file, trace).map_err(|error| failed(error.into()))?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
