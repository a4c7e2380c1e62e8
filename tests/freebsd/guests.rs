// SPDX-License-Identifier: BSD-2-Clause
//! Guests as such: their options, and a disk that is too small for them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::STOCK;
use crate::cell::{nlproof, runs_here, text};
use crate::disk::on_small_disk;
use crate::support::say;

#[test]
fn a_guest_is_what_its_options_say() {
    let test = "a_guest_is_what_its_options_say";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let how = ["--accel", "tcg", "--cpus", "2", "--stock-rc", "--cold", "--timeout-factor", "2"];
    let output =
        nlproof(&[&["shell"], &STOCK[..], &how[..], &["--", "sysctl", "-n", "hw.ncpu", "hw.model"]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.lines().any(|line| line == "2"), "two processors: {said}");
    assert!(said.contains("QEMU Virtual CPU"), "{said}");
    assert!(said.contains("boot under tcg") && !said.contains("restore"), "{said}");
    let output = nlproof(&["image", "build", "14.0-STABLE", "--stock-rc"]);
    assert!(
        text(&output).contains("14.0-STABLE: found in the cache"),
        "the guest above has it: {}",
        text(&output)
    );
}

/// A temporary directory that is too small is told before anything is started; one that becomes too small ends the vector
/// that wrote, and no other guest is begun for the rest.
#[test]
fn a_full_temporary_directory_is_told_before_a_guest_starts_and_while_it_runs() {
    let test = "a_full_temporary_directory_is_told_before_a_guest_starts_and_while_it_runs";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (tests, small) = (directory.path().join("tests"), directory.path().join("small"));
    fs::create_dir_all(tests.join("vectors/disk")).unwrap();
    fs::create_dir_all(&small).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    fs::copy(own.join("matrix.yaml"), tests.join("matrix.yaml")).unwrap();
    let argv = "[/bin/dd, if=/dev/random, of=/root/x, bs=1m, count=30]";
    let vector =
        |argv: &str| format!("about: x\nneeds: {{os: [freebsd]}}\nsteps:\n  - exec:\n      argv: {argv}\n");
    fs::write(tests.join("vectors/disk/a-fill.yaml"), vector(argv)).unwrap();
    fs::write(tests.join("vectors/disk/b-after.yaml"), vector("[/bin/sync]")).unwrap();
    let run = |kib: u32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command.arg("--tests").arg(&tests).args([
            "test-matrix",
            "--target",
            "freebsd",
            "--release",
            "14.0-STABLE",
        ]);
        command.args(["--module", "stock", "--jobs", "1"]).env("TMPDIR", &small);
        on_small_disk(&command, &small, kib, ("", "")).map(|mut command| command.output().unwrap())
    };
    let before = match run(1024) {
        Ok(output) => output,
        Err(why) => return say(&format!("skipped: {test}: no small disk: {why}")),
    };
    assert_eq!(before.status.code(), Some(103), "{}", text(&before));
    let told = text(&before);
    for part in [small.to_str().unwrap(), "not enough space: about ", " 1048576 bytes free", "TMPDIR"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("boot under") && !told.contains("restore under"), "{told}");
    let meanwhile = run(12 * 1024).unwrap();
    assert_eq!(meanwhile.status.code(), Some(103), "{}", text(&meanwhile));
    let told = text(&meanwhile);
    assert!(told.contains("guest lost in disk/a-fill: this machine's disk is full: "), "{told}");
    assert!(told.contains("[host-disk-full]") && told.contains("1 inconclusive, 1 not run"), "{told}");
    assert_eq!(told.matches(" run vectors\n").count(), 1, "{told}");
}
