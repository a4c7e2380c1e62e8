// SPDX-License-Identifier: BSD-2-Clause
//! The goldens that answers are compared with, what is recorded beside a cell that fails, and long texts on a
//! terminal. Output word for word stands in tests/transcripts/goldens.trycmd.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::skip;
use crate::support::{Project, text};

#[test]
fn a_run_says_whose_observation_the_simulator_is_held_to() {
    let project = Project::copy();
    let report = project.path("report");
    let args = ["test-matrix", "--target", "sim", "--filter", "link/create-lo", "--report-dir"];
    let output = project.nlproof().args(args).arg(&report).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let said = text(&output);
    let done = |line: &&str| line.contains(" passed ");
    let line = |cell: &str| said.lines().filter(done).find(|line| line.starts_with(cell)).unwrap_or_default();
    assert!(line("sim/14.0  ").contains("; goldens observed on 14.0-STABLE, 14.2-STABLE; "), "{said}");
    assert!(line("sim/16  ").contains("; goldens predicted; "), "{said}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(report.join("report.json")).unwrap()).unwrap();
    let cell = |name: &str| {
        let cells = json["cells"].as_array().unwrap();
        cells.iter().find(|cell| cell["name"] == name).unwrap().clone()
    };
    assert_eq!(
        (&cell("sim/14.0")["origin"], &cell("sim/16")["origin"]),
        (&"observed".into(), &"predicted".into())
    );
    let recorded = cell("sim/15")["recorded"].as_array().unwrap().clone();
    let all_of_15 = recorded.iter().all(|line| line.as_str().unwrap().starts_with("observed: 15."));
    assert!(!recorded.is_empty() && all_of_15, "{recorded:?}");
    let junit = fs::read_to_string(report.join("junit.xml")).unwrap();
    assert!(junit.contains("name=\"goldens\" value=\"observed on 14.0-STABLE, 14.2-STABLE\""), "{junit}");
    let shown = project.nlproof().args(["report", "show"]).arg(&report).output().unwrap();
    assert!(text(&shown).contains("; goldens observed on 15.0-RELEASE, 15.1-RELEASE; "), "{}", text(&shown));
    let run = project.nlproof().args(["run", "link/create-lo", "--release", "14.0"]).output().unwrap();
    assert!(
        text(&run).contains("equal to the golden of common (observed on 14.0-STABLE, 14.2-STABLE)"),
        "{}",
        text(&run)
    );
}

#[test]
fn a_cell_that_cannot_be_recorded_does_not_keep_the_next_from_it() {
    let project = Project::copy();
    let dists = project.path("dists");
    for release in ["14.0-STABLE", "15.1-RELEASE"] {
        // Without a MANIFEST no image can be built.
        fs::create_dir_all(dists.join(release)).unwrap();
    }
    let output = project
        .nlproof()
        .args(["record", "--module", "stock", "--filter", "link/create-lo", "--no-kernel-trace"])
        .args(["--release", "14.0-STABLE", "--release", "15.1-RELEASE"])
        .env("NLPROOF_DISTS", &dists)
        .output()
        .unwrap();
    if text(&output).contains("no qemu-system-x86_64") {
        skip::say(
            "skipped: a_cell_that_cannot_be_recorded_does_not_keep_the_next_from_it: no qemu-system-x86_64",
        );
        return;
    }
    assert_eq!(output.status.code(), Some(101), "{}", text(&output));
    for release in ["14.0-STABLE", "15.1-RELEASE"] {
        assert!(text(&output).contains(&format!("error: freebsd/{release}/stock: ")), "{}", text(&output));
    }
    assert!(text(&output).contains("0 rejected; 2 cells failed"), "{}", text(&output));
}

#[test]
fn a_terminal_gets_long_texts_through_the_pager_and_a_pipe_never() {
    let project = Project::copy();
    let terminal = Command::new("script").arg("--version").output();
    if !terminal.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        skip::say(
            "skipped: a_terminal_gets_long_texts_through_the_pager_and_a_pipe_never: no script(1) of util-linux",
        );
        return;
    }
    let shown = |pager: &str, more: &str| {
        let program = env!("CARGO_BIN_EXE_nlproof");
        let tests = project.path("");
        let command = format!("{program} --tests {} review {more}", tests.display());
        let output = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("PAGER", pager)
            .env("XDG_CACHE_HOME", project.path("cache"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        text(&output)
    };
    let marking = "sed 's/^/paged: /'";
    assert!(shown(marking, "").contains("paged: nothing awaits review"), "{}", shown(marking, ""));
    for (pager, more) in [(marking, "--no-pager"), ("cat", ""), ("", ""), ("no-such-pager-anywhere", "")] {
        let said = shown(pager, more);
        assert!(
            said.contains("nothing awaits review") && !said.contains("paged:"),
            "{pager:?} {more}: {said}"
        );
    }
    let piped = project.nlproof().arg("review").env("PAGER", marking).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&piped.stdout), "nothing awaits review\n");
}

#[test]
fn a_recording_of_a_real_kernel_that_nobody_accepted_is_not_overwritten() {
    let project = Project::copy();
    let record = |filter: &str| {
        let sim = ["record", "--target", "sim", "--release", "14.0", "--filter", filter];
        project.nlproof().args(sim).output().unwrap()
    };
    let golden = project.path("golden/common/link/create-lo.trace");
    let awaiting = project.path("golden/common/link/create-lo.trace.new");
    fs::rename(&golden, &awaiting).unwrap();
    let recorded = fs::read_to_string(&awaiting).unwrap();
    let output = record("link/create-lo");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let told = text(&output);
    assert!(told.contains("create-lo.trace.new: recorded from 14.0-STABLE"), "{told}");
    assert!(told.contains("help: review it and run `nlproof accept common/link/create-lo`"), "{told}");
    assert_eq!(fs::read_to_string(&awaiting).unwrap(), recorded);
    // Of other vectors, and once it is accepted, anything is recorded; a prediction may be overwritten.
    assert_eq!(record("link/create-twice").status.code(), Some(0));
    let accepted = project.nlproof().args(["accept", "common/link/create-lo"]).output().unwrap();
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted));
    assert_eq!(record("link/create-lo").status.code(), Some(0));
    fs::remove_file(&golden).unwrap();
    for _ in 0..2 {
        let output = record("link/create-lo");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(fs::read_to_string(&awaiting).unwrap().contains("# predicted: profile 14.0"));
    }
}

#[test]
fn one_altered_byte_in_a_golden_fails_that_vector_and_no_other() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/modify-without-target.trace");
    let good = fs::read_to_string(&golden).unwrap();
    let bad = good.replacen("error=EPERM", "error=EPERN", 1);
    assert_ne!(good, bad);
    fs::write(&golden, bad).unwrap();
    let output =
        project.nlproof().args(["test-matrix", "--target", "sim", "--release", "14.0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let failed: Vec<_> = stderr.lines().filter(|line| line.starts_with("FAILED ")).collect();
    let expected = "FAILED sim/14.0 link/modify-without-target (golden: common, observed)";
    assert_eq!(failed, [expected], "{stderr}");
    assert!(stderr.contains("error=EPERN") && stderr.contains("+   < error"), "{stderr}");
}

#[test]
fn a_golden_of_another_schema_is_refused() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/create-twice.trace");
    let text_of = fs::read_to_string(&golden).unwrap().replacen("schema 1", "schema 9", 1);
    fs::write(&golden, text_of).unwrap();
    let output = project.nlproof().args(["test-matrix", "--target", "sim"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("a golden of schema 9; this nlproof reads schema 1"), "{}", text(&output));
}

#[test]
fn what_awaits_review_is_refused_under_ci() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/create-twice.trace");
    fs::copy(&golden, project.path("golden/common/link/create-twice.trace.new")).unwrap();
    let output =
        project.nlproof().args(["test-matrix", "--target", "sim"]).env("CI", "true").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let output = project.nlproof().args(["review", "--check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    assert!(text(&output).contains("common/link/create-twice"), "{}", text(&output));
}

#[test]
fn recording_the_simulator_predicts_and_never_overrules_an_observation() {
    let project = Project::copy();
    fs::remove_dir_all(project.path("golden")).unwrap();
    let record = |release: &str| {
        project
            .nlproof()
            .args(["record", "--target", "sim", "--release", release, "--filter", "link/create-lo"])
            .output()
            .unwrap()
    };
    let output = record("14.0");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = project.nlproof().args(["accept", "common/link/create-lo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let golden = fs::read_to_string(project.path("golden/common/link/create-lo.trace")).unwrap();
    assert!(golden.contains("# predicted: profile 14.0"), "{golden}");
    assert!(text(&record("14.0")).contains("0 written for review, 2 unchanged"));
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "sim", "--release", "14.0", "--filter", "link/create-lo"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("goldens predicted"), "{}", text(&output));
}

#[test]
fn every_vector_of_the_project_has_a_golden_that_a_kernel_produced() {
    let project = Project::copy();
    let layers: Vec<_> =
        fs::read_dir(project.path("golden")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for vector in project.vector_files() {
        // Stock kernels are lost in it: what the module answers is only predicted. Cells have one processor: what needs more is
        // run by hand.
        let text = fs::read_to_string(project.path("vectors").join(&vector)).unwrap();
        if text.contains("\nloses:") || text.contains("processors: 2") {
            continue;
        }
        let goldens = layers.iter().map(|layer| layer.join(&vector).with_extension("trace"));
        let observed =
            |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains("\n# observed: "));
        assert!(goldens.into_iter().any(|path| observed(&path)), "{}", vector.display());
    }
}

#[test]
fn another_build_of_a_release_is_recorded_nowhere() {
    let project = Project::copy();
    let record = |release: &str| {
        let args = ["record", "--target", "freebsd", "--module", "stock", "--release", release, "--filter"];
        project
            .nlproof()
            .env("NLPROOF_DISTS", project.path("none"))
            .args(args)
            .arg("link/create-lo")
            .output()
            .unwrap()
    };
    let of_debug = record("14.0-STABLE-DEBUG");
    let said = text(&of_debug);
    let told = "freebsd/14.0-STABLE-DEBUG/stock: nothing is recorded from it: another build of 14.0-STABLE";
    assert!(said.contains(told) && !said.contains("to run it"), "{said}");
    assert_eq!(of_debug.status.code(), Some(104), "{said}");
    let said = text(&record("14.0-STABLE"));
    assert!(
        said.contains("freebsd/14.0-STABLE/stock: not run: ") && !said.contains("another build"),
        "{said}"
    );
}
