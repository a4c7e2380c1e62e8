// SPDX-License-Identifier: BSD-2-Clause
//! Options and commands that no other test of the command line has a use for.

use std::fs;

use crate::support::{Project, text};

#[test]
fn hard_counts_what_a_cell_that_ran_differs_in() {
    let project = Project::copy();
    let args = ["test-matrix", "--target", "sim", "--filter", "link/create-lo", "--hard"];
    let output = project.nlproof().args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn diff_without_a_pager_prints_what_it_says() {
    let project = Project::copy();
    let output = project.nlproof().args(["diff", "sim/14.0", "sim/15", "--no-pager"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("vectors differ"), "{}", text(&output));
}

#[test]
fn the_raw_trace_of_one_vector_is_printed() {
    let project = Project::copy();
    let report = project.path("report");
    let run =
        ["test-matrix", "--target", "sim", "--release", "15", "--filter", "link/create-lo", "--report-dir"];
    assert_eq!(project.nlproof().args(run).arg(&report).output().unwrap().status.code(), Some(0));
    let raw = |vector: &str| {
        let args = ["report", "raw", "--vector", vector];
        project.nlproof().args(args).arg(&report).output().unwrap()
    };
    let one = raw("link/create-lo");
    assert_eq!(one.status.code(), Some(0), "{}", text(&one));
    let said = String::from_utf8(one.stdout).unwrap();
    assert!(!said.is_empty());
    assert!(said.lines().all(|line| line.contains("\"link/create-lo\"")), "{said}");
    assert_ne!(raw("link/none").status.code(), Some(0));
}

#[test]
fn completions_and_man_pages_are_made() {
    let project = Project::copy();
    let output = project.nlproof().args(["completions", "bash"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("test-matrix"));
    assert_eq!(project.nlproof().args(["completions", "csh"]).output().unwrap().status.code(), Some(2));
    let pages = project.path("man");
    let output = project.nlproof().arg("man").arg(&pages).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(fs::read_dir(pages).unwrap().count() > 10);
}

#[test]
fn an_image_with_a_further_module_of_no_release_is_refused() {
    let project = Project::copy();
    let args = ["image", "build", "99.9-RELEASE", "--kmod", "if_lagg"];
    let output = project.nlproof().args(args).output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("99.9-RELEASE"), "{}", text(&output));
}
