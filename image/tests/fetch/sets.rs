// SPDX-License-Identifier: BSD-2-Clause
//! Distribution sets from a mirror with faults.

use std::{fs, path::Path, time::Duration};

use nlproof_image::{Dists, FetchError, Fetched, Fetcher, How, Pins, ReleaseDir, Sets, Sha256};

use crate::server::{Answer, Server, fetch, interrupted};

const RELEASE: &str = "14.5-RELEASE";
const FILES: [&str; 2] = ["base.txz", "kernel.txz"];

/// A release on a mirror and a directory to fetch it into.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) pins: Pins,
}

/// Contents that differ in every byte's neighbourhood, so that a shifted resumption is noticed.
pub(crate) fn body(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8 ^ seed).collect()
}

pub(crate) fn base() -> Vec<u8> {
    body(1, 300_000)
}

fn kernel() -> Vec<u8> {
    body(2, 50_000)
}

fn manifest(base: &[u8], kernel: &[u8]) -> Vec<u8> {
    let line =
        |file: &str, bytes: &[u8]| format!("{file}.txz\t{}\t1\t{file}\t\"{file}\"\ton\n", Sha256::of(bytes));
    (line("base", base) + &line("kernel", kernel)).into_bytes()
}

impl Scene {
    pub(crate) fn new() -> Self {
        let server = Server::start();
        server.on("/r/MANIFEST", [Answer::File(manifest(&base(), &kernel()))]);
        server.on("/r/base.txz", [Answer::File(base())]);
        server.on("/r/kernel.txz", [Answer::File(kernel())]);
        let dir = tempfile::tempdir().unwrap();
        let pins = Pins::load(&dir.path().join("releases.lock")).unwrap();
        Self { server, dir, pins }
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    async fn sets(&self, mirrors: &[String], fetcher: &mut Fetcher<'_>) -> Result<Fetched, FetchError> {
        let wanted =
            Sets { release: RELEASE, mirrors, files: &FILES, pins: &self.pins, refresh: false, repin: false };
        wanted.fetch(self.root(), fetcher).await
    }

    pub(crate) fn fetch(&self) -> (Result<Fetched, FetchError>, String) {
        fetch(async |fetcher| self.sets(&[self.server.url("/r/")], fetcher).await)
    }

    fn refused(&self) -> String {
        let error = self.fetch().0.unwrap_err().to_string();
        assert!(!self.root().join(RELEASE).exists(), "something was made of it: {error}");
        error
    }

    /// Files that wait for the next fetch, with their lengths.
    fn kept(&self) -> Vec<(String, u64)> {
        let partial = self.root().join(format!("{RELEASE}.partial"));
        let mut kept: Vec<_> = fs::read_dir(partial)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
            .collect();
        kept.sort();
        kept
    }

    pub(crate) fn demand_whole(&self) {
        let release = ReleaseDir::open(&self.root().join(RELEASE)).unwrap();
        assert_eq!(fs::read(release.path.join("base.txz")).unwrap(), base());
        assert_eq!(fs::read(release.path.join("kernel.txz")).unwrap(), kernel());
        assert_eq!(fs::read(release.path.join("MANIFEST")).unwrap(), manifest(&base(), &kernel()));
        assert_eq!(fs::read_dir(&release.path).unwrap().count(), 3, "only what was asked for");
        assert_eq!(self.kept(), []);
        assert_eq!(Dists { search: vec![self.root().to_owned()] }.list(), [RELEASE]);
    }
}

#[test]
fn a_release_is_fetched_found_and_not_fetched_again() {
    let scene = Scene::new();
    let fetched = scene.fetch().0.unwrap();
    let how = |fetched: &Fetched| fetched.files.iter().map(|file| file.how).collect::<Vec<_>>();
    assert_eq!(how(&fetched)[..2], [How::Downloaded, How::Downloaded]);
    assert_eq!(fetched.files[0].sha256, Sha256::of(&base()));
    scene.demand_whole();
    let fetched = scene.fetch().0.unwrap();
    assert_eq!(how(&fetched)[..2], [How::There, How::There]);
    assert_eq!(scene.server.asked("/r/base.txz"), [0]);
    assert_eq!(scene.server.asked("/r/MANIFEST"), [0]);
}

#[test]
fn a_connection_that_is_cut_is_gone_on_with_where_it_ended() {
    let scene = Scene::new();
    scene.server.on(
        "/r/base.txz",
        [
            Answer::Cut(base(), 100_000),
            Answer::Cut(base(), 0),
            Answer::Cut(base(), 50_000),
            Answer::File(base()),
        ],
    );
    let (result, notes) = scene.fetch();
    result.unwrap();
    scene.demand_whole();
    assert_eq!(scene.server.asked("/r/base.txz"), [0, 100_000, 100_000, 150_000]);
    assert_eq!(notes.matches("trying again").count(), 3, "{notes}");
}

#[test]
fn a_server_that_never_gets_further_is_given_up_and_the_rest_can_come_later() {
    let scene = Scene::new();
    scene.server.on("/r/base.txz", [Answer::Cut(base(), 100_000), Answer::Cut(base(), 0)]);
    let error = scene.refused();
    assert!(error.contains("/r/base.txz: given up after 3 tries without a further byte"), "{error}");
    assert_eq!(scene.kept().iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(), [100_000]);
    scene.server.on("/r/base.txz", [Answer::File(base())]);
    scene.fetch().0.unwrap();
    assert_eq!(scene.server.asked("/r/base.txz").last(), Some(&100_000));
    scene.demand_whole();
}

#[test]
fn a_server_that_ignores_ranges_sends_everything_once_more() {
    let scene = Scene::new();
    scene.server.on("/r/base.txz", [Answer::Cut(base(), 100_000), Answer::NoRanges(base())]);
    scene.fetch().0.unwrap();
    scene.demand_whole();
}

#[test]
fn a_part_that_was_not_asked_for_is_not_used() {
    let scene = Scene::new();
    scene
        .server
        .on("/r/base.txz", [Answer::Cut(base(), 100_000), Answer::WrongRange(base()), Answer::File(base())]);
    scene.fetch().0.unwrap();
    assert_eq!(scene.server.asked("/r/base.txz"), [0, 100_000, 0]);
    scene.demand_whole();
}

#[test]
fn a_length_that_is_too_large_is_a_connection_that_ends_early() {
    let scene = Scene::new();
    let kernel_and_more = kernel().len() as u64 + 10;
    scene.server.on("/r/kernel.txz", [Answer::Length(kernel(), kernel_and_more)]);
    let error = scene.refused();
    assert!(error.contains("kernel.txz: given up"), "{error}");
}

#[test]
fn a_length_that_is_too_small_is_a_wrong_digest_and_nothing_is_kept() {
    let scene = Scene::new();
    scene.server.on("/r/kernel.txz", [Answer::Length(kernel(), 40_000)]);
    let error = scene.refused();
    assert!(error.contains("kernel.txz: refused and removed"), "{error}");
    assert!(error.contains("the 40000 bytes that came have"), "{error}");
    assert_eq!(scene.kept().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["base.txz"]);
}

#[test]
fn a_wrong_digest_is_refused_and_the_file_removed() {
    let scene = Scene::new();
    scene.server.on("/r/base.txz", [Answer::File(body(9, 300_000))]);
    let error = scene.refused();
    assert!(error.contains("base.txz: refused and removed"), "{error}");
    assert!(error.contains("MANIFEST says"), "{error}");
    assert_eq!(scene.kept(), []);
    // The MANIFEST was asked for once more: it might have been the old one.
    assert_eq!(scene.server.asked("/r/MANIFEST").len(), 2);
}

#[test]
fn a_rest_that_does_not_fit_is_fetched_from_the_beginning() {
    let scene = Scene::new();
    scene.server.on("/r/base.txz", [Answer::Cut(body(9, 300_000), 100_000), Answer::File(base())]);
    let (result, notes) = scene.fetch();
    result.unwrap();
    assert!(notes.contains("what was resumed has the wrong digest"), "{notes}");
    assert_eq!(scene.server.asked("/r/base.txz"), [0, 100_000, 0]);
    scene.demand_whole();
}

#[test]
fn an_absent_file_is_not_asked_for_twice_and_the_next_mirror_is() {
    let scene = Scene::new();
    scene.server.on("/old/MANIFEST", [Answer::Status(404, None)]);
    let mirrors = [scene.server.url("/old"), scene.server.url("/r")];
    fetch(async |fetcher| scene.sets(&mirrors, fetcher).await).0.unwrap();
    assert_eq!(scene.server.asked("/old/MANIFEST"), [0]);
    scene.demand_whole();

    let scene = Scene::new();
    let mirrors = [scene.server.url("/old"), scene.server.url("/older")];
    let error = fetch(async |fetcher| scene.sets(&mirrors, fetcher).await).0.unwrap_err().to_string();
    assert!(error.contains("no mirror has it"), "{error}");
    assert!(error.contains("/older/MANIFEST: the server says 404 (not found)"), "{error}");
}

#[test]
fn a_busy_server_is_asked_again_when_it_wants_to_be() {
    let scene = Scene::new();
    scene
        .server
        .on("/r/MANIFEST", [Answer::Status(503, Some(0)), Answer::File(manifest(&base(), &kernel()))]);
    scene
        .server
        .on("/r/base.txz", [Answer::Status(503, Some(0)), Answer::Status(429, None), Answer::File(base())]);
    let (result, notes) = scene.fetch();
    result.unwrap();
    assert!(notes.contains("503 (not available now); trying again in 0.0 s"), "{notes}");
    scene.demand_whole();
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let scene = Scene::new();
    scene.server.on("/r/MANIFEST", [Answer::Silence]);
    let error = scene.refused();
    assert!(error.contains("/r/MANIFEST: given up after 3 tries"), "{error}");
}

#[test]
fn nobody_listening_is_an_error_with_the_address() {
    let scene = Scene::new();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetch(async |fetcher| scene.sets(&[format!("http://{free}/r")], fetcher).await)
        .0
        .unwrap_err()
        .to_string();
    assert!(error.contains(&format!("http://{free}/r/MANIFEST: given up")), "{error}");
}

#[test]
fn what_is_no_manifest_is_refused_with_its_line() {
    let scene = Scene::new();
    scene.server.on("/r/MANIFEST", [Answer::File(b"<html>moved</html>\n".to_vec())]);
    let error = scene.refused();
    assert!(error.contains("/r/MANIFEST:1: expected 6 fields"), "{error}");
}

#[test]
fn ctrl_c_leaves_what_came_for_the_next_time() {
    let scene = Scene::new();
    scene
        .server
        .on("/r/base.txz", [Answer::Slow(base(), 20_000, Duration::from_millis(20)), Answer::File(base())]);
    let mirrors = [scene.server.url("/r")];
    let error = interrupted(60_000, async |fetcher| scene.sets(&mirrors, fetcher).await).unwrap_err();
    let FetchError::Cancelled { bytes, .. } = &error else { panic!("{error}") };
    assert!(*bytes >= 60_000 && *bytes < 300_000, "{bytes}");
    assert_eq!(scene.kept().iter().map(|(_, bytes)| *bytes).sum::<u64>(), *bytes);
    scene.fetch().0.unwrap();
    assert_eq!(scene.server.asked("/r/base.txz"), [0, *bytes]);
    scene.demand_whole();
}

#[test]
fn pins_hold_against_a_mirror_that_changed_and_against_a_wrong_length() {
    let mut scene = Scene::new();
    let lie = body(9, 300_000);
    scene.pins.set(RELEASE, "base.txz", Sha256::of(&base()), base().len() as u64);
    scene.fetch().0.unwrap();
    fs::remove_dir_all(scene.root().join(RELEASE)).unwrap();

    // The mirror has another base.txz and vouches for it.
    scene.server.on("/r/MANIFEST", [Answer::File(manifest(&lie, &kernel()))]);
    scene.server.on("/r/base.txz", [Answer::File(lie)]);
    let error = scene.refused();
    for part in ["vouches for another base.txz than", "releases.lock pins", "--release 14.5-RELEASE --lock"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(scene.server.asked("/r/base.txz").len(), 1, "nothing of it was fetched");

    // A file that cannot be right is not downloaded at all.
    let mut scene = Scene::new();
    scene.pins.set(RELEASE, "base.txz", Sha256::of(&base()), 299_999);
    let error = scene.refused();
    assert!(error.contains("says 299999 bytes, the server has 300000"), "{error}");
}

#[test]
fn what_became_wrong_on_disk_is_fetched_again() {
    let scene = Scene::new();
    scene.fetch().0.unwrap();
    let path = scene.root().join(RELEASE).join("kernel.txz");
    fs::write(&path, "cut off").unwrap();
    let (result, notes) = scene.fetch();
    result.unwrap();
    assert!(notes.contains("kernel.txz: not what"), "{notes}");
    scene.demand_whole();
    assert_eq!(scene.server.asked("/r/base.txz"), [0]);
}

#[test]
fn a_snapshot_that_is_replaced_meanwhile_is_fetched_as_it_is_now() {
    let scene = Scene::new();
    let old = body(9, 300_000);
    scene.server.on(
        "/r/MANIFEST",
        [Answer::File(manifest(&old, &kernel())), Answer::File(manifest(&base(), &kernel()))],
    );
    let (result, notes) = scene.fetch();
    result.unwrap();
    assert!(notes.contains("has changed meanwhile"), "{notes}");
    scene.demand_whole();
}
