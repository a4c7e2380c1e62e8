// SPDX-License-Identifier: BSD-2-Clause
//! The program as its users meet it: right and wrong input, exit codes, and what is printed.

mod atf;
mod blocks;
mod bounded;
mod branches;
mod default_cell;
mod developer;
#[path = "../support/disk.rs"]
mod disk;
mod documented;
mod export_image;
mod export_vector;
mod fetch;
mod further;
mod fuzz;
mod goldens;
mod here;
mod images;
mod jobs;
#[path = "../support/kernel.rs"]
mod kernel;
#[path = "../support/kernel_report.rs"]
mod kernel_report;
mod linux;
mod mistakes;
mod nics;
mod options;
mod outputs;
mod own;
mod page;
mod page_blocks;
mod qualify;
mod reduce;
mod replay;
mod serve;
#[path = "../support/serving.rs"]
mod serving;
mod shell;
#[path = "../support/skip.rs"]
mod skip;
mod source;
#[path = "../support/mod.rs"]
mod support;
mod trace;
mod trend;
mod vectors;
mod watch;

use std::fs;

use support::{Project, text};

#[test]
fn the_main_job_runs_on_a_machine_with_nothing() {
    let project = Project::copy();
    let report = project.path("report");
    let output = project
        .nlproof()
        .args(["test-matrix", "--report-dir"])
        .arg(&report)
        .env("PATH", "")
        .env("NLPROOF_DISTS", project.path("no-dists"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("not run  no release directory 14.0-STABLE"), "{stderr}");
    assert!(
        stderr.contains("to run it: put MANIFEST, base.txz and kernel.txz of 14.0-STABLE into"),
        "{stderr}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("vectors passed, 0 did not, in 8 cells; 24 cells not run"), "{stdout}");

    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(report.join("report.json")).unwrap()).unwrap();
    assert_eq!(json["schema"], 2);
    assert_eq!(json["cells"][0]["status"], "passed");
    assert_eq!(json["cells"][8]["status"], "not-run");
    let vectors = json["cells"][0]["vectors"].as_array().unwrap().len();
    assert_eq!(vectors, project.vectors());
    assert!(fs::read_to_string(report.join("junit.xml")).unwrap().contains("<testsuite name=\"sim/14.0\""));
    let packed = fs::read(report.join("sim-14.0.ndjson.zst")).unwrap();
    let raw = project.raw_trace(&report, &["sim/14.0"]);
    assert!(raw.lines().count() > vectors, "{raw}");
    assert!(packed.len() * 10 < raw.len(), "{} bytes for {}", packed.len(), raw.len());
    let one = project.raw_trace(&report, &["sim/14.0", "--vector", "link/create-lo"]);
    assert!(!one.is_empty() && one.lines().all(|line| line.contains(r#""vec":"link/create-lo""#)), "{one}");
    page::ten_cells_fit(&project, &report);
}

#[test]
fn what_no_vector_reaches_fails_coverage_by_name() {
    let project = Project::copy();
    let coverage = || project.nlproof().args(["coverage", "--profile", "15"]).output().unwrap();
    let output = coverage();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    // The only vectors that hear this error.
    for vector in ["link/modify-without-target", "log/mistakes"] {
        fs::remove_file(project.path("vectors").join(vector).with_extension("yaml")).unwrap();
    }
    let output = coverage();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let row = "< error to newlink error=EPERM msg \"empty ifi_index field\" (errors)";
    assert!(stdout.contains(&format!("UNREACHED: {row}")), "{stdout}");
    let output = project.nlproof().args(["coverage", "--profile", "12"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn nothing_that_matches_is_said_with_what_there_is() {
    let project = Project::copy();
    for (args, expected) in [
        (&["test-matrix", "--filter", "no/such"][..], "no vector matches"),
        (&["test-matrix", "--release", "9"], "no cell of the matrix has the release `9`"),
        (&["test-matrix", "--target", "sim", "--module", "rust"], "no cell matches all that is asked for"),
        (
            &["test-matrix", "--suite", "addr", "--filter", "link/create-lo"],
            "no vector matches all that is asked for",
        ),
        (&["run", "link/create-l"], "did you mean `link/create-lo`?"),
        (&["accept", "nothing"], "nothing that awaits review matches"),
        (&["decode", "xyz"], "is not a hex digit"),
        (&["decode", ""], "no bytes to decode"),
        (&["test-matrix", "--timeout-factor", "0"], "--timeout-factor 0 is not above 0"),
        (&["test-matrix", "--no-such-flag"], "unexpected argument"),
    ] {
        let output = project.nlproof().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(expected), "{args:?}: {}", text(&output));
    }
}

#[test]
fn outside_a_project_the_way_in_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nlproof"))
        .arg("test-matrix")
        .current_dir(empty.path())
        .env_remove("NLPROOF_TESTS")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("name its tests: --tests DIR"), "{}", text(&output));
}

#[test]
fn a_closed_pipe_is_no_crash() {
    let project = Project::copy();
    let mut child = project
        .nlproof()
        .args(["run", "event/link-lifecycle"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("panicked"), "{}", text(&output));
}

#[test]
fn what_is_no_kernel_module_is_refused_by_verification() {
    let project = Project::copy();
    project.write("module.ko", "not an ELF file");
    let module = project.path("module.ko");
    let output = project.nlproof().arg("verify").arg(&module).output().unwrap();
    assert_eq!(output.status.code(), Some(102), "{}", text(&output));
    assert!(text(&output).contains("REJECTED"), "{}", text(&output));
    let output = project.nlproof().args(["verify", "--format", "json"]).arg(&module).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["accepted"], false, "{json}");
    let output = project.nlproof().args(["verify", "--explain", "stak"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("did you mean `stack`?"), "{}", text(&output));
    let output = project.nlproof().args(["verify", "--explain", "stack"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn bench_shows_what_is_promised_and_refuses_to_measure_nothing() {
    let project = Project::copy();
    let bench = |args: &[&str]| project.nlproof().arg("bench").args(args).output().unwrap();
    let wire = bench(&["wire", "--seconds", "0.01"]);
    let rows = ["view", "strict", "tree"];
    assert!(rows.iter().all(|row| text(&wire).lines().any(|line| line.starts_with(row))), "{}", text(&wire));
    assert!(text(&wire).contains("[at least 2000000 messages/s: "), "{}", text(&wire));
    let sim = bench(&["sim", "--seconds", "0.001"]);
    assert_eq!(sim.status.code(), Some(0), "{}", text(&sim));
    assert_eq!(text(&sim).lines().filter(|line| line.contains(" 1000 ")).count(), 6, "{}", text(&sim));
    assert_eq!(bench(&["sim", "--seconds", "0"]).status.code(), Some(2));
}
