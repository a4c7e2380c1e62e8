// SPDX-License-Identifier: BSD-2-Clause
//! `export`: programs for bug trackers, and vectors that are none.

use std::fs;
use std::process::Command;

use crate::skip::say;
use crate::support::{Project, text};

#[test]
fn a_vector_becomes_a_c_program() {
    let project = Project::small(&["link/create-lo"]);
    let file = project.path("create-lo.c");
    let output = project
        .nlproof()
        .args(["export", "link/create-lo", "--target", "sim", "--release", "15", "--module", "stock", "--c"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("what is expected is the golden of freebsd-15"), "{}", text(&output));
    let program = fs::read_to_string(&file).unwrap();
    assert!(program.starts_with("/*-\n * link/create-lo: "), "{program}");
    assert!(program.contains("/* ifname */") && program.contains("\"lo10\\000\" }"), "{program}");
    // A compiler for FreeBSD, with the headers of one, says more: `-fsyntax-only` with a sysroot.
    match std::env::var_os("NLPROOF_SYSROOT") {
        None => say(
            "skipped: a_vector_becomes_a_c_program: the compiler's part: NLPROOF_SYSROOT names no FreeBSD base",
        ),
        Some(sysroot) => {
            let mut sysroot_option = std::ffi::OsString::from("--sysroot=");
            sysroot_option.push(sysroot);
            let clang = std::env::var("NLPROOF_CLANG").unwrap_or_else(|_| "clang".into());
            let compiled = Command::new(clang)
                .args(["--target=x86_64-unknown-freebsd", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"])
                .args([&sysroot_option, file.as_os_str()])
                .output()
                .unwrap();
            assert!(compiled.status.success(), "{}", text(&compiled));
        }
    }
}

#[test]
fn what_only_runs_commands_becomes_a_script_and_nothing_else_does() {
    let project = Project::small(&["link/create-lo", "clients/ifconfig-alias"]);
    let export = |args: &[&str]| project.nlproof().arg("export").args(args).output().unwrap();
    let output = export(&["clients/ifconfig-alias", "--sh", "-"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(if said.contains("it sends messages") { 2 } else { 0 }), "{said}");
    fs::write(
        project.path("vectors/link/commands.yaml"),
        "about: commands\nneeds: {os: [freebsd]}\nsteps:\n- exec: {argv: [ifconfig, lo10, create]}\n- wait: {quiet-ms: 20, \
         limit-ms: 100}\n- exec: {argv: [echo, it's]}\n",
    )
    .unwrap();
    let output = export(&["link/commands", "--sh", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let script = String::from_utf8_lossy(&output.stdout);
    for line in ["ifconfig lo10 create\nstatus=$?\n", "sleep 0.020\n", "echo 'it'\\''s'\n", "exit $differs\n"]
    {
        assert!(script.contains(line), "{line}: {script}");
    }
    assert!(text(&output).contains("no golden says what to expect"), "{}", text(&output));
    for (args, code, said) in [
        (
            &["link/create-lo", "--sh", "-"][..],
            104,
            "link/create-lo cannot be exported: step 0: it sends messages",
        ),
        (&["link/create-lo"], 2, "--c <FILE>"),
        (&["link/none", "--c", "-"], 2, "no vector `link/none`"),
    ] {
        let output = export(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
}
