// SPDX-License-Identifier: BSD-2-Clause
//! `report trend`: several reports over time.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Project, text};

/// A project with reports r0, r1, ... of sim/15, changed so.
fn reports(changes: &[fn(&mut Value)]) -> Project {
    let project = Project::small(&["link/create-lo", "link/modify-mtu-71"]);
    let first = project.path("r0");
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "sim", "--release", "15", "--report-dir"])
        .arg(&first)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report: Value = serde_json::from_slice(&fs::read(first.join("report.json")).unwrap()).unwrap();
    for (number, change) in changes.iter().enumerate() {
        let mut report = report.clone();
        report["cells"][0]["duration_ms"] = json!(10_000);
        change(&mut report);
        fs::create_dir_all(project.path(&format!("r{number}"))).unwrap();
        project.write(&format!("r{number}/report.json"), &report.to_string());
    }
    project
}

fn trend(project: &Project, count: usize, more: &[&str]) -> Output {
    let mut command = project.nlproof();
    command.args(["report", "trend"]).args((0..count).map(|number| project.path(&format!("r{number}"))));
    command.args(more).output().unwrap()
}

fn same(_: &mut Value) {}

fn inconclusive(report: &mut Value) {
    report["cells"][0]["vectors"][0]["status"] = json!("inconclusive");
    report["cells"][0]["vectors"][0]["reason"] = json!("a hole");
}

fn slow(report: &mut Value) {
    report["cells"][0]["duration_ms"] = json!(18_000);
}

#[test]
fn flaky_vectors_and_slow_cells_are_told() {
    let project = reports(&[same, inconclusive, slow]);
    let page = project.path("trend.html");
    let output = trend(&project, 3, &["-o", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for part in [
        "3 reports, the oldest first: r0, r1, r2",
        "  sim/15                            10.0    10.0    18.0  1.80 times  SLOWER",
        "  FLAKY  link/create-lo in sim/15: passed, inconclusive, passed",
        "trend: 1 cell is slower, 1 vector is flaky",
    ] {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("<polyline points=") && page.contains("<td class=\"bad\">1.80 times</td>"),
        "{page}"
    );

    let json = |more: &[&str]| -> Value {
        let output = trend(&project, 3, &[&["--json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = json(&[]);
    assert_eq!(all["cells"][0]["slower"], true, "{all}");
    assert_eq!(all["changed"][0]["outcomes"], json!(["passed", "inconclusive", "passed"]));
    assert_eq!(json(&["--factor", "2"])["cells"][0]["slower"], false);
}

#[test]
fn equal_reports_have_nothing_to_tell() {
    let project = reports(&[same, same]);
    let output = trend(&project, 2, &["--output", project.path("trend.html").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("vectors that change their mind: none"), "{}", text(&output));
    assert!(text(&output).contains("trend: 0 cells are slower, 0 vectors are flaky"), "{}", text(&output));
}

#[test]
fn what_is_no_report_is_said_of_each_and_nothing_is_compared() {
    let project = reports(&[same, same, same, same]);
    let text_of = |name: &str| fs::read_to_string(project.path(name)).unwrap();
    let other = text_of("r1/report.json").replace("\"schema\":2", "\"schema\":99");
    project.write("r1/report.json", &other);
    let cut = text_of("r2/report.json");
    project.write("r2/report.json", &cut[..cut.len() / 2]);
    let mut command = project.nlproof();
    command.args(["report", "trend"]).args(["r0", "r1", "r2", "none"].map(|name| project.path(name)));
    let page = project.path("trend.html");
    let output = command.arg("-o").arg(&page).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    for part in
        ["schema 99; this nlproof reads", "r2/report.json:", "/none: cannot be read", "a report is what"]
    {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
    assert!(!page.exists());
    let output = trend(&project, 1, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("one report has no trend"), "{}", text(&output));
    let twice = project.path("r0");
    let output = trend(&project, 1, &[twice.to_str().unwrap()]);
    assert!(text(&output).contains("is given twice"), "{}", text(&output));
    for factor in ["0", "1", "x", "nan"] {
        let output = trend(&project, 2, &["--factor", factor]);
        assert_eq!(output.status.code(), Some(2), "{factor}: {}", text(&output));
    }
}
