// SPDX-License-Identifier: BSD-2-Clause
//! A developer's loop: a failure repeated, a guest kept and logged in to, a console read again.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Project, text};

/// A report of `sim/14.0` with one failure, whose golden was damaged for it and is good again.
fn failed_report(project: &Project) -> String {
    let golden = project.path("golden/common/link/modify-without-target.trace");
    let good = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, good.replacen("error=EPERM", "error=EPERN", 1)).unwrap();
    let directory = project.path("report");
    let args = ["test-matrix", "--target", "sim", "--release", "14.0", "--suite", "link", "--report-dir"];
    let output = project.nlproof().args(args).arg(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    fs::write(&golden, good).unwrap();
    directory.to_str().unwrap().to_owned()
}

#[test]
fn a_problem_of_a_report_is_repeated_in_its_cell() {
    let project = Project::copy();
    let report = failed_report(&project);
    let repro = |args: &[&str]| {
        let output = project.nlproof().arg("repro").args(args).output().unwrap();
        (output.status.code(), text(&output))
    };
    let (code, said) = repro(&[&format!("{report}#1")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("sim/14.0: equal to the golden of common"), "{said}");
    for (what, more, wanted) in [
        (format!("{report}#2"), None, "there is no problem #2"),
        (format!("{report}#x"), None, "`x` is no number of a problem"),
        (format!("{report}#7"), None, "help: there is one, #1"),
        (format!("{report}#1"), Some("--target=sim"), "a report's problem has its cell"),
        (format!("{report}#1"), Some("--keep"), "the simulator is no guest"),
        (format!("{report}#1"), Some("--gdb"), "the simulator is no guest"),
        (format!("{report}-no#1"), None, "cannot be read"),
        ("link/create-l".into(), None, "did you mean `link/create-lo`?"),
    ] {
        let args: Vec<&str> = std::iter::once(what.as_str()).chain(more).collect();
        let (code, said) = repro(&args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(wanted), "{args:?}: {said}");
    }
}

#[test]
fn a_kept_console_is_shown_and_others_are_named() {
    let project = Project::copy();
    let directory = project.path("report");
    fs::create_dir(&directory).unwrap();
    let console = |cell: Option<&str>| {
        let output = project.nlproof().arg("console").arg(&directory).args(cell).output().unwrap();
        (output.status.code(), text(&output))
    };
    assert!(matches!(console(None), (Some(2), said) if said.contains("no console was kept")));
    fs::write(directory.join("freebsd-14.0-STABLE-stock.console"), "Copyright\r\n\x1b[2Jpanic: x\r\n")
        .unwrap();
    assert_eq!(console(None), (Some(0), "Copyright\n[2Jpanic: x\n".into()));
    fs::write(directory.join("freebsd-14.0-STABLE-rust.console"), "rust\n").unwrap();
    assert!(
        matches!(console(None), (Some(2), said) if said.contains("name one of freebsd-14.0-STABLE-rust,"))
    );
    assert_eq!(console(Some("freebsd/14.0-STABLE/rust")), (Some(0), "rust\n".into()));
    assert!(matches!(console(Some("sim/14.0")), (Some(2), said) if said.contains("no console of sim/14.0")));
    let textdump =
        || text(&project.nlproof().args(["console", "--textdump"]).arg(&directory).output().unwrap());
    assert!(textdump().contains("no textdump was kept"), "{}", textdump());
    fs::write(directory.join("freebsd-14.0-STABLE-stock.textdump"), "panic: x\n").unwrap();
    assert_eq!(textdump(), "panic: x\n");
    // A cell may have been shared by guests, each with a console of its own.
    fs::write(directory.join("freebsd-14.0-STABLE-rust.guest2.console"), "two\n").unwrap();
    let both = "==> guest 1 <==\nrust\n==> guest 2 <==\ntwo\n";
    assert_eq!(console(Some("freebsd/14.0-STABLE/rust")), (Some(0), both.into()));
}

/// The program with the project's own tests, releases and cache.
pub(crate) fn nlproof() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
    command.arg("--tests").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests"));
    command
}

pub(crate) const CELL: [&str; 6] = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "stock"];

pub(crate) fn cannot_run(test: &str) -> bool {
    let plan = nlproof().args(["test-matrix", "--dry-run"]).args(CELL).output().unwrap();
    let plan = text(&plan);
    let reason = plan.split_once("would not run: ").and_then(|(_, reason)| reason.lines().next());
    if let Some(reason) = reason {
        crate::skip::say(&format!("skipped: {test}: {reason}"));
    }
    reason.is_some()
}

#[test]
fn a_command_in_a_guest_gives_its_output_and_exit_code() {
    if cannot_run("a_command_in_a_guest_gives_its_output_and_exit_code") {
        return;
    }
    let command = ["sh", "-c", "sysctl -n kern.ostype; echo \"it's\" >&2; exit 7"];
    let output = nlproof().arg("shell").args(CELL).arg("--").args(command).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "FreeBSD\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("it's"), "{}", text(&output));
}

#[test]
fn a_kept_guest_is_logged_in_to_and_gone_after_an_interrupt() {
    if cannot_run("a_kept_guest_is_logged_in_to_and_gone_after_an_interrupt") {
        return;
    }
    let mut child = nlproof()
        .args(["repro", "link/create-lo", "--keep"])
        .args(CELL)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("equal to the golden")), "the vector passed");
    let login = lines.find(|line| line.trim_start().starts_with("ssh ")).expect("the way to log in");
    let output = Command::new("sh").args(["-c", &format!("{login} sysctl -n kern.ostype")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "FreeBSD\n", "{}", text(&output));
    let known_hosts =
        login.split("UserKnownHostsFile=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(Path::new(known_hosts).exists());
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(!Path::new(known_hosts).exists(), "the run's directory is gone");
}
