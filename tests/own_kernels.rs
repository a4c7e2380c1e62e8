// SPDX-License-Identifier: BSD-2-Clause
//! Kernels that do not come up: a release's own, spoilt by the test. Needs a release directory and QEMU; what is not there is
//! skipped by name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nlproof::vm::Tools;
use nlproof_image::{Dists, OwnKernel};
use object::{Object as _, ObjectSymbol as _};

#[path = "support/skip.rs"]
mod support;

const RELEASE: &str = "14.0-STABLE";

/// A run of one vector with the release's kernel as `spoil` leaves it; `None`, said by name: something is not here.
fn run(test: &str, name: &str, spoil: impl FnOnce(&mut Vec<u8>), more: &[&str]) -> Option<String> {
    let skip = |reason: String| support::say(&format!("skipped: {test}: {reason}"));
    let release = Dists::from_env().find(RELEASE).map_err(|error| skip(error.to_string())).ok()?;
    let program = env!("CARGO_BIN_EXE_nlproof");
    Tools::find(program).map_err(|error| skip(error.to_string())).ok()?;
    // A disk: the system's directory for temporary files may be memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| directory.path().join(name);
    let kernel = OwnKernel::open(&release.path.join("kernel.txz"), &path("unpacked")).unwrap();
    let mut bytes = fs::read(&kernel.file).unwrap();
    spoil(&mut bytes);
    fs::create_dir(path("kernel")).unwrap();
    fs::write(path("kernel/kernel"), bytes).unwrap();
    for (module, file) in &kernel.modules {
        symlink(file, path("kernel").join(format!("{module}.ko"))).unwrap();
    }
    let output = Command::new(program)
        .arg("--tests")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests"))
        .args(["run", "link/create-lo", "--release", RELEASE, "--kernel"])
        .arg(format!("{name}={}", path("kernel").display()))
        .args(more)
        .env("XDG_CACHE_HOME", path("cache"))
        .env("NLPROOF_DISTS", release.path.parent().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(103), "{said}");
    let cell = format!("freebsd/{RELEASE}+{name}/stock");
    assert!(said.contains("its console is kept: nlproof console ") && said.contains(&cell), "{said}");
    Some(said)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

#[test]
fn a_kernel_without_an_init_panics_and_the_calls_are_told() {
    let test = "a_kernel_without_an_init_panics_and_the_calls_are_told";
    let spoil = |bytes: &mut Vec<u8>| {
        replace(bytes, b"/sbin/init:/sbin/oinit:", b"/none\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
    };
    let Some(said) = run(test, "noinit", spoil, &[]) else { return };
    for part in ["guest kernel panicked: no init", "at start_init+"] {
        assert!(said.contains(part), "{part} not in {said}");
    }
}

#[test]
fn a_kernel_without_a_root_file_system_shows_its_question() {
    let test = "a_kernel_without_a_root_file_system_shows_its_question";
    let spoil = |bytes: &mut Vec<u8>| replace(bytes, b"\0vfs.root.mountfrom\0", b"\0vfs.root.mountnone\0");
    let Some(said) = run(test, "noroot", spoil, &[]) else { return };
    for part in ["the kernel found no root file system", "| mountroot>"] {
        assert!(said.contains(part), "{part} not in {said}");
    }
}

#[test]
fn a_kernel_that_stands_still_ends_at_a_limit_with_its_last_lines() {
    let test = "a_kernel_that_stands_still_ends_at_a_limit_with_its_last_lines";
    // `jmp` to itself.
    let spoil = |bytes: &mut Vec<u8>| {
        let at = file_offset(bytes, "mi_startup");
        bytes[at..at + 2].copy_from_slice(&[0xeb, 0xfe]);
    };
    let Some(said) = run(test, "still", spoil, &["--timeout-factor", "0.1"]) else { return };
    for part in ["last on the console:\n  | ", "waited "] {
        assert!(said.contains(part), "{part} not in {said}");
    }
}

/// Where in the file a function is.
fn file_offset(bytes: &[u8], name: &str) -> usize {
    let file = object::File::parse(bytes).unwrap();
    let address = file.symbols().find(|symbol| symbol.name() == Ok(name)).unwrap().address();
    let held = object::ObjectSegment::file_range;
    let segment = file
        .segments()
        .find(|segment| {
            let start = object::ObjectSegment::address(segment);
            (start..start + held(segment).1).contains(&address)
        })
        .unwrap();
    usize::try_from(held(&segment).0 + address - object::ObjectSegment::address(&segment)).unwrap()
}
