// SPDX-License-Identifier: BSD-2-Clause
//! A branch in place of a release is the newest of it that is here; downloads that were interrupted are kept for a
//! while.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{Project, text};

/// A project with release directories that have nothing in them but their names.
fn project() -> Project {
    let project = Project::copy();
    for release in ["14.0-STABLE", "14.4-RELEASE", "15.1-RELEASE", "14.4-RELEASE-MINE"] {
        let directory = project.path("dists").join(release);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("MANIFEST"), "").unwrap();
    }
    project
}

fn nlproof(project: &Project) -> Command {
    let mut command = project.nlproof();
    command.env("NLPROOF_DISTS", project.path("dists"));
    command
}

#[test]
fn every_command_takes_a_branch_for_its_newest_release_and_says_so() {
    let project = project();
    for command in [
        &["kmod", "build", "--release", "14"][..],
        &["image", "build", "14"],
        &["bench", "kmod", "--release", "14"],
        &["bench", "guest", "--release", "14"],
        &["diff", "14", "15.1"],
        &["shell", "--release", "14"],
        &["run", "link/create-lo", "--target", "freebsd", "--release", "14"],
    ] {
        let output = nlproof(&project).args(command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let needs_qemu = matches!(command[0], "shell" | "run");
        if needs_qemu && said.contains("qemu") && !said.contains("is the newest") {
            crate::skip::say(&format!("skipped: {command:?}: {said}"));
            continue;
        }
        assert!(said.starts_with("14: 14.4-RELEASE is the newest here\n"), "{command:?}: {said}");
    }
    let whole = nlproof(&project).args(["image", "build", "14.0-STABLE"]).output().unwrap();
    assert!(!text(&whole).contains("is the newest"), "{}", text(&whole));
    let unknown = nlproof(&project).args(["image", "build", "13"]).output().unwrap();
    assert!(text(&unknown).contains("available: 14.0-STABLE, 14.4-RELEASE,"), "{}", text(&unknown));
}

#[test]
fn an_interrupted_download_stays_for_a_week() {
    let project = project();
    let partial = |release: &str| project.path("dists").join(format!("{release}.partial"));
    let interrupt = |release: &str, days: u64| {
        fs::create_dir_all(partial(release)).unwrap();
        let file = fs::File::create(partial(release).join("base.txz.01234567.part")).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
        let directory = fs::File::open(partial(release)).unwrap();
        directory.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
    };
    interrupt("15.0-RELEASE", 2);
    interrupt("13.5-RELEASE", 9);
    let gc = |more: &[&str]| text(&nlproof(&project).args(["image", "gc"]).args(more).output().unwrap());
    let said = gc(&[]);
    assert!(said.contains("removed the download of 13.5-RELEASE, interrupted 9 days ago"), "{said}");
    assert!(said.contains("nlproof image fetch --release 15.0-RELEASE goes on from it"), "{said}");
    assert!(partial("15.0-RELEASE").exists() && !partial("13.5-RELEASE").exists());
    assert!(gc(&["--all"]).contains("removed the download of 15.0-RELEASE"));
    assert!(!partial("15.0-RELEASE").exists() && project.path("dists/14.0-STABLE").exists());
}
