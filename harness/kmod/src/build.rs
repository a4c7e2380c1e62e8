// SPDX-License-Identifier: BSD-2-Clause
//! From sources to `nlproof_iface.ko`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio_util::sync::CancellationToken;

use crate::c_part::{CPart, add_to_key};
use crate::error::KmodError;
use crate::flags;
use crate::headers::{HeaderSource, Headers};
use crate::key::Key;
use crate::module::Module;
use crate::parts::TREES;
use crate::sysroot::{remap, rustc, sysroot};
use crate::toolchain::Toolchain;
use crate::work::run;

/// The module's file.
const FILE: &str = "nlproof_iface.ko";

/// The module to build, and its sources.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The headers that it is compiled against: those of the kernel that is to load it.
    pub headers: HeaderSource<'a>,
    /// The directory that holds `kmod-src` and `harness`: see [`Checkout`](crate::Checkout).
    pub checkout: &'a Path,
    /// Where headers, `core` and modules are kept.
    pub cache: &'a Path,
    /// Build in faults that keep the module from being unloaded, for a test of that.
    pub faults: bool,
    /// Set when the user interrupts.
    pub cancel: &'a CancellationToken,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// src.txz is unpacked, once a release.
    Headers,
    /// `core` is compiled, once a compiler.
    Core,
    /// The module's Rust is compiled.
    Rust,
    /// The shim is compiled.
    Shim,
    /// Everything is put together and checked.
    Link,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Headers => "unpack headers",
            Self::Core => "compile core",
            Self::Rust => "compile rust",
            Self::Shim => "compile shim",
            Self::Link => "link",
        })
    }
}

/// Builds the module for a release, or finds it in the cache.
///
/// # Errors
/// See [`KmodError`].
pub fn build(
    tools: &Toolchain,
    options: &Options<'_>,
    on_stage: &mut dyn FnMut(Stage),
) -> Result<Module, KmodError> {
    find_or_make(tools, options, on_stage).map_err(|error| error.explained(options.cache))
}

fn find_or_make(
    tools: &Toolchain,
    options: &Options<'_>,
    on_stage: &mut dyn FnMut(Stage),
) -> Result<Module, KmodError> {
    let Options { headers, checkout, cache, faults, cancel } = *options;
    let sources = Sources::in_checkout(checkout)?;
    on_stage(Stage::Headers);
    let headers = Headers::of(headers, cache)?;
    let directory = format!("module-{}", key(tools, &sources, &headers, faults)?);
    Module::kept(cache, &directory, FILE, &headers, |out| {
        on_stage(Stage::Core);
        let sysroot = sysroot(tools, cache, cancel)?;
        let work = Work { tools, sources: &sources, headers: &headers, out, faults, cancel };
        on_stage(Stage::Rust);
        let rust = work.rust(&sysroot)?;
        on_stage(Stage::Shim);
        let shim = work.shim()?;
        on_stage(Stage::Link);
        work.link(rust, shim)
    })
}

/// Where the module's sources stand in a checkout.
struct Sources {
    wire: PathBuf,
    core: PathBuf,
    ffi: PathBuf,
    shim: PathBuf,
}

impl Sources {
    fn in_checkout(checkout: &Path) -> Result<Self, KmodError> {
        let at = |(part, _): (&str, _)| {
            let path = checkout.join(part);
            if path.is_dir() { Ok(path) } else { Err(KmodError::NoCheckout { path }) }
        };
        let [wire, core, ffi, shim] = TREES.map(at);
        Ok(Self { wire: wire?, core: core?, ffi: ffi?, shim: shim? })
    }
}

fn key(tools: &Toolchain, sources: &Sources, headers: &Headers, faults: bool) -> Result<String, KmodError> {
    let mut key = Key::default();
    key.text(&tools.rustc_version);
    add_to_key(&mut key, &tools.c, headers);
    key.text(flags::RUST_DEBUG);
    flags::RUST.iter().chain(flags::ENTRIES).for_each(|flag| key.text(flag));
    if faults {
        key.text(flags::FAULTS);
    }
    let trees = [&sources.wire, &sources.core, &sources.ffi, &sources.shim];
    for (tree, (_, endings)) in trees.into_iter().zip(TREES) {
        key.tree(tree, endings)?;
    }
    Ok(key.finish())
}

struct Work<'a> {
    tools: &'a Toolchain,
    sources: &'a Sources,
    headers: &'a Headers,
    out: &'a Path,
    faults: bool,
    cancel: &'a CancellationToken,
}

impl Work<'_> {
    fn run(&self, step: &str, command: &mut Command) -> Result<(), KmodError> {
        run(step, command, self.cancel)
    }

    /// The three crates, and of them what is reachable from the entry points.
    fn rust(&self, sysroot: &Path) -> Result<PathBuf, KmodError> {
        let crates: [(&str, &str, &Path, &[&str]); 3] = [
            ("nlproof_wire", "rlib", &self.sources.wire, &[]),
            ("iface_core", "rlib", &self.sources.core, &["nlproof_wire"]),
            ("iface_kmod", "staticlib", &self.sources.ffi, &["nlproof_wire", "iface_core"]),
        ];
        for (name, kind, source, needs) in crates {
            let mut command = rustc(self.tools);
            command.arg(format!("--crate-name={name}")).arg(format!("--crate-type={kind}"));
            command.arg("--sysroot").arg(sysroot).arg("-L").arg(self.out);
            command.arg(remap(source, &format!("/{name}"))).arg(remap(self.out, "/out"));
            if kind == "staticlib" {
                command.args(["-Clto=fat", flags::RUST_DEBUG]);
                command.arg(remap(&self.tools.library, "/rust-src"));
            }
            for needed in needs {
                command.arg("--extern").arg(needed);
            }
            command.arg("--out-dir").arg(self.out).arg(source.join("lib.rs"));
            self.run(&format!("compiling {name}"), &mut command)?;
        }
        let object = self.out.join("rust.o");
        let mut command = self.c_part().lld();
        command.arg("--gc-sections").args(["-e", flags::ENTRIES[0]]);
        for entry in flags::ENTRIES {
            command.args(["-u", entry]);
        }
        self.run(
            "linking the Rust part",
            command.arg("-o").arg(&object).arg(self.out.join("libiface_kmod.a")),
        )?;
        Ok(object)
    }

    fn c_part(&self) -> CPart<'_> {
        CPart { tools: &self.tools.c, headers: self.headers, out: self.out, cancel: self.cancel }
    }

    fn shim(&self) -> Result<Vec<PathBuf>, KmodError> {
        self.c_part().compile(&self.sources.shim, "/shim", if self.faults { &[flags::FAULTS] } else { &[] })
    }

    fn link(&self, rust: PathBuf, mut shim: Vec<PathBuf>) -> Result<PathBuf, KmodError> {
        shim.push(rust);
        self.c_part().link(FILE, &shim)
    }
}
