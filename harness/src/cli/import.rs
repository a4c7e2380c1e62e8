// SPDX-License-Identifier: BSD-2-Clause
//! `import`: datagrams of a file as a vector.

use std::path::Path;

use nlproof_base::counted;
use nlproof_wire::Os;

use super::args::{ImportArgs, ProjectArgs};
use super::datagrams::{is_empty, of_file, os_of};
use super::exit::{CliError, ExitCode};
use super::new_vector::write_new;
use super::out::{say_text, tell};
use crate::file::Limit;
use crate::import::{Reading, replica};
use crate::vector::Replaced;

/// The most that a trace or a capture has that somebody reports.
const LIMIT: Limit = Limit::REPORT;
/// The id of a vector that is only shown.
const SHOWN: &str = "imported/vector";

pub(super) fn main(project: &ProjectArgs, args: &ImportArgs) -> Result<ExitCode, CliError> {
    let reading = of_file(&args.file, LIMIT)?;
    let os = os_of(args.os, &reading);
    if is_empty(&reading) {
        return Err(CliError::Usage(format!("{}: no bytes to import", args.file)));
    }
    tell!("{}: {}", args.file, what(os, &reading));
    let file =
        Path::new(&args.file).file_name().map_or(args.file.as_str().into(), |name| name.to_string_lossy());
    let id = args.as_vector.as_deref().unwrap_or(SHOWN);
    let replica = replica(id, &file, os, &reading);
    if replica.steps.is_empty() {
        return Err(CliError::Usage(format!(
            "{}: everything in it comes from the kernel, and a vector sends\n  help: `decode` shows it",
            args.file
        )));
    }
    let (vector, replaced) = replica.vector(Path::new(&format!("{id}.yaml")))?;
    for line in &replaced {
        tell!("replaced: {line}");
    }
    let text = format!("{}{}", head(&file, &replaced), vector.to_yaml());
    match &args.as_vector {
        Some(id) => write_new(project, id, &text)?,
        None => say_text!(text),
    }
    Ok(ExitCode::OK)
}

fn what(os: Os, reading: &Reading) -> String {
    let all = reading.seen.len();
    let sent = reading.sent().count();
    let from = match all - sent {
        0 => String::new(),
        from => {
            format!("; {} the kernel, left out", counted(from, "datagram").verb("comes from", "come from"))
        }
    };
    format!("{}, by the numbers of {os}; {} to send{from}", reading.format, counted(sent, "datagram"))
}

/// What stands above the vector: where it comes from, and what it does not send as it was.
fn head(file: &str, replaced: &[Replaced]) -> String {
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let mut head = format!("# Imported from {}.\n", plain(file));
    for line in replaced {
        head.push_str(&format!("# {}\n", plain(&line.to_string())));
    }
    head
}
