// SPDX-License-Identifier: BSD-2-Clause
//! A real QEMU with a guest of one sector: console, outcomes, waits, control socket, ports.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{LIMIT, TinyGuest, assert_gone, tools, wait};
use nlproof::vm::{
    AcceleratorKind, ConsoleEvent, GuestFailure, HostPort, Patience, QemuExit, QmpEvent, Then, Vm, VmConfig,
    VmError, Wait, Watch, debug_exit_status,
};

const LOGIN: &str = "FreeBSD/amd64 (tiny) (ttyu0)\r\n\r\nlogin: ";

// Short: guest and text share a sector.
const PANIC: &str = "The FreeBSD Project.\r\n\nFatal trap 12: page fault while in kernel mode\r\n\
    panic: page fault\r\ncpuid = 0\r\nKDB: stack backtrace:\r\n\
    #0 0xffffffff80b43000 at vpanic+0x132\r\n\
    #1 0xffffffff80d11000 at dump_iface+0x91\r\n\
    #2 0xffffffff80d22000 at nl_receive+0x2c1\r\n\
    Uptime: 3s\r\n";

fn is_login(event: &ConsoleEvent) -> bool {
    *event == ConsoleEvent::Login
}

#[tokio::test]
async fn a_guest_boots_and_its_console_is_kept() {
    let Some(tools) = tools("a_guest_boots_and_its_console_is_kept") else { return };
    let mut guest = TinyGuest::new(LOGIN, Then::Halt);
    let log = guest.dir().join("reports, serial.log");
    fs::write(&log, "an earlier boot: panic: old news\r\n").unwrap();
    guest.config.serial_log(&log);
    let mut vm = guest.start(&tools).await.unwrap();
    assert_eq!(vm.wait_for(&wait("login"), is_login).await.unwrap(), ConsoleEvent::Login);
    assert_eq!(vm.check().await, Ok(()));
    assert_eq!(vm.qmp().status().await.unwrap(), "running");
    let run_dir = vm.run_dir();
    drop(vm);
    assert_gone(&run_dir);
    let kept = fs::read_to_string(&log).unwrap();
    assert!(kept.starts_with("an earlier boot"), "appended, not overwritten: {kept:?}");
    assert!(kept.ends_with(LOGIN), "{kept:?}");
}

#[tokio::test]
async fn a_panic_is_an_outcome_with_fingerprint() {
    let Some(tools) = tools("a_panic_is_an_outcome_with_fingerprint") else { return };
    let guest = TinyGuest::new(PANIC, Then::Halt);
    let mut vm = guest.start(&tools).await.unwrap();
    let failure = vm.wait_for(&wait("login"), is_login).await.unwrap_err();
    let GuestFailure::Panicked(panic) = &failure else { panic!("{failure}") };
    assert_eq!(panic.fingerprint(), "page fault | dump_iface < nl_receive");
    assert_eq!(vm.check().await, Err(failure), "a dead guest stays dead");
}

/// Not a kernel's: the words of one with ddb(4), in the order in which it says them.
#[tokio::test]
async fn what_a_debugger_tells_of_a_panic_is_kept_to_its_end() {
    let Some(tools) = tools("what_a_debugger_tells_of_a_panic_is_kept_to_its_end") else { return };
    let said = "panic: page fault\r\nKDB: stack backtrace:\r\n#0 0xffffffff80b43000 at vpanic+0x132\r\n\
        KDB: enter: panic\r\ndb:0:kdb.enter.panic> bt\r\nTracing pid 12\r\ndb:0:kdb.enter.panic> ps\r\n\
        pid ppid\r\ndb:0:kdb.enter.panic> reset\r\n";
    for then in [Then::Reset, Then::Halt] {
        let end = if then == Then::Halt { "db> " } else { "" };
        let mut guest = TinyGuest::new(&format!("The FreeBSD Project.\r\n{said}{end}"), then);
        let textdump = guest.dir().join("textdump");
        fs::write(&textdump, "an earlier one\n").unwrap();
        guest.config.textdump(&textdump);
        let mut vm = guest.start(&tools).await.unwrap();
        let failure = vm.wait_for(&wait("login"), is_login).await.unwrap_err();
        assert_eq!(failure.kind(), "panicked");
        let kept = fs::read_to_string(&textdump).unwrap();
        assert_eq!(kept, format!("an earlier one\n{}\n", said.replace("\r\n", "\n")));
    }
}

#[tokio::test]
async fn a_panic_followed_by_a_reset_is_still_a_panic() {
    let Some(tools) = tools("a_panic_followed_by_a_reset_is_still_a_panic") else { return };
    let guest = TinyGuest::new(PANIC, Then::Reset);
    let mut vm = guest.start(&tools).await.unwrap();
    vm.wait_exit(&wait("the reset")).await.unwrap();
    assert_eq!(vm.check().await.unwrap_err().kind(), "panicked");
}

#[tokio::test]
async fn a_hang_ends_in_a_named_wait_with_the_last_console_lines() {
    let Some(tools) = tools("a_hang_ends_in_a_named_wait_with_the_last_console_lines") else { return };
    let guest = TinyGuest::new("Starting devd.\r\n", Then::Halt);
    let mut vm = guest.start(&tools).await.unwrap();
    // Not part of the wait below: the guest's text is on the console first.
    let started = Instant::now();
    while vm.console_tail() != ["Starting devd."] {
        vm.check().await.unwrap();
        assert!(started.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let failure = vm.wait_for(&Wait::new("login", Duration::from_millis(300)), is_login).await.unwrap_err();
    let GuestFailure::Hung(expired) = &failure else { panic!("{failure}") };
    assert_eq!(expired.name, "login");
    assert_eq!(expired.limit, Duration::from_millis(300));
    assert!(expired.elapsed >= expired.limit && expired.elapsed < LIMIT, "{expired}");
    assert_eq!(expired.console, ["Starting devd."]);
}

#[tokio::test]
async fn a_guest_that_prints_without_end_cannot_outlast_a_wait() {
    let Some(tools) = tools("a_guest_that_prints_without_end_cannot_outlast_a_wait") else { return };
    let guest = TinyGuest::new("working on it ", Then::Repeat);
    let mut vm = guest.start(&tools).await.unwrap();
    let started = Instant::now();
    let failure = vm.wait_for(&Wait::new("login", Duration::from_millis(500)), is_login).await.unwrap_err();
    assert_eq!(failure.kind(), "hung");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_reset_without_a_panic_is_a_reboot() {
    let Some(tools) = tools("a_reset_without_a_panic_is_a_reboot") else { return };
    let guest = TinyGuest::new("Starting devd.\r\n", Then::Reset);
    let mut vm = guest.start(&tools).await.unwrap();
    let failure = vm.wait_for(&wait("login"), is_login).await.unwrap_err();
    assert_eq!(failure, GuestFailure::RebootLoop { console: vec!["Starting devd.".into()] });
}

#[tokio::test]
async fn qemus_own_end_is_no_guests_fault() {
    let Some(tools) = tools("qemus_own_end_is_no_guests_fault") else { return };
    let mut guest = TinyGuest::new("bye\r\n", Then::DebugExit(3));
    guest.config.debug_exit(true);
    let mut vm = guest.start(&tools).await.unwrap();
    let exit = vm.wait_exit(&wait("qemu's end")).await.unwrap();
    assert_eq!(exit, QemuExit::Code(debug_exit_status(3)));
    assert_eq!(vm.check().await.unwrap_err().kind(), "qemu-failed");
    let copy = guest.dir().join("copy.log");
    vm.copy_serial_log(&copy).unwrap();
    assert_eq!(fs::read_to_string(copy).unwrap(), "bye\r\n");
}

#[tokio::test]
async fn qmp_stops_continues_and_quits() {
    let Some(tools) = tools("qmp_stops_continues_and_quits") else { return };
    let guest = TinyGuest::new(LOGIN, Then::Halt);
    let mut vm = guest.start(&tools).await.unwrap();
    vm.qmp().stop().await.unwrap();
    assert_eq!(vm.qmp().status().await.unwrap(), "paused");
    vm.qmp().cont().await.unwrap();
    assert_eq!(vm.qmp().events(), [QmpEvent::Resume, QmpEvent::Stop, QmpEvent::Resume]);
    assert!(vm.qmp().human("info status", LIMIT).await.unwrap().contains("running"));
    let error = vm.qmp().execute("no-such-command", serde_json::json!({})).await.unwrap_err();
    assert!(error.to_string().contains("no-such-command"), "{error}");
    let run_dir = vm.run_dir();
    assert_eq!(vm.quit().await.unwrap(), QemuExit::Code(0));
    assert_gone(&run_dir);
}

#[tokio::test]
async fn two_vms_at_once_get_ports_of_their_own() {
    let Some(tools) = tools("two_vms_at_once_get_ports_of_their_own") else { return };
    let mut guest = TinyGuest::new(LOGIN, Then::Halt);
    guest.config.ssh(HostPort::Any);
    let (a, b) = tokio::join!(guest.start(&tools), guest.start(&tools));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.ssh_port().is_some() && a.ssh_port() != b.ssh_port(), "{:?} {:?}", a.ssh_port(), b.ssh_port());
    assert_ne!(a.run_dir(), b.run_dir());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let Some(tools) = tools("a_taken_port_is_named") else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut guest = TinyGuest::new(LOGIN, Then::Halt);
    guest.config.ssh(HostPort::Fixed(port));
    match guest.start(&tools).await {
        Err(VmError::PortTaken { port: named }) => assert_eq!(named, port),
        other => panic!("{other:?}"),
    }
    drop(taken);
    let vm = guest.start(&tools).await.unwrap();
    assert_eq!(vm.ssh_port(), Some(port));
}

#[tokio::test]
async fn a_qemu_that_cannot_start_says_why() {
    let Some(tools) = tools("a_qemu_that_cannot_start_says_why") else { return };
    let mut config = VmConfig::default();
    config.raw_disk("/nonexistent/disk.raw", nlproof::vm::DiskWrites::Discard);
    match Vm::start(&config, AcceleratorKind::Tcg, &tools, &Patience::default()).await {
        Err(VmError::Qemu { exit: QemuExit::Code(1), stderr }) => {
            assert!(stderr.contains("/nonexistent/disk.raw"), "{stderr}");
        }
        other => panic!("{other:?}"),
    }
    let mut absent = tools;
    absent.qemu = "/nonexistent/qemu".into();
    match Vm::start(&VmConfig::default(), AcceleratorKind::Tcg, &absent, &Patience::default()).await {
        Err(VmError::Qemu { stderr, .. }) => assert!(stderr.contains("/nonexistent/qemu"), "{stderr}"),
        other => panic!("{other:?}"),
    }
}
