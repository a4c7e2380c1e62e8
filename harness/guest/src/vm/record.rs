// SPDX-License-Identifier: BSD-2-Clause
//! Machines whose events are logged: how far they are, their end in order, and the QEMU that they need.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::machine::Vm;
use super::process::QemuExit;
use super::qmp::{Qmp, QmpError};
use super::tools::Tools;

/// Limit from `quit` to QEMU's end. Nobody's impatience shortens it: the log's header is written then.
const END_LIMIT: Duration = Duration::from_secs(30);

/// The number of instructions that a machine with a log has run.
pub(super) async fn instructions(qmp: &mut Qmp) -> Result<u64, QmpError> {
    let answer = qmp.execute("query-replay", json!({})).await?;
    let refused = || QmpError::Refused {
        command: "query-replay".into(),
        description: format!("no count of instructions in {answer}"),
    };
    answer.get("icount").and_then(Value::as_u64).ok_or_else(refused)
}

impl Vm {
    /// The number of instructions that the machine has run, if its events are logged.
    ///
    /// # Errors
    /// QEMU has ended, or counts none.
    pub async fn instructions(&mut self) -> Result<u64, QmpError> {
        instructions(&mut self.qmp).await
    }

    /// Ends QEMU in order even if the user has interrupted: it writes its log's header. How it ended, and its words.
    ///
    /// # Errors
    /// It does not answer, or does not end.
    pub async fn end_in_order(&mut self) -> Result<(QemuExit, String), QmpError> {
        if self.qemu.exit().is_none() {
            self.qmp.quit().await?;
        }
        let limit = END_LIMIT;
        let exit = timeout(limit, self.qemu.ended()).await;
        let exit = exit.map_err(|_| QmpError::Timeout { command: "quit".into(), limit })?;
        Ok((exit, self.qemu.stderr()))
    }
}

/// A QEMU that records and replays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorder {
    /// The version in QEMU's own words: `7.2.22 (Debian 1:7.2+dfsg-7)`.
    pub version: String,
}

/// Why a QEMU does not record.
#[derive(Debug, thiserror::Error)]
pub enum NoRecorder {
    /// The program does not start.
    #[error("{}: {source}", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The program lacks a part.
    #[error("{} (QEMU {version}) has no {part}, without which nothing is recorded", program.display())]
    Lacks {
        /// The program.
        program: PathBuf,
        /// The program's version.
        version: String,
        /// What it lacks.
        part: &'static str,
    },
}

impl Recorder {
    /// Asks a QEMU what it is and whether it records.
    ///
    /// # Errors
    /// See [`NoRecorder`].
    pub fn ask(tools: &Tools) -> Result<Self, NoRecorder> {
        let program = || tools.qemu.clone();
        let said = |arguments: &[&str]| {
            let run = duct::cmd(&tools.qemu, arguments).stdin_null().stderr_null().unchecked().read();
            run.map_err(|source| NoRecorder::NotStarted { program: program(), source })
        };
        let version = version(&said(&["--version"])?);
        let lacks = |part| NoRecorder::Lacks { program: program(), version: version.clone(), part };
        match lacking(&said(&["-help"])?, &said(&["-object", "help"])?) {
            Some(part) => Err(lacks(part)),
            None => Ok(Self { version }),
        }
    }
}

/// The part that a QEMU of these words lacks.
fn lacking(help: &str, objects: &str) -> Option<&'static str> {
    if !help.contains("rr=record|replay") {
        return Some("`-icount rr=record`");
    }
    (!objects.contains("filter-replay")).then_some("object filter-replay")
}

/// `7.2.22 (PACKAGE)` of what `--version` says.
fn version(said: &str) -> String {
    let first = said.lines().next().unwrap_or_default();
    first.split_once("version ").map_or(first, |(_, version)| version).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_that_does_not_record_is_told_by_what_it_lacks() {
        assert_eq!(
            version("QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright\n"),
            "7.2.22 (Debian 1:7.2)"
        );
        let help = "-icount [shift=N|auto][,sleep=on|off][,rr=record|replay,rrfile=<filename>]";
        assert_eq!(lacking(help, "  filter-mirror\n  filter-replay\n"), None);
        assert_eq!(lacking(help, "  filter-mirror\n"), Some("object filter-replay"));
        assert_eq!(lacking("-icount [shift=N|auto]", "  filter-replay\n"), Some("`-icount rr=record`"));
        let nowhere = Tools { qemu: "/nonexistent/qemu".into(), supervisor: "/nonexistent".into() };
        assert!(matches!(Recorder::ask(&nowhere), Err(NoRecorder::NotStarted { .. })));
    }
}
