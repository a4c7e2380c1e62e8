// SPDX-License-Identifier: BSD-2-Clause
//! Running one tool after another.

use std::path::Path;
use std::process::Command;

use tokio_util::sync::CancellationToken;

use crate::error::KmodError;

/// Lines of a tool's output that an error shows.
const SHOWN: usize = 40;

/// Runs a tool to its end. Between two of them the caller's wish to stop is heard; none takes longer than half a
/// minute.
pub(crate) fn run(step: &str, command: &mut Command, cancel: &CancellationToken) -> Result<(), KmodError> {
    if cancel.is_cancelled() {
        return Err(KmodError::Interrupted);
    }
    let program = command.get_program().to_owned();
    let output = command.output().map_err(KmodError::io("run", Path::new(&program)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    Err(KmodError::Failed {
        step: step.to_owned(),
        program: program.to_string_lossy().into_owned(),
        status: output.status.to_string(),
        output: lines[lines.len().saturating_sub(SHOWN)..].join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_was_said() {
        let cancel = CancellationToken::new();
        let mut command = Command::new("sh");
        let error =
            run("compile", command.args(["-c", "echo no such thing >&2; exit 3"]), &cancel).unwrap_err();
        assert_eq!(error.to_string(), "compile failed: sh exited with exit status: 3:\nno such thing");
        assert!(run("compile", Command::new("sh").args(["-c", "exit 0"]), &cancel).is_ok());
    }

    #[test]
    fn a_wish_to_stop_is_heard_before_the_next_tool() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let error = run("compile", &mut Command::new("/nonexistent"), &cancel).unwrap_err();
        assert!(matches!(error, KmodError::Interrupted));
    }
}
