// SPDX-License-Identifier: BSD-2-Clause
//! Releases that no image is made of: what is said, and that nothing remains. None of these needs
//! `makefs`, because none gets that far.

use std::fs;

use nlproof_image::ImageError;
use tar::EntryType;

use crate::synthetic::{BASE, Entry, KERNEL, Place, tar, txz, xz};

fn without(path: &str) -> Vec<Entry<'static>> {
    BASE.iter().filter(|(name, ..)| *name != path).copied().collect()
}

fn with<'a>(entry: Entry<'a>) -> Vec<Entry<'a>> {
    BASE.iter().copied().chain([entry]).collect()
}

#[test]
fn one_altered_byte_is_a_digest_that_differs() {
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    let file = release.path.join("base.txz");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let error = place.fails(&release);
    let (expected, got) =
        (release.manifest.entry("base.txz").unwrap().sha256, nlproof_image::Sha256::of(&bytes));
    assert!(matches!(error, ImageError::Digest { .. }), "{error}");
    for part in ["base.txz", &expected.to_string(), &got.to_string()] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn an_archive_that_is_another_one_is_a_digest_that_differs() {
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    fs::write(release.path.join("kernel.txz"), txz(BASE)).unwrap();
    let error = place.fails(&release);
    assert!(matches!(&error, ImageError::Digest { path, .. } if path.ends_with("kernel.txz")), "{error}");
}

#[test]
fn an_archive_that_ends_early_is_cut_short() {
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    let file = release.path.join("base.txz");
    let bytes = fs::read(&file).unwrap();
    for length in [0, 5, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&file, &bytes[..length]).unwrap();
        let error = place.fails(&release);
        assert!(matches!(error, ImageError::CutShort { bytes, .. } if bytes == length as u64), "{error}");
    }
}

#[test]
fn a_right_digest_does_not_make_an_archive_readable() {
    let cut = {
        let mut bytes = tar(&[("./big", EntryType::Regular, 0o644, 0, &[1; 4096])]);
        bytes.truncate(2048);
        xz(&bytes)
    };
    for base in [b"not xz".to_vec(), cut, xz(b"not tar, and not empty either"), txz(BASE)[..600].to_vec()] {
        let place = Place::new();
        let release = place.release(&base, &txz(KERNEL));
        let error = place.fails(&release);
        assert!(matches!(&error, ImageError::Archive { path, .. } if path.ends_with("base.txz")), "{error}");
    }
}

#[test]
fn entries_that_leave_the_root_tree_are_refused() {
    let place = Place::new();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    let cases: &[(&[Entry<'_>], &str)] = &[
        (&[("../outside/x", EntryType::Regular, 0o644, 0, b"x")], "`..`"),
        (&[("/etc/x", EntryType::Regular, 0o644, 0, b"x")], "absolute"),
        (
            &[
                ("./way", EntryType::Symlink, 0o755, 0, target.as_bytes()),
                ("./way/x", EntryType::Regular, 0o644, 0, b"x"),
            ],
            "symbolic link `way`",
        ),
        (
            &[
                ("./way", EntryType::Symlink, 0o755, 0, target.as_bytes()),
                ("./way/y/z", EntryType::Directory, 0o755, 0, b""),
            ],
            "symbolic link `way`",
        ),
        (&[("./x", EntryType::Link, 0o644, 0, b"../outside/secret")], "`..`"),
        (&[("./x", EntryType::Link, 0o644, 0, b"./sys")], "hard link to `sys`, which is no file"),
        (&[("./dev/null", EntryType::Char, 0o666, 0, b"")], "type `3`"),
        (&[("./bin", EntryType::Regular, 0o644, 0, b"")], "replace a directory"),
    ];
    for (entries, reason) in cases {
        let all: Vec<Entry<'_>> = BASE.iter().chain(*entries).copied().collect();
        let release = place.release(&txz(&all), &txz(KERNEL));
        let error = place.fails(&release).to_string();
        let entry = entries[entries.len() - 1].0;
        assert!(error.contains(&format!("entry `{entry}` refused")) && error.contains(reason), "{error}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}

#[test]
fn a_base_system_without_boot_code_or_sshd_is_named() {
    for path in ["./boot/pmbr", "./boot/gptboot", "./boot/loader", "./usr/sbin/sshd", "./etc/spwd.db"] {
        let place = Place::new();
        let error = place.fails(&place.release(&txz(&without(path)), &txz(KERNEL))).to_string();
        assert!(error.contains(&format!("base.txz of 14.0-TEST has no usable {}", &path[2..])), "{error}");
    }
}

#[test]
fn boot_code_of_a_wrong_size_is_named() {
    let huge = vec![1; (512 << 10) + 1];
    for (path, contents) in [("./boot/gptboot", &huge[..]), ("./boot/pmbr", b"short")] {
        let place = Place::new();
        let base = with((path, EntryType::Regular, 0o444, 0, contents));
        let error = place.fails(&place.release(&txz(&base), &txz(KERNEL))).to_string();
        assert!(
            error.contains(&path[2..]) && error.contains(&format!("{} bytes", contents.len())),
            "{error}"
        );
    }
}

#[test]
fn a_kernel_archive_without_kernel_is_named() {
    let place = Place::new();
    let error = place.fails(&place.release(&txz(BASE), &txz(&KERNEL[..1]))).to_string();
    assert!(error.contains("kernel.txz of 14.0-TEST has no usable boot/kernel/kernel"), "{error}");
}

#[test]
fn without_makefs_the_remedy_is_named() {
    let place = Place::new();
    let error = place.fails(&place.release(&txz(BASE), &txz(KERNEL)));
    assert!(matches!(error, ImageError::MakefsMissing { .. }), "{error}");
    assert!(error.to_string().contains("apt-get install makefs"), "{error}");
}
