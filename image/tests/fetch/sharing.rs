// SPDX-License-Identifier: BSD-2-Clause
//! Two fetches at once, and a disk that is full.

use std::{thread, time::Duration};

use crate::{
    server::Answer,
    sets::{Scene, base},
};

#[test]
fn two_at_once_share_one_download() {
    let scene = Scene::new();
    scene.server.on("/r/base.txz", [Answer::Slow(base(), 100_000, Duration::from_millis(30))]);
    thread::scope(|scope| {
        let both = [scope.spawn(|| scene.fetch().0.unwrap()), scope.spawn(|| scene.fetch().0.unwrap())];
        let [one, other] = both.map(|thread| thread.join().unwrap());
        assert_eq!(one.dir, other.dir);
    });
    assert_eq!(scene.server.asked("/r/base.txz"), [0]);
    scene.demand_whole();
}

#[test]
fn a_file_that_finds_no_room_is_an_error_before_it_is_written() {
    let scene = Scene::new();
    // More than any disk has.
    scene.server.on("/r/base.txz", [Answer::Length(base(), 1 << 60)]);
    let error = scene.fetch().0.unwrap_err().to_string();
    assert!(error.contains("not enough space: about 1152921504606846976 bytes needed"), "{error}");
}
