// SPDX-License-Identifier: BSD-2-Clause
//! Exit codes, a promise to scripts, and the errors that end a command.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use nlproof_image::ImageError;

use super::out::tell;
use crate::file::FileError;
use crate::kernels::BuildError;
use crate::targets::Cause;

/// The process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode(u8);

impl ExitCode {
    /// Every cell that ran passed; a command without cells did what it was asked for.
    pub const OK: ExitCode = ExitCode(0);
    /// A bug in nlproof, or a failure that has no code of its own.
    pub const BUG: ExitCode = ExitCode(1);
    /// The command line or an input file is wrong.
    pub const USAGE: ExitCode = ExitCode(2);
    /// A comparison failed.
    pub const COMPARISON: ExitCode = ExitCode(100);
    /// An image or a module could not be built.
    pub const BUILD: ExitCode = ExitCode(101);
    /// Verification rejected a module, a vector or a bundle.
    pub const REFUSED: ExitCode = ExitCode(102);
    /// A guest failed: it did not boot, panicked, hung, was lost, or its module misbehaved.
    pub const GUEST: ExitCode = ExitCode(103);
    /// Nothing ran or could be compared, or a part of a joined run is missing.
    pub const NOTHING_RAN: ExitCode = ExitCode(104);
    /// An output could not be written, and nothing else went wrong.
    pub const UNWRITTEN: ExitCode = ExitCode(105);
    /// Interrupted by the user, as shells report SIGINT.
    pub const INTERRUPTED: ExitCode = ExitCode(130);

    /// The program of `watch` was ended because its time was over, as timeout(1) reports it.
    pub(super) const TIMED_OUT: ExitCode = ExitCode(124);

    /// Bad, as `git bisect run` wants it.
    pub(super) const BISECT_BAD: ExitCode = ExitCode(1);
    /// Cannot be tested, as `git bisect run` wants it.
    pub(super) const BISECT_SKIP: ExitCode = ExitCode(125);
    /// Ends the search of `git bisect run`, to which every number below, but for 0 and 125, is a bad commit.
    pub(super) const BISECT_END: ExitCode = ExitCode(128);

    /// All exit codes of nlproof's own, with their meanings. The text of `--help` is made from this, and the
    /// documentation is held to it.
    pub const ALL: [(ExitCode, &str); 10] = [
        (ExitCode::OK, "every cell that ran passed; a command without cells did what it was asked for"),
        (ExitCode::BUG, "a bug in nlproof"),
        (ExitCode::USAGE, "the command line or an input file is wrong"),
        (ExitCode::COMPARISON, "a comparison failed"),
        (ExitCode::BUILD, "an image or a module could not be built"),
        (ExitCode::REFUSED, "verification rejected a module, a vector or a bundle"),
        (
            ExitCode::GUEST,
            "a guest failed: it did not boot, panicked, hung, was lost, or its module misbehaved",
        ),
        (ExitCode::NOTHING_RAN, "nothing ran or could be compared, or a part of a joined run is missing"),
        (ExitCode::UNWRITTEN, "an output could not be written, and nothing else went wrong"),
        (ExitCode::INTERRUPTED, "interrupted"),
    ];

    /// The exit code of a command that nlproof ran for the user and that ended by itself.
    pub(super) fn of_command(code: i32) -> ExitCode {
        // wait(2) gives eight bits.
        u8::try_from(code).map_or(ExitCode::BUG, ExitCode)
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The first of the two that is not [`OK`](Self::OK).
    #[must_use]
    pub(super) fn or(self, other: ExitCode) -> ExitCode {
        if self == ExitCode::OK { other } else { self }
    }

    /// The text of `--help` about exit codes.
    pub(super) fn help() -> String {
        let mut text = "Exit codes:".to_owned();
        for (code, meaning) in ExitCode::ALL {
            // A write to a String does not fail.
            write!(text, "\n  {:>3}  {meaning}", code.number()).ok();
        }
        text
    }
}

/// Runs a command. A panic is a bug in nlproof and exits as one: Rust's own code for it, 101, means
/// something else here.
pub fn as_a_program(command: impl FnOnce() -> std::process::ExitCode) -> std::process::ExitCode {
    // Nothing is used afterwards, so nothing can be seen in a broken state.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(command)).unwrap_or_else(|_| {
        tell!("this is a bug in nlproof; what is printed above helps to find it");
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
    /// One or several input files are wrong, or files could not be written.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Files(Vec<FileError>),
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// An image could not be built.
    #[error("{0}")]
    Build(#[source] Cause),
    /// Verification rejected a module.
    #[error("{0}")]
    Refused(#[source] Cause),
    /// A guest failed.
    #[error("{0}")]
    Guest(#[source] Cause),
    /// Nothing could run.
    #[error("{0}")]
    NothingRan(String),
    /// A vector cannot be asked of this kernel.
    #[error("{0}")]
    DoesNotApply(String),
    /// A report or other output could not be written.
    #[error("cannot write {what}: {error}")]
    Output {
        /// The file or stream.
        what: String,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// The error for a file or directory that cannot be written.
    pub(super) fn unwritten(what: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let what = what.display().to_string();
        move |error| CliError::Output { what, error }
    }

    /// Whether a kernel is to blame: it does not build or boot, or cannot be asked. Another one may fare better.
    pub(super) fn is_the_kernels(&self) -> bool {
        match self {
            // An image is of a release, whose files are at fault, or this machine.
            CliError::Build(cause) if cause.is::<ImageError>() => false,
            CliError::Build(cause) => cause.downcast_ref::<BuildError>().is_none_or(BuildError::is_the_trees),
            CliError::Guest(_) | CliError::Refused(_) | CliError::DoesNotApply(_) => true,
            CliError::Files(_)
            | CliError::Usage(_)
            | CliError::NothingRan(_)
            | CliError::Output { .. }
            | CliError::Interrupted => false,
        }
    }

    /// Says it to the user, and gives the exit code that it ends in.
    pub(super) fn told(self) -> ExitCode {
        tell!("error: {self}");
        self.exit_code()
    }

    /// The exit code that this error ends in.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Files(errors) if errors.iter().all(|error| error.unwritable) => ExitCode::UNWRITTEN,
            CliError::Files(_) | CliError::Usage(_) => ExitCode::USAGE,
            CliError::Output { .. } => ExitCode::UNWRITTEN,
            CliError::Build(_) => ExitCode::BUILD,
            CliError::Refused(_) => ExitCode::REFUSED,
            CliError::Guest(_) => ExitCode::GUEST,
            CliError::NothingRan(_) | CliError::DoesNotApply(_) => ExitCode::NOTHING_RAN,
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

    #[test]
    fn the_codes_are_told_each_once_in_their_order() {
        let numbers: Vec<_> = ExitCode::ALL.iter().map(|(code, _)| code.number()).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        assert_eq!(ExitCode::help().lines().count(), 1 + ExitCode::ALL.len());
    }

    /// `--help` is made from the table. Whatever else tells the codes must tell the same.
    #[test]
    fn the_documentation_tells_the_codes_as_help_does() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let mut tables = 0;
        for page in pages.chain([root.join("README.md")]) {
            let text = std::fs::read_to_string(&page).unwrap();
            let Some((_, table)) = text.split_once("# Exit codes\n") else { continue };
            tables += 1;
            let rows: Vec<_> = table
                .lines()
                .skip_while(|line| !line.starts_with('|'))
                .take_while(|line| line.starts_with('|'))
                .filter(|line| line.contains(|c: char| c.is_ascii_digit()))
                .collect();
            assert_eq!(rows.len(), ExitCode::ALL.len(), "{}", page.display());
            for (row, (code, meaning)) in rows.iter().zip(ExitCode::ALL) {
                // A page may say more.
                let rest = row.strip_prefix(&format!("| {} | {meaning}", code.number()));
                let same =
                    rest.is_some_and(|rest| [" |", ": ", "; "].iter().any(|end| rest.starts_with(end)));
                assert!(same, "{}: {row}: {meaning}", page.display());
            }
        }
        assert!(tables > 0, "no page tells the exit codes");
    }

    #[test]
    fn what_could_not_be_written_is_no_wrong_input() {
        let path = std::path::Path::new("x");
        let unwritable = || FileError::unwritable(path, &std::io::ErrorKind::StorageFull.into());
        let wrong = || FileError::whole(path, "is wrong");
        assert_eq!(CliError::Files(vec![unwritable()]).exit_code(), ExitCode::UNWRITTEN);
        assert_eq!(CliError::Files(vec![unwritable(), wrong()]).exit_code(), ExitCode::USAGE);
        assert_eq!(CliError::from(wrong()).exit_code(), ExitCode::USAGE);
    }
}
