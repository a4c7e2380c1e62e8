// SPDX-License-Identifier: BSD-2-Clause
//! Ready images: a disk as FreeBSD's BASIC-CI ones are becomes a guest, and a cell runs in it. The disk is made of a
//! release directory: its own `/etc/rc` starts it, and root may log in over ssh with the empty password that base.txz
//! gives him. It stands in for FreeBSD's own, which nobody is asked for here.

use std::fs;
use std::path::Path;
use std::process::Command;

use nlproof::matrix::load_matrix;
use nlproof::targets::image_options;
use nlproof::vm::Tools;
use nlproof_image::{Cache, Dists, Sha256, build};
use tokio_util::sync::CancellationToken;

#[path = "support/skip.rs"]
mod support;

const RELEASE: &str = "14.0-STABLE";
const IMAGE: &str = "FreeBSD-14.0-STABLE-amd64-BASIC-CI-ufs.raw";
/// What sshd_config says in our images, and what the BASIC-CI ones say.
const OURS: &str =
    "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n";
const THEIRS: &str = "PermitRootLogin yes\nPasswordAuthentication yes\nPermitEmptyPasswords yes\n";

/// What our start-up does first: a run of ours has a seed disk.
const OUR_START: &str =
    "\t(cd / && pax -r -p e -f /dev/gpt/nlproof-seed) || echo \"nlproof: failed: the seed disk\"\n";
/// Theirs has an address without a seed disk.
const THEIR_START: &str = "\tifconfig vtnet0 inet 10.0.2.15/24\n";

/// The disk, with root's door open, as it starts on a machine that knows nothing of us.
fn opened(mut disk: Vec<u8>) -> Vec<u8> {
    for (ours, theirs) in [(OURS, THEIRS), (OUR_START, THEIR_START)] {
        let theirs = format!("{theirs}#{}\n", "-".repeat(ours.len() - theirs.len() - 2));
        let at = disk.windows(ours.len()).position(|bytes| bytes == ours.as_bytes()).expect(ours);
        disk[at..at + ours.len()].copy_from_slice(theirs.as_bytes());
    }
    disk
}

#[test]
fn a_ready_image_becomes_a_guest_in_which_a_cell_runs() {
    let test = "a_ready_image_becomes_a_guest_in_which_a_cell_runs";
    let skip = |reason: String| support::say(&format!("skipped: {test}: {reason}"));
    let release = match Dists::from_env().find(RELEASE) {
        Ok(release) => release,
        Err(error) => return skip(error.to_string()),
    };
    let program = env!("CARGO_BIN_EXE_nlproof");
    if let Err(error) = Tools::find(program) {
        return skip(error.to_string());
    }
    // A disk: the system's directory for temporary files may be memory.
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| place.path().join(name);
    let matrix = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/matrix.yaml");
    let made = build(
        &release,
        // FreeBSD's own has every module of its kernel.
        &image_options(true, &load_matrix(&matrix).unwrap().modules),
        &Cache::new(&path("made")),
        &CancellationToken::new(),
        &mut |_| (),
    );
    let disk = opened(fs::read(made.unwrap().disk()).unwrap());
    let directory = path("dists").join(RELEASE);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("CHECKSUM.SHA256"), format!("SHA256 ({IMAGE}) = {}\n", Sha256::of(&disk)))
        .unwrap();
    fs::write(directory.join(IMAGE), disk).unwrap();

    let report = path("report");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let output = Command::new(program)
        .arg("--tests")
        .arg(tests)
        .args(["test-matrix", "--target", "freebsd", "--release", RELEASE, "--module", "stock"])
        .args(["--suite", "link", "--report-dir", report.to_str().unwrap()])
        .env("NLPROOF_DISTS", path("dists"))
        .env("XDG_CACHE_HOME", path("cache"))
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(report.join("report.json")).unwrap()).unwrap();
    let cell = &json["cells"][0];
    let vectors = cell["vectors"].as_array().unwrap().len();
    assert!(vectors > 20, "{cell}");
    let counts = |name: &str| cell["counts"][name].as_u64().unwrap();
    assert_eq!(counts("passed") + counts("lost"), vectors as u64, "{cell}");
    // The same kernel as in kernel.txz: what it answers was observed before, of this build or of another one.
    assert!(["this-kernel", "other-build"].contains(&cell["origin"].as_str().unwrap()), "{cell}");
}
