// SPDX-License-Identifier: BSD-2-Clause
//! Kernels of one's own: the cells that they make, the goldens that they are held to, and files that are no kernels.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use object::Architecture;

use crate::kernel::kernel;
use crate::support::{Project, text};

/// A project with the names of releases, and nothing in them that could be run.
fn project() -> Project {
    let project = Project::small(&["link/create-lo"]);
    for release in ["14.0-STABLE", "15.0-RELEASE", "14.1-STABLE"] {
        let directory = project.path("dists").join(release);
        fs::create_dir_all(&directory).unwrap();
        let line = |file: &str| format!("{file}\t{}\t1\tx\t\"x\"\ton\n", "0".repeat(64));
        fs::write(directory.join("MANIFEST"), line("base.txz") + &line("kernel.txz")).unwrap();
        for file in ["base.txz", "kernel.txz"] {
            fs::write(directory.join(file), "").unwrap();
        }
    }
    project
}

fn nlproof(project: &Project) -> Command {
    let mut command = project.nlproof();
    command.env("NLPROOF_DISTS", project.path("dists"));
    command
}

/// A directory with a kernel in it, as make installkernel leaves one.
fn installed(project: &Project, name: &str, osreldate: u32, osrelease: &str) -> PathBuf {
    let directory = project.path(name);
    fs::create_dir_all(&directory).unwrap();
    let bytes = kernel(Architecture::X86_64, osreldate, osrelease, "main-n1-77205dbc1397-dirty");
    fs::write(directory.join("kernel"), bytes).unwrap();
    directory
}

fn run(project: &Project, command: &[&str], path: &Path) -> Output {
    let kernel = format!("--kernel=mine={}", path.display());
    nlproof(project).args(command).arg(kernel).output().unwrap()
}

#[test]
fn a_kernel_is_a_cell_of_the_profile_that_its_version_belongs_to() {
    let project = project();
    for (name, osreldate, osrelease, base, profile) in [
        ("a", 1_400_507, "14.0-STABLE", "14.0-STABLE", "14.0"),
        ("b", 1_403_001, "14.3-STABLE", "14.1-STABLE", "14.3"),
        ("c", 1_501_000, "15.1-STABLE", "15.0-RELEASE", "15"),
    ] {
        let path = installed(&project, name, osreldate, osrelease);
        let output = run(&project, &["matrix"], &path);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.starts_with(&format!("freebsd/{osrelease}+mine/stock ")), "{out}");
        assert!(out.contains(&format!("profile {profile} ")) && out.lines().count() == 1, "{out}");
        assert!(err.contains(&format!("over the userland of {base}, profile {profile}")), "{err}");
    }
    let path = installed(&project, "d", 1_501_000, "15.1-STABLE");
    let overruled = run(&project, &["matrix", "--release", "14.0-STABLE", "--profile", "16"], &path);
    let said = text(&overruled);
    assert!(said.contains("over the userland of 14.0-STABLE, profile 16"), "{said}");
    let rust = text(&run(&project, &["matrix", "--module", "rust"], &path));
    assert!(rust.contains("freebsd/15.1-STABLE+mine/rust") && !rust.contains("/stock"), "{rust}");
    let plain = nlproof(&project).args(["matrix", "--kernel"]).arg(&path).output().unwrap();
    assert!(text(&plain).contains("freebsd/15.1-STABLE+GENERIC/stock"), "{}", text(&plain));
}

#[test]
fn a_version_beyond_the_table_is_a_guess_and_an_older_userland_is_missed() {
    let project = project();
    let future = text(&run(&project, &["matrix"], &installed(&project, "future", 1_700_003, "17.0-CURRENT")));
    assert!(future.contains("profile 16 is a guess: no profile is known for osreldate 1700003"), "{future}");
    let old = text(&run(&project, &["matrix"], &installed(&project, "old", 1_302_001, "13.2-STABLE")));
    assert!(old.contains("15.0-RELEASE is newer than the kernel; no older userland is here"), "{old}");
    fs::remove_dir_all(project.path("dists")).unwrap();
    let none = run(&project, &["matrix"], &installed(&project, "old", 1_302_001, "13.2-STABLE"));
    assert_eq!(none.status.code(), Some(104), "{}", text(&none));
    assert!(text(&none).contains("nlproof image fetch"), "{}", text(&none));
}

#[test]
fn what_is_no_kernel_is_refused_before_anything_is_started() {
    let project = project();
    fs::create_dir_all(project.path("empty")).unwrap();
    let arm = kernel(Architecture::Aarch64, 1_400_507, "14.0-STABLE", "x");
    fs::write(project.path("arm"), arm).unwrap();
    fs::write(project.path("text"), "no kernel").unwrap();
    for (name, parts) in [
        ("empty", ["has no `kernel` in it", "make installkernel"]),
        ("absent", ["cannot be read", "a kernel.txz"]),
        ("arm", ["is for another machine (Aarch64)", "TARGET=amd64"]),
        ("text", ["not an ELF file", "kernel.txz"]),
    ] {
        for command in [
            &["run", "link/create-lo"][..],
            &["test-matrix"],
            &["trace", "link/create-lo"],
            &["repro", "link/create-lo"],
            &["shell"],
            &["record"],
            &["kmod", "build"],
            &["bench", "guest", "--release", "14.0-STABLE"],
            &["bench", "kmod", "--release", "14.0-STABLE"],
        ] {
            let output = run(&project, command, &project.path(name));
            assert_eq!(output.status.code(), Some(2), "{command:?}: {}", text(&output));
            for part in parts {
                assert!(text(&output).contains(part), "{command:?}: {part} not in {}", text(&output));
            }
        }
    }
    let bad = run(&project, &["run", "link/create-lo", "--bisect"], &project.path("text"));
    assert_eq!(bad.status.code(), Some(128), "a wrong command line ends a bisection: {}", text(&bad));
    let path = installed(&project, "k", 1_400_507, "14.0-STABLE");
    // There is a kernel, and nothing that it could be run with.
    let none = run(&project, &["run", "link/create-lo", "--bisect"], &path);
    assert_eq!(none.status.code(), Some(128), "no other kernel could be run either: {}", text(&none));
    let kernel = format!("a b={}", path.display());
    let misnamed = nlproof(&project).args(["matrix", "--kernel", &kernel]).output().unwrap();
    assert!(text(&misnamed).contains("--kernel NAME="), "{}", text(&misnamed));
    let twice = nlproof(&project).args(["matrix", "--kernel"]).arg(&path).arg("--kernel").arg(&path).output();
    assert!(text(&twice.unwrap()).contains("two kernels are called 14.0-STABLE+GENERIC"));
    let two = run(&project, &["matrix", "--release", "14.0-STABLE", "--release", "15.0-RELEASE"], &path);
    assert!(text(&two).contains("the userland of one release"), "{}", text(&two));
}

#[test]
fn a_release_that_the_matrix_does_not_list_is_a_cell_where_it_is_named() {
    let project = project();
    let output = nlproof(&project).args(["matrix", "--release", "14.1-STABLE"]).output().unwrap();
    let said = text(&output);
    assert!(
        said.contains("freebsd/14.1-STABLE/stock ") && said.contains("freebsd/14.1-STABLE/rust "),
        "{said}"
    );
    assert!(said.contains("profile 14.0 "), "{said}");
    let args = ["matrix", "--release", "14.1-STABLE", "--profile", "15"];
    let other = text(&nlproof(&project).args(args).output().unwrap());
    assert!(other.contains("profile 15 "), "{other}");
    let all = text(&nlproof(&project).arg("matrix").output().unwrap());
    assert!(!all.contains("14.1-STABLE"), "{all}");
    let nothing = nlproof(&project).args(["matrix", "--profile", "15"]).output().unwrap();
    assert!(text(&nothing).contains("--profile is for a kernel or a release"), "{}", text(&nothing));
}

#[test]
fn a_limit_of_the_cache_that_is_none_is_refused() {
    let project = project();
    let gc = |limit: &str| {
        let mut command = nlproof(&project);
        command.args(["image", "gc", "--dry-run"]).env("NLPROOF_CACHE_LIMIT", limit).output().unwrap()
    };
    let right = gc("20G");
    assert_eq!(right.status.code(), Some(0), "{}", text(&right));
    assert!(text(&right).contains("0 images would be removed"), "{}", text(&right));
    let wrong = gc("much");
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
    assert!(text(&wrong).contains("NLPROOF_CACHE_LIMIT is `much`"), "{}", text(&wrong));
}
