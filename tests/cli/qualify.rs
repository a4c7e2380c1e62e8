// SPDX-License-Identifier: BSD-2-Clause
//! `qualify` and `qualify check`, with simulators: what they leave, and what they say of what somebody altered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::disk::on_small_disk;
use crate::support::{Project, text};

const VECTORS: [&str; 3] = ["link/create-lo", "link/create-epair", "link/modify-mtu-71"];
const NAMESPACE: &str = "qualification@nlproof";

/// A project with a home directory that has an ssh key, or why there is none.
struct Place {
    project: Project,
}

impl Place {
    /// Without ssh-keygen there is no key, and the test does not run.
    fn new(test: &str) -> Option<Place> {
        let project = Project::small(&VECTORS);
        let ssh = project.path("home/.ssh");
        fs::create_dir_all(&ssh).unwrap();
        if !keygen(&["-q", "-t", "ed25519", "-N", "", "-f"], &ssh.join("id_ed25519")) {
            crate::skip::say(&format!("skipped: {test}: no ssh-keygen"));
            return None;
        }
        Some(Place { project })
    }

    fn nlproof(&self, args: &[&str]) -> Command {
        let mut command = self.project.nlproof();
        command.args(args).env("HOME", self.project.path("home"));
        command
    }

    fn ask(&self, args: &[&str]) -> (i32, String) {
        let output: Output = self.nlproof(args).output().unwrap();
        (output.status.code().unwrap(), text(&output))
    }

    fn path(&self, name: &str) -> String {
        self.project.path(name).display().to_string()
    }

    /// Qualifies sim/15 against that cell, into `q`.
    fn qualify(&self, baseline: &str) -> (i32, String) {
        let output = self.path("q");
        self.ask(&["qualify", "--baseline", baseline, "--candidate", "sim/15", "--output", &output])
    }

    fn check(&self, more: &[&str]) -> (i32, String) {
        let file = self.path("q.tar.zst");
        self.ask(&[&["qualify", "check", &file], more].concat())
    }

    /// The key's allowed_signers file.
    fn signers(&self) -> PathBuf {
        let key = fs::read_to_string(self.project.path("home/.ssh/id_ed25519.pub")).unwrap();
        let path = self.project.path("signers");
        fs::write(&path, format!("me@x namespaces=\"{NAMESPACE}\" {key}")).unwrap();
        path
    }
}

fn keygen(args: &[&str], key: &Path) -> bool {
    Command::new("ssh-keygen").args(args).arg(key).status().is_ok_and(|status| status.success())
}

#[test]
fn two_branches_are_qualified_and_the_bundle_is_sound() {
    let Some(place) = Place::new("two_branches_are_qualified_and_the_bundle_is_sound") else { return };
    let (code, said) = place.qualify("sim/14.0");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("qualify: sim/15: passed, 0 unexplained; 3 of 3 vectors differ from sim/14.0"),
        "{said}"
    );
    assert!(said.contains("not run: the Rust-backed module: the simulator has no module"), "{said}");
    let page = fs::read_to_string(place.project.path("q/index.html")).unwrap();
    for part in
        ["<h1>Passed: nothing is unexplained</h1>", "freebsd caps size", "not run", "link/create-epair"]
    {
        assert!(page.contains(part), "{part}");
    }
    for file in ["baseline/sim-14.0.ndjson.zst", "candidate/report.json", "MANIFEST.sha256", "statement.json"]
    {
        assert!(place.project.path("q").join(file).is_file(), "{file}");
    }
    // One's own key is known.
    let (code, said) = place.check(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("right: signed by your own key"), "{said}");
    assert!(said.contains("right: the verdict follows from the raw traces of 6 vectors"), "{said}");
    let (code, said) = place.check(&["--rerun"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("rerun: everything comes out as in the bundle"), "{said}");
    // The statement is one that other tools read.
    let statement: serde_json::Value =
        serde_json::from_slice(&fs::read(place.project.path("q/statement.json")).unwrap()).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicate"]["result"], "PASSED");
    assert_eq!(statement["predicate"]["passedTests"].as_array().unwrap().len(), 3);
}

#[test]
fn what_nothing_explains_fails_it_and_the_check_too() {
    let Some(place) = Place::new("what_nothing_explains_fails_it_and_the_check_too") else { return };
    let (code, said) = place.qualify("sim/15.0");
    assert_eq!(code, 100, "{said}");
    assert!(said.contains("UNEXPLAINED: freebsd caps mask, freebsd caps value"), "{said}");
    let (code, said) = place.check(&["--signers", place.signers().to_str().unwrap()]);
    assert_eq!(code, 100, "{said}");
    assert!(
        said.contains("right: signed by me@x") && said.contains("UNEXPLAINED: freebsd caps mask"),
        "{said}"
    );
}

#[test]
fn ssh_keygen_accepts_the_signature() {
    let Some(place) = Place::new("ssh_keygen_accepts_the_signature") else { return };
    assert_eq!(place.qualify("sim/14.0").0, 0);
    let verify = |namespace: &str| {
        let statement = fs::File::open(place.project.path("q/statement.json")).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-I", "me@x", "-n", namespace, "-f"]).arg(place.signers());
        command.arg("-s").arg(place.project.path("q/statement.json.sig")).stdin(statement);
        command.output().unwrap()
    };
    let good = verify(NAMESPACE);
    assert!(good.status.success(), "{}", text(&good));
    assert!(!verify("file").status.success());
}

#[test]
fn a_key_that_only_ssh_keygen_can_use_signs_by_it() {
    let test = "a_key_that_only_ssh_keygen_can_use_signs_by_it";
    let Some(place) = Place::new(test) else { return };
    for kind in ["ecdsa", "rsa"] {
        let key = place.project.path(kind);
        assert!(keygen(&["-q", "-t", kind, "-N", "", "-f"], &key));
        let output = place.path("q");
        let key = key.to_str().unwrap();
        let args =
            ["qualify", "--baseline", "sim/14.0", "--candidate", "sim/15", "-o", &output, "--key", key];
        let (code, said) = place.ask(&args);
        assert_eq!(code, 0, "{kind}: {said}");
        let (code, said) = place.check(&[]);
        assert_eq!(code, 102, "{kind}: {said}");
        assert!(said.contains("is good, and by a key that you do not know"), "{kind}: {said}");
        fs::copy(format!("{key}.pub"), place.project.path("home/.ssh/other.pub")).unwrap();
        let (code, said) = place.check(&[]);
        assert_eq!(code, 0, "{kind}: {said}");
        assert!(said.contains("right: signed by your own key"), "{kind}: {said}");
        fs::remove_dir_all(&output).unwrap();
        fs::remove_file(format!("{output}.tar.zst")).unwrap();
    }
    // Nobody is there to give the passphrase: that is told, and the runs are kept.
    let locked = place.project.path("locked");
    assert!(keygen(&["-q", "-t", "ed25519", "-N", "secret", "-f"], &locked));
    let again = place.path("again");
    let args = [
        "qualify",
        "--baseline",
        "sim/14.0",
        "--candidate",
        "sim/15",
        "-o",
        &again,
        "--key",
        locked.to_str().unwrap(),
    ];
    let mut command = Command::new("setsid");
    let inner = place.nlproof(&args);
    command.arg("-w").arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let Ok(ended) = command.env("SSH_ASKPASS_REQUIRE", "never").stdin(std::process::Stdio::null()).output()
    else {
        crate::skip::say(&format!("skipped: {test}, in part: no setsid(1)"));
        return;
    };
    let said = text(&ended);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(
        said.contains("ssh-keygen -Y sign did not sign")
            && said.contains("the runs are kept: nlproof qualify"),
        "{said}"
    );
    let [one, other] = ["baseline", "candidate"].map(|name| format!("{again}/{name}"));
    let output = place.path("on");
    let (code, said) = place.ask(&["qualify", "--baseline", &one, "--candidate", &other, "-o", &output]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_altered_bundle_an_unknown_key_and_no_bundle_are_rejected() {
    let Some(place) = Place::new("an_altered_bundle_an_unknown_key_and_no_bundle_are_rejected") else {
        return;
    };
    assert_eq!(place.qualify("sim/14.0").0, 0);
    let (code, said) = place.check(&["--signers", "/dev/null"]);
    assert_eq!(code, 102, "{said}");
    assert!(
        said.contains("REJECTED: statement.json.sig: is good, and by a key that you do not know: SHA256:"),
        "{said}"
    );
    assert!(said.contains(&format!("NAME namespaces=\"{NAMESPACE}\" ssh-ed25519 ")), "{said}");
    let bundle = place.project.path("q.tar.zst");
    let good = fs::read(&bundle).unwrap();
    for (name, bytes) in [
        ("cut off", good[..good.len() / 2].to_vec()),
        ("longer", [good.as_slice(), b"x"].concat()),
        (
            "altered",
            good.iter()
                .enumerate()
                .map(|(at, byte)| if at == good.len() / 2 { byte ^ 4 } else { *byte })
                .collect(),
        ),
        ("empty", Vec::new()),
    ] {
        fs::write(&bundle, bytes).unwrap();
        let (code, said) = place.check(&[]);
        assert_eq!(code, 102, "{name}: {said}");
        assert!(said.contains("REJECTED: "), "{name}: {said}");
    }
    fs::remove_file(&bundle).unwrap();
    assert_eq!(place.check(&[]).0, 2);
    // Other goldens than those of the bundle, which is told by their suite.
    fs::write(&bundle, good).unwrap();
    let golden = place.project.path("golden/freebsd-15/link/modify-mtu-71.trace");
    let wrong = fs::read_to_string(&golden).unwrap().replace("error=EINVAL", "error=EPERM");
    fs::write(golden, wrong).unwrap();
    let (code, said) = place.check(&[]);
    assert_eq!(code, 102, "{said}");
    assert!(
        said.contains("note: your tests are not those of the bundle")
            && said.contains("golden/freebsd-15/link"),
        "{said}"
    );
    assert!(said.contains("the report says passed, and its raw trace gives failed"), "{said}");
}

#[test]
fn earlier_runs_are_taken_and_a_measurement_is_shown() {
    let Some(place) = Place::new("earlier_runs_are_taken_and_a_measurement_is_shown") else { return };
    let report = place.path("report");
    let run =
        ["test-matrix", "--target", "sim", "--release", "15", "--release", "14.0", "--report-dir", &report];
    assert_eq!(place.ask(&run).0, 0);
    let bench = place.path("bench");
    let line = "requests        10000 in    12.0 s   10000 answers, 3 deferred calls done";
    fs::write(&bench, format!("{line}\nbench kmod: 0 complaints\n")).unwrap();
    let (old, output) = (format!("{report}@sim/14.0"), place.path("q"));
    let args =
        |baseline: &'static str| [baseline, "--candidate", "sim/15", "--jobs", "1", "--filter", "create"];
    let more = ["--output", output.as_str(), "--bench", bench.as_str()];
    let (code, said) =
        place.ask(&[&["qualify", "--baseline", &old], &args("--suite=link")[..], &more].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 of 2 vectors differ"), "{said}");
    // Only the baseline has the third.
    assert!(said.contains("not run: speed of the module"), "{said}");
    let page = fs::read_to_string(place.project.path("q/index.html")).unwrap();
    assert!(page.contains(line) && page.contains("not selected in the run of sim/15"), "{page}");
    assert_eq!(place.check(&[]).0, 0);
    // A report that says otherwise than its raw trace is no evidence.
    let file = place.project.path("report/report.json");
    let true_one = fs::read_to_string(&file).unwrap();
    let vector = "\"id\": \"link/create-epair\",\n          \"status\": ";
    let false_one = true_one.replace(&format!("{vector}\"passed\""), &format!("{vector}\"inconclusive\""));
    assert_ne!(true_one, false_one);
    fs::write(&file, false_one).unwrap();
    let (code, said) =
        place.ask(&["qualify", "--baseline", &old, "--candidate", "sim/15", "-o", &place.path("r")]);
    assert_eq!(code, 102, "{said}");
    assert!(said.contains("the report says inconclusive, and its raw trace gives passed"), "{said}");
    fs::write(&file, true_one).unwrap();
    fs::remove_dir_all(place.project.path("r")).unwrap();
    // Which cell of a report is meant, and that there is one.
    let (code, said) =
        place.ask(&["qualify", "--baseline", &report, "--candidate", "sim/15", "-o", &place.path("r")]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("has 2 cells") && said.contains("@CELL"), "{said}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let Some(place) = Place::new("mistakes_are_told_before_anything_runs") else { return };
    let output = place.path("q");
    let told = |args: &[&str], part: &str| {
        let (code, said) = place.ask(&[&["qualify", "-o", &output], args].concat());
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
        assert!(!place.project.path("q").exists(), "{args:?}");
    };
    told(&["--baseline", "sim/14.0"], "--candidate");
    told(&["--baseline", "sim/14.0", "--candidate", "sim/14.0"], "both sides are sim/14.0");
    told(&["--baseline", "sim/14.0", "--candidate", "sim/17"], "no release, cell, kernel or report `sim/17`");
    told(
        &["--baseline", "sim/14.0", "--candidate", "sim/15", "--module", "rust"],
        "sim/15 has no kernel module",
    );
    told(&["--baseline", "sim/14.0", "--candidate", "freebsd/15.1-RELEASE/rust"], "is a cell of the module");
    told(&["--baseline", "sim/14.0", "--candidate", "sim/15", "--bench", "/nonexistent"], "/nonexistent");
    told(&["--baseline", "sim/14.0", "--candidate", "sim/15", "--atf", "/nonexistent"], "/nonexistent");
    told(
        &["--baseline", "sim/14.0", "--candidate", "sim/15", "--key", "/nonexistent"],
        "ssh-keygen -t ed25519",
    );
    fs::remove_file(place.project.path("home/.ssh/id_ed25519")).unwrap();
    told(&["--baseline", "sim/14.0", "--candidate", "sim/15"], "has no key to sign with");
}

#[test]
fn two_runs_never_write_into_one_directory() {
    let Some(place) = Place::new("two_runs_never_write_into_one_directory") else { return };
    let output = place.path("q");
    let args = ["qualify", "--baseline", "sim/14.0", "--candidate", "sim/15", "-o", &output];
    let runs: Vec<_> = (0..2)
        .map(|_| {
            let mut command = place.nlproof(&args);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended: Vec<Output> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    let mut codes: Vec<_> = ended.iter().map(|output| output.status.code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 2], "{}", ended.iter().map(text).collect::<String>());
    assert_eq!(place.check(&[]).0, 0);
    let (code, said) = place.qualify("sim/14.0");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("is there already") && said.contains("-o DIR"), "{said}");
    assert_eq!(place.check(&[]).0, 0, "what was there is as it was");
}

#[test]
fn a_full_disk_leaves_no_half_bundle() {
    let test = "a_full_disk_leaves_no_half_bundle";
    let Some(place) = Place::new(test) else { return };
    let disk = place.project.path("disk");
    fs::create_dir(&disk).unwrap();
    let output = disk.join("q");
    let args = ["qualify", "--baseline", "sim/14.0", "--candidate", "sim/15", "-o", output.to_str().unwrap()];
    let mut told = 0;
    // Too small for the reports, and too small for what is made of them.
    for kib in [16, 48, 88] {
        let command = match on_small_disk(&place.nlproof(&args), &disk, kib, ("", "ls -A")) {
            Ok(command) => command,
            Err(why) => {
                crate::skip::say(&format!("skipped: {test}: {why}"));
                return;
            }
        };
        let mut command = command;
        let ended = command.output().unwrap();
        let said = text(&ended);
        if ended.status.code() == Some(0) {
            continue;
        }
        told += 1;
        assert_eq!(ended.status.code(), Some(105), "{kib}: {said}");
        assert!(!said.contains("q.tar.zst\n"), "{kib}: {said}");
    }
    assert!(told > 1, "{told}");
}
