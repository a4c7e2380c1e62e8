// SPDX-License-Identifier: BSD-2-Clause
//! Saved guests: one that does not answer, its clock, and two runs that want one at once. Each test has a cache of its
//! own. Needs a release directory and QEMU; what is not there is skipped by name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nlproof::vm::Tools;
use nlproof_image::Dists;

#[path = "support/skip.rs"]
mod support;

const RELEASE: &str = "14.0-STABLE";

/// The release directories, QEMU, and a cache that is empty.
struct Bench {
    directory: tempfile::TempDir,
    dists: PathBuf,
    qemu: PathBuf,
}

impl Bench {
    /// `None`, said with the test's name: something is not here.
    fn find(test: &str) -> Option<Bench> {
        let skip = |reason: String| support::say(&format!("skipped: {test}: {reason}"));
        let release = Dists::from_env().find(RELEASE).map_err(|error| skip(error.to_string())).ok()?;
        let program = env!("CARGO_BIN_EXE_nlproof");
        let tools = Tools::find(program).map_err(|error| skip(error.to_string())).ok()?;
        // A disk: the system's directory for temporary files may be memory.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dists = release.path.parent().unwrap().to_owned();
        Some(Bench { directory, dists, qemu: tools.qemu })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Has `rewrite`, lines of sh(1) that see `$arg` and `$incoming`, change QEMU's arguments; `more` are added to those
    /// of a guest that boots.
    fn wrap_qemu(&self, rewrite: &str, more: &str) {
        let script = format!(
            "#!/bin/sh\nincoming=\nfor arg; do [ \"$arg\" = -incoming ] && incoming=1; done\n\
             for arg; do shift; {rewrite}\nset -- \"$@\" \"$arg\"; done\n\
             [ -n \"$incoming\" ] || set -- \"$@\" {more}\nexec '{}' \"$@\"\n",
            self.qemu.display()
        );
        let path = self.path("qemu");
        // Alike but for what it does: a QEMU of another length or age would have a saved state of its own.
        let script = format!("{script:<4096}\n");
        // Renamed, so that a QEMU being started never sees half of it.
        fs::write(self.path("qemu.new"), script).unwrap();
        let aged = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        fs::File::options().append(true).open(self.path("qemu.new")).unwrap().set_modified(aged).unwrap();
        fs::set_permissions(self.path("qemu.new"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(self.path("qemu.new"), path).unwrap();
    }

    fn nlproof(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command
            .arg("--tests")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests"))
            .args(args)
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("NLPROOF_DISTS", &self.dists)
            .env("NLPROOF_QEMU", self.path("qemu"))
            .stdin(Stdio::null());
        command
    }

    /// Starts a run of one vector; its report goes to the directory `report`.
    fn start(&self, report: &str) -> Child {
        let cell = ["test-matrix", "--target", "freebsd", "--module", "stock", "--release", RELEASE];
        let more = ["--filter", "dump/getlink-all", "--report-dir"];
        let mut command = self.nlproof(&[&cell[..], &more[..]].concat());
        command.arg(self.path(report)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The cell of a run, after it has passed.
    fn passed(&self, run: Child, report: &str) -> (String, serde_json::Value) {
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let json = fs::read(self.path(report).join("report.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["cells"][0]["counts"]["passed"], 1, "{json}");
        (text(&output), json["cells"][0].clone())
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_restored_guest_that_does_not_answer_is_booted_and_counted() {
    let test = "a_restored_guest_that_does_not_answer_is_booted_and_counted";
    let Some(bench) = Bench::find(test) else { return };
    bench.wrap_qemu("", "");
    let (_, first) = bench.passed(bench.start("first"), "first");
    assert!(first["facts"]["start"].as_str().unwrap().contains("state saved"), "{first}");
    let (_, warm) = bench.passed(bench.start("warm"), "warm");
    assert!(warm["facts"]["start"].as_str().unwrap().starts_with("warm ("), "{warm}");
    assert_eq!(warm["fallbacks"], 0, "{warm}");
    // From now on the way to a restored agent leads to an address that nobody has.
    bench.wrap_qemu(
        "[ -z \"$incoming\" ] || arg=$(printf %s \"$arg\" | sed 's/10[.]0[.]2[.]15:7013/10.0.2.99:7013/')",
        "",
    );
    let (said, cell) = bench.passed(bench.start("deaf"), "deaf");
    assert!(said.contains("warm restore failed: "), "{said}");
    // It was the state that was there.
    let place = |stage: &str| said.find(stage).unwrap_or(usize::MAX);
    assert!(place("restore under") < place("boot under"), "{said}");
    assert_eq!(cell["fallbacks"], 1, "{cell}");
    let start = cell["facts"]["start"].as_str().unwrap();
    assert!(start.starts_with("cold (warm restore failed: "), "{start}");
}

#[test]
fn a_restored_guest_has_the_hosts_time() {
    let test = "a_restored_guest_has_the_hosts_time";
    let Some(bench) = Bench::find(test) else { return };
    // The guest that is saved takes it to be early in 2001.
    bench.wrap_qemu("", "-rtc base=2001-02-03T04:05:06");
    bench.passed(bench.start("first"), "first");
    let before = now();
    let shell = ["shell", "--release", RELEASE, "--", "date", "-u", "+%s"];
    let output = bench.nlproof(&shell).output().unwrap();
    let after = now();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let guest: u64 = stdout.lines().last().unwrap_or_default().trim().parse().unwrap();
    // The guest cuts fractions of a second off, as this test does.
    assert!((before - 1..=after + 1).contains(&guest), "{before} {guest} {after}");
    let output = bench.nlproof(&[&["shell", "--cold"], &shell[1..]].concat()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let cold: u64 = stdout.lines().last().unwrap_or_default().trim().parse().unwrap();
    assert!(cold < 1_000_000_000, "the guest that was saved had the right time by itself: {cold}");
}

#[test]
fn two_runs_at_once_share_an_image_and_no_port() {
    let test = "two_runs_at_once_share_an_image_and_no_port";
    let Some(bench) = Bench::find(test) else { return };
    bench.wrap_qemu("", "");
    let runs = ["one", "two"].map(|report| (bench.start(report), report));
    let cells = runs.map(|(run, report)| bench.passed(run, report).1);
    let built = |cell: &serde_json::Value| cell["facts"]["image"].as_str().unwrap().ends_with("(built now)");
    assert_eq!(cells.iter().filter(|cell| built(cell)).count(), 1, "{cells:?}");
    let images = fs::read_dir(bench.path("cache/nlproof/images")).unwrap();
    let whole = images.filter(|entry| entry.as_ref().unwrap().path().join("image.json").is_file());
    assert_eq!(whole.count(), 1);
    // With a saved state, both restore it at once.
    let runs = ["three", "four"].map(|report| (bench.start(report), report));
    for (run, report) in runs {
        let (_, cell) = bench.passed(run, report);
        assert!(cell["facts"]["start"].as_str().unwrap().starts_with("warm ("), "{cell}");
    }
}
