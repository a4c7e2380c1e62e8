// SPDX-License-Identifier: BSD-2-Clause
//! Input from outside is read up to a limit; what never ends, or is no file, is rejected as such.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Project, text};

/// Reads without a limit that may stay, by file, with the input that they read.
const FROM_INSIDE: [(&str, &str); 29] = [
    ("harness/src/cli/bench/guest.rs", "the kernel's /proc/loadavg"),
    ("harness/src/cli/kmod.rs", "a module that was just built"),
    ("harness/src/cli/test_matrix.rs", "the kernel's /proc/meminfo"),
    ("harness/guest/src/ssh/connect.rs", "keys that nlproof made"),
    ("harness/src/targets/freebsd/console.rs", "the console of a guest that runs"),
    ("harness/src/targets/linux.rs", "the kernel's /proc/sys/kernel/osrelease"),
    ("harness/src/targets/freebsd/restore.rs", "the console that a saved guest had"),
    ("harness/guest/src/vm/accel.rs", "the serial line of a probe of 512 bytes"),
    ("harness/guest/src/vm/process.rs", "what QEMU wrote to standard error"),
    ("harness/guest/src/vm/qmp.rs", "QEMU's answers, each with a limit of its own"),
    ("harness/guest/src/vm/remembered.rs", "the kernel's boot_id"),
    ("harness/guest/src/vm/serial.rs", "the serial line, a piece at a time"),
    ("harness/guest/src/vm/snapshot.rs", "the kernel's /proc/cpuinfo"),
    ("harness/src/targets/freebsd/guest_target.rs", "the kernel of an image, of limited size"),
    ("harness/src/targets/freebsd/lost.rs", "the console of a guest that was lost"),
    ("harness/kmod/src/module.rs", "a module that was just built"),
    ("harness/kmod/src/headers.rs", "a header of an archive whose digest is right, of limited size"),
    ("harness/kmod/src/key.rs", "sources of this checkout"),
    ("harness/src/kernels/make.rs", "what make(1) says of a build"),
    ("harness/traces/src/trace/raw_file.rs", "a line of a raw trace, up to a limit"),
    ("harness/build.rs", "the agent that was just built"),
    ("image/src/build.rs", "files that were unpacked, of limited size"),
    ("image/src/kernel.rs", "a kernel that was unpacked, of limited size"),
    ("image/src/makefs.rs", "the log of makefs"),
    ("image/src/modules.rs", "modules that were unpacked, of limited size"),
    ("image/src/vmimage.rs", "what qemu-img wrote to standard error"),
    ("image/src/kernel_disk.rs", "files that were unpacked, of limited size"),
    ("image/src/own_kernel.rs", "six bytes of a file"),
    ("harness/base/src/read.rs", "up to a limit: here it is"),
];

const READS: [&str; 8] = [
    "fs::read(",
    "read_to_string(",
    "read_to_end(",
    ".read_line(",
    ".read_until(",
    "next_line().await",
    "next_segment(",
    "from_reader(",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_from_outside_is_read_without_a_limit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("harness/build.rs")];
    for room in [
        "harness/src",
        "harness/guest/src",
        "harness/traces/src",
        "harness/base/src",
        "harness/verify/src",
        "harness/kmod/src",
        "image/src",
    ] {
        sources(&root.join(room), &mut files);
    }
    let reads: Vec<String> = files
        .iter()
        .filter(|path| {
            // Declared as `#[cfg(test)] mod tests;`.
            if path.ends_with("tests.rs") {
                return false;
            }
            let source = fs::read_to_string(path).unwrap();
            let own = source.split("#[cfg(test)]").next().unwrap_or_default();
            own.lines().any(|line| {
                !line.trim_start().starts_with("//") && READS.iter().any(|read| line.contains(read))
            })
        })
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    let known = |file: &String| FROM_INSIDE.iter().any(|(known, _)| known == file);
    let unknown: Vec<_> = reads.iter().filter(|file| !known(file)).collect();
    assert!(
        unknown.is_empty(),
        "these read without a limit (use nlproof_base::read and its kin): {unknown:#?}"
    );
    let gone: Vec<_> =
        FROM_INSIDE.iter().filter(|(file, _)| !reads.iter().any(|read| read == file)).collect();
    assert!(gone.is_empty(), "these do not read any more: {gone:#?}");
}

#[test]
fn an_endless_file_and_a_long_one_are_rejected_with_limit_and_size() {
    let project = Project::copy();
    let ask = |args: &[&str]| {
        let output = project.nlproof().args(args).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), text(&output))
    };
    let (code, said) = ask(&["decode", "@/dev/zero"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("/dev/zero has more than 16777216 bytes; at most 16777216 bytes (16 MiB)"),
        "{said}"
    );
    let long = project.path("long");
    fs::File::create(&long).unwrap().set_len(1 << 42).unwrap();
    let long = long.to_str().unwrap();
    for args in [
        &["decode", &format!("@{long}")][..],
        &["verify", long],
        &["verify", "--policy", long, "/dev/null"],
        &["verify", "--kernel", long, "/dev/null"],
        &["verify", "--baseline", long, "/dev/null"],
        &["report", "show", long],
        &["report", "merge", long, "--into", project.path("into").to_str().unwrap()],
        &["report", "merge", "/dev/null", "--expect", long, "--into", project.path("into").to_str().unwrap()],
    ] {
        let (code, said) = ask(args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        let limited = said.contains("has 4398046511104 bytes; at most ");
        assert!(limited || args.contains(&"/dev/null"), "{args:?}: {said}");
    }
    for file in
        ["matrix.yaml", "releases.yaml", "inventory.yaml", "divergences.yaml", "vectors/link/create-lo.yaml"]
    {
        let project = Project::copy();
        fs::File::create(project.path(file)).unwrap().set_len(1 << 42).unwrap();
        let command = if file == "inventory.yaml" { "coverage" } else { "test-matrix" };
        let output = project.nlproof().args([command]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{file}: {}", text(&output));
        let expected = format!("{file}: has 4398046511104 bytes; at most 4194304 bytes (4 MiB) are read");
        assert!(text(&output).contains(&expected), "{}", text(&output));
    }
}

#[test]
fn a_pipe_is_no_vector_and_may_well_be_what_a_user_names() {
    let project = Project::copy();
    let pipe = project.path("vectors/link/pipe.yaml");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        crate::skip::say("skipped: a_pipe_is_no_vector_and_may_well_be_what_a_user_names: no mkfifo");
        return;
    }
    let output = project.nlproof().args(["test-matrix", "--list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("pipe.yaml: is a named pipe, not a file"), "{}", text(&output));
    let output = project.nlproof().args(["decode", "@/dev/stdin"]).stdin(Stdio::piped()).output().unwrap();
    assert!(text(&output).contains("no bytes to decode"), "{}", text(&output));
}
