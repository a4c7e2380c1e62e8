// SPDX-License-Identifier: BSD-2-Clause
//! Whatever ends the harness, no QEMU, supervisor, socket or directory of it stays.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::{TinyGuest, assert_gone, processes_of, tools, wait};
use nlproof::vm::{SUPERVISE, Then, Vm};
use nlproof_guest::Tasks;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const HELPER: &str = "cleanup::a_harness_for_the_other_tests_to_kill";
/// Set for the child that plays the harness.
const ROLE: &str = "NLPROOF_TEST_ROLE";

async fn booted(vm: &mut Vm) {
    vm.wait_for(&wait("the guest's text"), |event| *event == nlproof::vm::ConsoleEvent::Login).await.unwrap();
}

fn guest() -> TinyGuest {
    TinyGuest::new("login: ", Then::Halt)
}

#[tokio::test]
async fn after_success() {
    let Some(tools) = tools("after_success") else { return };
    let mut vm = guest().start(&tools).await.unwrap();
    booted(&mut vm).await;
    let run_dir = vm.run_dir();
    assert_eq!(processes_of(&run_dir).len(), 2, "supervisor and QEMU");
    vm.quit().await.unwrap();
    assert_gone(&run_dir);
}

#[test]
fn after_a_panic_of_the_harness() {
    let Some(tools) = tools("after_a_panic_of_the_harness") else { return };
    let (send, receive) = std::sync::mpsc::channel();
    let result = std::thread::spawn(move || {
        Tasks::start().unwrap().drive(async {
            let mut vm = guest().start(&tools).await.unwrap();
            booted(&mut vm).await;
            send.send(vm.run_dir()).unwrap();
            panic!("on purpose, by the test after_a_panic_of_the_harness");
        })
    })
    .join();
    assert!(result.is_err());
    assert_gone(&receive.recv().unwrap());
}

#[tokio::test]
async fn after_the_supervisor_was_killed() {
    let Some(tools) = tools("after_the_supervisor_was_killed") else { return };
    let mut vm = guest().start(&tools).await.unwrap();
    booted(&mut vm).await;
    let run_dir = vm.run_dir();
    let qemu = vm.pid().unwrap();
    let pids = processes_of(&run_dir).into_iter().map(|path| path.file_name().unwrap().to_owned());
    let pids: Vec<u32> = pids.map(|name| name.to_str().unwrap().parse().unwrap()).collect();
    let supervisor = pids.into_iter().find(|pid| *pid != qemu).unwrap();
    kill(supervisor, Signal::KILL);
    let exit = vm.wait_exit(&wait("qemu's end")).await.unwrap();
    assert_eq!(exit, nlproof::vm::QemuExit::SupervisorDied);
    drop(vm);
    assert_gone(&run_dir);
}

#[test]
fn after_kill_9_of_the_harness() {
    let Some(_) = tools("after_kill_9_of_the_harness") else { return };
    let (mut harness, run_dir) = start_harness();
    kill(harness.id(), Signal::KILL);
    harness.wait().unwrap();
    assert_gone(&run_dir);
}

#[test]
fn after_ctrl_c() {
    let Some(_) = tools("after_ctrl_c") else { return };
    let (mut harness, run_dir) = start_harness();
    // A terminal signals the whole process group in its foreground.
    kill_process_group(pid(harness.id()), Signal::INT).unwrap();
    harness.wait().unwrap();
    assert_gone(&run_dir);
}

#[test]
fn the_supervisor_removes_nothing_but_run_directories() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nlproof"))
        .arg(SUPERVISE)
        .arg(dir.path())
        .args(["--", "true"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a run directory"));
    assert!(dir.path().exists());
}

/// Runs in a child of the tests above, with [`ROLE`] set: starts a VM, tells where it is, and waits to be
/// killed.
#[tokio::test]
#[ignore = "plays the harness that other tests kill"]
async fn a_harness_for_the_other_tests_to_kill() {
    assert!(std::env::var_os(ROLE).is_some(), "this is not a test by itself");
    let tools = tools(HELPER).unwrap();
    let mut vm = guest().start(&tools).await.unwrap();
    booted(&mut vm).await;
    println!("\nrun directory: {}", vm.run_dir().display());
    // Should nobody kill it, its standard input ends with the test that started it.
    std::io::stdin().lines().for_each(drop);
}

fn start_harness() -> (Child, PathBuf) {
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args([HELPER, "--exact", "--ignored", "--nocapture"])
        .env(ROLE, "harness")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(harness.stdout.take().unwrap()).lines();
    let run_dir = lines
        .find_map(|line| line.unwrap().strip_prefix("run directory: ").map(PathBuf::from))
        .expect("the harness tells its run directory");
    assert!(run_dir.exists());
    assert_eq!(processes_of(&run_dir).len(), 2, "supervisor and QEMU");
    (harness, run_dir)
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap()).unwrap()
}

fn kill(id: u32, signal: Signal) {
    kill_process(pid(id), signal).unwrap();
}
