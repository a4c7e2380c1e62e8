// SPDX-License-Identifier: BSD-2-Clause
//! `fuzz` without a kernel: campaigns on a simulator, what they leave, and wrong input.

use std::fs;
use std::process::Output;

use crate::support::{Project, text};

fn fuzz(project: &Project, args: &[&str]) -> Output {
    project.nlproof().args(["fuzz", "--target", "sim", "--release", "14.0"]).args(args).output().unwrap()
}

#[test]
fn a_campaign_is_kept_gone_on_with_and_run_again() {
    let project = Project::small(&["link/create-lo"]);
    let found = project.path("found");
    let found = found.to_str().unwrap();
    let begin = ["--corpus", "vectors", "--seed", "3", "--jobs", "1", "--findings", found, "--debug", "none"];
    let output = fuzz(&project, &[&begin[..], &["--rounds", "1", "--time", "30m"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("fuzz: 0 findings: 0 new"), "{}", text(&output));
    let kept = || fs::read_dir(project.path("found/corpus")).unwrap().count();
    let before = kept();
    assert!(before > 5, "{before}");
    // The vectors among what is kept are vectors.
    let one = fs::read_to_string(project.path("found/corpus/000000.yaml")).unwrap();
    assert!(one.contains("kind: lo"), "{one}");
    let output = fuzz(&project, &["--seed", "3", "--findings", found, "--rounds", "2"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("has a campaign in it\n  help: --resume"), "{}", text(&output));
    let output = fuzz(&project, &["--seed", "3", "--findings", found, "--rounds", "2", "--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(kept() > before);
    let output = fuzz(&project, &["--seed", "4", "--findings", found, "--rounds", "2", "--resume"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("another seed: 3"), "{}", text(&output));
    let output = fuzz(&project, &["--replay", found]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("fuzz --replay: 0 findings, 0 still there"), "{}", text(&output));
}

#[test]
fn a_campaign_begins_with_the_files_of_a_directory() {
    let project = Project::small(&["link/create-lo"]);
    let begin = project.path("begin");
    fs::create_dir(&begin).unwrap();
    let inputs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/netlink");
    let mut inputs: Vec<_> = fs::read_dir(inputs).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    for input in inputs.iter().take(4) {
        fs::copy(input, begin.join(input.file_name().unwrap())).unwrap();
    }
    fs::write(begin.join("nothing"), "").unwrap();
    let found = project.path("found");
    let found = found.to_str().unwrap();
    let args = ["--corpus", begin.to_str().unwrap(), "--jobs", "1", "--findings", found, "--rounds", "1"];
    let output = fuzz(&project, &args);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("nothing: left out: it holds no datagram"), "{said}");
    assert!(fs::read_dir(project.path("found/corpus")).unwrap().count() > 0, "{said}");
}

#[test]
fn what_a_campaign_needs_is_asked_for() {
    let project = Project::small(&["link/create-lo"]);
    let none = project.path("none");
    let none = none.to_str().unwrap();
    for (args, said) in [
        (&["--rounds", "1"][..], "--findings"),
        (&["--findings", none, "--time", "1d"], "20m"),
        (&["--findings", none, "--corpus", "vector"], "`vectors`, `empty`, or a directory"),
        (&["--findings", none, "--resume"], "has no campaign in it"),
        (&["--replay", none], "has no campaign in it"),
        (&["--replay", none, "--rounds", "1"], "cannot be used with"),
    ] {
        let output = fuzz(&project, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
    let output = project.nlproof().args(["fuzz", "--findings", none]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("a campaign needs its cells"), "{}", text(&output));
    let output = project
        .nlproof()
        .args(["fuzz", "--release", "15.1-RELEASE", "--module", "stock", "--findings", none])
        .env("NLPROOF_DISTS", project.path("no-dists"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    assert!(text(&output).contains("no release directory 15.1-RELEASE"), "{}", text(&output));
}
