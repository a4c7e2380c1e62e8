// SPDX-License-Identifier: BSD-2-Clause
//! Whole builds of small releases, with the real `makefs`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Barrier,
    thread,
};

use nlproof_image::{BuildOptions, ImageError, Sha256, Stage, build};
use tar::EntryType;
use tokio_util::sync::CancellationToken;

use crate::synthetic::{BASE, Entry, KERNEL, Place, have_makefs, run, skipped, small, tar, txz, xz};

#[test]
fn an_image_holds_what_went_into_it() {
    if !have_makefs("an_image_holds_what_went_into_it") {
        return;
    }
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    let mut stages = Vec::new();
    let image = build(&release, &small(), &place.cache(), &CancellationToken::new(), &mut |progress| {
        assert!(progress.bytes_total == 0 || progress.bytes_done <= progress.bytes_total, "{progress:?}");
        if progress.bytes_done == progress.bytes_total {
            stages.push(progress.stage);
        }
    })
    .unwrap();
    stages.dedup();
    for stage in [Stage::Base, Stage::Kernel, Stage::Configure, Stage::Filesystem, Stage::Assemble] {
        assert!(stages.contains(&stage), "{stage} did not come to its end: {stages:?}");
    }

    assert!(!image.cached);
    assert_eq!(image.info.release, "14.0-TEST");
    assert_eq!(image.info.freebsd_version, Some(1_400_507));
    assert_eq!(image.info.kernel.version, "FreeBSD 14.0-STABLE #0: now");
    assert_eq!(image.info.kernel.sha256, Sha256::of(KERNEL[1].4));
    assert_eq!(image.info.inputs[0].sha256, release.manifest.entry("base.txz").unwrap().sha256);
    assert_eq!(image.info.disk_bytes, fs::metadata(image.disk()).unwrap().len());
    let mut files: Vec<_> = fs::read_dir(&image.dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["disk.raw", "image.json"]);

    let table = gpt::GptConfig::new().only_valid_headers(true).open(image.disk()).unwrap();
    let root = &table.partitions()[&2];
    assert_eq!(root.name, "nlproof-root");
    let bytes = fs::read(image.disk()).unwrap();
    let root = &bytes[usize::try_from(root.first_lba * 512).unwrap()..];
    // FS_UFS1_MAGIC at the end of the superblock, which begins at 8 KiB.
    assert_eq!(root[8192 + 1372..8192 + 1376], 0x0001_1954_u32.to_le_bytes());
    let holds = |what: &[u8]| root.windows(what.len()).any(|window| window == what);
    assert!(holds(b"[ has a name that mtree must not take"));
    assert!(holds(b"nlproof: ready") && holds(b"if_epair_load=\"YES\""));
    assert!(!holds(b"left out") && !holds(b"if_bridge"));
    assert!(!holds(b"PRIVATE KEY") && !holds(b"ssh-ed25519 "), "keys come to a guest on its seed disk");
    assert_eq!(image.info.disk_sha256, Sha256::of(&bytes));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    if !have_makefs("the_same_inputs_give_the_same_bytes") {
        return;
    }
    // Two caches that know nothing of each other, as on two machines.
    let build = || {
        let place = Place::new();
        let release = place.release(&txz(BASE), &txz(KERNEL));
        let image = run(&release, &small(), &place.cache()).unwrap();
        (image.key(), image.info.disk_sha256, fs::read(image.disk()).unwrap())
    };
    let ((key, digest, bytes), again) = (build(), build());
    assert_eq!((&key, digest), (&again.0, again.1));
    let differs = bytes.iter().zip(&again.2).position(|(a, b)| a != b);
    assert_eq!((bytes.len(), differs), (again.2.len(), None));
}

#[test]
fn a_second_build_is_found_and_other_inputs_are_not() {
    if !have_makefs("a_second_build_is_found_and_other_inputs_are_not") {
        return;
    }
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    let first = run(&release, &small(), &place.cache()).unwrap();
    // Neither the archives nor makefs are looked at again.
    fs::remove_file(release.path.join("base.txz")).unwrap();
    let no_makefs = BuildOptions { makefs: Some(PathBuf::from("/nonexistent")), ..small() };
    let second = run(&release, &no_makefs, &place.cache()).unwrap();
    assert!(second.cached);
    assert_eq!((second.dir, second.info), (first.dir.clone(), first.info.clone()));

    let release = place.release(&txz(BASE), &txz(KERNEL));
    let stock = run(&release, &BuildOptions { stock_rc: true, ..small() }, &place.cache()).unwrap();
    assert_ne!(stock.dir, first.dir);
    let mut list = place.cache().list().unwrap();
    list.sort_by_key(|entry| entry.image.info.stock_rc);
    assert_eq!(list.len(), 2);
    assert_eq!((&list[0].image.info, &list[1].image.info), (&first.info, &stock.info));
    assert!(list[0].bytes > 0 && list[0].bytes < first.info.disk_bytes);

    // An image that was damaged is built again.
    fs::write(first.disk(), "").unwrap();
    assert!(!run(&release, &small(), &place.cache()).unwrap().cached);
    assert_eq!(fs::metadata(first.disk()).unwrap().len(), first.info.disk_bytes);
}

#[test]
fn two_builds_at_once_give_one_image() {
    if !have_makefs("two_builds_at_once_give_one_image") {
        return;
    }
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    let start = Barrier::new(2);
    let build = || {
        start.wait();
        run(&release, &small(), &place.cache()).unwrap()
    };
    let images = thread::scope(|scope| {
        let other = scope.spawn(build);
        [build(), other.join().unwrap()]
    });
    assert_eq!(images[0].info, images[1].info);
    assert_eq!(images.iter().filter(|image| !image.cached).count(), 1);
    assert_eq!(place.cached().len(), 1);
}

#[test]
fn cancelling_in_any_stage_leaves_nothing() {
    if !have_makefs("cancelling_in_any_stage_leaves_nothing") {
        return;
    }
    for stage in [Stage::Base, Stage::Configure, Stage::Filesystem, Stage::Assemble] {
        let place = Place::new();
        let release = place.release(&txz(BASE), &txz(KERNEL));
        let cancel = CancellationToken::new();
        // A makefs that would run for ever has to be ended.
        let hangs = (stage == Stage::Filesystem).then(|| hanging_makefs(place.path()));
        let options = BuildOptions { makefs: hangs, ..small() };
        let result = build(&release, &options, &place.cache(), &cancel, &mut |progress| {
            if progress.stage == stage {
                cancel.cancel();
            }
        });
        assert!(matches!(result, Err(ImageError::Cancelled)), "{stage}: {result:?}");
        assert_eq!(place.cached(), Vec::<String>::new(), "{stage}");
    }
}

fn hanging_makefs(dir: &Path) -> PathBuf {
    let script = dir.join("makefs");
    fs::write(&script, "#!/bin/sh\nexec tail -f /dev/null\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

fn root_file(mut header: tar::Header) -> tar::Header {
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[test]
fn long_names_and_sparse_files_arrive_whole() {
    if !have_makefs("long_names_and_sparse_files_arrive_whole") {
        return;
    }
    let place = Place::new();
    let long = format!("usr/libexec/{}/{}/file", "d".repeat(120), "e".repeat(90));
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = root_file(tar::Header::new_gnu());
    header.set_size(15);
    archive.append_data(&mut header, &long, &b"at the long way"[..]).unwrap();
    // bsdtar's form: the map is part of the data, and the name and size are in the pax header.
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"./var/sparse"),
        ("GNU.sparse.realsize", b"200000"),
    ];
    archive.append_pax_extensions(records).unwrap();
    let mut data = b"2\n0\n10\n131072\n10\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"first dataother data");
    let mut header = root_file(tar::Header::new_ustar());
    header.set_size(data.len() as u64);
    archive.append_data(&mut header, "var/GNUSparseFile.0/sparse", &data[..]).unwrap();
    // The end mark of the first archive goes: what follows is part of the same one.
    let mut base = tar(BASE);
    base.truncate(base.len() - 1024);
    base.extend_from_slice(&archive.into_inner().unwrap());

    let release = place.release(&xz(&base), &txz(KERNEL));
    let bytes = fs::read(run(&release, &small(), &place.cache()).unwrap().disk()).unwrap();
    let find = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    assert!(find(b"at the long way").is_some());
    assert!(find("e".repeat(90).as_bytes()).is_some() && find(b"GNUSparseFile").is_none());
    let (first, other) = (find(b"first data\0"), find(b"other data\0"));
    assert!(first.is_some_and(|at| at % 4096 == 0) && other.is_some_and(|at| at % 4096 == 0));
}

#[test]
fn a_hard_link_to_something_left_out_gets_its_contents() {
    if !have_makefs("a_hard_link_to_something_left_out_gets_its_contents") {
        return;
    }
    let place = Place::new();
    let more: [Entry<'_>; 3] = [
        ("./usr/share/games/fortune", EntryType::Regular, 0o555, 0, b"contents by another name"),
        ("./bin/fortune", EntryType::Link, 0o555, 0, b"./usr/share/games/fortune"),
        ("./bin/cookie", EntryType::Link, 0o555, 0, b"./usr/share/games/fortune"),
    ];
    let base: Vec<Entry<'_>> = BASE.iter().copied().chain(more).collect();
    let release = place.release(&txz(&base), &txz(KERNEL));
    let image = run(&release, &small(), &place.cache()).unwrap();
    let bytes = fs::read(image.disk()).unwrap();
    let what = b"contents by another name";
    let copies = bytes.windows(what.len()).filter(|window| window == what).count();
    assert_eq!(copies, 1, "the two links are one file");
}

/// A cache on a file system of two megabytes, mounted where nobody else sees it.
#[test]
fn a_disk_too_full_is_said_with_both_numbers() {
    let test = "images::a_disk_too_full_is_said_with_both_numbers";
    const PLACE: &str = "NLPROOF_IMAGE_TEST_SMALL_DISK";
    let place = Place::new();
    if let Some(small_disk) = std::env::var_os(PLACE) {
        let release = place.release(&txz(BASE), &txz(KERNEL));
        let cache = nlproof_image::Cache::new(Path::new(&small_disk));
        let error = run(&release, &BuildOptions { free_mib: 100, ..small() }, &cache).unwrap_err();
        assert!(
            matches!(error, ImageError::DiskFull { needed: 104_857_600.., free: 1..2_097_153, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("make room"), "{error}");
        return;
    }
    let script = "mount -t tmpfs -o size=2m none \"$0\" || exit 77; exec \"$1\" --exact \"$2\"";
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(place.path())
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(PLACE, place.path())
        .status();
    match status {
        Ok(status) if matches!(status.code(), Some(1 | 77)) => {
            skipped(test, &format!("no private file system can be mounted here ({status})"));
        }
        Ok(status) => assert!(status.success(), "{status}"),
        Err(error) => skipped(test, &format!("unshare cannot be run: {error}")),
    }
}
