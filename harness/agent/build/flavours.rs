// SPDX-License-Identifier: BSD-2-Clause
//! Builds the agent's program for both systems. Shared by `harness/build.rs` and the agent's own tests.
//!
//! Both flavours are compiled for x86_64-unknown-linux-gnu, because every toolchain on such a machine has
//! its `core` and `alloc` and its linker makes static ELF files that either kernel can load: without libc
//! only the numbers of the system calls, chosen by the feature `freebsd`, and the brand tell them apart.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What all is compiled for.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Cargo's environment variable for that target's linker.
const LINKER_VARIABLE: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER";

/// Cargo runs the wrappers for clippy, coverage and the like for nested builds too unless these are empty.
const WRAPPERS: [&str; 2] = ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];
/// What the outer build sets for its own purposes, or a user for programs with std.
const UNSET: [&str; 3] = ["RUSTFLAGS", "CLIPPY_ARGS", "CARGO_BUILD_TARGET"];

/// For which kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// FreeBSD amd64.
    FreeBsd,
    /// Linux x86_64.
    Linux,
}

impl Flavour {
    /// In names of files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FreeBsd => "freebsd",
            Self::Linux => "linux",
        }
    }

    fn features(self) -> &'static str {
        match self {
            Self::FreeBsd => "bin,freebsd",
            Self::Linux => "bin",
        }
    }
}

/// Builds one flavour below `target_dir` with `cargo`, from the package whose directory is `package`, and
/// gives the finished ELF file's bytes. What is up to date is not built again.
///
/// # Errors
/// A text for people: what failed, what the tool said, and what to do about it.
pub(crate) fn build(
    flavour: Flavour,
    cargo: &OsStr,
    package: &Path,
    target_dir: &Path,
) -> Result<Vec<u8>, String> {
    let mut command = Command::new(cargo);
    command
        .args(["build", "--package", "nlproof-agent", "--bin", "nlproof-agent", "--profile", "agent"])
        // Cargo.lock and the registry are as the outer build left them: nothing is resolved or fetched.
        .args(["--locked", "--offline", "--quiet", "--no-default-features"])
        // With --target the flags below do not reach build scripts and derive macros.
        .args(["--target", TARGET, "--features", flavour.features()])
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        // This variable goes before every other source of flags, so that the user's do not get in.
        .env("CARGO_ENCODED_RUSTFLAGS", encoded_flags(package));
    WRAPPERS.iter().for_each(|name| {
        command.env(name, "");
    });
    UNSET.iter().for_each(|name| {
        command.env_remove(name);
    });
    let output =
        command.output().map_err(|error| format!("cannot run {}: {error}", cargo.to_string_lossy()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the agent for {} was not built\n{}\n{said}", flavour.name(), remedy(&said)));
    }
    let path = target_dir.join(TARGET).join("agent").join("nlproof-agent");
    let mut elf = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    finish(&mut elf, flavour).map_err(|fault| {
        format!(
            "{} is not a program that {} can load: {fault}\nthe linker made something else than was asked \
             for; name another one in {LINKER_VARIABLE} (GNU ld through gcc is known to work)",
            path.display(),
            flavour.name()
        )
    })?;
    Ok(elf)
}

fn encoded_flags(package: &Path) -> OsString {
    let mut flags: Vec<OsString> = [
        "-Crelocation-model=static",
        "-Clink-arg=-nostartfiles",
        "-Clink-arg=-nostdlib",
        "-Clink-arg=-static",
        "-Clink-arg=-no-pie",
        "-Clink-arg=-Wl,--build-id=none",
        "-Clink-arg=-Wl,-z,noexecstack",
        "-Clink-arg=-Wl,-z,norelro",
    ]
    .map(OsString::from)
    .into();
    // Panic messages name source files: the same wherever it is built.
    let workspace = package.ancestors().nth(2);
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    for (from, to) in [(cargo_home.as_deref(), "cargo"), (workspace, ".")] {
        if let Some(from) = from {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(from);
            flag.push("=");
            flag.push(to);
            flags.push(flag);
        }
    }
    flags.join(OsStr::new("\x1f"))
}

/// What to do about a build that failed, from what the tools said.
fn remedy(said: &str) -> String {
    if said.contains("linker `") && said.contains("not found") {
        format!(
            "a C compiler is needed as linker: install one (Debian: apt install gcc libc6-dev) or name it in \
             {LINKER_VARIABLE}"
        )
    } else if said.contains("can't find crate for `core`") || said.contains("target may not be installed") {
        format!("the toolchain lacks the target: rustup target add {TARGET}")
    } else if said.contains("linking with") {
        format!(
            "the linker refused; it must make static ELF files for x86_64: name another one in \
             {LINKER_VARIABLE} (x86_64-linux-gnu-gcc on a machine of another kind)"
        )
    } else {
        "this is what cargo said:".to_owned()
    }
}

// ELF-64 (System V gABI, chapters 4 and 5), little endian.
const EI_OSABI: usize = 7;
const ELFOSABI_FREEBSD: u8 = 9;
const ET_EXEC: u64 = 2;
const EM_X86_64: u64 = 62;
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const PT_NOTE: u64 = 4;
const PT_TLS: u64 = 7;
const PT_GNU_STACK: u64 = 0x6474_e551;
const PF_X: u64 = 1;
const PF_W: u64 = 2;
/// FreeBSD reads program headers from the first page only (sys/kern/imgact_elf.c `exec_elf_imgact`).
const PAGE: u64 = 4096;

/// Brands the file and sees that the kernel's image activator will take it (FreeBSD
/// sys/kern/imgact_elf.c, Linux fs/binfmt_elf.c).
fn finish(elf: &mut [u8], flavour: Flavour) -> Result<(), String> {
    let header = Fields(elf);
    if elf.get(..4) != Some(b"\x7fELF".as_slice()) || elf.get(4..6) != Some([2, 1].as_slice()) {
        return Err("no ELF-64 file, little endian".to_owned());
    }
    if (header.at(16, 2)?, header.at(18, 2)?) != (ET_EXEC, EM_X86_64) {
        return Err("not a program at fixed addresses for x86_64".to_owned());
    }
    let (start, size, count) = (header.at(32, 8)?, header.at(54, 2)?, header.at(56, 2)?);
    if start + size * count > PAGE {
        return Err("the program headers exceed the first page".to_owned());
    }
    let entry = header.at(24, 8)?;
    let (mut enters, mut noted) = (false, false);
    for segment in 0..count {
        let place = (start + size * segment) as usize;
        let kind = header.at(place, 4)?;
        let flags = header.at(place + 4, 4)?;
        let (offset, address) = (header.at(place + 8, 8)?, header.at(place + 16, 8)?);
        let (in_file, in_memory) = (header.at(place + 32, 8)?, header.at(place + 40, 8)?);
        match kind {
            PT_INTERP | PT_DYNAMIC => return Err("it is linked dynamically".to_owned()),
            PT_TLS => return Err("it needs thread-local storage".to_owned()),
            PT_GNU_STACK if flags & PF_X != 0 => return Err("its stack is executable".to_owned()),
            PT_LOAD if flags & PF_X != 0 && flags & PF_W != 0 => {
                return Err("a segment is writable and executable".to_owned());
            }
            PT_LOAD => enters |= flags & PF_X != 0 && (address..address + in_memory).contains(&entry),
            PT_NOTE => {
                let note = elf.get(offset as usize..(offset + in_file) as usize).unwrap_or_default();
                noted |= note.windows(ABI_NOTE.len()).any(|window| window == ABI_NOTE);
            }
            _ => {}
        }
    }
    if !enters {
        return Err("its entry point is not in a segment of code".to_owned());
    }
    if noted != (flavour == Flavour::FreeBsd) {
        return Err(format!("FreeBSD's ABI note is {}", if noted { "there" } else { "missing" }));
    }
    if flavour == Flavour::FreeBsd {
        elf[EI_OSABI] = ELFOSABI_FREEBSD;
    }
    Ok(())
}

/// The note's sizes, type and name (FreeBSD sys/elf_common.h NT_FREEBSD_ABI_TAG).
const ABI_NOTE: &[u8] = b"\x08\0\0\0\x04\0\0\0\x01\0\0\0FreeBSD\0";

/// Little-endian numbers of a file.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn at(&self, offset: usize, len: usize) -> Result<u64, String> {
        let bytes = self.0.get(offset..offset + len).ok_or("it is cut short")?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
