// SPDX-License-Identifier: BSD-2-Clause
//! Outputs in documents. Every `console` block of `docs` is run; `TRYCMD=overwrite` writes what is printed now. What the
//! README shows is held against a run on a copy of the project, in which one golden is spoilt as the README tells.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::fs;
use std::path::Path;

use support::{Project, text};

use super::document::{Document, root};

#[test]
fn console_blocks_show_what_is_printed() {
    trycmd::TestCases::new()
        .register_bin("nlproof", Path::new(env!("CARGO_BIN_EXE_nlproof")))
        .env("COLUMNS", "100")
        // No release, image or module of this machine's changes what is shown.
        .env("NLPROOF_DISTS", "/nonexistent")
        .env("XDG_CACHE_HOME", "/nonexistent")
        .case("../docs/*.md")
        .case("../docs/decisions/*.md");
}

/// A line as words, times and counts as `N`: what two runs have alike, also where vectors were added in between.
fn words(line: &str) -> Vec<String> {
    let number = |word: &str| word.trim_start_matches('(').parse::<f64>().is_ok();
    line.split_whitespace().map(|word| if number(word) { "N".to_owned() } else { word.to_owned() }).collect()
}

/// The first line of a block that is not printed, or not after the lines before it. A command and `...` are not looked
/// for.
fn not_printed<'a>(block: &'a str, printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines().map(words);
    let shown = block.lines().filter(|line| !line.starts_with("$ ") && line.trim() != "...");
    shown.filter(|line| !line.is_empty()).find(|line| !printed.any(|other| other == words(line)))
}

/// The README's block that holds this text.
fn block(holds: &str) -> String {
    let readme = Document::of("README.md", &fs::read_to_string(root().join("README.md")).unwrap());
    let mut blocks = readme.parts().blocks.into_iter().map(|(_, block)| block.text);
    blocks.find(|text| text.contains(holds)).unwrap_or_else(|| panic!("no block of README has `{holds}`"))
}

fn project() -> Project {
    let project = Project::copy();
    fs::copy(root().join("tests/releases.yaml"), project.path("releases.yaml")).unwrap();
    project
}

#[test]
fn the_readme_shows_the_main_job() {
    let project = project();
    // One after the other, cells end in the matrix's order.
    let output = project.nlproof().args(["test-matrix", "--jobs", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed = [&output.stderr[..], &output.stdout[..]].concat();
    assert_eq!(not_printed(&block("cells not run"), &String::from_utf8_lossy(&printed)), None);
}

#[test]
fn the_readme_shows_a_failure_and_its_cause() {
    let project = project();
    let golden = project.path("golden/freebsd-15/link/modify-mtu-71.trace");
    let right = fs::read_to_string(&golden).unwrap();
    let failed = "  < error ack_tlvs seq=+0 pid=$self error=EINVAL\n      request type=newlink len=40 \
                  flags=request|ack seq=+0 pid=$self echo=exact\n      msg \"Failed to set mtu\"\n";
    let answer_of_14 = "  < error capped seq=+0 pid=$self error=0\n      request type=newlink len=40 \
                        flags=request|ack seq=+0 pid=$self\n";
    let wrong = right.replace(failed, answer_of_14);
    assert_ne!(wrong, right);
    fs::write(&golden, wrong).unwrap();
    let shown = [block("FAILED sim/15 link/modify-mtu-71"), block("nlproof trace link/modify-mtu-71")];
    for (shown, code) in shown.iter().zip([100, 0]) {
        let command = shown.lines().next().unwrap().strip_prefix("$ nlproof ").unwrap();
        let output =
            project.nlproof().current_dir(project.path("")).args(command.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert_eq!(not_printed(shown, &text(&output)), None, "{}", text(&output));
    }
}

#[test]
fn a_line_that_is_not_printed_is_found() {
    let printed = "a 1.25 s\nb\n  c (7.5 us)\n";
    assert_eq!(not_printed("$ nlproof x\na 0.31 s\n...\nc (1.192 us)\n", printed), None);
    assert_eq!(not_printed("a 1.25 s\nd\n", printed), Some("d"));
    assert_eq!(not_printed("b\na 1.25 s\n", printed), Some("a 1.25 s"));
    assert_eq!(not_printed("a one s\n", printed), Some("a one s"));
}
