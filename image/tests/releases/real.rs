// SPDX-License-Identifier: BSD-2-Clause
//! An image of a real release, when `NLPROOF_DISTS` or the cache has one.

use std::fs;

use nlproof_image::{BuildOptions, Cache, Dists};

#[test]
fn a_real_release_becomes_a_bootable_image() {
    let test = "a_real_release_becomes_a_bootable_image";
    let dists = Dists::from_env();
    let Some(name) = dists.list().into_iter().next() else {
        crate::synthetic::skipped(test, &format!("no FreeBSD release in {:?}", dists.search));
        return;
    };
    if !crate::synthetic::have_makefs(test) {
        return;
    }
    let release = dists.find(&name).unwrap();
    let place = crate::synthetic::Place::new();
    let image = crate::synthetic::run(&release, &BuildOptions::default(), &Cache::new(place.path())).unwrap();

    assert!(image.info.kernel.version.starts_with("FreeBSD 1"), "{:?}", image.info.kernel);
    assert!(image.info.freebsd_version.is_some_and(|version| version >= 1_300_000), "{:?}", image.info);
    let table = gpt::GptConfig::new().only_valid_headers(true).open(image.disk()).unwrap();
    let [boot, root] = [&table.partitions()[&1], &table.partitions()[&2]];
    let disk = fs::read(image.disk()).unwrap();
    let at = |lba: u64| usize::try_from(lba * 512).unwrap();
    // pmbr and gptboot are code: the first thing that the BIOS and pmbr run is never a zero byte.
    assert!(disk[0] != 0 && disk[at(boot.first_lba)] != 0);
    assert_eq!(disk[at(root.first_lba) + 8192 + 1372..][..4], 0x0001_1954_u32.to_le_bytes());
    assert_eq!(disk.len() as u64, image.info.disk_bytes);

    let elsewhere = crate::synthetic::Place::new();
    let again =
        crate::synthetic::run(&release, &BuildOptions::default(), &Cache::new(elsewhere.path())).unwrap();
    assert!(fs::read(again.disk()).unwrap() == disk, "two caches, two images");
    assert_eq!((again.key(), again.info.disk_sha256), (image.key(), image.info.disk_sha256));
}
