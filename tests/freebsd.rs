// SPDX-License-Identifier: BSD-2-Clause
//! Real kernels. Needs release directories in `$NLPROOF_DISTS` or `$XDG_CACHE_HOME/nlproof/dists`; a release
//! that is not there is skipped by name.

use std::process::{Command, Output};

fn nlproof(args: &[&str]) -> Output {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    Command::new(env!("CARGO_BIN_EXE_nlproof")).arg("--tests").arg(tests).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every vector in the release's cell passes, and the report says that a kernel of it was observed.
fn all_vectors_pass(test: &str, release: &str) {
    let plan = nlproof(&["test-matrix", "--dry-run", "--target", "freebsd", "--release", release]);
    let plan = text(&plan);
    if let Some((_, reason)) = plan.split_once("would not run: ") {
        let reason = reason.lines().next().unwrap_or_default();
        // Past libtest's capture: a skipped test must be seen.
        support::say(&format!("skipped: {test}: {reason}"));
        return;
    }
    let report = tempfile::tempdir().unwrap();
    let directory = report.path().to_str().unwrap();
    let output =
        nlproof(&["test-matrix", "--target", "freebsd", "--release", release, "--report-dir", directory]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let json = std::fs::read(report.path().join("report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let cell = &json["cells"][0];
    assert_eq!(cell["origin"], "observed", "{cell}");
    assert_eq!(cell["counts"]["passed"], cell["vectors"].as_array().unwrap().len(), "{cell}");
    let console = std::fs::read(report.path().join(format!("freebsd-{release}-stock.console"))).unwrap();
    assert!(!console.is_empty(), "the console's log is empty");
}

#[path = "support/skip.rs"]
mod support;

#[test]
fn a_14_0_stable_kernel_answers_as_its_goldens_say() {
    all_vectors_pass("a_14_0_stable_kernel_answers_as_its_goldens_say", "14.0-STABLE");
}

#[test]
fn a_15_1_release_kernel_answers_as_its_goldens_say() {
    all_vectors_pass("a_15_1_release_kernel_answers_as_its_goldens_say", "15.1-RELEASE");
}
