// SPDX-License-Identifier: BSD-2-Clause
//! The programs that a VM needs.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// QEMU's name, and the variable that names another one.
const QEMU: &str = "qemu-system-x86_64";
const QEMU_VARIABLE: &str = "NLPROOF_QEMU";

/// Where QEMU and the supervisor are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// `qemu-system-x86_64`, absolute.
    pub qemu: PathBuf,
    /// A program whose hidden subcommand [`SUPERVISE`](super::SUPERVISE) runs
    /// [`supervise_main`](super::supervise_main): nlproof itself.
    pub supervisor: PathBuf,
}

/// A tool that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// No QEMU.
    #[error(
        "no {QEMU} in $PATH; install it (Debian: `apt-get install qemu-system-x86`, FreeBSD: `pkg install \
         qemu-nox11`) or name it in ${QEMU_VARIABLE}"
    )]
    NoQemu,
    /// The variable names something that is not a file.
    #[error("${QEMU_VARIABLE} is {}, which is not a file", path.display())]
    NotAFile {
        /// Value of the variable.
        path: PathBuf,
    },
}

impl Tools {
    /// Looks for QEMU in `$NLPROOF_QEMU` and `$PATH`.
    ///
    /// # Errors
    /// It is in neither.
    pub fn find(supervisor: impl Into<PathBuf>) -> Result<Self, ToolError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let qemu = find_qemu(env::var_os(QEMU_VARIABLE).as_deref(), &path)?;
        Ok(Self { qemu, supervisor: supervisor.into() })
    }
}

fn find_qemu(named: Option<&OsStr>, path: &OsStr) -> Result<PathBuf, ToolError> {
    if let Some(named) = named.filter(|value| !value.is_empty()) {
        let named = Path::new(named);
        return named
            .is_file()
            .then(|| named.to_owned())
            .ok_or_else(|| ToolError::NotAFile { path: named.to_owned() });
    }
    env::split_paths(path)
        .map(|dir| dir.join(QEMU))
        .find(|program| program.is_file())
        .ok_or(ToolError::NoQemu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_variable_are_searched() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join(QEMU);
        std::fs::write(&program, "").unwrap();
        let path = env::join_paths([Path::new("/nonexistent"), dir.path()]).unwrap();
        assert_eq!(find_qemu(None, &path), Ok(program.clone()));
        assert_eq!(find_qemu(Some(program.as_os_str()), OsStr::new("")), Ok(program));
    }

    #[test]
    fn an_absent_tool_is_named_with_its_remedy() {
        let error = find_qemu(None, OsStr::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("apt-get install qemu-system-x86"), "{error}");
        let error = find_qemu(Some(OsStr::new("/nonexistent/q")), OsStr::new("")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/q"), "{error}");
    }
}
