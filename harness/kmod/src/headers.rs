// SPDX-License-Identifier: BSD-2-Clause
//! The headers of a release: those of sys/ in its src.txz that a module reads, unpacked once.

use std::fs;
use std::path::{Path, PathBuf};

use nlproof_image::ReleaseDir;

use crate::archive::Part;
use crate::error::KmodError;
use crate::key::Key;

/// Where sys/ stands in src.txz.
const SYS: &str = "usr/src/sys";
/// The linker script of modules, which keeps code and data on pages of their own.
const LINKER_SCRIPT: &str = "conf/ldscript.kmod.amd64";

/// Where the shim's includes and theirs stand. All of sys/ is fifteen times as large: most of it are the registers of
/// devices. An include that is missing here fails the module's compilation by name.
const DIRECTORIES: [&str; 15] = [
    "amd64/include",
    "bsm",
    "contrib/ck/include",
    "ddb",
    "kern",
    "net",
    "netinet",
    "netinet6",
    "netipsec",
    "netlink",
    "netpfil",
    "security",
    "sys",
    "vm",
    "x86/include",
];

/// Headers and the linker script, as `sys/...`. Another choice of directories is kept under another name.
const PART: Part = Part {
    archive: "src.txz",
    kept_as: "headers-2",
    place: |path| {
        let inside = path.strip_prefix(SYS).ok()?;
        let header = inside.extension().is_some_and(|ending| ending == "h")
            && DIRECTORIES.iter().any(|directory| inside.starts_with(directory));
        (header || inside == Path::new(LINKER_SCRIPT)).then(|| Path::new("sys").join(inside))
    },
};

/// Where the headers of a kernel are.
#[derive(Debug, Clone, Copy)]
pub enum HeaderSource<'a> {
    /// In src.txz of a release.
    Release(&'a ReleaseDir),
    /// In a source tree, below its `sys`.
    Tree(&'a Path),
}

/// sys/ of a release or of a tree, of which only headers are read.
#[derive(Debug, Clone)]
pub(crate) struct Headers {
    /// The directory.
    pub(crate) sys: PathBuf,
    /// `__FreeBSD_version`.
    pub(crate) version: u32,
    /// sha256 of src.txz, or of a tree's headers.
    pub(crate) digest: String,
}

impl Headers {
    /// Finds the headers: those of a release in the cache, or unpacks them there.
    pub(crate) fn of(source: HeaderSource<'_>, cache: &Path) -> Result<Self, KmodError> {
        let (sys, digest, name) = match source {
            HeaderSource::Release(release) => {
                let no_source = || KmodError::NoSource { path: release.path.clone() };
                let (directory, digest) = PART.of(release, cache)?.ok_or_else(no_source)?;
                (directory.join("sys"), digest, release.name.clone())
            }
            HeaderSource::Tree(tree) => {
                let sys = tree.join("sys");
                let mut key = Key::default();
                for directory in DIRECTORIES.iter().filter(|directory| sys.join(directory).is_dir()) {
                    key.text(directory);
                    key.tree(&sys.join(directory), &[".h"])?;
                }
                let script = sys.join(LINKER_SCRIPT);
                key.bytes(&fs::read(&script).map_err(KmodError::io("read", &script))?);
                (sys, key.finish(), tree.display().to_string())
            }
        };
        let version = version(&sys.join("sys/param.h"))?;
        match version / 100_000 {
            14..=16 => Ok(Self { sys, version, digest }),
            major => Err(KmodError::Untried { release: name, major }),
        }
    }

    /// The linker script of modules.
    pub(crate) fn linker_script(&self) -> PathBuf {
        self.sys.join(LINKER_SCRIPT)
    }
}

fn version(param_h: &Path) -> Result<u32, KmodError> {
    let missing = || KmodError::NotFreebsd { path: param_h.to_owned() };
    let text = fs::read_to_string(param_h).map_err(|_| missing())?;
    text.lines()
        .find_map(|line| line.strip_prefix("#define __FreeBSD_version "))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_includes_is_kept_and_the_rest_is_not() {
        let place = |path: &str| (PART.place)(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(place("usr/src/sys/net/if.h").as_deref(), Some("sys/net/if.h"));
        assert_eq!(
            place("usr/src/sys/conf/ldscript.kmod.amd64").as_deref(),
            Some("sys/conf/ldscript.kmod.amd64")
        );
        for other in
            ["usr/src/sys/net/if.c", "usr/src/sys/dev/pms/a.h", "usr/src/sys/netgraph/a.h", "usr/src/lib/a.h"]
        {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn the_version_is_read_from_param_h() {
        let place = tempfile::tempdir().unwrap();
        let header = place.path().join("param.h");
        fs::write(&header, "#undef __FreeBSD_version\n#define __FreeBSD_version 1400507\t/* x */\n").unwrap();
        assert_eq!(version(&header).unwrap(), 1_400_507);
        fs::write(&header, "int x;\n").unwrap();
        assert!(version(&header).unwrap_err().to_string().contains("does not say __FreeBSD_version"));
    }
}
