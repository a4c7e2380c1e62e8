// SPDX-License-Identifier: BSD-2-Clause
//! The disk of a kernel of one's own over the image of a small release, with the real `makefs`.

use std::fs;

use nlproof_image::{Image, ImageError, Over, OwnKernel, ReleaseDir, kernel_disk};
use tokio_util::sync::CancellationToken;

use crate::synthetic::{BASE, KERNEL, Place, have_makefs, own_kernel, run, small, txz};

fn disk(place: &Place, release: &ReleaseDir, base: &Image, kernel: &OwnKernel) -> Result<Image, ImageError> {
    let over = Over { name: "14.0-STABLE+mine", kernel, release, base };
    kernel_disk(&over, &small(), &place.cache(), &CancellationToken::new(), &mut |_| {})
}

#[test]
fn another_kernel_costs_a_small_disk_and_no_image() {
    if !have_makefs("another_kernel_costs_a_small_disk_and_no_image") {
        return;
    }
    let place = Place::new();
    let release = place.release(&txz(BASE), &txz(KERNEL));
    let base = run(&release, &small(), &place.cache()).unwrap();
    let directory = place.path().join("mine");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("kernel"), own_kernel("one")).unwrap();
    fs::write(directory.join("if_epair.ko"), "epair of mine").unwrap();
    fs::write(directory.join("zfs.ko"), "nobody asked for it").unwrap();
    let open = || OwnKernel::open(&directory, place.path()).unwrap();
    let first = disk(&place, &release, &base, &open()).unwrap();
    assert_eq!((first.root_disk(), first.kernel_disk()), (base.disk(), Some(first.disk())));
    assert_eq!((base.root_disk(), base.kernel_disk()), (base.disk(), None));
    assert_eq!(first.info.kernel.version, "FreeBSD 14.0-STABLE #0 one: Mon");
    let bytes = fs::read(first.disk()).unwrap();
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    for what in
        ["gptboot, or so it says", "epair of mine", "if_epair_load=\"YES\"", "ufs:/dev/gpt/nlproof-root"]
    {
        assert!(holds(what.as_bytes()), "{what}");
    }
    assert!(!holds(b"nobody asked for it") && !holds(b"sshd"));

    assert!(disk(&place, &release, &base, &open()).unwrap().cached);
    fs::write(directory.join("kernel"), own_kernel("two")).unwrap();
    let second = disk(&place, &release, &base, &open()).unwrap();
    assert!(!second.cached && second.dir != first.dir && second.root_disk() == base.disk());
}
