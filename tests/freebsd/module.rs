// SPDX-License-Identifier: BSD-2-Clause
//! The module: verification and building.

use std::process::Command;

use crate::cell::{runs_here, text};
use crate::support::say;

/// A policy that allows no import stands for a module that has one too many. Nothing is booted for that.
#[test]
fn a_module_that_verification_rejects_is_neither_handed_out_nor_loaded() {
    let test = "a_module_that_verification_rejects_is_neither_handed_out_nor_loaded";
    let place = tempfile::tempdir().unwrap();
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tests = place.path().join("tests");
    std::fs::create_dir_all(tests.join("fixtures/verify")).unwrap();
    for (part, at) in [
        ("kmod-src", "kmod-src"),
        ("harness", "harness"),
        ("tests/vectors", "tests/vectors"),
        ("tests/golden", "tests/golden"),
        ("tests/matrix.yaml", "tests/matrix.yaml"),
    ] {
        std::os::unix::fs::symlink(own.join(part), place.path().join(at)).unwrap();
    }
    std::fs::write(tests.join("fixtures/verify/nlproof_iface.yaml"), "imports: []\n").unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command.arg("--tests").arg(&tests).args(args).output().unwrap()
    };
    let cell = ["test-matrix", "--target", "freebsd", "--release", "14.0-STABLE", "--module", "rust"];
    let plan = text(&run(&[&cell[..], &["--dry-run"]].concat()));
    if let Some((_, reason)) = plan.split_once("would not run: ") {
        say(&format!("skipped: {test}: {}", reason.lines().next().unwrap_or_default()));
        return;
    }
    let output = run(&cell);
    assert_eq!(output.status.code(), Some(102), "{}", text(&output));
    assert!(
        text(&output).contains("REFUSED   verification rejects the module: imports: "),
        "{}",
        text(&output)
    );
    let file = place.path().join("nlproof_iface.ko");
    let build = ["kmod", "build", "--release", "14.0-STABLE", "--output", file.to_str().unwrap()];
    let output = run(&build);
    assert_eq!(output.status.code(), Some(102), "{}", text(&output));
    assert!(!file.exists());
    let output = run(&[&build[..], &["--unverified"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(file.exists() && text(&output).contains("REJECTED ("), "{}", text(&output));
}

/// A directory of vectors and a matrix is enough: what the module is built from, and its policy, are in the program.
#[test]
fn the_module_is_built_without_a_checkout() {
    let test = "the_module_is_built_without_a_checkout";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let tests = place.path().join("vectors-alone");
    std::fs::create_dir(&tests).unwrap();
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    for part in ["vectors", "golden", "matrix.yaml", "releases.yaml", "divergences.yaml"] {
        std::os::unix::fs::symlink(own.canonicalize().unwrap().join(part), tests.join(part)).unwrap();
    }
    let build = |tests: &std::path::Path, output: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command.arg("--tests").arg(tests).args(["kmod", "build", "--release", "14.0-STABLE", "--output"]);
        let output = command.arg(output).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    };
    let [without, with] = ["without.ko", "with.ko"].map(|name| place.path().join(name));
    build(&tests, &without);
    build(&own, &with);
    assert!(std::fs::read(without).unwrap() == std::fs::read(with).unwrap(), "another module");
    let cell = ["test-matrix", "--dry-run", "--target", "freebsd", "--release", "14.0-STABLE"];
    let plan =
        Command::new(env!("CARGO_BIN_EXE_nlproof")).arg("--tests").arg(&tests).args(cell).output().unwrap();
    assert!(!text(&plan).contains("would not run"), "{}", text(&plan));
}
