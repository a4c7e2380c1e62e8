// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's own tests: what is selected and told without a guest, and a run in guests that have them. What needs a real
//! kernel, or a release's tests.txz, is skipped by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::developer::nlproof;
use crate::support::{Project, text};

/// A release directory whose tests.txz has these files; `None`: no tar(1) or xz(1) here.
fn release(project: &Project, files: &[(&str, &str)]) -> Option<PathBuf> {
    let (release, tree) = (project.path("dists/14.5-RELEASE"), project.path("tree"));
    fs::create_dir_all(&release).unwrap();
    for (name, contents) in files {
        let path = tree.join("usr/tests").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
    let archive = release.join("tests.txz");
    let packed = Command::new("tar").arg("-cJf").arg(&archive).arg("-C").arg(&tree).arg("usr").status();
    if !packed.is_ok_and(|status| status.success()) {
        return None;
    }
    let sum = Command::new("sha256sum").arg(&archive).output().ok()?;
    let digest = String::from_utf8_lossy(&sum.stdout).split_whitespace().next()?.to_owned();
    let line = |file: &str, digest: &str| format!("{file}\t{digest}\t1\tx\t\"x\"\toff\n");
    let zeros = "0".repeat(64);
    let manifest = line("base.txz", &zeros) + &line("kernel.txz", &zeros) + &line("tests.txz", &digest);
    fs::write(release.join("MANIFEST"), manifest).unwrap();
    for set in ["base.txz", "kernel.txz"] {
        fs::write(release.join(set), "").unwrap();
    }
    Some(project.path("dists"))
}

fn atf(project: &Project, dists: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = project
        .nlproof()
        .args(["atf", "--release", "14.5-RELEASE"])
        .args(arguments)
        .env("NLPROOF_DISTS", dists)
        .output()
        .unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn what_a_release_has_is_listed_and_what_it_has_not_is_told() {
    let test = "what_a_release_has_is_listed_and_what_it_has_not_is_told";
    let project = Project::copy();
    let net = "test_suite(\"FreeBSD\")\natf_test_program{name=\"if_clone_test\", required_programs=\"jq\"}\n\
        include(\"gone/Kyuafile\")\n";
    let files = [("sys/net/Kyuafile", net), ("bin/Kyuafile", "for x in y do\n")];
    let Some(dists) = release(&project, &files) else {
        return crate::skip::say(&format!("skipped: {test}: no tar, xz or sha256sum"));
    };
    let (code, said) = atf(&project, &dists, &["--list"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("14.5-RELEASE: 1 test program\n  sys/net/if_clone_test"), "{said}");
    assert!(said.contains("required_programs=jq"), "{said}");
    let gone =
        "  sys/net/gone: not run: sys/net/Kyuafile:3 includes it, and tests.txz has no Kyuafile of it\n";
    assert!(said.contains(gone), "{said}");
    for (arguments, wanted) in [
        (&["sys/net/none", "--list"][..], "14.5-RELEASE: tests.txz has no test `sys/net/none`\n  help: "),
        (&["bin", "--list"], "tests.txz: bin/Kyuafile:1: `for` is not understood"),
        (&["--target", "sim"], "the simulator runs no programs"),
        (&["--list", "--json"], "cannot be used with"),
    ] {
        let (code, said) = atf(&project, &dists, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        let wanted = if arguments.contains(&"sim") { "14.5-RELEASE" } else { wanted };
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    let archive = dists.join("14.5-RELEASE/tests.txz");
    fs::write(&archive, [fs::read(&archive).unwrap(), vec![0]].concat()).unwrap();
    let (code, said) = atf(&project, &dists, &["--list"]);
    assert!(code == Some(2) && said.contains("sha256 differs from MANIFEST"), "{said}");
    fs::remove_file(archive).unwrap();
    let (code, said) = atf(&project, &dists, &[]);
    assert_eq!(code, Some(104), "{said}");
    let remedy = "to run it: nlproof image fetch --release 14.5-RELEASE --sets tests.txz";
    assert!(said.contains("14.5-RELEASE has no tests.txz") && said.contains(remedy), "{said}");
}

#[test]
fn freebsds_own_tests_end_alike_with_stock_code_and_with_the_module() {
    let test = "freebsds_own_tests_end_alike_with_stock_code_and_with_the_module";
    let cell = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "stock,rust"];
    let plan = text(&nlproof().args(["test-matrix", "--dry-run"]).args(cell).output().unwrap());
    if let Some((_, reason)) = plan.split_once("would not run: ") {
        let reason = reason.lines().next().unwrap_or_default();
        return crate::skip::say(&format!("skipped: {test}: {reason}"));
    }
    let listed = text(&nlproof().args(["atf", "--list", "sys/netlink"]).args(cell).output().unwrap());
    if !listed.contains("test program") {
        return crate::skip::say(&format!("skipped: {test}: {}", listed.lines().next().unwrap_or_default()));
    }
    let directory = tempfile::tempdir().unwrap();
    let output = nlproof()
        .args(["atf", "sys/netlink/test_snl", "--json", "--report-dir"])
        .arg(directory.path())
        .args(cell)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["comparisons"][0]["differing"], serde_json::json!([]), "{json}");
    assert!(json["comparisons"][0]["alike"].as_u64() > Some(0), "{json}");
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(read("report.json").contains("sys/netlink/test_snl:"));
    assert!(read("junit.xml").contains("sys/netlink/test_snl:"));
    assert!(read("report.html").contains("ended alike with both"));
    let shown = text(&nlproof().args(["report", "show"]).arg(directory.path()).output().unwrap());
    assert!(shown.contains("FreeBSD's own tests: 14.0-STABLE: "), "{shown}");
}
