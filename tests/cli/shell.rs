// SPDX-License-Identifier: BSD-2-Clause
//! A guest for a person: commands, files in and out, further modules, and what is told when it dies. What needs a real
//! kernel is skipped by name.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::developer::{CELL, cannot_run, nlproof};
use crate::support::{Project, text};

#[test]
fn what_cannot_be_copied_or_given_is_told_before_anything_begins() {
    let project = Project::copy();
    let run = ["run", "link/create-lo"];
    for (command, arguments, wanted) in [
        (&["shell"][..], &["--copy", "no-such-file"][..], "--copy: no-such-file: cannot be copied: "),
        (&["shell"], &["--copy", "/dev/null:/x"], "/dev/null: is a device\n  help: only files"),
        (&["shell"], &["--copy-out", "result"], "--copy-out: `result` names no absolute path in the guest"),
        (&["shell"], &["--copy-out", "/r:/no/such/place/r"], "/no/such/place: is no directory"),
        (&["shell"], &["--memory", "64"], "from 128 (MiB) to 1024G"),
        (&["shell"], &["--kmod", "../pf"], "a module's name has letters, digits and `_`"),
        (&["shell", "--target", "sim"], &[], "the simulator is no guest"),
        (&run, &["--copy", "/etc/hostname"], "sim/15 is no guest that something could be copied into"),
        (&run, &["--linux", "--copy-out", "/x"], "this machine's Linux is no guest"),
        (&["repro", "link/create-lo"], &["--copy-out", "/x:/no/y"], "/no: is no directory"),
    ] {
        let output = project.nlproof().args(command).args(arguments).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{command:?} {arguments:?}: {said}");
        let wanted =
            wanted.replace("sim/15", said.split(' ').find(|word| word.contains("sim/")).unwrap_or("sim/15"));
        assert!(said.contains(&wanted), "{command:?} {arguments:?}: {said}");
    }
}

#[test]
fn a_vector_may_need_a_module_that_the_user_names() {
    let project = Project::copy();
    let vector = fs::read_to_string(project.path("vectors/link/create-lo.yaml")).unwrap();
    project.write("vectors/link/with-ovpn.yaml", &format!("needs: {{modules: [if_ovpn]}}\n{vector}"));
    let said = |more: &[&str]| {
        let output =
            project.nlproof().args(["run", "link/with-ovpn", "--target", "sim"]).args(more).output().unwrap();
        (output.status.code(), text(&output))
    };
    let (code, without) = said(&[]);
    assert_eq!(code, Some(2), "{without}");
    assert!(
        without.contains("if_ovpn, which no guest has") && without.contains("or give --kmod if_ovpn"),
        "{without}"
    );
    let (code, with) = said(&["--kmod", "if_ovpn"]);
    // The simulator has no such module, but somebody may: that is no mistake any more.
    assert!(!with.contains("which no guest has"), "{code:?}: {with}");
}

/// Runs a command in a guest.
fn shell(options: &[&str], command: &[&str]) -> Output {
    nlproof().arg("shell").args(CELL).args(options).arg("--").args(command).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn one_word_is_a_line_of_shell_and_the_exit_status_is_the_commands() {
    if cannot_run("one_word_is_a_line_of_shell_and_the_exit_status_is_the_commands") {
        return;
    }
    for (command, said, code) in [
        (&["echo a; echo \"b!\"; exit 3"][..], "a\nb!\n", 3),
        (&["sh", "-c", "echo a; exit 4"], "a\n", 4),
        (&["echo", "a; b", "$HOME"], "a; b $HOME\n", 0),
        // What ssh(1) says when it is lost is as good an exit status as any.
        (&["exit 255"], "", 255),
        (&["kill -TERM $$"], "", 143),
    ] {
        let output = shell(&[], command);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(code), said), "{}", text(&output));
    }
    let mut child = nlproof()
        .arg("shell")
        .args(CELL)
        .args(["--", "tr a-z A-Z"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"through the guest\n").unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), "THROUGH THE GUEST\n");
}

#[test]
fn a_guest_that_dies_under_a_command_is_told_and_its_console_kept() {
    if cannot_run("a_guest_that_dies_under_a_command_is_told_and_its_console_kept") {
        return;
    }
    let report = tempfile::tempdir().unwrap();
    let directory = report.path().to_str().unwrap();
    for kept_in in [Some(directory), None] {
        let options = kept_in.map(|directory| ["--report-dir", directory]);
        let output = shell(options.as_ref().map_or(&[], |options| options), &["sysctl", "debug.kdb.panic=1"]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(103), "{said}");
        for part in [
            "freebsd/14.0-STABLE/stock: the guest was lost (panicked): guest kernel panicked: kdb_sysctl_panic",
            "last on the console of freebsd/14.0-STABLE/stock:\n  | ",
            "  | panic: kdb_sysctl_panic\n",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let shown = match (kept_in, said.split_once("its console is kept: nlproof ")) {
            (wanted, Some((_, command))) => {
                let words = command.split_whitespace().take(if wanted.is_some() { 2 } else { 3 });
                nlproof().args(words).arg("--textdump").output().unwrap()
            }
            (_, None) => panic!("{said}"),
        };
        assert!(stdout(&shown).contains("panic: kdb_sysctl_panic\n"), "{}", text(&shown));
    }
}

#[test]
fn a_guest_is_a_plain_system_of_the_size_that_is_wanted() {
    if cannot_run("a_guest_is_a_plain_system_of_the_size_that_is_wanted") {
        return;
    }
    let asked = "jls -h name; sysctl -n hw.physmem";
    for (options, jails, mib) in [(&[][..], false, 512), (&["--memory", "768M", "--stacks", "2"], true, 768)]
    {
        let output = shell(options, &[asked]);
        let said = stdout(&output);
        assert_eq!(said.contains("nlproof_waiting_1"), jails, "{}", text(&output));
        let bytes: u64 = said.lines().last().unwrap().parse().unwrap();
        // The kernel does not count what firmware keeps for itself.
        assert!((bytes >> 20) <= mib && (bytes >> 20) > mib - 64, "{bytes}");
    }
}

#[test]
fn a_further_module_of_the_kernel_comes_with_what_it_needs() {
    if cannot_run("a_further_module_of_the_kernel_comes_with_what_it_needs") {
        return;
    }
    let output =
        shell(&["--kmod", "if_lagg,pf"], &["ifconfig lagg create; kldunload pf && kldload pf && pfctl -si"]);
    assert!(stdout(&output).starts_with("lagg0\n"), "{}", text(&output));
    assert!(stdout(&output).contains("Status: Disabled"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = shell(&["--kmod", "if_lag"], &["true"]);
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    let said = text(&output);
    assert!(
        said.contains("has no module if_lag that a guest could have\n  help: did you mean if_lagg?"),
        "{said}"
    );
}

#[test]
fn files_go_into_a_guest_and_come_out_of_it() {
    if cannot_run("files_go_into_a_guest_and_come_out_of_it") {
        return;
    }
    let here = tempfile::tempdir().unwrap();
    let path = |name: &str| here.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(here.path().join("tools")).unwrap();
    fs::write(here.path().join("tools/say"), "#!/bin/sh\necho said > /root/result\n").unwrap();
    fs::write(here.path().join("plain"), "plain\n").unwrap();
    let into = [path("tools"), format!("{}:/tmp/other", path("plain"))];
    let out = [format!("/root/result:{}", path("got")), format!("/tmp/:{}", path("tmp"))];
    let into = into.iter().flat_map(|copy| ["--copy", copy.as_str()]);
    let copies: Vec<&str> = into.chain(out.iter().flat_map(|copy| ["--copy-out", copy.as_str()])).collect();
    let output = shell(&copies, &["sh tools/say; cat /tmp/other; exit 5"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(5), "plain\n"), "{}", text(&output));
    assert_eq!(fs::read_to_string(path("got")).unwrap(), "said\n");
    assert_eq!(fs::read_to_string(path("tmp/other")).unwrap(), "plain\n");
    // What is not there is told; the command's own failure comes first.
    let absent = ["--copy-out", &format!("/root/absent:{}", path("absent"))];
    for (command, code) in [("true", 2), ("exit 6", 6)] {
        let output = shell(&absent, &[command]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(text(&output).contains("/root/absent in the guest: no such file"), "{}", text(&output));
    }
    let vector = ["run", "link/create-lo", "--copy-out", &format!("/etc/rc:{}", path("rc"))];
    let output = nlproof().args(vector).args(CELL).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(fs::read_to_string(path("rc")).unwrap().contains("nlproof: ready"));
}

#[test]
fn a_kept_guest_outlives_its_command_and_an_interrupted_one_leaves_nothing() {
    if cannot_run("a_kept_guest_outlives_its_command_and_an_interrupted_one_leaves_nothing") {
        return;
    }
    for (options, command, code) in
        [(&["--keep"][..], "echo done; exit 7", 7), (&[], "echo done; sleep 1000", 130)]
    {
        let mut child = nlproof()
            .arg("shell")
            .args(CELL)
            .args(options)
            .args(["--", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut done = String::new();
        stdout.read_line(&mut done).unwrap();
        assert_eq!(done, "done\n");
        let mut login = stderr.find(|line| line.contains("ssh -F none")).expect("the way to log in");
        if code == 7 {
            let stays = stderr.find(|line| line.contains("stays up")).expect("that it stays");
            assert!(stays.contains(&format!("until Ctrl-C, or kill -INT {}", child.id())), "{stays}");
        }
        login = login.split_once("ssh -F").map(|(_, rest)| format!("ssh -F{rest}")).unwrap();
        let output =
            Command::new("sh").args(["-c", &format!("{login} sysctl -n kern.ostype")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "FreeBSD\n", "{}", text(&output));
        let known_hosts =
            login.split("UserKnownHostsFile=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(Path::new(known_hosts).exists());
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let status = child.wait().unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(status.code(), Some(code), "{:?}", stderr.collect::<Vec<_>>());
        assert!(!Path::new(known_hosts).exists(), "the run's directory is gone");
    }
}
