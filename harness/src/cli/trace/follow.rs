// SPDX-License-Identifier: BSD-2-Clause
//! One vector in one cell, traced by whatever source the cell has: the simulator, the module's ring, or dtrace(1).

use crate::cli::exit::CliError;
use crate::cli::out::tell;
use crate::cli::targets::{Targets, lost, open_error, open_shown};
use crate::ktrace::{DtraceLog, Followed, Script};
use crate::matrix::{Cell, ModuleKind, TargetKind, VectorRun, VectorRunError, mismatch, run_vectors};
use crate::targets::TargetError;
use crate::vector::Vector;

/// Runs the vector in the cell; returns the run and the major version of the FreeBSD that answered. `own` are the
/// user's own DTrace probes.
pub(super) fn followed<'v>(
    targets: &Targets,
    cell: &Cell,
    vector: &'v Vector,
    own: &[String],
) -> Result<(VectorRun<'v>, u32), CliError> {
    let mut target = open_shown(targets, cell).map_err(open_error)?;
    if let Some(reason) = mismatch(vector, target.facts()) {
        return Err(CliError::NothingRan(format!("{} does not apply here: it {reason}", vector.id)));
    }
    let major = target.facts().major();
    let followed = match cell.module {
        // Stock code says nothing by itself.
        ModuleKind::Stock => Followed::Stock(major),
        ModuleKind::Rust => Followed::Module,
    };
    let with_dtrace =
        cell.target == TargetKind::Freebsd && (cell.module == ModuleKind::Stock || !own.is_empty());
    if with_dtrace {
        tell!("{}: start dtrace(1)", cell.name());
        let script = Script::new(followed, own);
        target.begin_dtrace(&script.text).map_err(|error| not_begun(error, &script, cell))?;
    }
    let mut seen = None;
    let run = run_vectors(target.as_mut(), &[vector], &mut |vector_run| seen = Some(vector_run));
    let mut vector_run = match (run, seen) {
        (Ok(()), Some(vector_run)) => vector_run,
        (Ok(()), None) => {
            return Err(CliError::Guest("the target ended without a word about the vector".into()));
        }
        (Err(VectorRunError::Vector(error)), _) => return Err(error.into()),
        (Err(VectorRunError::Target(error)), _) => return Err(lost(error)),
    };
    if with_dtrace {
        let output = target.end_dtrace().map_err(lost)?;
        let log = DtraceLog::parse(&output.stdout, &output.stderr);
        if log.lost > 0 {
            tell!("{}: dtrace(1) says: {}", cell.name(), output.stderr.trim());
        }
        if !vector_run.follow(&log, followed) {
            return Err(CliError::NothingRan(format!(
                "dtrace(1) heard no request of {}, by which its network stack is told from others\n  dtrace says: {}",
                vector.id,
                output.stderr.trim()
            )));
        }
    }
    Ok((vector_run, major))
}

/// dtrace(1) does not follow: it rejects a probe of the user's, or does not work in the guest.
fn not_begun(error: TargetError, script: &Script, cell: &Cell) -> CliError {
    let TargetError::NoDtrace(complaint) = &error else { return lost(error) };
    match script.blamed(complaint) {
        Some(probe) => CliError::Usage(format!("--probe '{probe}': {}", own_words(complaint))),
        None => CliError::NothingRan(format!(
            "{}: kernel trace: not available: {error}\n  help: the cells of the module (--module rust) keep one of their own",
            cell.name()
        )),
    }
}

/// The message of dtrace(1), without the program's path in the guest.
fn own_words(complaint: &str) -> String {
    let said = complaint.lines().find(|line| line.contains("line ")).unwrap_or(complaint);
    match said.split_once("line ").and_then(|(_, rest)| rest.split_once(": ")) {
        Some((_, words)) => format!("dtrace says: {words}"),
        None => format!("dtrace says: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtraces_words_are_told_without_the_place_in_the_guest() {
        let said = "dtrace: buffer size lowered\ndtrace: failed to compile script /tmp/nlproof.d: line 40: probe \
                    description fbt::nope:entry does not match any probes";
        assert_eq!(
            own_words(said),
            "dtrace says: probe description fbt::nope:entry does not match any probes"
        );
        assert_eq!(own_words("dtrace: no such thing"), "dtrace says: dtrace: no such thing");
    }
}
