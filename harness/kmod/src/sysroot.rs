// SPDX-License-Identifier: BSD-2-Clause
//! Rust's `core`, compiled with the kernel's flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nlproof_files::work_directory_in;

use tokio_util::sync::CancellationToken;

use crate::archive::keep;
use crate::error::KmodError;
use crate::flags;
use crate::key::Key;
use crate::toolchain::Toolchain;
use crate::work::run;

const LIBRARIES: &str = "lib/rustlib/x86_64-unknown-none/lib";

/// rustc with the kernel's flags. `core` and two `-Z` flags need the permission that only nightly compilers give
/// by themselves; nlproof's own crates are stable Rust.
pub(crate) fn rustc(tools: &Toolchain) -> Command {
    let mut command = Command::new(&tools.rustc);
    // rustc records its working directory in the debug information, and so in the module's bytes.
    command.current_dir("/");
    command.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS").args(flags::RUST);
    command
}

/// Where the sysroot of this compiler is kept.
pub(crate) fn place(tools: &Toolchain, cache: &Path) -> PathBuf {
    let mut key = Key::default();
    key.text(&tools.rustc_version);
    flags::RUST.iter().for_each(|flag| key.text(flag));
    key.text(flags::COMPILER_BUILTINS);
    cache.join(format!("sysroot-{}", key.finish()))
}

/// Compiles `core` (about 20 s) unless the cache has it.
pub(crate) fn sysroot(
    tools: &Toolchain,
    cache: &Path,
    cancel: &CancellationToken,
) -> Result<PathBuf, KmodError> {
    let place = place(tools, cache);
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(cache).map_err(KmodError::io("create", cache))?;
    let work = work_directory_in(cache).map_err(KmodError::io("create", cache))?;
    let libraries = work.path().join(LIBRARIES);
    fs::create_dir_all(&libraries).map_err(KmodError::io("create", &libraries))?;
    let core = libraries.join("libcore.rlib");
    run(
        "compiling core",
        rustc(tools)
            .args(["--crate-name=core", "--crate-type=rlib", "--cap-lints=allow", "--cfg=no_fp_fmt_parse"])
            .arg("-Zforce-unstable-if-unmarked")
            .arg(remap(&tools.library, "/rust-src"))
            .arg("-o")
            .arg(&core)
            .arg(tools.library.join("core/src/lib.rs")),
        cancel,
    )?;
    let source = work.path().join("compiler_builtins.rs");
    fs::write(&source, flags::COMPILER_BUILTINS).map_err(KmodError::io("write", &source))?;
    run(
        "compiling compiler_builtins",
        rustc(tools)
            .args(["--crate-name=compiler_builtins", "--crate-type=rlib", "-Cembed-bitcode=no"])
            .arg(remap(work.path(), "/sysroot"))
            .arg("--sysroot")
            .arg(work.path())
            .arg("--extern")
            .arg(format!("core={}", core.display()))
            .arg("-o")
            .arg(libraries.join("libcompiler_builtins.rlib"))
            .arg(&source),
        cancel,
    )?;
    keep(work, &place)?;
    Ok(place)
}

/// Keeps a path of this machine out of what is compiled.
pub(crate) fn remap(path: &Path, name: &str) -> String {
    format!("--remap-path-prefix={}={name}", path.display())
}
