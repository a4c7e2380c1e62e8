// SPDX-License-Identifier: BSD-2-Clause
//! Block coverage without a kernel: slices added up, lists held against them, and wrong input.

use std::process::Output;

use crate::support::{Project, text};

/// A slice in which this vector reached the second of two blocks; none: nothing did.
fn slice(of: &str, second: Option<&str>) -> String {
    let second = second.map_or("null".into(), |vector| format!("\"{vector}\""));
    let slices = if of.is_empty() { String::new() } else { format!("\"{of}\"") };
    format!(
        r#"{{"schema": "nlproof-blocks-1", "cells": [{{"cell": "freebsd/14.0-STABLE/stock", "release": "14.0-STABLE",
        "build": "55c6", "selection": "s", "all": true, "slices": [{slices}], "vectors": 3, "holes": [], "functions": [
        {{"name": "dump_iface", "side": "kernel", "file": "sys/netlink/route/iface.c", "blocks": [
        {{"at": 0, "file": "sys/netlink/route/iface.c", "line": 290, "first": "dump/all"}},
        {{"at": 37, "file": "sys/netlink/route/iface.c", "line": 301, "first": {second}}}]}}]}}]}}"#
    )
}

fn merged(project: &Project, files: &[&str], more: &[&str]) -> Output {
    let mut command = project.nlproof();
    command.args(["coverage", "--kernel-blocks"]);
    for file in files {
        command.arg("--merge").arg(project.path(file));
    }
    command.args(more).output().unwrap()
}

fn list(blocks: &str) -> String {
    format!(
        "release: 14.0-STABLE\nbuild: '55c6'\nreasons: {{memory: no memory}}\nfunctions:\n  dump_iface: [{blocks}]\n"
    )
}

#[test]
fn slices_are_added_up_and_held_against_the_list() {
    let project = Project::small(&["link/create-lo"]);
    project.write("1.json", &slice("1/2", None));
    project.write("2.json", &slice("2/2", Some("link/create-lo")));
    std::fs::create_dir(project.path("unreached")).unwrap();
    let path = "unreached/14.0-STABLE.yaml";
    let row = "{at: '+0x25', line: 'iface.c:301', why: memory}";
    // A reason that no longer holds; half a run says nothing.
    project.write(path, &list(row));
    let output = merged(&project, &["1.json", "2.json"], &["--rows"]);
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    assert!(text(&output).contains("REACHED: dump_iface+0x25: by link/create-lo"), "{}", text(&output));
    assert!(text(&output).contains("2 of 2 blocks"), "{}", text(&output));
    let output = merged(&project, &["1.json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("HOLE: slice 2/2 is missing"), "{}", text(&output));
    assert!(text(&output).contains("not held against a list: slice 2/2 is missing"), "{}", text(&output));
    // A new block, whose reason is written, and then the list is right.
    project.write("all.json", &slice("", None));
    assert_eq!(merged(&project, &["all.json"], &[]).status.code(), Some(0));
    std::fs::remove_file(project.path(path)).unwrap();
    let output = merged(&project, &["all.json"], &["--write-list"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let written = std::fs::read_to_string(project.path(path)).unwrap();
    assert!(written.contains("{at: \"+0x25\", line: \"iface.c:301\", why: unexplained}"), "{written}");
    let output = merged(&project, &["all.json"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("no reason is called `unexplained`"), "{}", text(&output));
    project.write(path, &written.replace("reasons: {}", "reasons: {unexplained: nobody can}"));
    let output = merged(&project, &["all.json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        text(&output).contains("+0x25    iface.c:301                not reached: nobody can"),
        "{}",
        text(&output)
    );
    // A kernel of another build is not judged.
    project.write(path, &list(row).replace("55c6", "0e07"));
    let output = merged(&project, &["all.json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("not held against a list: it is of build 0e07"), "{}", text(&output));
}

#[test]
fn an_unlisted_block_fails_by_name() {
    let project = Project::small(&["link/create-lo"]);
    project.write("all.json", &slice("", None));
    std::fs::create_dir(project.path("unreached")).unwrap();
    project.write("unreached/14.0-STABLE.yaml", &list("").replace("{memory: no memory}", "{}"));
    let output = merged(&project, &["all.json"], &[]);
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    assert!(text(&output).contains("UNREACHED: dump_iface+0x25 (iface.c:301)"), "{}", text(&output));
}

#[test]
fn what_was_found_is_written_for_programs() {
    let project = Project::small(&["link/create-lo"]);
    project.write("1.json", &slice("1/2", None));
    project.write("2.json", &slice("2/2", Some("link/create-lo")));
    let (json, info) = (project.path("out/whole.json"), project.path("out/whole.info"));
    let [json_text, info_text] = [&json, &info].map(|path| path.to_str().unwrap());
    let output = merged(&project, &["1.json", "2.json"], &["--json", json_text, "--lcov", info_text]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let cell = &whole["cells"][0];
    assert_eq!((&cell["vectors"], &cell["slices"][1]), (&6.into(), &"2/2".into()));
    assert_eq!(cell["functions"][0]["blocks"][1]["first"], "link/create-lo");
    let info = std::fs::read_to_string(info).unwrap();
    assert!(info.contains("SF:sys/netlink/route/iface.c\nFN:290,dump_iface\nFNDA:1,dump_iface"), "{info}");
}

#[test]
fn wrong_input_is_rejected_before_anything_runs() {
    let project = Project::small(&["link/create-lo"]);
    project.write("1.json", &slice("1/2", None));
    project.write("other.json", &slice("2/2", None).replace("55c6", "0e07"));
    project.write("old.json", "{\"schema\": \"nlproof-blocks-0\", \"cells\": []}");
    for (files, wanted) in [
        (&["1.json", "other.json"][..], "the kernels differ"),
        (&["1.json", "1.json"], "slice 1/2 is there twice"),
        (&["old.json"], "nlproof-blocks-0"),
        (&["none.json"], "cannot be read"),
    ] {
        let output = merged(&project, files, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(wanted), "{}", text(&output));
    }
    for (args, wanted) in [
        (&["--release", "14.0-STABLE"][..], "--kernel-blocks"),
        (&["--json", "x.json"], "--kernel-blocks"),
        (&["--kernel-blocks", "--target", "sim"], "no cell of a FreeBSD guest is selected"),
        (&["--kernel-blocks", "--target", "freebsd", "--accel", "kvm"], "leave it out"),
        (&["--kernel-blocks", "--merge", "a", "--cost"], "cannot be used with"),
        (&["--kernel-blocks", "--profile", "15"], "--profile is for a kernel or a release"),
        (&["--kernel-blocks", "--partition", "3/2"], "there is no slice 3 of 2"),
    ] {
        let output = project.nlproof().arg("coverage").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(wanted), "{args:?}: {}", text(&output));
    }
}

#[test]
fn without_a_release_nothing_is_known_and_that_is_said() {
    let project = Project::small(&["link/create-lo"]);
    let dists = project.path("no-dists");
    let output = project
        .nlproof()
        .args(["coverage", "--kernel-blocks", "--release", "14.0-STABLE", "--module", "stock,rust"])
        .env("NLPROOF_DISTS", &dists)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    assert!(text(&output).contains("no release directory 14.0-STABLE"), "{}", text(&output));
}
