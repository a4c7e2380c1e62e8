// SPDX-License-Identifier: BSD-2-Clause
//! Whole cells: every vector is answered as its golden says.

use std::fs;
use std::path::Path;

use nlproof::vector::{Suite, Vector};

use crate::cell::{nlproof, nlproof_in, runs_here, text};

/// Every vector in the release's cell passes, and the report says that a kernel of it was observed.
fn all_vectors_pass(test: &str, release: &str, module: &str) {
    let cell = ["--target", "freebsd", "--release", release, "--module", module];
    if !runs_here(test, release, module) {
        return;
    }
    let report = tempfile::tempdir().unwrap();
    let directory = report.path().to_str().unwrap();
    let output = nlproof(&[&["test-matrix", "--report-dir", directory], &cell[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let json = std::fs::read(report.path().join("report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let cell = &json["cells"][0];
    let vectors = cell["vectors"].as_array().unwrap();
    let counts = |name: &str| cell["counts"][name].as_u64().unwrap();
    let not_run = vectors.iter().filter(|vector| vector["status"] == "not-run");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let suite = nlproof::vector::load_suite(&root).unwrap();
    // A guest has one processor.
    let several = ids_of(&suite, |vector| vector.needs.processors > 1);
    assert!(not_run.clone().all(|vector| several.iter().any(|id| vector["id"] == *id)), "{cell}");
    assert_eq!(counts("passed") + counts("lost") + not_run.count() as u64, vectors.len() as u64, "{cell}");
    // What no stock kernel lives through was never observed.
    let stated = ids_of(&suite, |vector| !vector.losses.is_empty());
    let of_origin = |origin: &str| vectors.iter().filter(|vector| vector["origin"] == origin).count();
    let predicted = vectors.iter().filter(|vector| vector["origin"] == "predicted");
    assert!(predicted.clone().all(|vector| stated.iter().any(|id| vector["id"] == *id)), "{cell}");
    assert!(of_origin("this-kernel") + of_origin("other-build") > stated.len(), "{cell}");
    let console = std::fs::read(report.path().join(format!("freebsd-{release}-{module}.console"))).unwrap();
    assert!(!console.is_empty(), "the console's log is empty");
    if module == "rust" {
        let facts = &cell["facts"];
        assert!(facts["kldstat"].as_str().is_some_and(|text| text.contains("nlproof_iface.ko")), "{facts}");
        assert!(facts["verification"].as_str().is_some_and(|text| text.starts_with("accepted")), "{facts}");
        assert!(
            facts["module counters"]
                .as_str()
                .is_some_and(|text| text.contains("epochs 0") && text.contains("references 0")),
            "{facts}"
        );
        assert_eq!(facts["unload"], "succeeded", "{facts}");
    }
}

/// The ids of the vectors of which this is so.
fn ids_of(suite: &Suite, wanted: impl Fn(&Vector) -> bool) -> Vec<&str> {
    suite.vectors.iter().filter(|vector| wanted(vector)).map(|vector| vector.id.as_str()).collect()
}

#[test]
fn a_14_0_stable_kernel_answers_as_its_goldens_say() {
    all_vectors_pass("a_14_0_stable_kernel_answers_as_its_goldens_say", "14.0-STABLE", "stock");
}

#[test]
fn a_15_1_release_kernel_answers_as_its_goldens_say() {
    all_vectors_pass("a_15_1_release_kernel_answers_as_its_goldens_say", "15.1-RELEASE", "stock");
}

#[test]
fn the_module_in_a_14_0_stable_kernel_answers_as_the_stock_code() {
    let test = "the_module_in_a_14_0_stable_kernel_answers_as_the_stock_code";
    all_vectors_pass(test, "14.0-STABLE", "rust");
}

#[test]
fn the_module_in_a_15_1_release_kernel_answers_as_the_stock_code() {
    let test = "the_module_in_a_15_1_release_kernel_answers_as_the_stock_code";
    all_vectors_pass(test, "15.1-RELEASE", "rust");
}

#[test]
fn a_kernel_of_another_branch_than_its_cell_says_is_asked_nothing() {
    let (test, release) = ("a_kernel_of_another_branch_than_its_cell_says_is_asked_nothing", "15.1-RELEASE");
    if !runs_here(test, release, "stock") {
        return;
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let project = tempfile::tempdir().unwrap();
    let matrix = fs::read_to_string(own.join("matrix.yaml")).unwrap();
    let wrong = matrix.replace(
        "{target: freebsd, release: 15.1-RELEASE, profile: \"15\"",
        "{target: freebsd, release: 15.1-RELEASE, profile: \"14.0\"",
    );
    assert_ne!(wrong, matrix);
    fs::write(project.path().join("matrix.yaml"), wrong).unwrap();
    fs::create_dir_all(project.path().join("vectors/link")).unwrap();
    fs::create_dir(project.path().join("golden")).unwrap();
    let vector = "vectors/link/create-lo.yaml";
    fs::copy(own.join(vector), project.path().join(vector)).unwrap();
    let report = project.path().join("report");
    let cell = ["--target", "freebsd", "--release", release, "--module", "stock"];
    let says = "the kernel of 15.1-RELEASE is of profile 15 (kern.osreldate 1501000), and its cell says profile 14.0";
    let report = report.to_str().unwrap();
    for command in [&["test-matrix", "--report-dir", report][..], &["run", "link/create-lo"], &["record"]] {
        let output = nlproof_in(project.path(), &[command, &cell[..]].concat());
        assert_eq!(output.status.code(), Some(103), "{command:?}: {}", text(&output));
        assert!(text(&output).contains(says), "{command:?}: {}", text(&output));
        assert!(text(&output).contains("`profile: \"15\"`"), "{command:?}: {}", text(&output));
    }
    assert_eq!(fs::read_dir(project.path().join("golden")).unwrap().count(), 0, "nothing was recorded");
    // A shell holds nothing to goldens.
    let shell = ["shell", "--release", release, "--", "sysctl", "-n", "kern.osreldate"];
    let output = nlproof_in(project.path(), &shell);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}
