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
mod export;
mod fetch;
mod further;
mod fuzz;
mod goldens;
mod here;
mod image_export;
mod jobs;
#[path = "../support/kernel.rs"]
mod kernel;
mod linux;
mod mistakes;
mod nics;
mod options;
mod outputs;
mod own;
mod page;
mod qualify;
mod reduce;
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
mod watch;

use std::fs;
use std::path::Path;

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
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_key() {
    let project = Project::copy();
    project.write("vectors/link/bad.yaml", "about: x\nsteps:\n  - send:\n      mesage: getlink\n");
    let output = project.nlproof().args(["test-matrix"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("bad.yaml:4:7: unknown key `mesage`"), "{stderr}");
    assert!(stderr.contains("did you mean `message`?"), "{stderr}");
}

#[test]
fn an_unknown_attribute_is_refused_with_its_place_and_the_nearest_name() {
    let project = Project::copy();
    project.write(
        "vectors/link/bad.yaml",
        "about: x\nsteps:\n  - send:\n      message: getlink\n      flags: [request]\n      attrs:\n        - ifnam: lo0\n",
    );
    let output = project.nlproof().args(["test-matrix"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("bad.yaml:7:11: unknown attribute `ifnam`"), "{stderr}");
    assert!(stderr.contains("did you mean `ifname`?"), "{stderr}");
}

#[test]
fn a_length_that_lies_must_be_declared_and_a_declared_one_must_lie() {
    let project = Project::copy();
    let vector = |malformed: &str, len: &str| {
        format!(
            "about: x\n{malformed}steps:\n  - send:\n      message: getlink\n      flags: [request]\n      attrs:\n        - ifname: {{value: lo0{len}}}\n"
        )
    };
    let run = |text: &str| {
        project.write("vectors/link/bad.yaml", text);
        project
            .nlproof()
            .args(["test-matrix", "--target", "sim", "--release", "14.0", "--filter", "link/bad"])
            .output()
            .unwrap()
    };
    let output = run(&vector("", ", len: 99"));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("the datagram is malformed (attr-length)"), "{}", text(&output));
    let output = run(&vector("malformed: [attr-length]\n", ""));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("`attr-length` is declared, and no datagram has it"), "{}", text(&output));
    // Declared and there: the vector runs, and lacks only a golden.
    let output = run(&vector("malformed: [attr-length]\n", ", len: 99"));
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    assert!(text(&output).contains("NO GOLDEN sim/14.0 link/bad"), "{}", text(&output));
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
fn a_release_that_cannot_be_built_from_is_named_with_its_fault() {
    let project = Project::copy();
    let dists = project.path("dists");
    fs::create_dir_all(dists.join("14.0-STABLE")).unwrap();
    let build = |release: &str| {
        project.nlproof().args(["image", "build", release]).env("NLPROOF_DISTS", &dists).output().unwrap()
    };
    let output = build("14.0-STABLE");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("MANIFEST"), "{}", text(&output));
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "freebsd", "--release", "14.0-STABLE"])
        .env("NLPROOF_DISTS", &dists)
        .output()
        .unwrap();
    // Without QEMU that comes first.
    let expected = if text(&output).contains("no qemu-system-x86_64") { 104 } else { 101 };
    assert_eq!(output.status.code(), Some(expected), "{}", text(&output));
    assert!(expected == 104 || text(&output).contains("has no MANIFEST"), "{}", text(&output));
    let output = build("99.9-RELEASE");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("no release `99.9-RELEASE`"), "{}", text(&output));
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
fn images_are_collected_when_their_release_is_gone_or_another_now() {
    let project = Project::copy();
    let digest = "ab".repeat(32);
    let image = project.path("cache/nlproof/images").join(&digest);
    let dists = project.path("dists");
    let make = || {
        fs::create_dir_all(&image).unwrap();
        let input = serde_json::json!({"file": "base.txz", "sha256": digest, "bytes": 1});
        let info = serde_json::json!({
            "schema": 2, "release": "14.0-STABLE", "freebsd_version": null,
            "kernel": {"version": "v", "sha256": digest}, "stock_rc": false, "inputs": [input],
            "disk_sha256": digest, "disk_bytes": 1,
        });
        fs::write(image.join("image.json"), info.to_string()).unwrap();
        fs::write(image.join("disk.raw"), "x").unwrap();
    };
    let release = |base: &str| {
        fs::create_dir_all(dists.join("14.0-STABLE")).unwrap();
        let line = |file: &str, sha256: &str| {
            fs::write(dists.join("14.0-STABLE").join(file), "x").unwrap();
            format!("{file}\t{sha256}\t1\tx\t\"x\"\ton\n")
        };
        let manifest = line("base.txz", base) + &line("kernel.txz", &digest);
        fs::write(dists.join("14.0-STABLE/MANIFEST"), manifest).unwrap();
    };
    let image_command = |args: &[&str]| {
        project.nlproof().arg("image").args(args).env("NLPROOF_DISTS", &dists).output().unwrap()
    };
    make();
    release(&digest);
    assert!(text(&image_command(&["gc"])).contains("0 images removed"));
    assert!(image.exists());
    release(&"cd".repeat(32));
    let gone = text(&image_command(&["gc"]));
    assert!(gone.contains("1 image removed"), "{gone}");
    assert!(!image.exists());
    make();
    fs::remove_dir_all(&dists).unwrap();
    assert!(text(&image_command(&["gc"])).contains("1 image removed"));
    make();
    assert_eq!(image_command(&["rm", "abc"]).status.code(), Some(2), "too short a key names nothing");
    assert_eq!(image_command(&["rm", "abab", "15.1-RELEASE"]).status.code(), Some(2));
    assert!(image.exists(), "nothing is removed when one name is wrong");
    assert_eq!(image_command(&["rm", "abab"]).status.code(), Some(0));
    assert!(!image.exists());
}

#[test]
fn every_vector_of_the_project_has_a_golden_that_a_kernel_produced() {
    let project = Project::copy();
    let layers: Vec<_> =
        fs::read_dir(project.path("golden")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for vector in project.vector_files() {
        // Stock kernels are lost in it: what the module answers is only predicted.
        if fs::read_to_string(project.path("vectors").join(&vector)).unwrap().contains("\nloses:") {
            continue;
        }
        let goldens = layers.iter().map(|layer| layer.join(&vector).with_extension("trace"));
        let observed =
            |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains("\n# observed: "));
        assert!(goldens.into_iter().any(|path| observed(&path)), "{}", vector.display());
    }
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
