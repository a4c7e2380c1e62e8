// SPDX-License-Identifier: BSD-2-Clause
//! Exported images of small releases, with the real `makefs`.

use std::{fs, path::Path, process::Command};

use tokio_util::sync::CancellationToken;

use nlproof_image::{
    AuthorizedKeys, Console, ExportOptions, Exported, Format, GuestKeys, ImageError, LoaderModule, QemuImg,
    ReleaseDir, Sha256, export,
};
use tar::EntryType;

use crate::synthetic::{BASE, Entry, KERNEL, Place, have_makefs, skipped, txz};

const SSHD: Entry<'static> =
    ("./etc/ssh/sshd_config", EntryType::Regular, 0o644, 0, b"# stock\nSubsystem sftp /x\n");

fn release(place: &Place) -> ReleaseDir {
    let base: Vec<Entry<'_>> = BASE.iter().copied().chain([SSHD]).collect();
    place.release(&txz(&base), &txz(KERNEL))
}

/// The user's keys, and a line of them.
fn keys(place: &Place) -> (AuthorizedKeys, String) {
    let path = place.path().join("id.pub");
    if !path.exists() {
        fs::write(&path, GuestKeys::generate().unwrap().host_public().unwrap() + "\n").unwrap();
    }
    let line = fs::read_to_string(&path).unwrap();
    (AuthorizedKeys::read(&[path]).unwrap(), line.trim().to_owned())
}

fn options<'a>(place: &Place, release: &'a ReleaseDir) -> ExportOptions<'a> {
    ExportOptions {
        release,
        kernel: None,
        module: None,
        hostname: "away.example".into(),
        user: "root".into(),
        keys: keys(place).0,
        console: Console::Both,
        small: false,
        size: Some(256 << 20),
    }
}

fn run(place: &Place, name: &str, options: &ExportOptions<'_>) -> Result<Exported, ImageError> {
    let dir = place.path().join(name);
    fs::create_dir(&dir).unwrap();
    export(options, &dir, &CancellationToken::new(), &mut |_| {})
}

fn holds(disk: &Path, what: &str) -> bool {
    let bytes = fs::read(disk).unwrap();
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[test]
fn an_exported_image_is_the_release_with_the_users_keys_and_nothing_of_ours() {
    let test = "an_exported_image_is_the_release_with_the_users_keys_and_nothing_of_ours";
    if !have_makefs(test) {
        return;
    }
    let place = Place::new();
    let release = release(&place);
    let module = LoaderModule {
        name: "ours".into(),
        bytes: b"the module's bytes".to_vec(),
        settings: "ours.mode=\"observe\"\n".into(),
    };
    let wanted = ExportOptions { module: Some(module), ..options(&place, &release) };
    let exported = run(&place, "a", &wanted).unwrap();
    let line = keys(&place).1;
    for what in [
        line.as_str(),
        "hostname=\"away.example\"",
        "ifconfig_DEFAULT=\"SYNCDHCP\"",
        "growfs_enable=\"YES\"",
        "PermitRootLogin prohibit-password",
        "Subsystem sftp /x",
        "the module's bytes",
        "ours_load=\"YES\"\nours.mode=\"observe\"",
        "/dev/gpt/rootfs",
        "boot_multicons=\"YES\"",
        // The stock start-up and what guests of ours go without.
        "left out",
    ] {
        assert!(holds(&exported.disk, what), "{what}");
    }
    for what in ["PRIVATE KEY", "10.0.2.15", "nlproof: ready", "nlproof-seed", "nlproof-agent"] {
        assert!(!holds(&exported.disk, what), "{what}");
    }
    let files: Vec<&str> = exported.inputs.iter().map(|input| input.file.as_str()).collect();
    assert_eq!(files, ["base.txz", "kernel.txz", "ours.ko"]);
    assert_eq!(exported.inputs[2].sha256, Sha256::of(b"the module's bytes"));
    assert_eq!(exported.disk_bytes, 256 << 20);
    let table = gpt::GptConfig::new().only_valid_headers(true).open(&exported.disk).unwrap();
    assert!(table.backup_header().is_ok(), "the backup stands at the end of the larger disk");
    assert_eq!(table.partitions()[&2].name, "rootfs");

    let again = run(&place, "b", &wanted).unwrap();
    assert_eq!(again.disk_sha256, exported.disk_sha256);
    assert!(fs::read(&again.disk).unwrap() == fs::read(&exported.disk).unwrap());
    let other = run(&place, "c", &ExportOptions { hostname: "b".into(), ..wanted }).unwrap();
    assert_ne!(other.disk_sha256, exported.disk_sha256);
}

#[test]
fn another_user_is_made_at_the_first_boot_and_a_small_image_leaves_things_out() {
    let test = "another_user_is_made_at_the_first_boot_and_a_small_image_leaves_things_out";
    if !have_makefs(test) {
        return;
    }
    let place = Place::new();
    let release = release(&place);
    let wanted = ExportOptions {
        user: "ada".into(),
        small: true,
        console: Console::Video,
        ..options(&place, &release)
    };
    let disk = run(&place, "a", &wanted).unwrap().disk;
    assert!(holds(&disk, "user=ada\n") && holds(&disk, "PermitRootLogin no\n"));
    assert!(!holds(&disk, "left out") && !holds(&disk, "comconsole"));

    let error = run(&place, "b", &ExportOptions { size: Some(1 << 20), ..wanted }).unwrap_err();
    assert!(matches!(error, ImageError::TooSmall { wanted: 1_048_576, .. }), "{error}");
}

#[test]
fn qcow2_and_boxes_are_the_same_every_time_and_hold_the_disk() {
    let test = "qcow2_and_boxes_are_the_same_every_time_and_hold_the_disk";
    let path = std::env::var_os("PATH");
    let tool = match QemuImg::for_format(Format::Qcow2, path.as_deref()) {
        Ok(Some(tool)) => tool,
        _ => return skipped(test, "no qemu-img"),
    };
    let place = Place::new();
    let disk = place.path().join("disk");
    fs::write(&disk, [7; 1 << 20]).unwrap();
    let none = CancellationToken::new();
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Raw) {
        let [one, two] = ["one", "two"].map(|name| place.path().join(format!("{name}-{format}")));
        for file in [&one, &two] {
            tool.convert(&disk, format, "root", file, &none).unwrap();
        }
        if format.is_reproducible() {
            assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap(), "{format}");
        }
    }
    let raw = place.path().join("raw");
    let status = Command::new("qemu-img")
        .args(["convert", "-f", "qcow2", "-O", "raw"])
        .args([place.path().join("one-qcow2"), raw.clone()])
        .status();
    assert!(status.unwrap().success());
    assert!(fs::read(raw).unwrap() == fs::read(disk).unwrap());
}

/// What Vagrant itself makes of a box.
#[test]
fn vagrant_adds_a_box() {
    let test = "vagrant_adds_a_box";
    let there = Command::new("vagrant").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return skipped(test, "no vagrant here");
    }
    let path = std::env::var_os("PATH");
    let tool = match QemuImg::for_format(Format::Box, path.as_deref()) {
        Ok(Some(tool)) => tool,
        _ => return skipped(test, "no qemu-img"),
    };
    let place = Place::new();
    let (disk, file) = (place.path().join("disk"), place.path().join("x.box"));
    fs::write(&disk, [7; 1 << 20]).unwrap();
    tool.convert(&disk, Format::Box, "root", &file, &CancellationToken::new()).unwrap();
    let output = Command::new("vagrant")
        .args(["box", "add", "--name", "nlproof-test", "--provider", "libvirt"])
        .arg(&file)
        .env("VAGRANT_HOME", place.path().join("vagrant"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
