// SPDX-License-Identifier: BSD-2-Clause
//! `image export` and `image check`: what is wrong with a request is told before anything is built, and an image of a real
//! release is what its provenance says.

use std::fs;
use std::process::{Command, Output};

use nlproof_image::{Dists, GuestKeys};

use crate::skip::say;
use crate::support::{Project, text};

/// A project with a key pair `id` and `id.pub`.
fn project() -> Project {
    let project = Project::small(&["link/create-lo"]);
    let keys = GuestKeys::generate().unwrap();
    project.write("id", &keys.client_private().unwrap());
    project.write("id.pub", &(keys.host_public().unwrap() + "\n"));
    project
}

/// `image export` in the project's directory, which is HOME too.
fn export(project: &Project) -> Command {
    let mut command = project.nlproof();
    command.args(["image", "export"]).current_dir(project.path(".")).env("HOME", project.path("."));
    command
}

fn said(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    text(output)
}

#[test]
fn wrong_requests_are_told_with_cause_and_remedy() {
    let project = project();
    let dists = project.path("dists");
    fs::create_dir_all(dists.join("14.0-TEST")).unwrap();
    for name in ["base.txz", "kernel.txz"] {
        fs::write(dists.join("14.0-TEST").join(name), "").unwrap();
    }
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let line = |name: &str| format!("{name}.txz\t{empty}\t1\t{name}\t\"{name}\"\ton\n");
    fs::write(dists.join("14.0-TEST/MANIFEST"), line("base") + &line("kernel")).unwrap();
    project.write("there.raw", "mine");
    let ask = |args: &[&str]| export(&project).args(args).env("NLPROOF_DISTS", &dists).output().unwrap();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&[], 2, &["<RELEASE>"]),
        (&["14.0-TEST", "--format", "raw"], 2, &["no public key in", "--authorized-key FILE"]),
        (&["14.0-TEST", "--authorized-key", "id", "--format", "raw"], 2, &["holds a private key", "id.pub"]),
        (&["14.0-TEST", "--authorized-key", "gone", "--format", "raw"], 2, &["gone"]),
        (
            &["15.9-RELEASE", "--authorized-key", "id.pub", "--format", "raw"],
            2,
            &["no release `15.9-RELEASE`"],
        ),
        (
            &["14.0-TEST", "--authorized-key", "id.pub", "--format", "raw", "-o", "there.raw"],
            2,
            &["there.raw is there already", "--force"],
        ),
        (
            &["14.0-TEST", "--authorized-key", "id.pub", "--format", "raw", "--output", "no/x.raw"],
            2,
            &["no is no directory"],
        ),
        (
            &["14.0-TEST", "--authorized-key", "id.pub", "--format", "raw", "--module", "observe"],
            104,
            &["no src.txz", "put src.txz of the release into"],
        ),
        (&["14.0-TEST", "--hostname", "a b"], 2, &["is no host name"]),
        (&["14.0-TEST", "--user", "$(x)"], 2, &["is no user name"]),
        (&["14.0-TEST", "--console", "tty"], 2, &["serial, video and both"]),
        (&["14.0-TEST", "--format", "ova"], 2, &["vhdx"]),
        (&["14.0-TEST", "--size", "20X"], 2, &["a size is a number of bytes"]),
        (
            &["--kernel", "nowhere", "--authorized-key", "id.pub", "--format", "raw", "--small"],
            2,
            &["nowhere", "cannot be read"],
        ),
        (
            &["--src", "nowhere", "--kernconf", "GENERIC", "--authorized-key", "id.pub", "--format", "raw"],
            2,
            &["nowhere"],
        ),
    ];
    for (args, code, parts) in cases {
        let told = said(&ask(args), *code);
        for part in *parts {
            assert!(told.contains(part), "{args:?}: {part} in {told}");
        }
    }
    let no_tool = export(&project)
        .args(["14.0-TEST", "--authorized-key", "id.pub", "--format", "vmdk"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let told = said(&no_tool, 104);
    assert!(told.contains("vmdk") && told.contains("apt-get install qemu-utils"), "{told}");
    assert_eq!(fs::read_to_string(project.path("there.raw")).unwrap(), "mine");
    // Nothing is left of what did not come about.
    let left: Vec<_> = fs::read_dir(project.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("provenance")), "{left:?}");
}

#[test]
fn an_image_is_held_against_its_provenance() {
    let test = "an_image_is_held_against_its_provenance";
    let dists = Dists::from_env();
    let Some(release) = dists.list().into_iter().find(|name| dists.find(name).is_ok()) else {
        return say(&format!("skipped: {test}: no FreeBSD release in {:?}", dists.search));
    };
    if !["makefs", "/usr/sbin/makefs"].iter().any(|program| Command::new(program).output().is_ok()) {
        return say(&format!("skipped: {test}: no makefs here"));
    }
    let project = project();
    let search = std::env::join_paths(&dists.search).unwrap();
    let run = |args: &[&str]| {
        let mut command = export(&project);
        command.args([release.as_str(), "--authorized-key", "id.pub", "--format", "raw", "--small"]);
        command.args(["--size", "1G", "--hostname", "away", "--user", "ada", "--console", "serial"]);
        command.args(args).env("NLPROOF_DISTS", &search).output().unwrap()
    };
    said(&run(&["-o", "x.raw"]), 0);
    said(&run(&["-o", "x.raw", "--module", "none"]), 2);
    said(&run(&["-o", "x.raw", "--module", "none", "--force"]), 0);
    let check = || project.nlproof().args(["image", "check"]).arg(project.path("x.raw")).output().unwrap();
    let told = said(&check(), 0);
    assert!(told.contains("the image is as it was made"), "{told}");
    let json = fs::read_to_string(project.path("x.raw.provenance.json")).unwrap();
    for part in ["\"base.txz\"", "\"disk_sha256\"", "\"SHA256:", "\"user\": \"ada\"", "\"module\": null"] {
        assert!(json.contains(part), "{part} in {json}");
    }
    let file = fs::OpenOptions::new().append(true).open(project.path("x.raw")).unwrap();
    file.set_len(file.metadata().unwrap().len() + 512).unwrap();
    let told = said(&check(), 100);
    assert!(told.contains("size: ") && told.contains("is not what was exported"), "{told}");
    fs::write(project.path("x.raw.provenance.json"), "{}").unwrap();
    assert!(said(&check(), 2).contains("is no provenance of an image"));
    fs::remove_file(project.path("x.raw.provenance.json")).unwrap();
    assert!(said(&check(), 2).contains("keep both together"));
}

#[test]
fn the_cells_of_the_loader_are_listed_and_can_be_chosen() {
    let project = project();
    let cells = |more: &[&str]| {
        let output = project.nlproof().args(["matrix", "--module", "rust"]).args(more).output().unwrap();
        said(&output, 0).lines().filter(|line| line.starts_with("freebsd/")).count()
    };
    let (all, boot, running) = (cells(&[]), cells(&["--load", "boot"]), cells(&["--load", "kldload"]));
    assert!(boot >= 3 && running > 0, "{boot} {running}");
    assert_eq!(boot + running, all);
}
