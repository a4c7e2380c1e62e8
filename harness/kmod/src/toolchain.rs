// SPDX-License-Identifier: BSD-2-Clause
//! The three tools that a module needs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::KmodError;
use crate::remembered::Answers;
use crate::tool::Tool;

/// Where tools are looked for: what the user named, and the directories of `PATH`.
#[derive(Debug, Clone, Default)]
pub struct ToolPaths {
    /// `$NLPROOF_KMOD_RUSTC`.
    pub rustc: Option<PathBuf>,
    /// `$NLPROOF_KMOD_CLANG`.
    pub clang: Option<PathBuf>,
    /// `$NLPROOF_KMOD_LLD`.
    pub lld: Option<PathBuf>,
    /// Directories to search, the first one first.
    pub search: Vec<PathBuf>,
    answers: Answers,
}

impl ToolPaths {
    /// The tools that the environment names.
    #[must_use]
    pub fn from_env() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let mut search: Vec<PathBuf> =
            path("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        // rustup's rustc often comes first in PATH and has no source; a distribution's is here.
        search.push("/usr/bin".into());
        Self {
            rustc: path("NLPROOF_KMOD_RUSTC").map(PathBuf::from),
            clang: path("NLPROOF_KMOD_CLANG").map(PathBuf::from),
            lld: path("NLPROOF_KMOD_LLD").map(PathBuf::from),
            search,
            answers: Answers::default(),
        }
    }

    /// The same, and what tools say of themselves is kept in this cache: a tool whose file is the same is not asked again.
    #[must_use]
    pub fn remembering(self, cache: &Path) -> Self {
        Self { answers: Answers::kept_in(cache), ..self }
    }

    fn candidates(&self, named: Option<&PathBuf>, program: &str) -> Vec<PathBuf> {
        if let Some(named) = named {
            return vec![named.clone()];
        }
        let versions = (14..=22).rev().map(|version| format!("{program}-{version}"));
        let names: Vec<String> = std::iter::once(program.to_owned()).chain(versions).collect();
        let mut found = Vec::new();
        for name in &names {
            found.extend(self.search.iter().map(|dir| dir.join(name)).filter(|path| path.is_file()));
        }
        found.dedup();
        found
    }
}

/// What compiles C and links, found and asked for its versions.
#[derive(Debug, Clone)]
pub struct CTools {
    /// clang.
    pub clang: PathBuf,
    /// ld.lld.
    pub lld: PathBuf,
    /// Output of each for `--version`, in this order.
    pub versions: [String; 2],
}

impl CTools {
    /// Finds the two.
    ///
    /// # Errors
    /// [`KmodError::NoTool`] with what was tried and how to install what is missing, for each that is.
    pub fn find(paths: &ToolPaths) -> Result<Self, Vec<KmodError>> {
        let clang = one(paths, paths.clang.as_ref(), "clang", Tool::Clang);
        let lld = one(paths, paths.lld.as_ref(), "ld.lld", Tool::Lld);
        match (clang, lld) {
            (Ok((clang, clang_version)), Ok((lld, lld_version))) => {
                Ok(Self { clang, lld, versions: [clang_version, lld_version] })
            }
            (clang, lld) => Err([clang.err(), lld.err()].into_iter().flatten().collect()),
        }
    }
}

/// All three tools, found and asked for their versions.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// rustc.
    pub rustc: PathBuf,
    /// Output of rustc for `-vV`.
    pub rustc_version: String,
    /// The source of its standard library: the directory that holds `core`.
    pub library: PathBuf,
    /// What compiles the C part and links.
    pub c: CTools,
}

impl Toolchain {
    /// Finds the tools.
    ///
    /// # Errors
    /// [`KmodError::NoTool`] with what was tried and how to install what is missing, for each that is.
    pub fn find(paths: &ToolPaths) -> Result<Self, Vec<KmodError>> {
        let mut tried = Vec::new();
        let rustc = paths.candidates(paths.rustc.as_ref(), "rustc").into_iter().find_map(|rustc| {
            let found = paths.answers.of(Tool::Rustc, &rustc, &["-vV"]).zip(library(paths, &rustc));
            if found.is_none() {
                tried.push(rustc.display().to_string());
            }
            found.map(|(version, library)| (rustc, version, library))
        });
        let rustc = rustc.ok_or_else(|| no_tool(Tool::Rustc, paths, tried));
        match (rustc, CTools::find(paths)) {
            (Ok((rustc, rustc_version, library)), Ok(c)) => Ok(Self { rustc, rustc_version, library, c }),
            (rustc, c) => Err(rustc.err().into_iter().chain(c.err().into_iter().flatten()).collect()),
        }
    }
}

fn one(
    paths: &ToolPaths,
    named: Option<&PathBuf>,
    program: &str,
    tool: Tool,
) -> Result<(PathBuf, String), KmodError> {
    let candidates = paths.candidates(named, program);
    let tried = candidates.iter().map(|path| path.display().to_string()).collect();
    candidates
        .into_iter()
        .find_map(|path| paths.answers.of(tool, &path, &["--version"]).map(|version| (path, version)))
        .ok_or_else(|| no_tool(tool, paths, tried))
}

fn no_tool(tool: Tool, paths: &ToolPaths, mut tried: Vec<String>) -> KmodError {
    if tried.is_empty() {
        let path = std::env::join_paths(&paths.search).unwrap_or_else(|_| OsString::from("PATH"));
        tried.push(path.to_string_lossy().into_owned());
    }
    KmodError::NoTool { tool, tried }
}

fn library(paths: &ToolPaths, rustc: &Path) -> Option<PathBuf> {
    let sysroot = paths.answers.of(Tool::Rustc, rustc, &["--print", "sysroot"])?;
    let library = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
    library.join("core/src/lib.rs").is_file().then_some(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_to_install() {
        let nowhere = tempfile::tempdir().unwrap();
        let paths = ToolPaths { search: vec![nowhere.path().to_owned()], ..ToolPaths::default() };
        let errors: Vec<String> =
            Toolchain::find(&paths).unwrap_err().iter().map(ToString::to_string).collect();
        let [rustc, clang, lld] = errors.as_slice() else { panic!("{errors:?}") };
        assert!(rustc.starts_with("no rustc with rust-src: tried "), "{rustc}");
        assert!(rustc.contains("rust-web-src") && rustc.contains(&nowhere.path().display().to_string()));
        assert!(clang.starts_with("no clang: ") && lld.starts_with("no ld.lld: "), "{errors:?}");
    }

    #[test]
    fn a_named_tool_is_the_only_candidate() {
        let named = PathBuf::from("/nonexistent/clang");
        let paths = ToolPaths { clang: Some(named.clone()), ..ToolPaths::from_env() };
        assert_eq!(paths.candidates(paths.clang.as_ref(), "clang"), [named]);
        let error = one(&paths, paths.clang.as_ref(), "clang", Tool::Clang).unwrap_err();
        assert!(error.to_string().starts_with("no clang: tried /nonexistent/clang;"), "{error}");
    }
}
