// SPDX-License-Identifier: BSD-2-Clause
//! The page that a run leaves for people, and `report html`.

use std::fs;
use std::process::Output;

use crate::support::{Project, text};

const VECTORS: [&str; 2] = ["link/create-lo", "link/modify-mtu-71"];

/// Runs sim/15 into a report directory of that name.
fn run(project: &Project, report: &str, more: &[&str]) -> Output {
    project
        .nlproof()
        .args(["test-matrix", "--target", "sim", "--release", "15", "--report-dir"])
        .arg(project.path(report))
        .args(more)
        .output()
        .unwrap()
}

fn page(project: &Project, report: &str) -> String {
    fs::read_to_string(project.path(report).join("report.html")).unwrap()
}

/// A golden of 15 that says what 14 answers.
fn wrong_golden(project: &Project) {
    let golden = project.path("golden/freebsd-15/link/modify-mtu-71.trace");
    let right = fs::read_to_string(&golden).unwrap();
    let wrong = right.replace("error=EINVAL", "error=EPERM");
    assert_ne!(right, wrong);
    fs::write(golden, wrong).unwrap();
}

#[test]
fn a_run_leaves_a_page_with_every_vector() {
    let project = Project::small(&VECTORS);
    let output = run(&project, "report", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let page = page(&project, "report");
    assert!(page.contains("<h1>Passed</h1>"));
    for id in VECTORS {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    // The conversation, and what went on in the kernel meanwhile.
    assert!(page.contains("  &gt; newlink request|ack|excl|create"));
    assert!(page.contains("<title>request newlink, T0"));
    for fetched in ["src=", "@import", "url(", "fetch(", "XMLHttpRequest", "http:", "https:"] {
        assert!(!page.contains(fetched), "the page asks somebody: {fetched}");
    }
}

#[test]
fn a_difference_stands_beside_its_golden_and_is_told_against_a_baseline() {
    let project = Project::small(&VECTORS);
    assert_eq!(run(&project, "before", &[]).status.code(), Some(0));
    wrong_golden(&project);
    let before = project.path("before");
    let output = run(&project, "report", &["--baseline", before.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let with_baseline = page(&project, "report");
    assert!(with_baseline.contains("<h1>Not passed</h1>"));
    assert!(with_baseline.contains("id=\"link/modify-mtu-71@sim/15\""));
    assert!(
        with_baseline.contains("<mark>error=EPERM</mark>")
            && with_baseline.contains("<mark>error=EINVAL</mark>")
    );
    assert!(with_baseline.contains("Since before") && with_baseline.contains("1 newly failing"));

    // The same page again, from the report alone, and into another file.
    let again = project.path("again.html");
    let output = project
        .nlproof()
        .args(["report", "html"])
        .arg(project.path("report"))
        .arg("--baseline")
        .arg(&before)
        .arg("--output")
        .arg(&again)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    assert_eq!(fs::read_to_string(again).unwrap(), with_baseline);
    let output = project.nlproof().args(["report", "html"]).arg(project.path("report")).output().unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    assert!(!page(&project, "report").contains("Since before"), "no baseline was given");
}

#[test]
fn what_is_missing_of_a_report_is_left_out_and_said() {
    let project = Project::small(&VECTORS);
    wrong_golden(&project);
    assert_eq!(run(&project, "report", &[]).status.code(), Some(100));
    let html = |code: i32| {
        let output = project.nlproof().args(["report", "html"]).arg(project.path("report")).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        text(&output)
    };
    // A damaged raw trace is no reason to have no page.
    fs::write(project.path("report").join("sim-15.ndjson.zst"), "no zstd").unwrap();
    assert!(html(100).contains("warning: sim/15: "));
    let shown = page(&project, "report");
    assert!(shown.contains("first difference in step") && !shown.contains("<mark>"));
    // Neither is one that is gone.
    fs::remove_file(project.path("report").join("sim-15.ndjson.zst")).unwrap();
    assert!(!html(100).contains("warning"));
    fs::remove_file(project.path("report").join("report.json")).unwrap();
    assert!(html(2).contains("a report is what `nlproof test-matrix --report-dir DIR` leaves"));
}
