// SPDX-License-Identifier: BSD-2-Clause
//! Options that change what a command does or shows, one by one.

use std::fs;
use std::path::PathBuf;

use nlproof::microbench::Shape;

use crate::support::{Project, text};

/// A project, and what a command in it said with its exit code.
struct Asked(Project);

impl Asked {
    fn new() -> Self {
        Self(Project::copy())
    }

    fn ask(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.0.nlproof().args(args).output().unwrap();
        (output.status.code(), text(&output))
    }

    /// What a command that succeeds said.
    fn fine(&self, args: &[&str]) -> String {
        let (code, said) = self.ask(args);
        assert_eq!(code, Some(0), "{args:?}: {said}");
        said
    }

    /// Damages a golden, and gives it back for its repair.
    fn damage(&self, golden: &str) -> (PathBuf, String) {
        let path = self.0.path("golden").join(golden);
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{good}  one line more\n")).unwrap();
        (path, good)
    }
}

#[test]
fn test_matrix_lists_takes_turns_and_demands() {
    let asked = Asked::new();
    let cells = ["test-matrix", "--filter", "link/create-lo"];
    let with = |more: &[&str]| asked.ask(&[&cells[..], more].concat());
    let said = asked.fine(&[&cells[..], &["--list"]].concat());
    assert!(said.starts_with("vectors:\n  link/create-lo "), "{said}");
    assert!(said.contains("\n  sim/15 "), "{said}");
    let said = asked.fine(&[&cells[..], &["--target", "sim", "--jobs", "1"]].concat());
    assert_eq!(said.lines().filter(|line| line.contains(" passed   1 passed")).count(), 8, "{said}");
    let said = asked.fine(&[&cells[..], &["--target", "sim", "--release", "15"]].concat());
    assert!(
        said.starts_with("test-matrix: 1 vector passed, 0 did not, in 1 cell; 0 cells not run\n"),
        "{said}"
    );
    assert_eq!(with(&["--target", "sim", "--jobs", "0"]).0, Some(2));
    assert_eq!(with(&["--target", "sim", "--require-all"]).0, Some(0));
    let (code, said) = with(&["--require-all"]);
    assert_eq!(code, Some(104), "no release is here: {said}");
}

#[test]
fn the_kernel_s_part_is_compared_unless_it_is_left_out() {
    let asked = Asked::new();
    asked.damage("common/link/create-lo.ktrace");
    let run = ["run", "link/create-lo", "--release", "14.0"];
    let (code, said) = asked.ask(&run);
    assert_eq!(code, Some(100), "{said}");
    asked.fine(&[&run[..], &["--no-kernel-trace"]].concat());
}

#[test]
fn raw_shows_the_records_that_the_rest_is_made_of() {
    let asked = Asked::new();
    for command in ["run", "repro"] {
        let said = asked.fine(&[command, "link/create-lo", "--raw"]);
        assert!(said.contains(r#""vec":"link/create-lo","step":0"#), "{said}");
        assert!(said.contains("seq=4096"), "{said}");
    }
    let (code, said) = asked.ask(&["repro", "link/create-lo", "--module", "rust"]);
    assert_eq!(code, Some(104), "no release is here: {said}");
}

#[test]
fn record_takes_a_suite_and_all_of_it_is_accepted() {
    let asked = Asked::new();
    fs::remove_dir_all(asked.0.path("golden/common/jail")).unwrap();
    let sim = ["record", "--suite", "jail", "--target", "sim", "--release", "14.0"];
    let said = asked.fine(&[&sim[..], &["--no-kernel-trace"]].concat());
    let count = said.lines().filter(|line| line.ends_with(".trace.new")).count();
    assert!(count > 10 && said.contains(&format!("{count} written for review")), "{said}");
    assert!(!said.contains(".ktrace.new"), "{said}");
    let (code, said) = asked.ask(&["record", "--suite", "jail", "--module", "rust"]);
    assert_eq!(code, Some(104), "no release is here: {said}");
    let said = asked.fine(&["accept", "--all"]);
    assert!(said.contains(&format!("{count} accepted, 0 goldens await review")), "{said}");
    assert_eq!(asked.ask(&["accept", "--all", "common/jail"]).0, Some(2));
}

#[test]
fn diff_takes_some_of_the_vectors() {
    let asked = Asked::new();
    let said = asked.fine(&["diff", "sim/14.0", "sim/15", "--filter", "link/create-lo"]);
    assert!(said.contains("link/create-lo") && !said.contains("jail/"), "{said}");
    let said = asked.fine(&["diff", "sim/14.0", "sim/15", "--suite", "jail", "--all"]);
    assert!(said.contains("jail/") && !said.contains("link/create-lo"), "{said}");
}

#[test]
fn matrix_and_coverage_show_less_and_more() {
    let asked = Asked::new();
    let said = asked.fine(&["matrix", "--module", "rust"]);
    let ours = |line: &str| line.contains("/rust ") || line.contains("/rust-boot ");
    assert!(said.lines().all(ours) && !said.is_empty(), "{said}");
    let lines = |args: &[&str]| asked.fine(args).lines().count();
    let without = lines(&["coverage", "--profile", "15"]);
    assert!(lines(&["coverage", "--profile", "15", "--profile", "14.0"]) > without);
    assert!(lines(&["coverage", "--profile", "15", "--rows"]) > without + 100);
}

#[test]
fn verify_takes_a_policy_a_kernel_and_a_baseline() {
    let asked = Asked::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = asked.0.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let module = file("small.ko", &Shape::Lines.module(200).unwrap());
    let grown = file("grown/small.ko", &Shape::Lines.module(400).unwrap());
    let policy = file("policy.yaml", b"imports: [panic]\nmetadata: false\npanic-symbols: []\n");
    let verify = |more: &[&str]| asked.ask(&[&["verify", "--policy", &policy], more].concat());

    assert_eq!(asked.ask(&["verify", &module]).0, Some(102), "the policy of those who give none is strict");
    let (code, said) = verify(&[&module]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("not checked: whether the kernel has"), "{said}");
    let (code, said) = verify(&[&module, "--verbose", "--raw-names"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("f1"), "every function is shown: {said}");

    // A kernel without `panic`: here a module of its own functions alone.
    let kernel = file("kernel", &Shape::Chain.module(200).unwrap());
    let (code, said) = verify(&[&module, "--kernel", &kernel]);
    assert_eq!(code, Some(102), "{said}");
    assert!(said.contains("panic"), "{said}");

    let baseline = asked.0.path("baseline.json").to_str().unwrap().to_owned();
    assert_eq!(verify(&[&module, "--write-baseline", &baseline]).0, Some(0));
    assert_eq!(verify(&[&module, "--baseline", &baseline]).0, Some(0));
    let (code, said) = verify(&[&grown, "--baseline", &baseline]);
    assert_eq!(code, Some(102), "{said}");
}

#[test]
fn verify_vectors_reports_in_each_format() {
    let asked = Asked::new();
    let said = asked.fine(&["verify", "vectors"]);
    assert!(said.contains("ACCEPTED: 0 errors"), "{said}");
    for format in ["json", "sarif"] {
        let said = asked.fine(&["verify", "vectors", "--format", format]);
        let json: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(json.is_object(), "{said}");
    }
    asked.0.write("vectors/link/bad.yaml", "about: x\nsteps: []\n");
    let (code, said) = asked.ask(&["verify", "vectors", "--format", "json"]);
    assert_eq!(code, Some(102), "{said}");
}

#[test]
fn run_and_bench_show_where_the_time_goes() {
    let asked = Asked::new();
    let run = ["run", "link/create-lo", "--target", "sim", "--release", "15"];
    let with = |more: &[&str]| asked.ask(&[&run[..], more].concat());
    let said = asked.fine(&[&run[..], &["--timings"]].concat());
    assert!(said.contains("> newlink ") && said.contains("\nvector "), "{said}");
    let said = asked.fine(&[&run[..], &["--timings", "--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    let ms = |value: &serde_json::Value| value["ms"].as_f64().unwrap();
    let parts = ms(&json["start"]) + ms(&json["vector"]) + ms(&json["comparison"]);
    assert!((parts - ms(&json)).abs() < 0.01, "{said}");
    assert_eq!(json["cell"], "sim/15");
    // The simulator does not tell phases, and none is made up for it.
    assert_eq!(json["vector"]["parts"], serde_json::json!({}));
    assert_eq!(with(&["--json"]).0, Some(2));
    asked.damage("freebsd-15/link/create-lo.trace");
    let (code, said) = with(&["--timings", "--json"]);
    assert_eq!(code, Some(100), "{said}");
    assert!(said.starts_with('{'), "{said}");
    let (code, said) = asked.ask(&["bench", "guest", "--phases", "--json"]);
    assert_eq!(code, Some(104), "no release is here: {said}");
}

/// A race by time takes network cards, and so a guest: what is said without one.
#[test]
fn run_plays_races_for_as_long_as_it_is_told() {
    let asked = Asked::new();
    let run = ["run", "link/create-lo", "--target", "sim", "--release", "15", "--race-seconds"];
    let (code, said) = asked.ask(&[&run[..], &["60"]].concat());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--race-seconds: link/create-lo has no race by time"), "{said}");
    assert_eq!(asked.ask(&[&run[..], &["0"]].concat()).0, Some(2));
}

#[test]
fn bench_measures_tracing_and_verification_as_much_as_it_is_told() {
    let asked = Asked::new();
    let said = asked.fine(&["bench", "trace", "--seconds", "0.01"]);
    assert!(said.contains("in a real kernel: not measured"), "{said}");
    let said = asked.fine(&["bench", "verify", "--most", "10000"]);
    assert!(said.contains("an instruction of 10000 takes"), "{said}");
    assert!(!said.contains("100000"), "{said}");
    assert_eq!(asked.ask(&["bench", "verify", "--most", "1"]).0, Some(2));
}
