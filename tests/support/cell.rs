// SPDX-License-Identifier: BSD-2-Clause
//! nlproof with the checkout's vectors, for tests that need a cell of a guest.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::say;

pub(crate) fn nlproof_in(tests: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nlproof")).arg("--tests").arg(tests).args(args).output().unwrap()
}

pub(crate) fn nlproof(args: &[&str]) -> Output {
    nlproof_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests"), args)
}

/// What it printed, on both streams.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether the release's cells of this module can run here; if not, that is said with the test's name.
pub(crate) fn runs_here(test: &str, release: &str, module: &str) -> bool {
    let cell = ["--target", "freebsd", "--release", release, "--module", module];
    let plan = text(&nlproof(&[&["test-matrix", "--dry-run"], &cell[..]].concat()));
    match plan.split_once("would not run: ") {
        None => true,
        Some((_, reason)) => {
            say(&format!("skipped: {test}: {}", reason.lines().next().unwrap_or_default()));
            false
        }
    }
}
