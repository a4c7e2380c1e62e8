// SPDX-License-Identifier: BSD-2-Clause
//! Tools of this machine that FreeBSD's build needs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where the compilers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compilers {
    /// A directory with clang, clang++, clang-cpp and ld.lld.
    pub directory: PathBuf,
    /// python3, which runs `tools/build/make.py`.
    pub python: PathBuf,
}

/// What make.py looks for in that directory.
const NEEDED: [&str; 4] = ["clang", "clang++", "clang-cpp", "ld.lld"];
/// Versions of LLVM that are looked for below /usr/lib, the first one first: what FreeBSD's branches themselves use.
const VERSIONS: [u32; 7] = [19, 18, 17, 16, 20, 15, 14];

/// How the tools are had.
pub fn remedy() -> &'static str {
    "Debian: apt-get install --no-install-recommends python3 clang lld llvm libarchive-dev libbz2-dev liblzma-dev zlib1g-dev \
     libssl-dev; NLPROOF_LLVM names the directory of another LLVM's programs"
}

impl Compilers {
    /// Looks for them: in `llvm` (`$NLPROOF_LLVM`) if that is given, else in the system's places and in `path` (`$PATH`).
    ///
    /// # Errors
    /// What is missing.
    pub fn find(llvm: Option<&OsStr>, path: &OsStr) -> Result<Self, String> {
        let whole = |directory: &PathBuf| NEEDED.iter().all(|program| directory.join(program).is_file());
        let given = llvm.filter(|llvm| !llvm.is_empty()).map(PathBuf::from);
        let system = VERSIONS.iter().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin")));
        let directory = match &given {
            Some(directory) => Some(directory.clone()).filter(whole),
            None => system.chain(std::env::split_paths(path)).find(whole),
        };
        let directory = directory.ok_or_else(|| {
            let where_to = given.as_deref().unwrap_or(Path::new("/usr/lib/llvm-*/bin and $PATH")).display();
            format!("no {} together in {where_to}", NEEDED.join(", "))
        })?;
        let python = std::env::split_paths(path)
            .map(|directory| directory.join("python3"))
            .find(|file| file.is_file());
        Ok(Self { directory, python: python.ok_or("no python3 in $PATH")? })
    }

    /// The same, from the environment.
    ///
    /// # Errors
    /// Same as [`Compilers::find`].
    pub fn from_env() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::find(std::env::var_os("NLPROOF_LLVM").as_deref(), &path)
    }
}
