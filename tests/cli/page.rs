// SPDX-License-Identifier: BSD-2-Clause
//! The page that a run leaves for people, and `report html`.

use std::fs;
use std::path::Path;
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

/// Most bytes of the page of ten cells. `bench report` has the limit for its first paint.
const LARGEST: usize = 6_000_000;

/// The page of ten cells of all vectors has its limit. Eight ran, as the simulator; two more come to the same as two of these.
pub(crate) fn ten_cells_fit(project: &Project, report: &Path) {
    let path = report.join("report.json");
    let mut run: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let cells = run["cells"].as_array_mut().unwrap();
    for (from, to) in [(0, 8), (7, 9)] {
        let (vectors, counts) = (cells[from]["vectors"].clone(), cells[from]["counts"].clone());
        let cell = &mut cells[to];
        assert_eq!(cell["status"], "not-run");
        (cell["vectors"], cell["counts"], cell["status"]) = (vectors, counts, "passed".into());
        (cell["reason"], cell["remedy"]) = (serde_json::Value::Null, serde_json::Value::Null);
    }
    let ran = |cell: &serde_json::Value| cell["vectors"].as_array().unwrap().len();
    assert_eq!(cells.iter().filter(|cell| ran(cell) >= 640).count(), 10);
    fs::write(path, run.to_string()).unwrap();
    let output = project.nlproof().args(["report", "html"]).arg(report).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let page = fs::read_to_string(report.join("report.html")).unwrap();
    assert!(page.matches("<details class=\"vector\"").count() >= 640);
    assert!(page.len() <= LARGEST, "{} bytes for ten cells", page.len());
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
fn two_runs_never_write_into_one_report() {
    let project = Project::small(&VECTORS);
    fs::create_dir(project.path("report")).unwrap();
    let other = fs::File::open(project.path("report")).unwrap();
    other.try_lock().unwrap();
    let output = run(&project, "report", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("another run writes into "), "{}", text(&output));
    assert_eq!(fs::read_dir(project.path("report")).unwrap().count(), 0, "nothing of it was touched");
    drop(other);
    assert_eq!(run(&project, "report", &[]).status.code(), Some(0));
    assert_eq!(run(&project, "report", &[]).status.code(), Some(0), "one after the other");
}

#[test]
fn a_page_is_measured_and_without_a_browser_that_is_said() {
    let project = Project::small(&VECTORS);
    assert_eq!(run(&project, "report", &[]).status.code(), Some(0));
    let bench = |report: &str| {
        let mut command = project.nlproof();
        command.args(["bench", "report", "--turns", "1"]).arg(project.path(report));
        command.env("PATH", "").output().unwrap()
    };
    let output = bench("report");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains(": 1 cell of up to 2 vectors\n"), "{}", text(&output));
    assert!(text(&output).contains("MB  [at most 6.0 MB for 10 cells: kept]"), "{}", text(&output));
    assert!(text(&output).contains("first paint  not measured: no chromium"), "{}", text(&output));
    assert_eq!(bench("no-report").status.code(), Some(2));
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
