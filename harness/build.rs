// SPDX-License-Identifier: BSD-2-Clause
//! Builds the agent for both systems, so that the harness carries it inside (`include_bytes!`).
//!
//! Sets for the compiler: `NLPROOF_AGENT_FREEBSD` and `NLPROOF_AGENT_LINUX`, the paths of the two files
//! below `OUT_DIR`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "agent/build/flavours.rs"]
mod flavours;

use flavours::Flavour;

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(required("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(required("OUT_DIR")?);
    let package = here.join("agent");
    let workspace = here.parent().ok_or("the harness lies in no workspace")?;
    for input in [
        here.join("build.rs"),
        package.join("build"),
        package.join("src"),
        package.join("Cargo.toml"),
        here.join("base/src"),
        here.join("base/Cargo.toml"),
        // The profile, the edition, the versions of dependencies.
        workspace.join("Cargo.toml"),
        workspace.join("Cargo.lock"),
    ] {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER");
    let cargo = required("CARGO")?;
    // One for both, so that the derive macros are built once. Not the outer one, which is locked.
    let target_dir = out.join("agent");
    for (flavour, variable) in
        [(Flavour::FreeBsd, "NLPROOF_AGENT_FREEBSD"), (Flavour::Linux, "NLPROOF_AGENT_LINUX")]
    {
        match flavours::build(flavour, &cargo, &package, &target_dir) {
            Ok(elf) => {
                let path = out.join(format!("nlproof-agent-{}", flavour.name()));
                write_if_new(&path, &elf)?;
                println!("cargo::rustc-env={variable}={}", path.display());
            }
            Err(text) => {
                // `cargo::error` shows each line as an error of this package.
                text.lines().for_each(|line| println!("cargo::error={line}"));
                return Ok(());
            }
        }
    }
    Ok(())
}

fn required(name: &str) -> Result<std::ffi::OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: this is a build script for cargo"))
}

fn write_if_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::read(path) {
        Ok(old) if old == bytes => Ok(()),
        _ => fs::write(path, bytes),
    }
}
