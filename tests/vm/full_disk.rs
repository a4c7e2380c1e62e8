// SPDX-License-Identifier: BSD-2-Clause
//! A guest whose writes find no room on this machine.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::disk::on_small_disk;
use crate::support::{TinyGuest, say, tools, wait};
use nlproof::vm::{ConsoleEvent, DiskWrites, GuestFailure, RunDir, Then, Wait, Watch as _};

/// Set in the program that has the small disk: its directory.
const SMALL: &str = "NLPROOF_TEST_SMALL_DISK";

/// Writes its whole disk of 1 MiB through the BIOS, 32 KiB at a time, and halts.
const WRITER: [u8; 0x34] = [
    0x31, 0xc0, //                         7c00        xor ax, ax
    0x8e, 0xd8, //                         7c02        mov ds, ax
    0x8e, 0xd0, //                         7c04        mov ss, ax
    0xbc, 0x00, 0x7c, //                   7c06        mov sp, 0x7c00
    0xbe, 0x24, 0x7c, //                   7c09 next:  mov si, packet
    0xb8, 0x00, 0x43, //                   7c0c        mov ax, 0x4300
    0xcd, 0x13, //                         7c0f        int 0x13           ; extended write
    0x83, 0x06, 0x2c, 0x7c, 0x40, //       7c11        add word [packet + 8], 64
    0x81, 0x3e, 0x2c, 0x7c, 0x00, 0x08, // 7c16        cmp word [packet + 8], 2048
    0x72, 0xeb, //                         7c1c        jb next
    0xf4, //                               7c1e halt:  hlt
    0xeb, 0xfd, //                         7c1f        jmp halt
    0x90, 0x90, 0x90, //                   7c21
    0x10, 0x00, 0x40, 0x00, //             7c24 packet: 16 bytes, 64 sectors
    0x00, 0x80, 0x00, 0x00, //             7c28        from 0000:8000
    0, 0, 0, 0, 0, 0, 0, 0, //             7c2c        to sector 0
];

/// Has a test of this program run again with a temporary directory of 1 MiB; whether this is that run.
fn has_small_disk(test: &str) -> bool {
    if std::env::var_os(SMALL).is_some() {
        return true;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &format!("full_disk::{test}"), "--nocapture"]);
    again.env(SMALL, directory.path()).env("TMPDIR", directory.path()).env_remove("XDG_RUNTIME_DIR");
    match on_small_disk(&again, directory.path(), 1024, ("", "")) {
        Ok(mut command) => {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        }
        Err(why) => say(&format!("skipped: {test}: no small disk: {why}")),
    }
    false
}

#[tokio::test]
async fn a_write_that_finds_no_room_is_an_outcome_with_a_name() {
    let test = "a_write_that_finds_no_room_is_an_outcome_with_a_name";
    let Some(tools) = tools(test) else { return };
    if !has_small_disk(test) {
        return;
    }
    let mut guest = TinyGuest::new("", Then::Halt);
    let disk = guest.dir().join("writer.raw");
    let mut sector = [0; 512];
    sector[..WRITER.len()].copy_from_slice(&WRITER);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut file = File::create(&disk).unwrap();
    file.write_all(&sector).unwrap();
    // A hole: it takes no room.
    file.set_len(1024 * 1024).unwrap();
    guest.config.raw_disk(disk, DiskWrites::Discard);
    let mut vm = guest.start(&tools).await.unwrap();
    let failure = vm.wait_for(&wait("login"), |event| *event == ConsoleEvent::Login).await.unwrap_err();
    assert_eq!(failure.kind(), "host-disk-full", "{failure}");
    assert_eq!(failure.fingerprint(), "host-disk-full");
    let small = std::env::var(SMALL).unwrap();
    let told = failure.to_string();
    for part in ["write: No space left on device", &small, "bytes free; make room", "TMPDIR"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(vm.check().await, Err(failure), "a dead guest stays dead");
}

#[tokio::test]
async fn a_hang_beside_a_full_disk_is_told_as_one() {
    let test = "a_hang_beside_a_full_disk_is_told_as_one";
    let Some(tools) = tools(test) else { return };
    if !has_small_disk(test) {
        return;
    }
    let guest = TinyGuest::new("Starting devd.\r\n", Then::Halt);
    let mut vm = guest.start(&tools).await.unwrap();
    let login = Wait::new("login", Duration::from_millis(300));
    let failure = vm.wait_for(&login, |event| *event == ConsoleEvent::Login).await.unwrap_err();
    let GuestFailure::HostDisk(disk) = &failure else { panic!("{failure}") };
    assert!(disk.full && disk.what.contains("login"), "{failure}");
}

#[test]
fn a_run_directory_is_made_where_there_is_room() {
    let test = "a_run_directory_is_made_where_there_is_room";
    if !has_small_disk(test) {
        return;
    }
    let small = std::env::var(SMALL).unwrap();
    // /tmp itself may be as small: then its reason stands beside.
    match RunDir::create() {
        Ok(dir) => assert!(!dir.path().starts_with(&small), "{}", dir.path().display()),
        Err(error) => assert!(error.to_string().contains("not enough space"), "{error}"),
    }
}
