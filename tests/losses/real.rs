// SPDX-License-Identifier: BSD-2-Clause
//! Real guests that are made to fail while vectors run in them. Needs release directories and ssh(1); what is not
//! there is skipped by name.

#[path = "../support/skip.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nlproof::matrix::{Cell, CellResult, CellStatus, Outcome, load_matrix};
use nlproof::targets::{
    Facts, Finish, FreebsdOptions, FreebsdTarget, MEMORY_MIB, STACKS, Start, Target, TargetError,
};
use nlproof::vector::compile;
use nlproof::vm::{Accelerator, Tools};
use nlproof_agent::{Batch, Body, Privilege, Program, Record, SocketOptions, Step};
use nlproof_guest::Tasks;
use nlproof_image::{Cache, CacheRoot, Dists};
use serde_json::json;

use crate::engine::{cell, run, vector, vectors};

/// What is done to a guest.
#[derive(Clone, Copy)]
enum Deed {
    /// A command in the guest, soon after the first vector.
    Command(&'static str),
    /// A signal to QEMU, after some vectors.
    Signal(&'static str),
    /// The network card's link goes down before the first vector.
    LinkDown,
}

/// A guest to which something is done while vectors run in it.
struct Victim {
    target: FreebsdTarget,
    deed: Option<Deed>,
    tasks: Tasks,
}

impl Target for Victim {
    fn facts(&self) -> &Facts {
        self.target.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let mut signal = None;
        match self.deed {
            None => {}
            Some(Deed::Signal(name)) => signal = Some((name, self.target.vm().pid().unwrap())),
            Some(Deed::LinkDown) => {
                let arguments = json!({ "name": "net0", "up": false });
                self.tasks.drive(self.target.vm().qmp().execute("set_link", arguments)).unwrap();
            }
            Some(Deed::Command(command)) => {
                let words = ["/bin/sh", "-c", command].map(str::to_owned);
                let mut ssh = self.target.login().unwrap().command(&words);
                ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                // It ends with the guest.
                drop(ssh.spawn().unwrap());
            }
        }
        let mut ended = 0;
        self.target.run(batch, &mut |record| {
            if matches!(record.body, nlproof_agent::Body::End { .. }) {
                ended += 1;
                if let Some((name, pid)) = signal.take_if(|_| ended == 20) {
                    let sent = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
                    assert!(sent.success());
                }
            }
            on_record(record);
        })
    }

    fn finish(&mut self) -> Finish {
        self.target.finish()
    }
}

/// How a guest of the release is run; `None`, said with the test's name, where it cannot be run.
pub(crate) fn options(test: &str, release: &str, directory: &Path) -> Option<FreebsdOptions> {
    let skip = |reason: String| support::say(&format!("skipped: {test}: {reason}"));
    let dists = Dists::from_env();
    if let Err(error) = dists.find(release) {
        skip(error.to_string());
        return None;
    }
    if let Err(error) = Tools::find(env!("CARGO_BIN_EXE_nlproof")) {
        skip(error.to_string());
        return None;
    }
    if Command::new("ssh").arg("-V").output().is_err() {
        skip("no ssh in $PATH".into());
        return None;
    }
    let root = CacheRoot::from_env().unwrap();
    let matrix = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/matrix.yaml");
    Some(FreebsdOptions {
        checkout: PathBuf::new(),
        instruction_clock: false,
        dists,
        cache: Cache::new(root.path()),
        state: root.path().to_owned(),
        own: Vec::new(),
        cache_limit: u64::MAX,
        accelerator: Accelerator::Auto,
        start: Start::Warm,
        stock_rc: false,
        modules: load_matrix(&matrix).unwrap().modules,
        demanded: vec![],
        cpus: 1,
        memory_mib: MEMORY_MIB,
        free_mib: 64,
        stacks: STACKS,
        patience_factor: 1.0,
        kernel_trace: false,
        console: Some(directory.join("console")),
        lost_console: None,
        translation_log: None,
        recording: None,
        supervisor: env!("CARGO_BIN_EXE_nlproof").into(),
        tasks: Tasks::start().unwrap(),
    })
}

/// Runs the suite with the first guest treated like that; `None`, said with the test's name, where it cannot be run.
#[allow(clippy::print_stdout, reason = "libtest shows it where the test fails")]
fn run_with(test: &str, release: &str, deed: Deed, directory: &Path) -> Option<CellResult> {
    let options = options(test, release, directory)?;
    let opened = AtomicUsize::new(0);
    // A kernel with a debugger is in no matrix; it is like the one that checks itself.
    let known = if release == WITH_DEBUGGER { "14.0-STABLE-DEBUG" } else { release };
    let cell = Cell { release: Some(release.parse().unwrap()), ..cell(&format!("freebsd/{known}/stock")) };
    let result = run(&cell, &vectors("link"), &|request, on_stage| {
        let first = opened.fetch_add(1, Ordering::SeqCst) == 0;
        let target = FreebsdTarget::open(request.cell.release.as_ref().unwrap(), &options, None, on_stage)?;
        Ok(Box::new(Victim { target, deed: first.then_some(deed), tasks: options.tasks.clone() }))
    });
    println!("{:?}", result.status);
    Some(result)
}

/// One guest is lost, in this way; one vector has no result, all others have passed. What the kernel said as it died, or
/// its threads; `None`: it could not be run.
fn one_vector_is_lost(
    test: &str,
    release: &str,
    deed: Deed,
    kind: &str,
    fingerprint: &str,
) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let result = run_with(test, release, deed, directory.path())?;
    let [lost] = result.losses.as_slice() else { panic!("{:?}", result.losses) };
    assert_eq!(lost.loss.kind, kind, "{}", lost.loss.text);
    assert!(lost.loss.fingerprint.starts_with(fingerprint), "{}", lost.loss.fingerprint);
    assert!(matches!(result.status, CellStatus::GuestFailed(_)), "{:?}", result.status);
    let as_ever = |outcome: &Outcome| match outcome {
        Outcome::Passed => true,
        Outcome::NotRun(reason) => reason.starts_with("is left out here"),
        _ => false,
    };
    let unlike: Vec<_> = result.vectors.iter().filter(|vector| !as_ever(&vector.outcome)).collect();
    let [inconclusive] = unlike.as_slice() else { panic!("{unlike:?}") };
    assert_eq!(inconclusive.id, lost.vector);
    assert!(matches!(inconclusive.outcome, Outcome::Inconclusive(_)), "{inconclusive:?}");
    let console = std::fs::read_to_string(directory.path().join("console")).unwrap();
    // Both guests': the lost one's and the one that went on.
    assert!(console.matches("nlproof: ready").count() >= 2, "{console}");
    let textdump = std::fs::read_to_string(directory.path().join("console.textdump")).unwrap_or_default();
    assert_eq!(textdump.is_empty(), !matches!(kind, "panicked" | "debugger" | "lost-ssh"), "{textdump}");
    Some(textdump)
}

/// A textdump has each of these.
fn tells(textdump: Option<String>, parts: &[&str]) {
    let Some(textdump) = textdump else { return };
    for part in parts {
        assert!(textdump.contains(part), "{part}: {textdump}");
    }
}

#[test]
fn a_panic_costs_one_vector() {
    let deed = Deed::Command("sleep 1; sysctl debug.kdb.panic=1");
    let fingerprint = "kdb_sysctl_panic | kdb_sysctl_panic < ";
    let test = "a_panic_costs_one_vector";
    let textdump = one_vector_is_lost(test, "14.0-STABLE", deed, "panicked", fingerprint);
    tells(textdump, &["panic: kdb_sysctl_panic\n", "KDB: stack backtrace:\n", "kdb_sysctl_panic+0x"]);
}

/// A release whose kernel has `options DDB`, as CURRENT's GENERIC has and a stable branch's has not.
const WITH_DEBUGGER: &str = "14.0-STABLE-DDB";

/// What a kernel with a debugger in it is asked before it restarts, or waits for a command.
const ASKED: [&str; 5] = ["show registers\n", "bt\n", "show pcpu\n", "ps\n", "alltrace\n"];

#[test]
fn a_panic_in_a_kernel_with_a_debugger_leaves_the_stacks_of_all_threads() {
    let deed = Deed::Command("sleep 1; sysctl debug.kdb.panic=1");
    let test = "a_panic_in_a_kernel_with_a_debugger_leaves_the_stacks_of_all_threads";
    let fingerprint = "kdb_sysctl_panic | kdb_sysctl_panic < ";
    let textdump = one_vector_is_lost(test, WITH_DEBUGGER, deed, "panicked", fingerprint);
    let asked = ASKED.map(|command| format!("db:0:kdb.enter.panic> {command}"));
    tells(textdump.clone(), &asked.each_ref().map(String::as_str));
    tells(
        textdump,
        &["panic: kdb_sysctl_panic\n", "Tracing command init pid 1 ", "db:0:kdb.enter.panic> reset\n"],
    );
}

#[test]
fn the_debuggers_prompt_costs_one_vector() {
    let deed = Deed::Command("sleep 1; sysctl debug.kdb.enter=1");
    let test = "the_debuggers_prompt_costs_one_vector";
    let textdump = one_vector_is_lost(test, WITH_DEBUGGER, deed, "debugger", "debugger");
    let asked = ASKED.map(|command| format!("db:0:kdb.enter.default> {command}"));
    tells(textdump.clone(), &asked.each_ref().map(String::as_str));
    tells(textdump, &["KDB: enter: sysctl debug.kdb.enter\n", "Tracing command init pid 1 "]);
}

#[test]
fn a_reboot_costs_one_vector() {
    let deed = Deed::Command("sleep 1; reboot -qn");
    one_vector_is_lost("a_reboot_costs_one_vector", "14.0-STABLE", deed, "reboot-loop", "reboot-loop");
}

#[test]
fn a_qemu_that_stands_still_costs_one_vector() {
    let test = "a_qemu_that_stands_still_costs_one_vector";
    let deed = Deed::Signal("-STOP");
    one_vector_is_lost(test, "14.0-STABLE", deed, "hung", "hung: an answer of qemu itself");
}

#[test]
fn a_killed_qemu_costs_one_vector() {
    let deed = Deed::Signal("-KILL");
    let test = "a_killed_qemu_costs_one_vector";
    one_vector_is_lost(test, "14.0-STABLE", deed, "qemu-failed", "qemu-failed: signal 9");
}

#[test]
fn a_link_that_goes_down_costs_one_vector() {
    let test = "a_link_that_goes_down_costs_one_vector";
    let textdump = one_vector_is_lost(test, "14.0-STABLE", Deed::LinkDown, "lost-ssh", "lost-ssh");
    // Nobody but the guest's memory can tell: each program sleeps, and where.
    let threads = [
        "nlproof-agent-",
        ") sleeps on accept: sched_switch < ",
        " < kern_accept4 < amd64_syscall < ",
        "\ninit (1) sleeps on wait: ",
        "\nintr (12, swi1: netisr 0) waits: ",
        "\nidle (11, idle: cpu0) runs\n",
    ];
    tells(textdump, &threads);
}

#[test]
fn a_killed_agent_costs_one_vector() {
    let deed = Deed::Command("sleep 1; pkill -KILL -P `pgrep -o nlproof-agent` nlproof-agent");
    let test = "a_killed_agent_costs_one_vector";
    one_vector_is_lost(test, "14.0-STABLE", deed, "agent-died", "agent-died: ");
}

#[test]
fn a_full_disk_is_told_and_costs_no_vector() {
    let test = "a_full_disk_is_told_and_costs_no_vector";
    let directory = tempfile::tempdir().unwrap();
    let deed = Deed::Command("dd if=/dev/zero of=/fill bs=1m");
    let Some(result) = run_with(test, "14.0-STABLE", deed, directory.path()) else { return };
    assert!(result.losses.is_empty(), "{:?}", result.losses);
    assert_eq!(result.counts().passed, result.vectors.len());
    let CellStatus::GuestFailed(reason) = &result.status else { panic!("{:?}", result.status) };
    assert!(reason.contains(": filesystem full"), "{reason}");
}

#[test]
fn a_kernel_that_waits_for_itself_is_lost_as_stated_and_says_where() {
    let (test, release) = ("a_kernel_that_waits_for_itself_is_lost_as_stated_and_says_where", "14.0-STABLE");
    let directory = tempfile::tempdir().unwrap();
    let Some(options) = options(test, release, directory.path()) else { return };
    let vector = vector("link/delete-promiscuous-vlan-on-vlan");
    let result = run(&cell("freebsd/14.0-STABLE/stock"), &[vector], &|request, on_stage| {
        let target = FreebsdTarget::open(request.cell.release.as_ref().unwrap(), &options, None, on_stage)?;
        Ok(Box::new(target))
    });
    let [lost] = result.vectors.as_slice() else { panic!("{result:?}") };
    let Outcome::Lost(how) = &lost.outcome else { panic!("{lost:?}") };
    let calls = "does not leave a call\n  in _sx_slock_hard\n  in vlan_ioctl\n  in ifpromisc\n  in vlan_unconfig_locked\n";
    assert!(how.contains(calls), "{how}");
    assert!(how.contains("\n  in rtnl_handle_dellink\n"), "{how}");
    assert_eq!(result.status, CellStatus::Passed);
}

/// What the network stack of a program holds before its first step.
fn interfaces_at_first(target: &mut FreebsdTarget, program: &Program) -> Vec<String> {
    let (mut first, mut begun, mut created) = (Vec::new(), false, false);
    let batch = Batch { programs: vec![program.clone()] };
    let run = target.run(&batch, &mut |record| match record.body {
        Body::Sent { .. } => begun = true,
        Body::Resolved { ifname, .. } if !begun => first.push(ifname),
        Body::Resolved { ifname, .. } => created |= ifname == "lo10",
        _ => {}
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(created, "the program creates an interface, which stays");
    first
}

/// Two connections to one restored guest: the stack that the first one used is still there.
#[test]
fn a_network_stack_is_taken_once() {
    let directory = tempfile::tempdir().unwrap();
    let release = "14.0-STABLE";
    let Some(options) = options("a_network_stack_is_taken_once", release, directory.path()) else { return };
    let mut target = FreebsdTarget::open(release, &options, None, &mut |_, _| ()).unwrap();
    let vectors = vectors("link");
    let vector = vectors.iter().find(|vector| vector.id == "link/create-lo").unwrap();
    let program = compile(vector, target.facts().os, 0).unwrap();
    for _ in 0..2 {
        assert_eq!(interfaces_at_first(&mut target, &program), ["lo0"]);
    }
}

/// A program that runs in the guest's own network stack, of one command.
fn outside(id: u32, script: &str) -> Program {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    Program {
        id,
        name: "outside".to_owned(),
        privilege: Privilege::Outside,
        socket: SocketOptions::default(),
        groups: vec![],
        cards: vec![],
        settings: vec![],
        steps: vec![Step::Exec { argv, limit_ms: 10_000 }],
        limit_ms: 20_000,
        kernel_trace: false,
    }
}

#[test]
fn that_another_program_has_the_kernels_lines_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (test, release) = ("that_another_program_has_the_kernels_lines_is_told", "14.0-STABLE");
    let Some(options) = options(test, release, directory.path()) else { return };
    let mut target = FreebsdTarget::open(release, &options, None, &mut |_, _| ()).unwrap();
    let programs = vec![
        outside(0, "true"),
        // With a process group of its own it outlives the program.
        outside(1, "set -m; sleep 1000 < /dev/klog > /dev/null 2>&1 & sleep 0.2"),
        outside(2, "true"),
    ];
    let mut told = Vec::new();
    let run = target.run(&Batch { programs }, &mut |record| match record.body {
        Body::ConsoleRead { .. } => told.push((record.program, None)),
        Body::NoConsole { errno, text } => told.push((record.program, Some((errno, text)))),
        _ => {}
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    const EBUSY: i32 = 16;
    let [(0, None), (1, Some((EBUSY, _))), (2, Some((EBUSY, text)))] = &told[..] else { panic!("{told:?}") };
    assert!(text.contains("/dev/klog cannot be opened") && text.contains("syslogd"), "{text}");
}
