// SPDX-License-Identifier: BSD-2-Clause
//! `run VECTOR --linux`: this machine's own kernel answers.

use std::process::Command;

use crate::support::{Project, text};

/// Why this machine has no kernel to ask, said with the test's name.
fn skipped(test: &str) -> bool {
    let reason = if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        "needs Linux on amd64".to_owned()
    } else {
        match Command::new("unshare").args(["--net", "true"]).output() {
            Ok(output) if output.status.success() => return false,
            Ok(output) => format!(
                "needs root and network namespaces: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            Err(error) => format!("cannot find out whether namespaces are allowed: unshare: {error}"),
        }
    };
    crate::skip::say(&format!("skipped: {test}: {reason}"));
    true
}

#[test]
fn a_vector_s_conversation_with_linux_is_shown_and_compared_with_nothing() {
    if skipped("a_vector_s_conversation_with_linux_is_shown_and_compared_with_nothing") {
        return;
    }
    let project = Project::copy();
    let run = |args: &[&str]| {
        let output = project.nlproof().args(["run", "--linux"]).args(args).output().unwrap();
        (output.status.code(), text(&output))
    };
    // The loopback that every network namespace has, by its name on Linux.
    project.write(
        "vectors/link/of-linux.yaml",
        "about: the loopback interface tells its name\nneeds: {os: [linux]}\nsteps:\n- send:\n    message: getlink\n    flags: [request]\n    attrs: [{ifname: lo}]\n",
    );
    let (code, said) = run(&["link/of-linux"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\n  > getlink request seq=+0 pid=0"), "{said}");
    assert!(said.contains("\n  < newlink - seq=+0 pid=$self family=unspec type=loopback"), "{said}");
    assert!(said.contains("\n      ifname \"lo\"\n"), "{said}");
    assert!(said.ends_with("no comparison: there are no goldens for Linux\n"), "{said}");
    let (code, said) = run(&["link/of-linux", "--raw"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"src\":\"sent\"") && said.contains("\"src\":\"reply\""), "{said}");
    // A refusal by the kernel is an answer.
    let (code, said) = run(&["link/delete-nothing"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("< error "), "{said}");
}

#[test]
fn what_is_not_for_linux_does_not_run_there() {
    if skipped("what_is_not_for_linux_does_not_run_there") {
        return;
    }
    let project = Project::copy();
    let output = project.nlproof().args(["run", "--linux", "event/create-gif"]).output().unwrap();
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    let output =
        project.nlproof().args(["run", "--linux", "link/create-lo", "--release", "15"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}
