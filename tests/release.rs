// SPDX-License-Identifier: BSD-2-Clause
//! The archive of a release (ci/release), for a user who has nothing else of nlproof.

#[path = "support/skip.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The command without anything of this machine's that leads to a checkout or a cache.
fn bare(program: &Path, place: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(place).env("HOME", place).env("PATH", "/usr/bin:/bin");
    for name in ["NLPROOF_TESTS", "NLPROOF_DISTS", "XDG_CACHE_HOME", "CI"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn an_archive_unpacked_in_an_empty_directory_runs_the_matrix() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let git = Command::new("git").arg("-C").arg(&checkout).args(["rev-parse", "HEAD"]).output();
    if !git.is_ok_and(|output| output.status.success()) {
        support::say(
            "skipped: an_archive_unpacked_in_an_empty_directory_runs_the_matrix: no git, or no checkout of it",
        );
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (dist, empty) = (place.path().join("dist"), place.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    let made = Command::new(checkout.join("ci/release"))
        .arg("--program")
        .arg(env!("CARGO_BIN_EXE_nlproof"))
        .arg(&dist)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let summed =
        Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&dist).output().unwrap();
    assert!(summed.status.success(), "{}", text(&summed));
    let archives: Vec<_> = fs::read_dir(&dist).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let archive = format!("nlproof-{}-x86_64-linux.tar.gz", env!("CARGO_PKG_VERSION"));
    assert_eq!(archives.len(), 2, "{archives:?}");
    let unpacked = Command::new("tar")
        .args(["--strip-components=1", "-xzf"])
        .arg(dist.join(&archive))
        .current_dir(&empty)
        .output()
        .unwrap();
    assert!(unpacked.status.success(), "{}", text(&unpacked));

    let nlproof = empty.join("bin/nlproof");
    let cell = ["test-matrix", "--target", "sim", "--release", "14.0", "--suite", "link"];
    let run = bare(&nlproof, &empty).args(cell).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
    assert!(text(&run).contains("vectors passed, 0 did not, in 1 cell;"), "{}", text(&run));
    // Everything that is judged by a table beside the program.
    for command in [&["coverage"][..], &["verify", "vectors"], &["matrix", "--json"]] {
        let output = bare(&nlproof, &empty).args(command).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", text(&output));
    }
    for (file, has) in [
        ("share/man/man1/nlproof.1", ".TH nlproof 1"),
        ("share/man/man1/nlproof-test-matrix.1", "test\\-matrix"),
        ("share/man/man1/nlproof-report-merge.1", "expect"),
        ("share/bash-completion/completions/nlproof", "complete -F"),
        ("share/zsh/site-functions/_nlproof", "#compdef nlproof"),
        ("share/fish/vendor_completions.d/nlproof.fish", "complete -c nlproof"),
        ("share/nlproof/kmod-src/core/src/lib.rs", "no_std"),
        ("share/doc/nlproof/LICENSE", "Redistribution"),
        ("share/doc/nlproof/docs/vectors.md", "complete reference"),
        ("share/doc/nlproof/tests/bugs.md", "Bugs of the stock kernels"),
    ] {
        let content = fs::read_to_string(empty.join(file)).unwrap_or_default();
        assert!(content.contains(has), "{file}: {content}");
    }

    // Without its data the program says where it has looked.
    fs::remove_dir_all(empty.join("share/nlproof")).unwrap();
    let lost = bare(&nlproof, &empty).args(cell).output().unwrap();
    assert_eq!(lost.status.code(), Some(2), "{}", text(&lost));
    assert!(
        text(&lost).contains("bin/../share/nlproof/tests")
            || text(&lost).contains("empty/share/nlproof/tests"),
        "{}",
        text(&lost)
    );
    assert!(text(&lost).contains("--tests DIR"), "{}", text(&lost));
}
