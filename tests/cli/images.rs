// SPDX-License-Identifier: BSD-2-Clause
//! Disk images: of releases that are broken or absent, and when they are removed.

use std::fs;

use crate::support::{Project, text};

#[test]
fn a_release_that_cannot_be_built_from_is_named_with_its_fault() {
    let project = Project::copy();
    let dists = project.path("dists");
    fs::create_dir_all(dists.join("14.0-STABLE")).unwrap();
    let build = |release: &str| {
        project.nlproof().args(["image", "build", release]).env("NLPROOF_DISTS", &dists).output().unwrap()
    };
    let output = build("14.0-STABLE");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("MANIFEST"), "{}", text(&output));
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "freebsd", "--release", "14.0-STABLE"])
        .env("NLPROOF_DISTS", &dists)
        .output()
        .unwrap();
    // Without QEMU that comes first.
    let expected = if text(&output).contains("no qemu-system-x86_64") { 104 } else { 101 };
    assert_eq!(output.status.code(), Some(expected), "{}", text(&output));
    assert!(expected == 104 || text(&output).contains("has no MANIFEST"), "{}", text(&output));
    let output = build("99.9-RELEASE");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("no release `99.9-RELEASE`"), "{}", text(&output));
}

#[test]
fn images_are_collected_when_their_release_is_gone_or_another_now() {
    let project = Project::copy();
    let digest = "ab".repeat(32);
    let image = project.path("cache/nlproof/images").join(&digest);
    let dists = project.path("dists");
    let make = || {
        fs::create_dir_all(&image).unwrap();
        let input = serde_json::json!({"file": "base.txz", "sha256": digest, "bytes": 1});
        let info = serde_json::json!({
            "schema": 2, "release": "14.0-STABLE", "freebsd_version": null,
            "kernel": {"version": "v", "sha256": digest}, "stock_rc": false, "inputs": [input],
            "disk_sha256": digest, "disk_bytes": 1,
        });
        fs::write(image.join("image.json"), info.to_string()).unwrap();
        fs::write(image.join("disk.raw"), "x").unwrap();
    };
    let release = |base: &str| {
        fs::create_dir_all(dists.join("14.0-STABLE")).unwrap();
        let line = |file: &str, sha256: &str| {
            fs::write(dists.join("14.0-STABLE").join(file), "x").unwrap();
            format!("{file}\t{sha256}\t1\tx\t\"x\"\ton\n")
        };
        let manifest = line("base.txz", base) + &line("kernel.txz", &digest);
        fs::write(dists.join("14.0-STABLE/MANIFEST"), manifest).unwrap();
    };
    let image_command = |args: &[&str]| {
        project.nlproof().arg("image").args(args).env("NLPROOF_DISTS", &dists).output().unwrap()
    };
    make();
    release(&digest);
    assert!(text(&image_command(&["gc"])).contains("0 images removed"));
    assert!(image.exists());
    release(&"cd".repeat(32));
    let gone = text(&image_command(&["gc"]));
    assert!(gone.contains("1 image removed"), "{gone}");
    assert!(!image.exists());
    make();
    fs::remove_dir_all(&dists).unwrap();
    assert!(text(&image_command(&["gc"])).contains("1 image removed"));
    make();
    assert_eq!(image_command(&["rm", "abc"]).status.code(), Some(2), "too short a key names nothing");
    assert_eq!(image_command(&["rm", "abab", "15.1-RELEASE"]).status.code(), Some(2));
    assert!(image.exists(), "nothing is removed when one name is wrong");
    assert_eq!(image_command(&["rm", "abab"]).status.code(), Some(0));
    assert!(!image.exists());
}
