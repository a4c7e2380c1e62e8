// SPDX-License-Identifier: BSD-2-Clause
//! The C of a module, compiled with the kernel's flags against a release's headers, and a module put together.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio_util::sync::CancellationToken;

use crate::error::KmodError;
use crate::flags;
use crate::headers::Headers;
use crate::key::{Key, files};
use crate::toolchain::CTools;
use crate::work::run;

/// What C is compiled with and where to.
pub(crate) struct CPart<'a> {
    pub(crate) tools: &'a CTools,
    pub(crate) headers: &'a Headers,
    /// Directory for the objects and the module.
    pub(crate) out: &'a Path,
    pub(crate) cancel: &'a CancellationToken,
}

/// Everything but the sources that decides what comes of C.
pub(crate) fn add_to_key(key: &mut Key, tools: &CTools, headers: &Headers) {
    tools.versions.iter().for_each(|version| key.text(version));
    key.text(&headers.digest);
    flags::C.iter().chain(flags::OWN_C).for_each(|flag| key.text(flag));
    for (name, text) in flags::OPTIONS {
        key.text(name);
        key.text(text);
    }
}

impl CPart<'_> {
    /// The objects of all C files of a directory, which debug information calls `name`.
    pub(crate) fn compile(
        &self,
        tree: &Path,
        name: &str,
        further: &[&str],
    ) -> Result<Vec<PathBuf>, KmodError> {
        let include = self.out.join("include");
        fs::create_dir(&include).map_err(KmodError::io("create", &include))?;
        for (name, text) in flags::OPTIONS {
            let path = include.join(name);
            fs::write(&path, text).map_err(KmodError::io("write", &path))?;
        }
        let sys = &self.headers.sys;
        for (name, machine) in [("machine", "amd64/include"), ("x86", "x86/include")] {
            let link = include.join(name);
            symlink(sys.join(machine), &link).map_err(KmodError::io("create", &link))?;
        }
        let major = self.headers.version / 100_000;
        let mut objects = Vec::new();
        for source in files(tree, &[".c"])? {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let object = self.out.join(format!("{stem}.o"));
            let mut command = Command::new(&self.tools.clang);
            command
                .arg(format!("--target=x86_64-unknown-freebsd{major}.0"))
                .args(flags::C)
                .args(flags::OWN_C)
                .args(further);
            for directory in [&include, sys, &sys.join("contrib/ck/include"), tree] {
                command.arg("-I").arg(directory);
            }
            command.arg("-include").arg(include.join("opt_global.h"));
            for (path, name) in [(self.out, "/out"), (sys.as_path(), "/sys"), (tree, name)] {
                command.arg(format!("-ffile-prefix-map={}={name}", path.display()));
            }
            // The directory of compilation is recorded too.
            command.arg("-fdebug-compilation-dir=/out").current_dir(self.out);
            let step = format!("compiling {stem}.c");
            run(&step, command.arg("-c").arg(&source).arg("-o").arg(&object), self.cancel)?;
            objects.push(object);
        }
        Ok(objects)
    }

    /// The linker for objects of the kernel.
    pub(crate) fn lld(&self) -> Command {
        let mut command = Command::new(&self.tools.lld);
        command.args(["-m", "elf_x86_64_fbsd", "-r"]);
        command
    }

    /// The module of that file name, made of these objects.
    pub(crate) fn link(&self, name: &str, objects: &[PathBuf]) -> Result<PathBuf, KmodError> {
        let module = self.out.join(name);
        let mut command = self.lld();
        command.arg("-T").arg(self.headers.linker_script()).arg("--warn-common");
        run("linking the module", command.arg("-o").arg(&module).args(objects), self.cancel)?;
        Ok(module)
    }
}
