// SPDX-License-Identifier: BSD-2-Clause
//! `replay`, and what is not recorded. A script stands for QEMU: nothing is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Project, text};

const HELP: &str = "-icount [shift=N|auto][,rr=record|replay,rrfile=<filename>]";

/// A program that says of itself what a QEMU says.
fn qemu(project: &Project, version: &str, help: &str) -> PathBuf {
    let path = project.path("qemu");
    let script = format!(
        "#!/bin/sh\ncase $1 in\n--version) echo 'QEMU emulator version {version}';;\n-help) echo '{help}';;\n\
         -object) echo '  filter-replay';;\n*) exit 9;;\nesac\n"
    );
    let text = project.path("qemu.text");
    fs::write(&text, script).unwrap();
    // By another process: a test beside this one that starts a program while the file is written here hands it the
    // descriptor, and a file that is open for writing cannot be run (ETXTBSY).
    let copied = Command::new("install").args(["-m", "755"]).args([&text, &path]).status().unwrap();
    assert!(copied.success());
    path
}

fn kept(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap();
    let digits: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "bytes": bytes.len(), "sha256": digits })
}

/// A recording of a panic at instruction 5000.
fn recording(project: &Project, log: &[u8]) -> PathBuf {
    let directory = project.path("recorded");
    fs::create_dir(&directory).unwrap();
    for (name, bytes) in
        [("events.log", log), ("seed.raw", b"keys"), ("console", b"boot\n"), ("disk.raw", b"disk")]
    {
        fs::write(directory.join(name), bytes).unwrap();
    }
    let file = |name: &str| kept(&directory.join(name));
    let text = json!({
        "schema": "nlproof-recording-1",
        "vector": "limits/kind-of-1120",
        "cell": "freebsd/14.0-STABLE/stock",
        "outcome": "panic: page fault",
        "kernel_sha256": "d44f",
        "kernel_file": null,
        "module": null,
        "qemu": { "version": "7.2.22 (Debian)", "log_version": 0x00e0_200c, "command": [] },
        "memory_mib": 512,
        "root_disk": { "path": directory.join("disk.raw"), "contents": file("disk.raw") },
        "kernel_disk": null,
        "log": file("events.log"),
        "seed": file("seed.raw"),
        "console": file("console"),
        "instructions": { "begin": 4000, "end": null },
        "died": {
            "instruction": 5000, "address": "0xffffffff80d7cde4", "place": "_nl_store_ifp_cookie+0x74",
            "function": "trap_fatal", "entered": 5134
        },
    });
    fs::write(directory.join("recording.json"), text.to_string()).unwrap();
    directory
}

fn whole_log() -> Vec<u8> {
    [&0x00e0_200c_u32.to_be_bytes()[..], &[0; 8], b"events"].concat()
}

fn replay(project: &Project, qemu: &Path, directory: &Path, more: &[&str]) -> Output {
    let mut command = project.nlproof();
    command.env("NLPROOF_QEMU", qemu).arg("replay").arg(directory).args(more).output().unwrap()
}

#[test]
fn a_recording_that_is_not_what_it_was_is_not_replayed() {
    let project = Project::small(&["link/create-lo"]);
    let same = qemu(&project, "7.2.22 (Debian)", HELP);
    let none = replay(&project, &same, &project.path("vectors"), &[]);
    assert_eq!(none.status.code(), Some(2), "{}", text(&none));
    assert!(text(&none).contains("there is no recording here, or one that is being made"), "{}", text(&none));
    let directory = recording(&project, &whole_log());
    let log = directory.join("events.log");
    fs::write(&log, &whole_log()[..14]).unwrap();
    let cut = replay(&project, &same, &directory, &["--times", "3"]);
    assert_eq!(cut.status.code(), Some(2), "{}", text(&cut));
    assert!(text(&cut).contains("it has 14 of 18 bytes\n  help: record the vector again"), "{}", text(&cut));
    fs::write(&log, whole_log()).unwrap();
    fs::write(directory.join("disk.raw"), "dusk").unwrap();
    let image = replay(&project, &same, &directory, &["--at", "4500"]);
    assert!(text(&image).contains("disk.raw: is not the image that the guest had"), "{}", text(&image));
}

#[test]
fn the_log_of_a_killed_qemu_is_told_by_its_missing_header() {
    let project = Project::small(&["link/create-lo"]);
    let same = qemu(&project, "7.2.22 (Debian)", HELP);
    let directory = recording(&project, &[0; 64]);
    let killed = replay(&project, &same, &directory, &["--gdb", "1234", "--debug", "kernel.debug"]);
    assert_eq!(killed.status.code(), Some(2), "{}", text(&killed));
    assert!(text(&killed).contains("the log has no header: QEMU was killed"), "{}", text(&killed));
}

#[test]
fn another_qemu_and_one_that_does_not_record_are_told() {
    let project = Project::small(&["link/create-lo"]);
    let directory = recording(&project, &whole_log());
    let newer = replay(&project, &qemu(&project, "9.0.0", HELP), &directory, &[]);
    assert_eq!(newer.status.code(), Some(104), "{}", text(&newer));
    let said = "was recorded by QEMU 7.2.22 (Debian), and this is 9.0.0: each reads its own logs alone";
    assert!(text(&newer).contains(said) && text(&newer).contains("$NLPROOF_QEMU"), "{}", text(&newer));
    let old = qemu(&project, "1.0", "-icount [N|auto]");
    let old = replay(&project, &old, &directory, &[]);
    assert!(text(&old).contains("(QEMU 1.0) has no `-icount rr=record`"), "{}", text(&old));
}

#[test]
fn a_replay_does_not_stop_before_the_beginning() {
    let project = Project::small(&["link/create-lo"]);
    let directory = recording(&project, &whole_log());
    let same = qemu(&project, "7.2.22 (Debian)", HELP);
    let before = replay(&project, &same, &directory, &["--back", "5000"]);
    assert_eq!(before.status.code(), Some(2), "{}", text(&before));
    assert!(
        text(&before).contains("there are no 5000 instructions before instruction 5000"),
        "{}",
        text(&before)
    );
    let never = replay(&project, &same, &directory, &["--times", "0"]);
    assert_eq!(never.status.code(), Some(2), "{}", text(&never));
}

#[test]
fn what_cannot_be_recorded_is_told_with_the_reason() {
    let project = Project::small(&["link/create-lo"]);
    let run = |args: &[&str]| project.nlproof().args(args).output().unwrap();
    let sim = run(&["run", "link/create-lo", "--record", "r", "--target", "sim"]);
    assert_eq!(sim.status.code(), Some(2), "{}", text(&sim));
    assert!(text(&sim).contains("the simulator runs no instructions of a guest"), "{}", text(&sim));
    let vector = run(&["repro", "link/create-lo", "--record"]);
    assert_eq!(vector.status.code(), Some(2), "{}", text(&vector));
    assert!(text(&vector).contains("is no problem of a report"), "{}", text(&vector));
    assert!(text(&vector).contains("nlproof run link/create-lo --record DIR"), "{}", text(&vector));
}
