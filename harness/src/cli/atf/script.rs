// SPDX-License-Identifier: BSD-2-Clause
//! The scripts that list and run cases in a guest, and what they print.

use std::fmt::Write as _;
use std::time::Duration;

use super::tests::ROOT;
use crate::atf::{Ended, Interface, ListedCase, Needs, Outcome, TestProgram, listing};
use crate::guest::quoted;

/// The jail of a case that wants one.
const JAIL: &str = "nlproof_atf";
/// Exit status of timeout(1) if the time was over.
const TIMED_OUT: i32 = 124;
/// Base of the status of a process that a signal ended: sh(1) adds its number.
const SIGNALLED: i32 = 128;

/// What kyua(1) sets, too (kyua(1), ATF's own documentation), and what is looked for first.
const HEAD: &str = "\
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin
w=/tmp/nlproof-atf
rm -rf $w; mkdir -p $w/work && cd $w/work || exit 1
HOME=$w/work TMPDIR=/tmp TZ=UTC __RUNNING_INSIDE_ATF_RUN=internal-yes-value
export PATH HOME TMPDIR TZ __RUNNING_INSIDE_ATF_RUN
unset LANG LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
no() { echo \"not-run $*\"; exit 0; }
";

/// Looks for what a case needs, and ends with the reason if something is not there.
fn demands(needs: &Needs) -> String {
    let mut text = String::new();
    let words = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    // A write to a String does not fail.
    if !needs.programs.is_empty() {
        let programs = words(&needs.programs);
        writeln!(
            text,
            "for p in {programs}; do command -v \"$p\" >/dev/null 2>&1 || no \"needs the program $p\"; done"
        )
        .ok();
    }
    if !needs.files.is_empty() {
        let files = words(&needs.files);
        writeln!(text, "for f in {files}; do [ -e \"$f\" ] || no \"needs the file $f\"; done").ok();
    }
    if !needs.modules.is_empty() {
        let modules = words(&needs.modules);
        writeln!(
            text,
            "for m in {modules}; do kldstat -q -m \"$m\" || kldstat -q -n \"$m\" || kldload -nq \"$m\" 2>/dev/null || \
             no \"needs the kernel module $m\"; done"
        )
        .ok();
    }
    text
}

/// Path of a program's directory and of the program in the guest.
fn places(program: &TestProgram) -> (String, String) {
    let path = format!("/{ROOT}/{}", program.path);
    let directory = path.rsplit_once('/').map_or("/", |(parent, _)| parent).to_owned();
    (quoted(&directory), quoted(&path))
}

/// A script that lists the cases of a program.
pub(super) fn list(program: &TestProgram, needs: &Needs) -> String {
    let (directory, path) = places(program);
    let demands = demands(needs);
    format!("{HEAD}cd {directory} || exit 1\n{demands}exec {path} -l </dev/null\n")
}

/// What a program has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// The cases that it has.
    Cases(Vec<ListedCase>),
    /// Cases that nobody knows, and the outcome of all.
    Unknown(Outcome),
}

/// Reads what [`list`] printed.
pub(super) fn read_list(stdout: &[u8], stderr: &[u8]) -> Listed {
    let (text, said) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    if let Some(reason) = text.lines().find_map(|line| line.strip_prefix("not-run ")) {
        return Listed::Unknown(Outcome::NotRun(reason.to_owned()));
    }
    match listing(&text) {
        Ok(cases) => Listed::Cases(cases),
        Err(why) => {
            let said = said.lines().next().map_or(String::new(), |line| format!(": {line}"));
            Listed::Unknown(Outcome::Broken(format!("its cases are not known: {why}{said}")))
        }
    }
}

/// A script that runs a case, and its cleanup if it has one.
pub(super) fn run(program: &TestProgram, case: &str, needs: &Needs, limit: Duration) -> String {
    let (directory, path) = places(program);
    let mut text = format!("{HEAD}{}", demands(needs));
    // A write to a String does not fail.
    if let Some(parameters) = &needs.jail {
        let parameters: Vec<_> = parameters.split_whitespace().map(quoted).collect();
        writeln!(
            text,
            "jail -r {JAIL} >/dev/null 2>&1\n\
             n=$(sysctl -n security.jail.children.max) && n=$((n - 1))\n\
             e=$(jail -qc name={JAIL} children.max=$n {} persist 2>&1) || no \"its jail is not made: $e\"\n\
             j='jexec {JAIL}'",
            parameters.join(" ")
        )
        .ok();
    } else {
        text += "j=\n";
    }
    let seconds = limit.as_secs().max(1);
    write!(
        text,
        "one() {{\n  o=$1; shift\n  timeout -k 5 {seconds} $j /bin/sh -c 'cd \"$0\" && exec \"$@\"' $w/work \"$@\" \
         >$w/$o.out 2>$w/$o.err </dev/null\n  echo \"$o $?\"\n}}\n"
    )
    .ok();
    match program.interface {
        Interface::Plain => writeln!(text, "one body {path}").ok(),
        Interface::Atf | Interface::Tap => {
            let case = quoted(case);
            writeln!(text, "one body {path} -s {directory} -r $w/result {case}").ok()
        }
    };
    if needs.cleanup {
        let case = quoted(&format!("{case}:cleanup"));
        writeln!(text, "one cleanup {path} -s {directory} -r $w/result.cleanup {case}").ok();
    }
    if needs.jail.is_some() {
        writeln!(text, "jail -r {JAIL} >/dev/null 2>&1").ok();
    }
    text += "printf 'result %s\\n' \"$(head -c 2000 $w/result 2>/dev/null | head -n 1)\"\necho said\n\
             for o in body.out body.err cleanup.err; do [ ! -s $w/$o ] || tail -c 1200 $w/$o; done\n\
             cd / && rm -rf $w\n";
    text
}

/// Reads what [`run`] printed: the outcome, and the last words of a case that ended badly.
pub(super) fn read_run(stdout: &[u8], interface: Interface) -> (Outcome, String) {
    let text = String::from_utf8_lossy(stdout);
    let (head, said) = text.split_once("\nsaid\n").unwrap_or((&text, ""));
    let value = |key: &str| head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    if let Some(reason) = value("not-run") {
        return (Outcome::NotRun(reason.to_owned()), String::new());
    }
    let ended = |key: &str| value(key).and_then(|text| text.trim().parse().ok()).map(ended);
    let Some(body) = ended("body") else {
        return (Outcome::Broken("the guest told nothing of it".into()), said.to_owned());
    };
    let outcome = match interface {
        Interface::Plain => Outcome::of_plain(body),
        Interface::Atf | Interface::Tap => Outcome::of_atf(value("result").unwrap_or_default(), body),
    };
    let outcome = match ended("cleanup") {
        Some(cleanup) => outcome.after_cleanup(cleanup),
        None => outcome,
    };
    let said = if outcome.is_bad() { said.trim().to_owned() } else { String::new() };
    (outcome, said)
}

fn ended(status: i32) -> Ended {
    match status {
        TIMED_OUT => Ended::TimedOut,
        status if status > SIGNALLED => Ended::Signal(status - SIGNALLED),
        status => Ended::Exit(status),
    }
}

#[cfg(test)]
mod script_tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::*;

    fn program(interface: Interface) -> TestProgram {
        TestProgram { path: "sys/net/if_clone_test".into(), interface, metadata: BTreeMap::new() }
    }

    fn needs(listed: &[(&str, &str)]) -> Needs {
        let listed = listed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Needs::of(&BTreeMap::new(), &listed)
    }

    #[test]
    fn what_a_case_printed_is_its_outcome() {
        let read = |text: &str| {
            let (outcome, said) = read_run(text.as_bytes(), Interface::Atf);
            format!("{}: {}; {said}", outcome.word(), outcome.reason())
        };
        assert_eq!(read("body 0\nresult passed\nsaid\nchatter\n"), "passed: ; ");
        assert_eq!(read("body 1\nresult failed: 3 != 4\nsaid\nstderr\n"), "failed: 3 != 4; stderr");
        assert_eq!(
            read("body 0\ncleanup 1\nresult passed\nsaid\n"),
            "broken: its cleanup failed: it ended with 1; "
        );
        assert_eq!(read("body 124\nresult \nsaid\n"), "broken: its time was over; ");
        assert_eq!(read("body 139\nresult \nsaid\n"), "broken: it left no result: signal 11 ended it; ");
        assert_eq!(read("not-run needs the program jq\n"), "not-run: needs the program jq; ");
        assert_eq!(read("sh: oops\n"), "broken: the guest told nothing of it; ");
        assert_eq!(read_run(b"body 3\nresult \nsaid\n", Interface::Plain).0.word(), "failed");
    }

    #[test]
    fn a_program_that_does_not_list_its_cases_says_why() {
        let list = "Content-Type: application/X-atf-tp; version=\"1\"\n\nident: a\n";
        assert!(matches!(read_list(list.as_bytes(), b""), Listed::Cases(cases) if cases.len() == 1));
        let Listed::Unknown(outcome) = read_list(b"", b"ld-elf.so.1: libx.so not found\n") else {
            panic!("there are no cases");
        };
        assert_eq!(
            outcome.reason(),
            "its cases are not known: it does not begin as a list of test cases does: ld-elf.so.1: libx.so not found"
        );
        let missing = read_list(b"not-run needs the program pytest\n", b"");
        assert_eq!(missing, Listed::Unknown(Outcome::NotRun("needs the program pytest".into())));
    }

    /// sh(1) of this machine reads them; the guest's is stricter in nothing.
    #[test]
    fn every_script_is_one_that_sh_understands() {
        let jailed = needs(&[
            ("require.progs", "jq it's"),
            ("require.kmods", "if_bridge"),
            ("require.files", "/a b"),
            ("has.cleanup", "true"),
            ("execenv", "jail"),
            ("execenv.jail.params", "vnet allow.raw_sockets"),
        ]);
        let limit = Duration::from_secs(60);
        for script in [
            list(&program(Interface::Atf), &jailed),
            run(&program(Interface::Atf), "create", &jailed, limit),
            run(&program(Interface::Plain), "main", &needs(&[]), limit),
        ] {
            let status = Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
            assert!(status.success(), "{script}");
        }
        let script = run(&program(Interface::Atf), "create", &jailed, limit);
        assert!(script.contains(
            "one body /usr/tests/sys/net/if_clone_test -s /usr/tests/sys/net -r $w/result create\n"
        ));
        assert!(script.contains("timeout -k 5 60 $j"));
    }

    #[test]
    fn a_missing_program_is_found_missing_by_the_script() {
        let lacking = needs(&[("require.progs", "sh nlproof-no-such-program")]);
        let output = Command::new("sh")
            .args([
                "-c",
                &format!("no() {{ echo \"not-run $*\"; exit 0; }}\n{}echo there", demands(&lacking)),
            ])
            .output()
            .unwrap();
        let (outcome, _) = read_run(&output.stdout, Interface::Atf);
        assert_eq!(outcome, Outcome::NotRun("needs the program nlproof-no-such-program".into()));
    }
}
