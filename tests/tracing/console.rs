// SPDX-License-Identifier: BSD-2-Clause
//! What real kernels print while vectors run: in its step, kept, not compared, and to blame.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{RELEASE, checkout, trace};
use crate::cell::{nlproof_in, runs_here, text};

/// The kernel tells of both ends of the pair: in the first step that they are there, and, from a task of its own, that
/// their link is up. The third step prints what a kernel in trouble would, and what is no line yet; the last one nothing.
const TALKS: &str = r#"about: the kernel prints
needs: {os: [freebsd], modules: [if_epair]}
socket: {ext-ack: true}
groups: [link]
steps:
  - send:
      message: newlink
      flags: [request, ack, create]
      attrs:
        - ifname: epair7
        - linkinfo:
            - kind: epair
  - exec:
      argv: [/bin/sh, -c, "sleep 0.2; ifconfig epair7a up; ifconfig epair7b up; sleep 0.3"]
  - exec:
      argv: [/bin/sh, -c, "echo 'KASSERT: \"planted\"' > /dev/console; printf 'no newline' > /dev/console"]
  - exec:
      argv: [/usr/bin/true]
"#;

/// A project with that vector alone.
fn project(place: &Path) -> PathBuf {
    let own = checkout().join("tests").canonicalize().unwrap();
    for file in ["matrix.yaml", "inventory.yaml", "golden"] {
        symlink(own.join(file), place.join(file)).unwrap();
    }
    fs::create_dir_all(place.join("vectors/link")).unwrap();
    fs::write(place.join("vectors/link/talks.yaml"), TALKS).unwrap();
    place.to_owned()
}

/// The lines of a raw trace, and those of them that the kernel printed.
fn read(raw: &str) -> (Vec<Value>, Vec<Value>) {
    let lines: Vec<Value> = raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let printed = lines.iter().filter(|line| line["src"] == "cons" && line["raw"].is_string()).cloned();
    let printed = printed.collect();
    (lines, printed)
}

/// The console lines of a raw trace: each one's step, and its text.
fn console_lines(raw: &str) -> Vec<(Option<u64>, String)> {
    let (_, printed) = read(raw);
    printed.iter().map(|line| (line["step"].as_u64(), line["text"].as_str().unwrap().to_owned())).collect()
}

/// When the steps began, the end of the last one too, and when each console line was printed; in nanoseconds.
fn times(raw: &str) -> (Vec<u64>, Vec<(Option<u64>, u64)>) {
    let (lines, printed) = read(raw);
    let time = |line: &Value| line["t_ns"].as_u64().unwrap();
    let begun = lines.iter().filter(|line| line["src"] == "begin");
    (begun.map(time).collect(), printed.iter().map(|line| (line["step"].as_u64(), time(line))).collect())
}

fn is_in_its_step_and_to_blame(test: &str, release: &str) {
    if !runs_here(test, release, "stock") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (tests, report) = (project(place.path()), place.path().join("report"));
    let cell = ["test-matrix", "--target", "freebsd", "--release", release, "--module", "stock"];
    let output = nlproof_in(&tests, &[&cell[..], &["--report-dir", report.to_str().unwrap()]].concat());
    let said = text(&output);
    // The kernel complained, and of the vector in whose step that was.
    assert_eq!(output.status.code(), Some(103), "{said}");
    assert!(said.contains(r#"the console says in link/talks, step 2: KASSERT: "planted""#), "{said}");
    let raw = text(&nlproof_in(&tests, &["report", "raw", report.to_str().unwrap()]));
    let lines = console_lines(&raw);
    let steps = |wanted: &str| -> Vec<Option<u64>> {
        lines.iter().filter(|(_, text)| text.contains(wanted)).map(|(step, _)| *step).collect()
    };
    for end in ["epair7a", "epair7b"] {
        assert_eq!(steps(&format!("console[info]: {end}: Ethernet address: ")), [Some(0)], "{lines:?}");
    }
    assert!(!steps("epair7a: link state changed to UP").is_empty(), "{lines:?}");
    assert_eq!(steps(r#"console[console.info]: KASSERT: \"planted\""#), [Some(2)], "{lines:?}");
    assert_eq!(steps("console[console.info]: no newline"), [Some(2)], "{lines:?}");
    assert!(steps("").iter().all(|step| *step != Some(3)), "{lines:?}");
    let (begun, printed) = times(&raw);
    assert_eq!(begun.len(), 5, "four steps and their end");
    for (step, t_ns) in printed {
        // The first that began later; a stamp counts whole microseconds.
        let next = begun.iter().position(|begun| begun / 1000 > t_ns / 1000).unwrap_or(begun.len());
        let expected = next.checked_sub(1).filter(|step| *step < 4).map(|step| step as u64);
        assert_eq!(step, expected, "{t_ns}: {begun:?}");
    }
    // log(9) still reaches the console.
    let console = fs::read_to_string(report.join(format!("freebsd-{release}-stock.console"))).unwrap();
    assert!(console.contains("epair7a: link state changed to UP"), "{console}");
}

#[test]
fn a_line_of_14_0_is_in_its_step_and_a_complaint_names_it() {
    is_in_its_step_and_to_blame("a_line_of_14_0_is_in_its_step_and_a_complaint_names_it", RELEASE);
}

#[test]
fn a_line_of_15_1_is_in_its_step_and_a_complaint_names_it() {
    is_in_its_step_and_to_blame("a_line_of_15_1_is_in_its_step_and_a_complaint_names_it", "15.1-RELEASE");
}

#[test]
fn lines_stand_among_what_is_said_and_the_kernels_way() {
    if !runs_here("lines_stand_among_what_is_said_and_the_kernels_way", RELEASE, "rust") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("trace.json");
    let output = trace("link/create-epair", &["--module", "rust", "--perfetto", file.to_str().unwrap()]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let order =
        ["> newlink", "cloner-in op=create", "console[info]: epair7a: Ethernet address", "< error", "step 1"];
    let places = order.map(|part| said.find(part).unwrap_or_else(|| panic!("{part}: {said}")));
    assert!(places.is_sorted(), "{said}");
    assert!(!said.contains("not available"), "{said}");
    let json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let found = events.iter().filter(|event| event["cat"] == "console" && event["ph"] == "i");
    assert!(found.count() >= 2, "{json}");
}
