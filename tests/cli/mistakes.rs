// SPDX-License-Identifier: BSD-2-Clause
//! Slips of people who write or name vectors and goldens: each is reported with its place and what was meant.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Project, text};

fn ask(project: &Project, args: &[&str]) -> (Option<i32>, String) {
    let output = project.nlproof().args(args).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn a_broken_vector_keeps_nobody_from_another() {
    let project = Project::copy();
    project.write("vectors/link/broken.yaml", "about: [\n");
    let (code, said) = ask(&project, &["run", "link/create-lo"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = ask(&project, &["run", "link/broken"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("link/broken.yaml:"), "{said}");
    assert_eq!(ask(&project, &["test-matrix", "--target", "sim"]).0, Some(2), "a run of all misses none");
}

#[test]
fn a_vector_is_found_by_what_people_type() {
    let project = Project::copy();
    for (typed, meant) in [
        ("create-lo", "`link/create-lo`"),
        ("tests/vectors/link/create-lo.yaml", "`link/create-lo`"),
        ("link/creat-lo", "`link/create-lo`"),
        ("LINK/CREATE-LO", "`link/create-lo`"),
    ] {
        let (code, said) = ask(&project, &["run", typed]);
        assert_eq!(code, Some(2), "{typed}: {said}");
        assert!(said.contains(&format!("did you mean {meant}?")), "{typed}: {said}");
    }
    let (_, said) = ask(&project, &["run", "colourless-green"]);
    assert!(said.contains("nlproof test-matrix --list"), "{said}");
    for (args, meant) in [
        (["--suite", "lnik"], "no suite `lnik`\n  help: did you mean `link`?"),
        (["--suite", "colour"], "the suites are: addr, "),
        (["--filter", "link/creat-lo"], "did you mean `link/create-lo`?"),
    ] {
        // A word that selects nothing is a slip, whatever the others select.
        let (code, said) =
            ask(&project, &[&["test-matrix", "--suite", "addr", "--filter", "addr"], &args[..]].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(meant), "{said}");
    }
}

#[test]
fn what_looks_like_a_vector_and_is_none_is_told() {
    let project = Project::copy();
    let vector = fs::read(project.path("vectors/link/create-lo.yaml")).unwrap();
    for (name, told) in [
        ("link/other.yml", "other.yml: is not read: the name of a vector ends in `.yaml`\n  help: rename it"),
        ("loose.yaml", "loose.yaml: is in no suite"),
        ("link/a#1.yaml", "a#1.yaml: the name of a vector has no `#`"),
    ] {
        let path = project.path("vectors").join(name);
        fs::write(&path, &vector).unwrap();
        for command in [&["test-matrix", "--target", "sim"][..], &["coverage"]] {
            let (code, said) = ask(&project, command);
            assert_eq!(code, Some(2), "{said}");
            assert!(said.contains(told), "{said}");
        }
        let (code, said) = ask(&project, &["verify", "vectors"]);
        assert_eq!(code, Some(102), "{said}");
        fs::remove_file(path).unwrap();
    }
    // Behind a link is as good as beside it, but for a link that leads back.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("far.yaml"), &vector).unwrap();
    symlink(elsewhere.path(), project.path("vectors/linked")).unwrap();
    let (code, said) = ask(&project, &["test-matrix", "--list", "--filter", "linked/far"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("  linked/far "), "{said}");
    symlink("..", project.path("vectors/link/up")).unwrap();
    let (code, said) = ask(&project, &["test-matrix", "--list"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("link/up: leads to a directory that it stands in"), "{said}");
}

#[test]
fn a_golden_of_no_vector_is_told() {
    let project = Project::copy();
    assert_eq!(ask(&project, &["review", "--check"]), (Some(0), "nothing awaits review\n".into()));
    fs::remove_file(project.path("vectors/link/create-lo.yaml")).unwrap();
    for (command, code) in
        [(&["review", "--check"][..], 100), (&["verify", "vectors"], 102), (&["coverage"], 0)]
    {
        let (got, said) = ask(&project, command);
        assert_eq!(got, Some(code), "{command:?}: {said}");
        let told = "is a golden of `link/create-lo`, and there is no such vector";
        let subject = said.matches(told).count();
        assert!(subject >= 2, "its .trace and its .ktrace: {command:?}: {said}");
    }
}

#[test]
fn a_golden_with_crlf_says_so_and_how_to_mend_it() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/modify-without-target.trace");
    let good = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, good.replace('\n', "\r\n")).unwrap();
    let (code, said) = ask(&project, &["run", "link/modify-without-target"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("modify-without-target.trace:1:1: has CRLF line ends; those of a golden are LF"),
        "{said}"
    );
    assert!(said.contains("sed -i 's/\\r$//'"), "{said}");
}

#[test]
fn the_line_of_a_difference_is_that_of_the_golden_s_file() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/modify-without-target.trace");
    let good = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, good.replacen("error=EPERM", "error=EPERN", 1)).unwrap();
    let line = 1 + good.lines().position(|line| line.contains("error=EPERM")).unwrap();
    let (code, said) = ask(&project, &["run", "link/modify-without-target"]);
    assert_eq!(code, Some(100), "{said}");
    assert!(said.contains(&format!(", line {line} of the golden (")), "{said}");
    let report = project.path("report");
    let report = report.to_str().unwrap();
    let filter = ["--target", "sim", "--release", "14.0", "--filter", "link/modify-without-target"];
    ask(&project, &[&["test-matrix", "--report-dir", report], &filter[..]].concat());
    let (code, said) = ask(&project, &["report", "annotate", report]);
    assert_eq!(code, Some(0), "{said}");
    let place = format!("golden/common/link/modify-without-target.trace,line={line},title=");
    assert!(said.starts_with("::error file=") && said.contains(&place), "{said}");
}

#[test]
fn names_of_the_kernel_s_headers_are_understood_and_slips_in_them_too() {
    let project = Project::copy();
    let as_typed = "about: creating a loopback clone is acknowledged with a cookie that carries its index and name\n\
                    socket: {ext-ack: true}\ngroups: [RTNLGRP_LINK]\nsteps:\n  - send:\n      message: RTM_NEWLINK\n      \
                    flags: [NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL]\n      attrs:\n        - IFLA_IFNAME: lo10\n        \
                    - IFLA_LINKINFO:\n            - IFLA_INFO_KIND: lo\n";
    let own = fs::read_to_string(project.path("vectors/link/create-lo.yaml")).unwrap();
    let steps = own.matches("  - send:").count();
    project.write("vectors/link/typed.yaml", as_typed);
    let (code, said) = ask(&project, &["run", "link/typed"]);
    assert_eq!(code, Some(100), "it has no golden, and {steps} steps have the other: {said}");
    let first = "  > newlink request|ack|excl|create seq=+0 pid=0 family=unspec type=0 index=0 flags=- change=-\n      ifname \
                 \"lo10\"\n      linkinfo\n        kind \"lo\"\n";
    assert!(said.contains(first), "{said}");
    project.write("vectors/link/typed.yaml", &as_typed.replace("NLM_F_EXCL", "NLM_F_EXLC"));
    let (code, said) = ask(&project, &["run", "link/typed"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("unknown flag of this message `NLM_F_EXLC`\n  help: did you mean `excl`?"),
        "{said}"
    );
}

#[test]
fn a_command_is_found_as_a_shell_finds_it() {
    let project = Project::copy();
    let with_path = fs::read_to_string(project.path("vectors/event/ifconfig-address.yaml")).unwrap();
    project.write("vectors/event/ifconfig-address.yaml", &with_path.replace("/sbin/ifconfig", "ifconfig"));
    let (code, said) = ask(&project, &["run", "event/ifconfig-address"]);
    assert_eq!(code, Some(0), "the simulator models it: {said}");
    project
        .write("vectors/event/ifconfig-address.yaml", &with_path.replace("/sbin/ifconfig", "sbin/ifconfig"));
    let (code, said) = ask(&project, &["run", "event/ifconfig-address"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the first word is no program"), "{said}");
}

#[test]
fn an_unknown_release_says_how_it_is_added_and_a_path_is_none() {
    let project = Project::copy();
    let (code, said) = ask(&project, &["test-matrix", "--release", "14.1-RELEASE", "--release", "15"]);
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "no cell of the matrix has the release `14.1-RELEASE`",
        "to run it: put its MANIFEST, base.txz and kernel.txz into ",
        "- {target: freebsd, release: 14.1-RELEASE, profile: \"14.0\"}",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (_, said) = ask(&project, &["run", "link/create-lo", "--release", "15.1-release"]);
    assert!(said.contains("did you mean `15.1-RELEASE`?"), "{said}");
    let matrix = fs::read_to_string(project.path("matrix.yaml")).unwrap();
    project.write("matrix.yaml", &matrix.replacen("release: 15.1-RELEASE", "release: ../x", 1));
    let (code, said) = ask(&project, &["test-matrix", "--list"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`../x` cannot be the name of a release"), "{said}");
    for command in [&["image", "build", "../x"][..], &["image", "fetch", "--release", "../x"]] {
        let (code, said) = ask(&project, command);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("`../x` cannot be the name of a release"), "{said}");
    }
}
