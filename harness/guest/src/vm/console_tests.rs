// SPDX-License-Identifier: BSD-2-Clause
//! Console texts, written for these tests in the shapes that FreeBSD kernels print.

use proptest::prelude::*;

use super::*;

const BOOT: &str = "BTX loader 1.00  BTX version is 1.02\r\n\
    Consoles: serial port\r\n\
    FreeBSD/x86 bootstrap loader, Revision 3.0\r\n\
    \x1b[2J\x1b[5;3HLoading kernel...\r\n\
    ---<<BOOT>>---\r\n\
    Copyright (c) 1992-2023 The FreeBSD Project.\r\n\
    Trying to mount root from ufs:/dev/vtbd0p2 [rw]...\r\n\
    Starting sshd.\r\n\r\nFreeBSD/amd64 (proof) (ttyu0)\r\n\r\nlogin: ";

const PAGE_FAULT: &str = "\r\n\r\nFatal trap 12: page fault while in kernel mode\r\n\
    cpuid = 0; apic id = 00\r\n\
    fault virtual address\t= 0x18\r\n\
    current process\t\t= 812 (agent)\r\n\
    trap number\t\t= 12\r\n\
    panic: page fault\r\n\
    cpuid = 0\r\n\
    time = 1795400000\r\n\
    KDB: stack backtrace:\r\n\
    #0 0xffffffff80b9000d at kdb_backtrace+0x5d\r\n\
    #1 0xffffffff80b43002 at vpanic+0x132\r\n\
    #2 0xffffffff80b42003 at panic+0x43\r\n\
    #3 0xffffffff8100c00c at trap_fatal+0x40c\r\n\
    #4 0xffffffff8100c000 at calltrap+0x8\r\n\
    #5 0xffffffff80d11111 at dump_iface+0x91\r\n\
    #6 0xffffffff80d22222 at rtnl_handle_getlink+0x2c1\r\n\
    #7 0xffffffff80d33333 at nl_receive_message+0x104\r\n\
    Uptime: 31s\r\n\
    Automatic reboot in 15 seconds - press a key on the console to abort\r\n";

const DDB: &str = "panic: Assertion ifp != NULL failed at /usr/src/sys/net/if.c:77\r\n\
    cpuid = 1\r\n\
    KDB: stack backtrace:\r\n\
    db_trace_self_wrapper() at db_trace_self_wrapper+0x2b/frame 0xfffffe0084f9a0b0\r\n\
    vpanic() at vpanic+0x151/frame 0xfffffe0084f9a0f0\r\n\
    --- trap 0xc, rip = 0xffffffff80c0ffee, rsp = 0xfffffe0084f9a0f0 ---\r\n\
    modify_link() at modify_link+0x1aa/frame 0xfffffe0084f9a150\r\n\
    KDB: enter: panic\r\n\
    [ thread pid 12 tid 100077 ]\r\n\
    Stopped at      kdb_enter+0x37: movq    $0,0x1234(%rip)\r\n\
    db> ";

fn events(text: &str) -> Vec<ConsoleEvent> {
    Console::default().push(text.as_bytes())
}

#[test]
fn an_ordinary_boot_reaches_login() {
    use ConsoleEvent::{Kernel, Loader, Login};
    assert_eq!(events(BOOT), [Loader, Kernel, Login]);
}

#[test]
fn our_start_up_is_ready_or_names_the_step_that_failed() {
    assert_eq!(events("lo0: link state changed to UP\r\nnlproof: ready\r\n"), [ConsoleEvent::Ready]);
    let step = "ifconfig vtnet0 inet 10.0.2.15/24 up".to_owned();
    let failed = events(&format!("nlproof: failed: {step}\r\n"));
    assert_eq!(failed, [ConsoleEvent::StartUpFailed { step }]);
    // Behind what the kernel printed without ending its line.
    assert_eq!(events("vtnet0: link nlproof: ready\r\n"), [ConsoleEvent::Ready]);
    assert_eq!(events("nlproof: ready to fail\r\n"), []);
}

#[test]
fn a_page_fault_is_reported_with_trap_message_and_frames() {
    let events = events(PAGE_FAULT);
    let [ConsoleEvent::Panicking { message }, ConsoleEvent::Panicked(panic), ConsoleEvent::AutomaticReboot] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(message, "Fatal trap 12: page fault while in kernel mode");
    assert_eq!(panic.message, "page fault");
    assert_eq!(panic.trap.as_deref(), Some("Fatal trap 12: page fault while in kernel mode"));
    assert_eq!(panic.frames.len(), 8);
    assert_eq!(panic.fingerprint(), "page fault | dump_iface < rtnl_handle_getlink < nl_receive_message");
}

#[test]
fn a_debug_kernel_ends_at_the_debugger_prompt() {
    let events = events(DDB);
    let [ConsoleEvent::Panicking { .. }, ConsoleEvent::Panicked(panic), ConsoleEvent::Debugger] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(panic.fingerprint(), "Assertion ifp != NULL failed at sys/net/if.c:N | modify_link");
}

#[test]
fn texts_that_only_look_like_a_panic_are_ignored() {
    for line in [
        "debug.kdb.panic: 0 -> 1\n",
        "savecore: reboot after panic: page fault\n",
        "kern.panic_reboot_wait_time: 15\n",
        "Fatal trap door: see below\n",
        "Jan  1 sshd: no such login: \n",
        "OK ",
        "see db> ",
    ] {
        assert_eq!(events(line), [], "{line}");
    }
}

#[test]
fn a_panic_behind_a_half_written_line_is_seen() {
    assert_eq!(events("Starting devd.panic: oops\n"), [], "a word that goes on is not the kernel's message");
    assert_eq!(events("Starting devd: panic: oops\n"), [ConsoleEvent::Panicking { message: "oops".into() }]);
}

#[test]
fn a_second_boot_is_a_reboot_loop() {
    let twice = format!("{BOOT}\r\n{BOOT}");
    assert!(events(&twice).contains(&ConsoleEvent::RebootLoop));
    assert!(!events(BOOT).contains(&ConsoleEvent::RebootLoop));
}

#[test]
fn failed_boots_are_told_by_their_prompts() {
    let loader = "BTX loader 1.00\r\ncan't load 'kernel'\r\n\r\nOK ";
    assert_eq!(events(loader), [ConsoleEvent::Loader, ConsoleEvent::LoaderPrompt]);
    let serial = "Loading /boot/defaults/loader.conf\r\nLoading kernel...\r\ncan't load 'kernel'\r\n\r\nOK ";
    assert_eq!(events(serial), [ConsoleEvent::Loader, ConsoleEvent::LoaderPrompt]);
    let root = "---<<BOOT>>---\r\nMounting from ufs:/dev/vtbd0p2 failed with error 19.\r\n\r\nmountroot> ";
    assert_eq!(events(root), [ConsoleEvent::Kernel, ConsoleEvent::MountRoot]);
    let single = "Enter full pathname of shell or RETURN for /bin/sh: ";
    assert_eq!(events(single), [ConsoleEvent::SingleUser]);
}

#[test]
fn last_words_begin_with_the_panic_and_have_all_that_follows() {
    let words = |text: &str| {
        let mut console = Console::default();
        console.push(text.as_bytes());
        console.last_words().to_owned()
    };
    assert_eq!(words(BOOT), "");
    let fault = words(&format!("{BOOT}{PAGE_FAULT}"));
    assert!(fault.starts_with("Fatal trap 12: page fault"), "{fault}");
    assert!(fault.contains("fault virtual address\t= 0x18\n") && fault.contains("Uptime: 31s\n"), "{fault}");
    let script =
        "KDB: enter: panic\r\n[ thread pid 12 tid 100077 ]\r\ndb:0:kdb.enter.panic> ps\r\n  pid  ppid\r\n";
    let asked = words(&format!("{BOOT}{script}db> "));
    assert_eq!(asked, format!("login: {}", script.replace("\r\n", "\n")));
    // Of a script alone, its first command is the first line.
    assert_eq!(words("x\ndb:0:kdb.enter.default> bt\nTracing\n"), "db:0:kdb.enter.default> bt\nTracing\n");
    assert_eq!(words("db:0:lockinfo> show locks\ndb: a database\n"), "");
}

#[test]
fn the_tail_ends_with_the_line_that_has_not_ended() {
    let mut console = Console::default();
    for n in 0..100 {
        console.push(format!("line {n}\r\n").as_bytes());
    }
    console.push(b"db> ");
    let tail = console.tail();
    assert_eq!(tail.len(), TAIL_LINES + 1);
    assert_eq!(tail.first().map(String::as_str), Some("line 76"));
    assert_eq!(tail.last().map(String::as_str), Some("db> "));
}

proptest! {
    /// A text that arrives in two reads says the same as in one.
    #[test]
    fn a_split_text_is_found(cut in 0usize..PAGE_FAULT.len(), cut_ddb in 0usize..DDB.len()) {
        for (text, cut) in [(PAGE_FAULT, cut), (DDB, cut_ddb)] {
            let mut console = Console::default();
            let mut got = console.push(&text.as_bytes()[..cut]);
            got.extend(console.push(&text.as_bytes()[cut..]));
            prop_assert_eq!(got, events(text));
        }
    }
}
