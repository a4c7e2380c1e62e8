// SPDX-License-Identifier: BSD-2-Clause
//! Vectors that are wrong: unknown words with their places, and lengths that lie.

use crate::support::{Project, text};

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
