// SPDX-License-Identifier: BSD-2-Clause
//! Programs and agents that end in other ways: rejected, killed, dead, misunderstood.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nlproof_agent::frame::{Hello, VERSION, encode_hello};
use nlproof_agent::{Body, ErrorStage, Program, status};

use crate::support::*;

/// A script that tells its process id in a file and then waits for long, and the file.
fn sleeper(name: &str) -> (String, PathBuf) {
    let file = std::env::temp_dir().join(format!("nlproof-agent-{}-{name}", std::process::id()));
    (format!("echo $$ > {0}.new && mv {0}.new {0}; exec sleep 60", file.display()), file)
}

/// The process that a `sleeper` told of is gone, or is gone soon.
fn assert_gone(file: &PathBuf) {
    let pid = fs::read_to_string(file).unwrap();
    fs::remove_file(file).unwrap();
    let limit = Instant::now() + Duration::from_secs(5);
    // A process that nobody has waited for yet is a zombie: dead as well.
    let alive = || {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    while alive() && Instant::now() < limit {
        std::thread::yield_now();
    }
    assert!(!alive(), "process {} still runs", pid.trim());
}

#[test]
fn a_command_gives_status_and_both_outputs() {
    let Some(agent) = agent("a_command_gives_status_and_both_outputs") else { return };
    let steps = vec![
        shell("echo out; echo err >&2; exit 3"),
        shell("kill -15 $$"),
        // Output beyond what is kept does not stop the command.
        shell("head -c 3000000 /dev/zero; exit 4"),
        exec(&["/nowhere/at/all"], 1000),
        // Standard input is empty, and nothing of the machine's environment is there.
        shell("cat; env | sort | grep -v '^\\(PWD\\|SHLVL\\|_\\)='"),
    ];
    let run = run(agent, vec![program(steps)]);
    let ended = |status, stdout: &[u8], stderr: &[u8]| Body::Exec {
        status,
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
    };
    assert_eq!(run.step(0), [&ended(3, b"out\n", b"err\n")]);
    assert_eq!(run.step(1), [&ended(128 + 15, b"", b"")]);
    assert_eq!(run.step(2), [&ended(4, &vec![0; 1 << 20], b"")]);
    match run.step(3)[..] {
        [Body::Error { stage: ErrorStage::Exec, errno: 2, text }] => {
            assert!(text.contains("/nowhere/at/all"), "{text}");
        }
        ref other => panic!("{other:?}"),
    }
    let environment =
        b"HOME=/\nLC_ALL=C\nPATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin\n";
    assert_eq!(run.step(4), [&ended(0, environment, b"")]);
}

#[test]
fn a_command_s_name_is_looked_for_in_path_as_a_shell_does() {
    let Some(agent) = agent("a_command_s_name_is_looked_for_in_path_as_a_shell_does") else { return };
    let steps = vec![exec(&["sh", "-c", "exit 3"], 1000), exec(&["no-such-program"], 1000)];
    let run = run(agent, vec![program(steps)]);
    assert!(matches!(run.step(0)[..], [Body::Exec { status: 3, .. }]), "{:?}", run.step(0));
    match run.step(1)[..] {
        [Body::Error { stage: ErrorStage::Exec, errno: 2, text }] => {
            assert!(text.contains("no-such-program"), "{text}");
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_beyond_its_limit_is_killed_and_the_program_goes_on() {
    let Some(agent) = agent("a_command_beyond_its_limit_is_killed_and_the_program_goes_on") else { return };
    let begin = Instant::now();
    let steps = vec![exec(&["/bin/sleep", "60"], 50), shell("exit 5")];
    let run = run(agent, vec![program(steps)]);
    assert!(matches!(run.step(0)[..], [Body::Exec { status: 137, .. }]), "{:?}", run.step(0));
    assert!(matches!(run.step(1)[..], [Body::Exec { status: 5, .. }]), "{:?}", run.step(1));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_a_command_leaves_behind_is_not_waited_for_and_goes_with_the_program() {
    let name = "what_a_command_leaves_behind_is_not_waited_for_and_goes_with_the_program";
    let Some(agent) = agent(name) else { return };
    let (script, file) = sleeper("behind");
    let steps =
        vec![shell(&format!("({script}) & while ! test -e {}; do :; done; echo begun", file.display()))];
    let run = run(agent, vec![program(steps)]);
    assert!(
        matches!(run.step(0)[..], [Body::Exec { status: 0, stdout, .. }] if stdout == b"begun\n"),
        "{:?}",
        run.step(0)
    );
    assert_eq!(run.died(1), None);
    assert_gone(&file);
}

#[test]
fn a_malformed_program_is_refused_and_the_rest_goes_on() {
    let Some(agent) = agent("a_malformed_program_is_refused_and_the_rest_goes_on") else { return };
    let good = |id| Program { id, ..program(vec![get_links()]) };
    let crowded = Program { groups: vec![1; 65], ..good(3) };
    let run = run(agent, vec![good(1), Program { id: 2, ..program(vec![]) }, crowded, good(4), good(4)]);
    assert_eq!(run.status, Some(status::DONE));
    for (id, words) in [(2, "no steps"), (3, "65 groups")] {
        match run.of(id)[..] {
            [Body::Error { stage: ErrorStage::Refused, errno: 0, text }, Body::End { died: None }] => {
                assert!(text.contains(words), "{text}");
            }
            ref other => panic!("{other:?}"),
        }
    }
    assert!(run.of(4).iter().any(|body| matches!(body, Body::Reply { .. })));
    let twice =
        run.of(4).into_iter().filter(|body| matches!(body, Body::Error { stage: ErrorStage::Refused, .. }));
    assert_eq!(twice.count(), 1);
}

#[test]
fn a_group_that_is_none_is_an_error_of_its_program() {
    let Some(agent) = agent("a_group_that_is_none_is_an_error_of_its_program") else { return };
    let run = run(agent, vec![Program { groups: vec![1, 100_000], ..program(vec![get_links()]) }]);
    match run.of(1)[..] {
        [Body::Error { stage: ErrorStage::Socket, text, .. }, Body::End { died: None }] => {
            assert!(text.contains("100000"), "{text}");
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_dead_child_is_told_and_the_next_program_runs() {
    let Some(agent) = agent("a_dead_child_is_told_and_the_next_program_runs") else { return };
    let dying = program(vec![get_links(), shell("kill -9 $PPID; sleep 60"), get_links()]);
    let run = run(agent, vec![dying, Program { id: 2, ..program(vec![get_links()]) }]);
    assert_eq!(run.died(1), Some(137));
    // What was seen before is there.
    assert!(run.step(0).len() > 1 && run.step(2).is_empty());
    assert_eq!((run.died(2), run.status), (None, Some(status::DONE)));
}

#[test]
fn a_program_beyond_its_limit_is_killed_with_all_it_started() {
    let Some(agent) = agent("a_program_beyond_its_limit_is_killed_with_all_it_started") else { return };
    let (script, file) = sleeper("limit");
    let slow = Program { limit_ms: 500, ..program(vec![shell(&script)]) };
    let run = run(agent, vec![slow, Program { id: 2, ..program(vec![get_links()]) }]);
    let all = run.of(1);
    assert!(
        matches!(&all[all.len() - 2..], [
            Body::Error { stage: ErrorStage::Limit, text, .. },
            Body::End { died: Some(137) },
        ] if text.contains("500 ms")),
        "{all:?}"
    );
    assert_eq!((run.died(2), run.status), (None, Some(status::DONE)));
    assert_gone(&file);
}

#[test]
fn a_closed_output_ends_the_agent_and_all_it_started() {
    let Some(agent) = agent("a_closed_output_ends_the_agent_and_all_it_started") else { return };
    let (script, file) = sleeper("closed");
    let mut child = start(agent);
    child.stdin.take().unwrap().write_all(&batch(vec![program(vec![shell(&script)])])).unwrap();
    while !file.exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(status::LOST));
    assert!(read_all(child.stderr.take().unwrap()).contains("standard output was closed"));
    assert_gone(&file);
}

#[test]
fn a_killed_agent_leaves_nothing_running() {
    let Some(agent) = agent("a_killed_agent_leaves_nothing_running") else { return };
    let (script, file) = sleeper("killed");
    let mut child = start(agent);
    child.stdin.take().unwrap().write_all(&batch(vec![program(vec![shell(&script)])])).unwrap();
    while !file.exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_gone(&file);
}

#[test]
fn another_version_is_answered_with_the_own_hello_and_a_clear_error() {
    let run = run_bytes(built(), &Hello { version: 900 }.encode());
    assert_eq!((run.status, run.records.len()), (Some(status::VERSION), 0));
    assert!(
        run.stderr.contains("version 900") && run.stderr.contains(&format!("version {VERSION}")),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[test]
fn what_is_no_batch_is_refused() {
    let agent = built();
    let table: [(&[u8], i32, &str); 5] = [
        (b"GET / HTTP/1.1\r\n", status::VERSION, "GET / HTTP"),
        (b"", status::BAD_BATCH, "8 bytes short of a hello"),
        (&encode_hello(), status::BAD_BATCH, "4 bytes short of a frame's length"),
        (&[&encode_hello()[..], &[9, 0, 0, 0, 1]].concat(), status::BAD_BATCH, "8 bytes short of a frame"),
        (
            &[&encode_hello()[..], &[1, 0, 0, 0, 5]].concat(),
            status::BAD_BATCH,
            "does not hold the expected value",
        ),
    ];
    for (input, code, words) in table {
        let run = run_bytes(agent, input);
        assert_eq!((run.status, run.records.len()), (Some(code), 0), "{}", run.stderr);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn an_empty_batch_is_done_at_once() {
    let run = run(built(), vec![]);
    assert_eq!((run.status, run.records.len(), run.stderr.as_str()), (Some(status::DONE), 0, ""));
}
