// SPDX-License-Identifier: BSD-2-Clause
//! `image fetch` and `test-matrix --fetch`, from a server on this machine. What a mirror can do wrong is tested with
//! the image crate.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::thread;

use nlproof_image::Sha256;

use crate::support::{Project, text};

const BASE: &[u8] = b"a base system";
const KERNEL: &[u8] = b"a kernel";
const IMAGE: &str = "FreeBSD-14.5-RELEASE-amd64-BASIC-CI-ufs.raw.xz";

/// Serves `/r/RELEASE/{MANIFEST,base.txz,kernel.txz}` and an image with its CHECKSUM file for any release, and nothing
/// else.
fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream))));
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let manifest = manifest();
    let sums = format!("SHA256 ({IMAGE}) = {}\n", Sha256::of(BASE));
    let body = match request.split(' ').nth(1).and_then(|path| path.rsplit('/').next()) {
        Some("MANIFEST") => manifest.as_bytes(),
        Some("base.txz") => BASE,
        Some("kernel.txz") => KERNEL,
        Some("CHECKSUM.SHA256") => sums.as_bytes(),
        Some(IMAGE) => BASE,
        _ => return stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    };
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}

fn manifest() -> String {
    let line = |file: &str, bytes: &[u8]| format!("{file}\t{}\t1\tx\t\"x\"\ton\n", Sha256::of(bytes));
    line("base.txz", BASE) + &line("kernel.txz", KERNEL)
}

/// Runs nlproof with releases in `dists`.
fn nlproof(project: &Project, args: &[&str]) -> Output {
    project.nlproof().args(args).env("NLPROOF_DISTS", project.path("dists")).output().unwrap()
}

/// A table with 14.4-, 14.5- and 15.1-RELEASE at this address.
fn table(project: &Project, address: SocketAddr) {
    let release = |name: &str| {
        let branch = &name[..2];
        format!(
            "- {{release: {name}, branch: '{branch}', support: default, sets: ['http://{address}/r/{name}']}}\n"
        )
    };
    let text = ["14.4-RELEASE", "14.5-RELEASE", "15.1-RELEASE"].map(release).concat();
    fs::write(project.path("releases.yaml"), format!("releases:\n{text}")).unwrap();
}

#[test]
fn a_branch_is_fetched_pinned_and_listed() {
    let project = Project::copy();
    table(&project, mirror());
    let args = ["image", "fetch", "--release", "14", "--sets", "base.txz,kernel.txz"];
    let output = nlproof(&project, &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let said = text(&output);
    for part in ["14: 14.5-RELEASE is the newest", "base.txz", "downloaded", "nothing pins 14.5-RELEASE"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(fs::read(project.path("dists/14.5-RELEASE/base.txz")).unwrap(), BASE);
    assert!(!project.path("releases.lock").exists(), "something was written that nobody asked for");

    let output = nlproof(&project, &[&args[..], &["--lock"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let lock = fs::read_to_string(project.path("releases.lock")).unwrap();
    let line =
        format!("SHA256 (14.5-RELEASE/base.txz) = {}\nSIZE (14.5-RELEASE/base.txz) = 13\n", Sha256::of(BASE));
    assert!(lock.contains(&line), "{lock}");

    // Pinned as something else, it is refused.
    fs::remove_dir_all(project.path("dists/14.5-RELEASE")).unwrap();
    fs::write(project.path("releases.lock"), lock.replace(&Sha256::of(BASE).to_string(), &"0".repeat(64)))
        .unwrap();
    let output = nlproof(&project, &args);
    assert_eq!(output.status.code(), Some(101), "{}", text(&output));
    assert!(text(&output).contains("vouches for another base.txz"), "{}", text(&output));
    assert!(!project.path("dists/14.5-RELEASE").exists());
}

#[test]
fn what_is_not_known_says_what_is() {
    let project = Project::copy();
    let address = mirror();
    table(&project, address);
    let output = nlproof(&project, &["image", "fetch", "--release", "14.9-RELEASE"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("known: 14.4-RELEASE, 14.5-RELEASE, 15.1-RELEASE; --mirror URL"));
    // A mirror of one's own has it; src.txz it has not, which is an error before anything is kept as a release.
    let url = format!("http://{address}/r");
    let args = ["image", "fetch", "--release", "14.9-RELEASE", "--mirror", &url];
    let output = nlproof(&project, &args);
    assert_eq!(output.status.code(), Some(101), "{}", text(&output));
    assert!(text(&output).contains("/r/14.9-RELEASE/MANIFEST has no line for src.txz"), "{}", text(&output));
    let output = nlproof(&project, &[&args[..], &["--sets", "base.txz,kernel.txz"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = nlproof(&project, &["image", "list"]);
    assert!(text(&output).contains("release 14.9-RELEASE"), "{}", text(&output));
    let output = nlproof(&project, &["image", "fetch", "--release", "14", "--mirror", "ftp://x"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn the_matrix_fetches_only_when_it_is_asked_to() {
    let project = Project::copy();
    table(&project, mirror());
    let args = ["test-matrix", "--target", "freebsd", "--release", "14.5-RELEASE", "--module", "stock"];
    let output = nlproof(&project, &args);
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    assert!(
        text(&output).contains("to run it: nlproof image fetch --release 14.5-RELEASE"),
        "{}",
        text(&output)
    );
    assert!(!project.path("dists").exists());
    let output = nlproof(&project, &[&args[..], &["--fetch"]].concat());
    assert!(text(&output).contains("14.5-RELEASE: fetched into"), "{}", text(&output));
    assert!(project.path("dists/14.5-RELEASE/MANIFEST").is_file());
}

#[test]
fn a_release_is_fetched_anew_and_as_an_image() {
    let project = Project::copy();
    let url = format!("http://{}/r", mirror());
    let fetch = |more: &[&str]| {
        let args = ["image", "fetch", "--release", "14.5-RELEASE", "--mirror", &url];
        let output = nlproof(&project, &[&args[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", text(&output));
        text(&output)
    };
    fetch(&["--sets", "base.txz,kernel.txz"]);
    let path = project.path("dists/14.5-RELEASE/MANIFEST");
    // A line that the mirror's has not, as an older snapshot's MANIFEST would have other digests.
    fs::write(&path, manifest_of_yesterday()).unwrap();
    let said = fetch(&["--sets", "base.txz,kernel.txz", "--refresh"]);
    assert!(said.contains("base.txz"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), manifest(), "{said}");
    fs::remove_dir_all(project.path("dists/14.5-RELEASE")).unwrap();
    let said = fetch(&["--image"]);
    assert!(said.contains(IMAGE) && said.contains("downloaded"), "{said}");
    assert_eq!(fs::read(project.path("dists/14.5-RELEASE").join(IMAGE)).unwrap(), BASE);
}

fn manifest_of_yesterday() -> String {
    manifest().replace(&Sha256::of(KERNEL).to_string(), &Sha256::of(b"an older kernel").to_string())
}
