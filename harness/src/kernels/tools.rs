// SPDX-License-Identifier: BSD-2-Clause
//! Tools of this machine that FreeBSD's build needs.

use std::collections::BTreeSet;
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

/// A tool of the build that is not here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTool {
    /// The compilers, in one directory.
    #[error("no {} together in {searched}", NEEDED.join(", "))]
    Compilers {
        /// Where they were looked for.
        searched: String,
    },
    /// What runs `tools/build/make.py`.
    #[error("no python3 in $PATH")]
    Python,
}

/// What make.py looks for in that directory.
const NEEDED: [&str; 4] = ["clang", "clang++", "clang-cpp", "ld.lld"];
/// Versions of LLVM that are looked for below /usr/lib, the first one first: what FreeBSD's branches themselves use.
const VERSIONS: [u32; 7] = [19, 18, 17, 16, 20, 15, 14];

/// Programs of this machine that tools/build/Makefile takes and that are not everywhere, with Debian's packages of them.
const PROGRAMS: [(&str, &str); 12] = [
    ("bunzip2", "bzip2"),
    ("bzip2", "bzip2"),
    ("cmp", "diffutils"),
    ("diff", "diffutils"),
    ("find", "findutils"),
    ("gunzip", "gzip"),
    ("hostname", "hostname"),
    ("patch", "patch"),
    ("time", "time"),
    ("unxz", "xz-utils"),
    ("which", "debianutils"),
    ("xz", "xz-utils"),
];
/// Headers that the tools of the build include.
const HEADERS: [(&str, &str); 2] = [("archive.h", "libarchive-dev"), ("bzlib.h", "libbz2-dev")];

/// What else the build needs of a Linux system and is not there, each with Debian's package; `headers` is where the
/// system's headers are.
pub fn lacking(path: &OsStr, headers: &Path) -> Vec<(&'static str, &'static str)> {
    let runs = |program: &str| std::env::split_paths(path).any(|directory| directory.join(program).is_file());
    let programs = PROGRAMS.into_iter().filter(|(program, _)| !runs(program));
    programs.chain(HEADERS.into_iter().filter(|(header, _)| !headers.join(header).is_file())).collect()
}

/// [`lacking`] on this machine, in words; `None`: nothing is.
pub fn lacking_here() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let lacking = lacking(&std::env::var_os("PATH").unwrap_or_default(), Path::new("/usr/include"));
    let (names, packages): (Vec<_>, BTreeSet<_>) = lacking.into_iter().unzip();
    let packages: Vec<_> = packages.into_iter().collect();
    (!names.is_empty())
        .then(|| format!("no {}; Debian: apt-get install {}", names.join(", "), packages.join(" ")))
}

/// How the tools are had.
pub fn remedy() -> &'static str {
    "Debian: apt-get install --no-install-recommends python3 clang lld llvm libarchive-dev libbz2-dev liblzma-dev zlib1g-dev \
     libssl-dev; NLPROOF_LLVM names the directory of another LLVM's programs"
}

impl Compilers {
    /// Looks for them: in `llvm` (`$NLPROOF_LLVM`) if that is given, else in the system's places and in `path` (`$PATH`).
    ///
    /// # Errors
    /// See [`NoTool`].
    pub fn find(llvm: Option<&OsStr>, path: &OsStr) -> Result<Self, NoTool> {
        let whole = |directory: &PathBuf| NEEDED.iter().all(|program| directory.join(program).is_file());
        let given = llvm.filter(|llvm| !llvm.is_empty()).map(PathBuf::from);
        let system = VERSIONS.iter().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin")));
        let directory = match &given {
            Some(directory) => Some(directory.clone()).filter(whole),
            None => system.chain(std::env::split_paths(path)).find(whole),
        };
        let directory = directory.ok_or_else(|| {
            let searched = given.as_deref().unwrap_or(Path::new("/usr/lib/llvm-*/bin and $PATH")).display();
            NoTool::Compilers { searched: searched.to_string() }
        })?;
        let python = std::env::split_paths(path)
            .map(|directory| directory.join("python3"))
            .find(|file| file.is_file());
        Ok(Self { directory, python: python.ok_or(NoTool::Python)? })
    }

    /// The same, from the environment.
    ///
    /// # Errors
    /// Same as [`Compilers::find`].
    pub fn from_env() -> Result<Self, NoTool> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::find(std::env::var_os("NLPROOF_LLVM").as_deref(), &path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_build_lacks_is_named_with_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let all: Vec<_> = PROGRAMS.into_iter().chain(HEADERS).collect();
        assert_eq!(lacking(dir.path().as_os_str(), dir.path()), all);
        for (name, _) in all.iter().filter(|(name, _)| *name != "time") {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(lacking(dir.path().as_os_str(), dir.path()), [("time", "time")]);
    }
}
