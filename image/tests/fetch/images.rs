// SPDX-License-Identifier: BSD-2-Clause
//! Ready VM images from a mirror with faults: the CHECKSUM file says which and what.

use std::fs;

use nlproof_image::{FetchError, Fetched, How, Pins, Sha256, VmImages};

use crate::{
    server::{Answer, Server, fetch},
    sets::body,
};

const RELEASE: &str = "15.1-RELEASE";
const IMAGE: &str = "FreeBSD-15.1-RELEASE-amd64-BASIC-CI-ufs.raw.xz";

struct Scene {
    server: Server,
    dir: tempfile::TempDir,
    pins: Pins,
}

fn image() -> Vec<u8> {
    body(3, 200_000)
}

fn sums(files: &[(&str, &[u8])]) -> Answer {
    let line = |(name, bytes): &(&str, &[u8])| format!("SHA256 ({name}) = {}\n", Sha256::of(bytes));
    Answer::File(files.iter().map(line).collect::<String>().into_bytes())
}

impl Scene {
    /// A mirror that has only the older of the two CHECKSUM files.
    fn new() -> Self {
        let server = Server::start();
        let other = "FreeBSD-15.1-RELEASE-amd64-ufs.raw.xz";
        server.on("/i/CHECKSUM.SHA256", [sums(&[(other, b"other"), (IMAGE, &image())])]);
        server.on(&format!("/i/{IMAGE}"), [Answer::File(image())]);
        let dir = tempfile::tempdir().unwrap();
        let pins = Pins::load(&dir.path().join("releases.lock")).unwrap();
        Self { server, dir, pins }
    }

    fn fetch(&self) -> (Result<Fetched, FetchError>, String) {
        let mirrors = [self.server.url("/i")];
        let wanted = VmImages { release: RELEASE, mirrors: &mirrors, pins: &self.pins, repin: false };
        fetch(async |fetcher| wanted.fetch(self.dir.path(), fetcher).await)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path().join(RELEASE))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn the_name_is_the_checksum_files_and_the_image_is_fetched_once() {
    let scene = Scene::new();
    let fetched = scene.fetch().0.unwrap();
    assert_eq!((fetched.files[0].name.as_str(), fetched.files[0].how), (IMAGE, How::Downloaded));
    assert_eq!(scene.names(), ["CHECKSUM.SHA256", IMAGE]);
    assert_eq!(scene.fetch().0.unwrap().files[0].how, How::There);
    assert_eq!(scene.server.asked(&format!("/i/{IMAGE}")), [0]);
}

#[test]
fn a_stale_checksum_file_is_read_again_and_its_successor_holds() {
    let scene = Scene::new();
    let old = sums(&[(IMAGE, b"last week's")]);
    scene.server.on("/i/CHECKSUM.SHA256", [old.clone(), sums(&[(IMAGE, &image())])]);
    let (result, notes) = scene.fetch();
    result.unwrap();
    assert!(notes.contains("CHECKSUM.SHA256 was an old one"), "{notes}");
    assert_eq!(scene.names(), ["CHECKSUM.SHA256", IMAGE]);

    // It stays stale: refused, and nothing is left of it.
    let scene = Scene::new();
    scene.server.on("/i/CHECKSUM.SHA256", [old]);
    let (result, notes) = scene.fetch();
    let error = result.unwrap_err().to_string();
    assert!(error.contains("refused and removed"), "{error}");
    assert!(notes.contains("still says the same"), "{notes}");
    assert_eq!(fs::read_dir(scene.dir.path()).unwrap().count(), 0);
}

#[test]
fn an_image_that_is_listed_and_gone_is_looked_up_anew() {
    let scene = Scene::new();
    let gone = "FreeBSD-15.1-STABLE-amd64-BASIC-CI-ufs-20261101-aaaaaaaaaaaa-300000.raw.xz";
    scene.server.on("/i/CHECKSUM.SHA256", [sums(&[(gone, b"x")]), sums(&[(IMAGE, &image())])]);
    scene.fetch().0.unwrap();
    assert_eq!(scene.names(), ["CHECKSUM.SHA256", IMAGE]);
}

#[test]
fn no_image_of_ours_names_those_that_are_there() {
    let scene = Scene::new();
    scene.server.on("/i/CHECKSUM.SHA256", [sums(&[("FreeBSD-15.1-RELEASE-amd64-zfs.raw.xz", b"z")])]);
    let error = scene.fetch().0.unwrap_err().to_string();
    assert!(
        error.contains("lists no BASIC-CI image on UFS; it lists: FreeBSD-15.1-RELEASE-amd64-zfs"),
        "{error}"
    );
}

#[test]
fn a_pinned_image_is_the_only_one_that_is_taken() {
    let mut scene = Scene::new();
    scene.pins.set(RELEASE, IMAGE, Sha256::of(b"another"), image().len() as u64);
    let error = scene.fetch().0.unwrap_err().to_string();
    assert!(error.contains("vouches for another FreeBSD-15.1"), "{error}");
    assert_eq!(scene.names(), [""; 0]);
}

#[test]
fn sha512_is_preferred_and_compared() {
    let scene = Scene::new();
    // Right in form, wrong in value: were it not compared, the fetch would pass.
    scene.server.on(
        "/i/CHECKSUM.SHA512",
        [Answer::File(format!("SHA512 ({IMAGE}) = {}\n", "0".repeat(128)).into_bytes())],
    );
    let error = scene.fetch().0.unwrap_err().to_string();
    assert!(error.contains("CHECKSUM.SHA512 says 0000"), "{error}");
}
