// SPDX-License-Identifier: BSD-2-Clause
//! Programs that are watched. What needs a real kernel is skipped by name.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use crate::developer::{CELL, cannot_run};
use crate::support::{Project, text};

#[test]
fn what_cannot_be_watched_is_told_before_any_guest_is_started() {
    let project = Project::copy();
    project.write("no-interpreter", "#!sh\n");
    let script = project.path("no-interpreter").to_str().unwrap().to_owned();
    for (arguments, wanted) in [
        (&[][..], "required arguments were not provided"),
        (&["--", ""], "the command is empty\n  help: nlproof watch -- ifconfig lo10 create"),
        (&["--script", "no-such-file"], "--script: no-such-file cannot be read: No such file"),
        (&["--script", &script], "its first line names no interpreter by an absolute path"),
        (&["--copy", "no-such-file", "--", "true"], "--copy: no-such-file: cannot be copied: "),
        (&["--copy-out", "result", "--", "true"], "--copy-out: `result` names no absolute path in the guest"),
        (&["--timeout", "0", "--", "true"], "0 is not in 1..=86400"),
        (&["--force", "--", "true"], "--as-vector <ID>"),
        (&["--target", "sim", "--", "true"], "the simulator is no guest"),
        (
            &["--module", "stock,rust", "--target", "sim", "--", "true"],
            "no release of a FreeBSD guest has both",
        ),
        (&["--as-vector", "name", "--", "true"], "`name` is no vector's id"),
        (
            &["--as-vector", "link/create-lo", "--", "true"],
            "vectors/link/create-lo.yaml: is there already, and stays as it is",
        ),
    ] {
        let output = project.nlproof().arg("watch").args(arguments).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
}

/// The program on a copy of the project, with this machine's releases.
fn nlproof_on(project: &Project) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
    command.arg("--tests").arg(project.path(""));
    command
}

/// Watches a program in a guest.
fn watch(project: &Project, arguments: &[&str]) -> (Option<i32>, String) {
    let said: Output = nlproof_on(project).arg("watch").args(CELL).args(arguments).output().unwrap();
    (said.status.code(), text(&said))
}

#[test]
fn a_program_is_shown_and_its_vector_passes_against_its_own_recording() {
    if cannot_run("a_program_is_shown_and_its_vector_passes_against_its_own_recording") {
        return;
    }
    let project = Project::copy();
    let as_vector = ["--as-vector", "watched/route", "--script"];
    project.write(
        "script",
        "ifconfig lo10 create inet 192.0.2.1/24 up\nroute -n add 198.51.100.0/24 192.0.2.1\nexit 3\n",
    );
    let script = project.path("script").to_str().unwrap().to_owned();
    let (code, said) = watch(&project, &[&as_vector[..], &[script.as_str()]].concat());
    assert_eq!(code, Some(3), "{said}");
    for part in [
        "  > newaddr request|ack seq=",
        "  > newroute request|",
        "  * ipv4_ifaddr: newaddr ",
        ": ioctl SIOCIFCREATE2\n",
        "  out \"add net 198.51.100.0: gateway 192.0.2.1\"\n",
        "  exit status=3\n",
        "5 datagrams to the kernel, 5 datagrams from it, ",
        "not in the vector: ioctl(2) SIOCSIFFLAGS\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let vector = fs::read_to_string(project.path("vectors/watched/route.yaml")).unwrap();
    assert!(
        vector.contains("argv: [/sbin/ifconfig, lo10, create]") && vector.contains("index: $lo10"),
        "{vector}"
    );
    let (code, said) =
        watch(&project, &["--as-vector", "watched/route", "--force", "--", "ifconfig", "lo10", "create"]);
    assert_eq!(code, Some(0), "{said}");
    assert_ne!(fs::read_to_string(project.path("vectors/watched/route.yaml")).unwrap(), vector);
    project.write("vectors/watched/route.yaml", &vector);
    let filter = ["--filter", "watched/route", "--no-kernel-trace"];
    let record = nlproof_on(&project).arg("record").args(CELL).args(filter).output().unwrap();
    assert_eq!(record.status.code(), Some(0), "{}", text(&record));
    assert!(nlproof_on(&project).args(["accept", "--all"]).status().unwrap().success());
    let run = nlproof_on(&project).args(["run", "watched/route"]).args(CELL).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
}

#[test]
fn a_program_that_is_not_there_does_not_end_or_reads_is_told_of() {
    if cannot_run("a_program_that_is_not_there_does_not_end_or_reads_is_told_of") {
        return;
    }
    let project = Project::copy();
    let (code, said) = watch(&project, &["--", "no-such-program"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no such program in the guest\n  help: --copy FILE"), "{said}");
    let (code, said) = watch(&project, &["--timeout", "2", "--", "echo before; sleep 1000"]);
    assert_eq!(code, Some(124), "{said}");
    assert!(
        said.contains("  out \"before\"\n") && said.contains("still running after 2 seconds, ended"),
        "{said}"
    );
    let mut child = nlproof_on(&project)
        .arg("watch")
        .args(CELL)
        .args(["--stdin", "--", "tr a-z A-Z; ls -l /root"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"through the guest\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output).contains("  out \"THROUGH THE GUEST\"\n"), "{}", text(&output));
}

#[test]
fn an_interrupted_program_leaves_nothing_and_a_kept_guest_stays() {
    if cannot_run("an_interrupted_program_leaves_nothing_and_a_kept_guest_stays") {
        return;
    }
    let project = Project::copy();
    for (options, command, awaited, code) in
        [(&["--keep"][..], "exit 7", "stays up", 7), (&[], "echo begun; sleep 1000", "begun", 130)]
    {
        let mut child = nlproof_on(&project)
            .arg("watch")
            .args(CELL)
            .args(options)
            .args(["--", command])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let shown = |line: &std::io::Result<String>| line.as_ref().unwrap().contains(awaited);
        let mut lines = match code {
            7 => Box::new(BufReader::new(stderr).lines()) as Box<dyn Iterator<Item = _>>,
            _ => Box::new(BufReader::new(stdout).lines()),
        };
        assert!(lines.any(|line| shown(&line)), "{awaited}");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn both_modules_say_the_same_of_a_program() {
    if cannot_run("both_modules_say_the_same_of_a_program") {
        return;
    }
    let project = Project::copy();
    let output = nlproof_on(&project)
        .args([
            "watch",
            "--release",
            "14.0-STABLE",
            "--module",
            "stock,rust",
            "--",
            "ifconfig",
            "lo10",
            "create",
        ])
        .output()
        .unwrap();
    let said = text(&output);
    // A machine that cannot build the module says so.
    if output.status.code() == Some(104) {
        return crate::skip::say(&format!("skipped both_modules_say_the_same_of_a_program: {said}"));
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("freebsd/14.0-STABLE/stock and freebsd/14.0-STABLE/rust: the same, "), "{said}");
}
