// SPDX-License-Identifier: BSD-2-Clause
//! The conversation of one vector: asked, shown, and compared with its golden.

use super::answer::{Answer, Ended, ask};
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text, tell};
use super::project::Project;
use super::targets::lost;
use crate::matrix::{Cell, VectorRun};
use crate::targets::{Target, TargetError};
use crate::trace::{RawLine, Trace, with_names};
use crate::vector::Vector;

/// Runs one vector in an open target, shows the conversation, and compares it with the golden of the cell.
pub(super) fn one(
    project: &Project,
    target: &mut dyn Target,
    cell: Option<&Cell>,
    vector: &Vector,
    raw: bool,
) -> Result<ExitCode, CliError> {
    let os = target.facts().os;
    match ask(project, target, cell, vector)? {
        Answer::Ended(ended) => {
            let Ended { run, seen, said, survived } = *ended;
            show(&run, os, raw);
            for line in said {
                say!("{}", with_names(&line));
            }
            let Some(stated) = survived else { return Ok(seen.exit_code()) };
            say!("the guest was to be lost ({stated}), and lives");
            Ok(ExitCode::COMPARISON)
        }
        Answer::Lost { loss, stated: Some(stated) } => {
            say!("{}\n{}: lost as stated [{}]", loss.text, vector.id, loss.fingerprint);
            say!("  {stated}");
            Ok(ExitCode::OK)
        }
        Answer::Lost { loss, stated: None } => Err(lost(TargetError::Guest(loss))),
    }
}

fn show(vector_run: &VectorRun<'_>, os: nlproof_wire::Os, raw: bool) {
    say!("{}: {}", vector_run.vector.id, vector_run.vector.about);
    if raw {
        for record in &vector_run.records {
            match serde_json::to_string(&RawLine::new(&vector_run.vector.id, record)) {
                Ok(line) => say!("{line}"),
                Err(error) => tell!("warning: a record could not be shown: {error}"),
            }
        }
        say_text!(with_names(&Trace::from_records(os, &vector_run.records, true).to_text()));
    } else {
        say_text!(with_names(&vector_run.trace.to_text()));
    }
}
