// SPDX-License-Identifier: BSD-2-Clause
//! Exit codes, a promise to scripts, and the errors that end a command.

use crate::file::FileError;

/// The process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode(u8);

impl ExitCode {
    /// Every cell that ran passed.
    pub const OK: ExitCode = ExitCode(0);
    /// A bug in nlproof, or a failure that has no code of its own.
    pub const BUG: ExitCode = ExitCode(1);
    /// The command line or an input file is wrong.
    pub const USAGE: ExitCode = ExitCode(2);
    /// A comparison failed.
    pub const COMPARISON: ExitCode = ExitCode(100);
    /// An image or a module could not be built.
    pub const BUILD: ExitCode = ExitCode(101);
    /// Verification refused a module or a vector.
    pub const REFUSED: ExitCode = ExitCode(102);
    /// A guest failed: it did not boot, panicked, hung, was lost, or its module misbehaved.
    pub const GUEST: ExitCode = ExitCode(103);
    /// Nothing ran or could be compared, or a part of a joined run is missing.
    pub const NOTHING_RAN: ExitCode = ExitCode(104);
    /// Interrupted by the user, as shells report SIGINT.
    pub const INTERRUPTED: ExitCode = ExitCode(130);

    /// The exit code of a command that nlproof ran for the user and that ended by itself.
    pub(super) fn of_command(code: i32) -> ExitCode {
        // wait(2) gives eight bits.
        u8::try_from(code).map_or(ExitCode::BUG, ExitCode)
    }

    /// The text of `--help` about them.
    pub const HELP: &str = "\
Exit codes:
    0  every cell that ran passed
    1  a bug in nlproof
    2  the command line or an input file is wrong
  100  a comparison failed
  101  an image could not be built
  102  verification refused a module or a vector
  103  a guest failed: it did not boot, panicked, hung, was lost, or its module misbehaved
  104  nothing ran or could be compared, or a part of a joined run is missing
  130  interrupted";
}

/// Runs a command. A panic is a bug in nlproof and exits as one: Rust's own code for it, 101, means
/// something else here.
pub fn as_a_program(command: impl FnOnce() -> std::process::ExitCode) -> std::process::ExitCode {
    // Nothing is used afterwards, so nothing can be seen in a broken state.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(command)).unwrap_or_else(|_| {
        eprintln!("this is a bug in nlproof; what is printed above helps to find it");
        ExitCode::BUG.into()
    })
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.0.into()
    }
}

/// What ended a command early.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// One or several input files are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Files(Vec<FileError>),
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// An image could not be built.
    #[error("{0}")]
    Build(String),
    /// Verification refused a module.
    #[error("{0}")]
    Refused(String),
    /// A guest failed.
    #[error("{0}")]
    Guest(String),
    /// Nothing could run.
    #[error("{0}")]
    NothingRan(String),
    /// A report or other output could not be written.
    #[error("cannot write {what}: {error}")]
    Output {
        /// What.
        what: String,
        /// Why not.
        error: std::io::Error,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// The exit code that this error ends in.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            // A place that the user named and that cannot be written to is a wrong command line.
            CliError::Files(_) | CliError::Usage(_) | CliError::Output { .. } => ExitCode::USAGE,
            CliError::Build(_) => ExitCode::BUILD,
            CliError::Refused(_) => ExitCode::REFUSED,
            CliError::Guest(_) => ExitCode::GUEST,
            CliError::NothingRan(_) => ExitCode::NOTHING_RAN,
            CliError::Interrupted => ExitCode::INTERRUPTED,
        }
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        CliError::Files(vec![error])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug_and_anything_else_is_itself() {
        let code = |code: ExitCode| format!("{:?}", std::process::ExitCode::from(code));
        let seen = |code: std::process::ExitCode| format!("{code:?}");
        assert_eq!(seen(as_a_program(|| panic!("on purpose"))), code(ExitCode::BUG));
        assert_eq!(seen(as_a_program(|| ExitCode::GUEST.into())), code(ExitCode::GUEST));
    }
}
