// SPDX-License-Identifier: BSD-2-Clause
//! A run spread over several jobs: the cells as a job matrix, slices, and their reports joined.

use std::fs;
use std::path::PathBuf;

use crate::support::{Project, text};

/// Runs the slices of `sim/14.0` and leaves their reports in `slice-K`.
fn slices(project: &Project, of: u32) -> Vec<PathBuf> {
    (1..=of)
        .map(|index| {
            let report = project.path(&format!("slice-{index}"));
            let output = project
                .nlproof()
                .args(["test-matrix", "--target", "sim", "--release", "14.0"])
                .args(["--partition", &format!("{index}/{of}"), "--report-dir"])
                .arg(&report)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            report
        })
        .collect()
}

fn report(path: PathBuf) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path.join("report.json")).unwrap()).unwrap()
}

#[test]
fn joined_slices_are_the_whole_run() {
    let project = Project::copy();
    let reports = slices(&project, 3);
    let joined = project.path("joined");
    let merge = |reports: &[PathBuf]| {
        project.nlproof().args(["report", "merge", "--into"]).arg(&joined).args(reports).output().unwrap()
    };
    let output = merge(&reports);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let whole = report(joined.clone());
    let vectors = whole["cells"][0]["vectors"].as_array().unwrap().len();
    assert_eq!(vectors, project.vectors());
    assert_eq!(whole["slice"], serde_json::Value::Null);
    // One of the slices is of an earlier version, whose raw traces are plain.
    let plain = project.raw_trace(&reports[0], &[]);
    fs::remove_file(reports[0].join("sim-14.0.ndjson.zst")).unwrap();
    fs::write(reports[0].join("sim-14.0.ndjson"), &plain).unwrap();
    assert_eq!(project.raw_trace(&reports[0], &[]), plain);
    let lines = |path: PathBuf| project.raw_trace(&path, &["sim/14.0"]).lines().count();
    let output = merge(&reports);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let whole_trace = lines(joined.clone());
    assert_eq!(whole_trace, reports.iter().cloned().map(lines).sum::<usize>());
    assert!(!joined.join("sim-14.0.ndjson").exists(), "what is joined is packed");

    // One slice less is not the whole run, and what is there is shown all the same.
    let output = merge(&reports[1..]);
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    assert!(text(&output).contains("slice 1/3 of sim/14.0"), "{}", text(&output));
    assert!(fs::read_to_string(joined.join("junit.xml")).unwrap().contains("slice 1/3 of sim/14.0"));
    // The second joining has replaced the first one's traces.
    assert_eq!(lines(joined.clone()), reports[1..].iter().cloned().map(lines).sum::<usize>());

    // A slice whose run was killed is joined as far as its trace goes; what is no trace at all is not joined.
    let cut = reports[1].join("sim-14.0.ndjson.zst");
    let good = fs::read(&cut).unwrap();
    fs::write(&cut, &good[..good.len() / 2]).unwrap();
    let output = merge(&reports);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("sim-14.0.ndjson.zst: is cut off"), "{}", text(&output));
    let some = lines(joined.clone());
    assert!(some > lines(reports[0].clone()) && some < whole_trace, "{some} lines of {whole_trace}");
    fs::write(&cut, "not packed").unwrap();
    let output = merge(&reports);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("sim-14.0.ndjson.zst: cannot be read"), "{}", text(&output));
    fs::write(&cut, good).unwrap();

    // The same slice twice, a slice of something else, and a target that is a source.
    let output = merge(&[reports[0].clone(), reports[0].clone()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("both have slice 1/3 of sim/14.0"), "{}", text(&output));
    let into_itself = project
        .nlproof()
        .args(["report", "merge", "--into"])
        .arg(&reports[0])
        .args(&reports)
        .output()
        .unwrap();
    assert_eq!(into_itself.status.code(), Some(2), "{}", text(&into_itself));
    assert_eq!(report(reports[0].clone())["slice"], "1/3");
    let output = merge(&[project.path("no-such-report")]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("no-such-report: cannot be read"), "{}", text(&output));
}

#[test]
fn every_job_of_the_matrix_runs_its_cell_alone_and_none_is_missed() {
    let project = Project::copy();
    let output = project.nlproof().args(["matrix", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    project.write("jobs.json", &String::from_utf8_lossy(&output.stdout));
    let jobs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let jobs = jobs["include"].as_array().unwrap();
    assert!(jobs.len() > 2, "{jobs:?}");
    for job in jobs {
        let args = job["args"].as_str().unwrap().split(' ');
        let output = project.nlproof().args(["matrix", "--json"]).args(args).output().unwrap();
        let alone: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(alone["include"], serde_json::json!([job]));
    }

    let cell = project.path("sim-14.0");
    let args = ["test-matrix", "--target", "sim", "--release", "14.0", "--suite", "link", "--report-dir"];
    let output = project.nlproof().args(args).arg(&cell).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = project
        .nlproof()
        .args(["report", "merge", "--expect"])
        .arg(project.path("jobs.json"))
        .arg("--into")
        .arg(project.path("joined"))
        .arg(&cell)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    let missing = report(project.path("joined"))["missing"].as_array().unwrap().len();
    assert_eq!(missing, jobs.len() - 1);
}

#[test]
fn a_failed_run_is_shown_and_annotated_again() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/modify-without-target.trace");
    let good = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, good.replacen("error=EPERM", "error=EPERN", 1)).unwrap();
    let directory = project.path("report");
    let args = ["test-matrix", "--target", "sim", "--release", "14.0", "--report-dir"];
    let output = project.nlproof().args(args).arg(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let shown = project.nlproof().args(["report", "show"]).arg(&directory).output().unwrap();
    assert_eq!(shown.status.code(), Some(100), "{}", text(&shown));
    assert!(text(&shown).contains("#1 FAILED sim/14.0 link/modify-without-target"), "{}", text(&shown));
    let annotated = project.nlproof().args(["report", "annotate"]).arg(&directory).output().unwrap();
    assert_eq!(annotated.status.code(), Some(0), "{}", text(&annotated));
    let lines = text(&annotated);
    assert_eq!(lines.lines().filter(|line| line.starts_with("::error file=")).count(), 1, "{lines}");
    assert!(lines.contains("golden/common/link/modify-without-target.trace"), "{lines}");
}

#[test]
fn a_slice_without_vectors_is_no_success() {
    let project = Project::copy();
    let args = ["test-matrix", "--target", "sim", "--release", "14.0", "--filter", "link/create-lo"];
    let codes: Vec<_> = (1..=2)
        .map(|index| {
            let output =
                project.nlproof().args(args).args(["--partition", &format!("{index}/2")]).output().unwrap();
            output.status.code()
        })
        .collect();
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(104)), "{codes:?}");
}
