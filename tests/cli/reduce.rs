// SPDX-License-Identifier: BSD-2-Clause
//! `reduce` in simulators: what it leaves, and what it does not reduce.

use std::fs;
use std::process::Output;

use crate::support::{Project, text};

/// A dozen steps of which one sets an MTU that the interface rejects.
fn project() -> Project {
    let project = Project::small(&["link/create-lo", "link/modify-mtu-71"]);
    let mut vector =
        "about: an MTU among others\nneeds: {os: [freebsd]}\nsocket: {ext-ack: true}\nsteps:\n".to_owned();
    for number in 0..6 {
        vector.push_str(&format!(
            "- send: {{message: newlink, flags: [request, ack, create], attrs: [{{ifname: lo{number}4}}, {{linkinfo: [{{kind: \
             lo}}]}}]}}\n"
        ));
    }
    vector.push_str(
        "- send: {message: newlink, flags: [request, ack], header: {index: $lo34}, attrs: [{mtu: 71}, {ifalias: a}]}\n\
         - send: {message: getlink, flags: [request, dump]}\n",
    );
    fs::write(project.path("vectors/link/long.yaml"), vector).unwrap();
    project
}

fn reduce(project: &Project, args: &[&str]) -> Output {
    project.nlproof().arg("reduce").args(args).output().unwrap()
}

#[test]
fn a_vector_is_reduced_beside_itself_with_its_conversation() {
    let project = project();
    let keep = ["link/long", "--keep", "Failed to set mtu", "--release", "15", "--module", "stock"];
    let output = reduce(&project, &keep);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("1 message in 1 step of 8 messages in 8 steps: "), "{}", text(&output));
    let vector = fs::read_to_string(project.path("vectors/link/long-reduced.yaml")).unwrap();
    assert!(
        vector.contains("# Reduced from link/long by nlproof reduce --keep 'Failed to set mtu'"),
        "{vector}"
    );
    assert!(vector.contains("about: an MTU among others\n") && vector.contains("- mtu: 1\n"), "{vector}");
    let said = fs::read_to_string(project.path("vectors/link/long-reduced.txt")).unwrap();
    assert!(said.contains("msg \"Failed to set mtu\""), "{said}");
    assert!(!project.path("vectors/link/long-reduced.reduce.ndjson").exists());
    // The vector runs like any other, and one that is there stays.
    let run = project.nlproof().args(["run", "link/long-reduced", "--release", "15"]).output().unwrap();
    assert!(text(&run).contains("Failed to set mtu"), "{}", text(&run));
    let again = reduce(&project, &keep);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    assert!(
        text(&again).contains("is there already, and stays as it is\n  help: -o names another"),
        "{}",
        text(&again)
    );
}

#[test]
fn a_search_that_ends_early_goes_on() {
    let project = project();
    let file = project.path("small.yaml");
    let begin = [
        "link/long",
        "--keep",
        "differs",
        "--release",
        "15",
        "--target",
        "sim",
        "--against",
        "sim/14.0",
        "--jobs",
        "2",
        "--attempts",
        "1",
        "--output",
        file.to_str().unwrap(),
    ];
    let output = reduce(&project, &[&begin[..], &["--tries", "4", "--time", "10m"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("it could be smaller: the same command with more"), "{}", text(&output));
    assert!(fs::read_to_string(&file).unwrap().contains("; it could be smaller."));
    let output = reduce(&project, &begin);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("goes on after 4 tries"), "{}", text(&output));
    assert!(!text(&output).contains("could be smaller"), "{}", text(&output));
    // Of another thing to keep there is no journal to go on with.
    fs::write(project.path("small.reduce.ndjson"), "{}\n").unwrap();
    let output = reduce(&project, &begin);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("small.reduce.ndjson:1:2: missing field `schema`"), "{}", text(&output));
}

#[test]
fn a_problem_of_a_report_is_taken_as_it_is() {
    let project = project();
    let golden = project.path("golden/freebsd-15/link/modify-mtu-71.trace");
    let body = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, body.replace("mtu 71", "mtu 72")).unwrap();
    let report = project.path("report");
    let report = report.to_str().unwrap();
    let args = [
        "test-matrix",
        "--target",
        "sim",
        "--release",
        "15",
        "--filter",
        "link/modify-mtu-71",
        "--report-dir",
    ];
    let output = project.nlproof().args(args).arg(report).output().unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let problem = format!("{report}#1");
    let output = reduce(&project, &[&problem]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("sim/15 differs from what?"), "{}", text(&output));
    let output = reduce(&project, &[&problem, "--keep", "EINVAL"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = reduce(&project, &[&problem, "--keep", "EINVAL", "--release", "14.0"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("a report's problem has its cell"), "{}", text(&output));
}

#[test]
fn what_is_not_there_is_not_reduced() {
    let project = project();
    for (args, code, said) in [
        (&["link/long"][..], 2, "what has to stay?\n  help: --keep differs"),
        (
            &["link/long", "--keep", "panics"],
            104,
            "the first run does not show `panics`: there is nothing to keep",
        ),
        (&["link/long", "--keep", "differs"], 2, "--against CELL"),
        (&["link/long", "--keep", "differs", "--against", "sim/99"], 2, "no cell is called sim/99"),
        (&["link/long", "--keep", "panics", "--against", "sim/15"], 2, "--against is for --keep differs"),
        (&["link/none", "--keep", "panics"], 2, "no vector `link/none`"),
        (&["none.yaml", "--keep", "panics"], 2, "none.yaml"),
    ] {
        let output = reduce(&project, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
}
