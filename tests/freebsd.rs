// SPDX-License-Identifier: BSD-2-Clause
//! Real kernels. Needs release directories in `$NLPROOF_DISTS` or `$XDG_CACHE_HOME/nlproof/dists`; a release
//! that is not there is skipped by name.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Every vector in the release's cell passes, and the report says that a kernel of it was observed.
fn all_vectors_pass(test: &str, release: &str, module: &str) {
    let cell = ["--target", "freebsd", "--release", release, "--module", module];
    if !runs_here(test, release, module) {
        return;
    }
    let report = tempfile::tempdir().unwrap();
    let directory = report.path().to_str().unwrap();
    let output = nlproof(&[&["test-matrix", "--report-dir", directory], &cell[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let json = std::fs::read(report.path().join("report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let cell = &json["cells"][0];
    let vectors = cell["vectors"].as_array().unwrap();
    let counts = |name: &str| cell["counts"][name].as_u64().unwrap();
    assert_eq!(counts("passed") + counts("lost"), vectors.len() as u64, "{cell}");
    // What no stock kernel lives through was never observed.
    let stated = vectors_that_state_losses();
    let of_origin = |origin: &str| vectors.iter().filter(|vector| vector["origin"] == origin).count();
    let predicted = vectors.iter().filter(|vector| vector["origin"] == "predicted");
    assert!(predicted.clone().all(|vector| stated.iter().any(|id| vector["id"] == **id)), "{cell}");
    assert!(of_origin("this-kernel") + of_origin("other-build") > stated.len(), "{cell}");
    let console = std::fs::read(report.path().join(format!("freebsd-{release}-{module}.console"))).unwrap();
    assert!(!console.is_empty(), "the console's log is empty");
    if module == "rust" {
        let facts = &cell["facts"];
        assert!(facts["kldstat"].as_str().is_some_and(|text| text.contains("nlproof_iface.ko")), "{facts}");
        assert!(facts["verification"].as_str().is_some_and(|text| text.starts_with("accepted")), "{facts}");
        assert!(
            facts["module counters"]
                .as_str()
                .is_some_and(|text| text.contains("epochs 0") && text.contains("references 0")),
            "{facts}"
        );
        assert_eq!(facts["unload"], "succeeded", "{facts}");
    }
}

/// Their ids.
fn vectors_that_state_losses() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let suite = nlproof::vector::load_suite(&root).unwrap();
    suite.vectors.into_iter().filter(|vector| !vector.losses.is_empty()).map(|vector| vector.id).collect()
}

#[path = "support/cell.rs"]
mod cell;
#[path = "support/disk.rs"]
mod disk;
#[path = "support/seeded.rs"]
mod seeded;
#[path = "support/skip.rs"]
mod support;

use cell::{nlproof, nlproof_in, runs_here, text};
use disk::on_small_disk;

#[test]
fn a_14_0_stable_kernel_answers_as_its_goldens_say() {
    all_vectors_pass("a_14_0_stable_kernel_answers_as_its_goldens_say", "14.0-STABLE", "stock");
}

#[test]
fn a_15_1_release_kernel_answers_as_its_goldens_say() {
    all_vectors_pass("a_15_1_release_kernel_answers_as_its_goldens_say", "15.1-RELEASE", "stock");
}

#[test]
fn the_module_in_a_14_0_stable_kernel_answers_as_the_stock_code() {
    let test = "the_module_in_a_14_0_stable_kernel_answers_as_the_stock_code";
    all_vectors_pass(test, "14.0-STABLE", "rust");
}

#[test]
fn the_module_in_a_15_1_release_kernel_answers_as_the_stock_code() {
    let test = "the_module_in_a_15_1_release_kernel_answers_as_the_stock_code";
    all_vectors_pass(test, "15.1-RELEASE", "rust");
}

/// A policy that allows no import stands for a module that has one too many. Nothing is booted for that.
#[test]
fn a_module_that_verification_rejects_is_neither_handed_out_nor_loaded() {
    let test = "a_module_that_verification_rejects_is_neither_handed_out_nor_loaded";
    let place = tempfile::tempdir().unwrap();
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tests = place.path().join("tests");
    std::fs::create_dir_all(tests.join("fixtures/verify")).unwrap();
    for (part, at) in [
        ("kmod-src", "kmod-src"),
        ("harness", "harness"),
        ("tests/vectors", "tests/vectors"),
        ("tests/golden", "tests/golden"),
        ("tests/matrix.yaml", "tests/matrix.yaml"),
    ] {
        std::os::unix::fs::symlink(own.join(part), place.path().join(at)).unwrap();
    }
    std::fs::write(tests.join("fixtures/verify/nlproof_iface.yaml"), "imports: []\n").unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command.arg("--tests").arg(&tests).args(args).output().unwrap()
    };
    let cell = ["test-matrix", "--target", "freebsd", "--release", "14.0-STABLE", "--module", "rust"];
    let plan = text(&run(&[&cell[..], &["--dry-run"]].concat()));
    if let Some((_, reason)) = plan.split_once("would not run: ") {
        support::say(&format!("skipped: {test}: {}", reason.lines().next().unwrap_or_default()));
        return;
    }
    let output = run(&cell);
    assert_eq!(output.status.code(), Some(102), "{}", text(&output));
    assert!(
        text(&output).contains("REFUSED   verification rejects the module: imports: "),
        "{}",
        text(&output)
    );
    let file = place.path().join("nlproof_iface.ko");
    let build = ["kmod", "build", "--release", "14.0-STABLE", "--output", file.to_str().unwrap()];
    let output = run(&build);
    assert_eq!(output.status.code(), Some(102), "{}", text(&output));
    assert!(!file.exists());
    let output = run(&[&build[..], &["--unverified"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(file.exists() && text(&output).contains("REJECTED ("), "{}", text(&output));
}

/// A directory of vectors and a matrix is enough: what the module is built from, and its policy, are in the program.
#[test]
fn the_module_is_built_without_a_checkout() {
    let test = "the_module_is_built_without_a_checkout";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let tests = place.path().join("vectors-alone");
    std::fs::create_dir(&tests).unwrap();
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    for part in ["vectors", "golden", "matrix.yaml", "releases.yaml", "divergences.yaml"] {
        std::os::unix::fs::symlink(own.canonicalize().unwrap().join(part), tests.join(part)).unwrap();
    }
    let build = |tests: &std::path::Path, output: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command.arg("--tests").arg(tests).args(["kmod", "build", "--release", "14.0-STABLE", "--output"]);
        let output = command.arg(output).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    };
    let [without, with] = ["without.ko", "with.ko"].map(|name| place.path().join(name));
    build(&tests, &without);
    build(&own, &with);
    assert!(std::fs::read(without).unwrap() == std::fs::read(with).unwrap(), "another module");
    let cell = ["test-matrix", "--dry-run", "--target", "freebsd", "--release", "14.0-STABLE"];
    let plan =
        Command::new(env!("CARGO_BIN_EXE_nlproof")).arg("--tests").arg(&tests).args(cell).output().unwrap();
    assert!(!text(&plan).contains("would not run"), "{}", text(&plan));
}

/// A kernel dies of one message; each replay comes to the very instruction, and an earlier one is looked at.
#[test]
fn a_panic_is_recorded_and_replayed_to_the_same_instruction() {
    let test = "a_panic_is_recorded_and_replayed_to_the_same_instruction";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("recording");
    let recording = recording.to_str().unwrap();
    let cell = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "stock"];
    let recorded = nlproof(&[&["run", "limits/kind-of-1120", "--record", recording], &cell[..]].concat());
    let said = text(&recorded);
    assert_eq!(recorded.status.code(), Some(0), "{said}");
    assert!(said.contains(", _nl_store_ifp_cookie+0x74, and entered trap_fatal at "), "{said}");
    let replayed = nlproof(&["replay", recording, "--times", "2"]);
    let said = text(&replayed);
    assert_eq!(replayed.status.code(), Some(0), "{said}");
    let visits: Vec<_> = said.lines().filter_map(|line| line.split_once(": instruction ")).collect();
    let visits: Vec<_> = visits.iter().filter(|(head, _)| head.starts_with("replay ")).collect();
    assert!(visits.len() == 2 && visits[0].1 == visits[1].1, "{said}");
    assert!(visits[0].1.contains(", _nl_store_ifp_cookie+0x74, "), "{said}");
    assert_eq!(said.matches("to the end of the log: the same console").count(), 2, "{said}");
    let back = nlproof(&["replay", recording, "--back", "1000"]);
    assert_eq!(back.status.code(), Some(0), "{}", text(&back));
    assert!(text(&back).contains("RIP="), "{}", text(&back));
    let again = nlproof(&[&["run", "limits/kind-of-1120", "--record", recording], &cell[..]].concat());
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
}

/// Nobody tells the campaign which two attributes: it begins with nothing.
#[test]
fn the_fuzzer_finds_a_wrong_errno_that_is_put_into_the_module_behind_two_attributes() {
    let test = "the_fuzzer_finds_a_wrong_errno_that_is_put_into_the_module_behind_two_attributes";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let last = "    promiscuity(kernel, how.promiscuity, thread, ifp, request, report)?;\n";
    let fault =
        "    if request.alias.is_some() && request.mtu > 0 {\n        return Err(Errno::EPERM);\n    }\n";
    let (place, tests) = seeded::seeded("core/src/link_modify.rs", last, &format!("{last}{fault}"));
    let found = place.path().join("found");
    let cells = ["--release", "14.0-STABLE", "--module", "stock,rust", "--jobs", "1"];
    let campaign =
        ["--corpus", "empty", "--seed", "1", "--rounds", "4", "--findings", found.to_str().unwrap()];
    let output = nlproof_in(&tests, &[&["fuzz"], &cells[..], &campaign].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(100), "{said}");
    let line = said.lines().find(|line| line.starts_with("FOUND: stock code and module differ"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    let (_, file) = line.rsplit_once(": ").unwrap();
    let vector = fs::read_to_string(found.join("findings").join(file)).unwrap();
    assert!(vector.contains("ifalias") && vector.contains("mtu"), "{vector}");
    assert!(vector.matches("message: ").count() <= 3, "{vector}");
}

/// The cell in which the module runs.
const WITH_MODULE: [&str; 6] = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "rust"];

/// The end of `bench kmod` with these arguments; `None` if the module cannot run here.
fn bench_kmod(test: &str, arguments: &[&str]) -> Option<Output> {
    runs_here(test, "14.0-STABLE", "rust")
        .then(|| nlproof(&[&["bench", "kmod", "--release", "14.0-STABLE"], arguments].concat()))
}

#[test]
fn a_vectors_way_through_a_real_kernel_is_shown_with_the_module_and_by_dtrace() {
    let test = "a_vectors_way_through_a_real_kernel_is_shown_with_the_module_and_by_dtrace";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let trace = |more: &[&str]| nlproof(&[&["trace", "link/create-lo"], more].concat());
    let output = trace(&WITH_MODULE);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "request-in message=newlink flags=request|ack|excl|create seq=+0 pid=$self len=56",
        "  cloner-in op=create index=0 name=lo10",
        "    event-begin what=arrived index=$lo10",
        "reference-released index=$lo10 interface=p0",
        "request-out message=newlink seq=+0 errno=0",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let output = trace(&["--target", "freebsd", "--release", "14.0-STABLE", "--module", "stock"]);
    let said = text(&output);
    if said.contains("dtrace(1) does not run in this guest") {
        support::say(
            "skipped: a_vectors_way_through_a_real_kernel_is_shown_with_the_module_and_by_dtrace: stock code: no DTrace",
        );
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "request-in message=newlink flags=request|ack|excl|create seq=+0 pid=$self len=56",
        "  cloner-in op=create",
        "    event-begin what=arrived index=$lo10",
        "request-out errno=0",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// Few rounds: what only many show is for `bench kmod` with its defaults.
#[test]
fn the_module_survives_loads_mode_switches_and_vanishing_interfaces() {
    let test = "the_module_survives_loads_mode_switches_and_vanishing_interfaces";
    let rounds =
        ["--part", "endurance", "--loads", "3", "--busy", "2", "--requests", "800", "--interfaces", "80"];
    let Some(output) = bench_kmod(test, &rounds) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("bench kmod: 0 complaints"), "{}", text(&output));
}

#[test]
fn what_must_not_load_is_refused_and_nothing_has_changed() {
    let test = "what_must_not_load_is_refused_and_nothing_has_changed";
    let Some(output) = bench_kmod(test, &["--part", "refusals"]) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for attempt in [
        "another major",
        "other headers",
        "without its netlink",
        "a second load",
        "below another module",
        "with a handler inside",
        "during a dump",
    ] {
        assert!(text(&output).contains(attempt), "{attempt}: {}", text(&output));
    }
}

#[test]
fn a_guest_is_what_its_options_say() {
    let test = "a_guest_is_what_its_options_say";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let guest = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "stock"];
    let how = ["--accel", "tcg", "--cpus", "2", "--stock-rc", "--cold", "--timeout-factor", "2"];
    let output =
        nlproof(&[&["shell"], &guest[..], &how[..], &["--", "sysctl", "-n", "hw.ncpu", "hw.model"]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.lines().any(|line| line == "2"), "two processors: {said}");
    assert!(said.contains("QEMU Virtual CPU"), "{said}");
    assert!(said.contains("boot under tcg") && !said.contains("restore"), "{said}");
    let output = nlproof(&["image", "build", "14.0-STABLE", "--stock-rc"]);
    assert!(
        text(&output).contains("14.0-STABLE: found in the cache"),
        "the guest above has it: {}",
        text(&output)
    );
}

/// Few turns: their numbers mean nothing, and how they come about is what is tested.
#[test]
fn a_kernel_of_another_branch_than_its_cell_says_is_asked_nothing() {
    let (test, release) = ("a_kernel_of_another_branch_than_its_cell_says_is_asked_nothing", "15.1-RELEASE");
    if !runs_here(test, release, "stock") {
        return;
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let project = tempfile::tempdir().unwrap();
    let matrix = fs::read_to_string(own.join("matrix.yaml")).unwrap();
    let wrong = matrix.replace(
        "{target: freebsd, release: 15.1-RELEASE, profile: \"15\"",
        "{target: freebsd, release: 15.1-RELEASE, profile: \"14.0\"",
    );
    assert_ne!(wrong, matrix);
    fs::write(project.path().join("matrix.yaml"), wrong).unwrap();
    fs::create_dir_all(project.path().join("vectors/link")).unwrap();
    fs::create_dir(project.path().join("golden")).unwrap();
    let vector = "vectors/link/create-lo.yaml";
    fs::copy(own.join(vector), project.path().join(vector)).unwrap();
    let report = project.path().join("report");
    let cell = ["--target", "freebsd", "--release", release, "--module", "stock"];
    let says = "the kernel of 15.1-RELEASE is of profile 15 (kern.osreldate 1501000), and its cell says profile 14.0";
    let report = report.to_str().unwrap();
    for command in [&["test-matrix", "--report-dir", report][..], &["run", "link/create-lo"], &["record"]] {
        let output = nlproof_in(project.path(), &[command, &cell[..]].concat());
        assert_eq!(output.status.code(), Some(103), "{command:?}: {}", text(&output));
        assert!(text(&output).contains(says), "{command:?}: {}", text(&output));
        assert!(text(&output).contains("`profile: \"15\"`"), "{command:?}: {}", text(&output));
    }
    assert_eq!(fs::read_dir(project.path().join("golden")).unwrap().count(), 0, "nothing was recorded");
    // A shell holds nothing to goldens.
    let shell = ["shell", "--release", release, "--", "sysctl", "-n", "kern.osreldate"];
    let output = nlproof_in(project.path(), &shell);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn the_measurements_of_guests_take_as_many_turns_as_they_are_told() {
    let test = "the_measurements_of_guests_take_as_many_turns_as_they_are_told";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let release = ["--release", "14.0-STABLE"];
    let output = nlproof(
        &[&["bench", "guest", "--no-matrix", "--restores", "1", "--vectors", "2"], &release[..]].concat(),
    );
    // 100: a limit was exceeded, on a machine that does something else too.
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    assert!(text(&output).contains("restore"), "{}", text(&output));
    let few = ["--part", "speed", "--links", "10", "--addresses", "10", "--turns", "1"];
    let Some(output) = bench_kmod(test, &few) else { return };
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    let output = nlproof(&[&["bench", "trace", "--seconds", "0.01", "--turns", "1"], &release[..]].concat());
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    assert!(!text(&output).contains("in a real kernel: not measured"), "{}", text(&output));
}

/// A temporary directory that is too small is told before anything is started; one that becomes too small ends the vector
/// that wrote, and no other guest is begun for the rest.
#[test]
fn a_full_temporary_directory_is_told_before_a_guest_starts_and_while_it_runs() {
    let test = "a_full_temporary_directory_is_told_before_a_guest_starts_and_while_it_runs";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (tests, small) = (directory.path().join("tests"), directory.path().join("small"));
    fs::create_dir_all(tests.join("vectors/disk")).unwrap();
    fs::create_dir_all(&small).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    fs::copy(own.join("matrix.yaml"), tests.join("matrix.yaml")).unwrap();
    let argv = "[/bin/dd, if=/dev/random, of=/root/x, bs=1m, count=30]";
    let vector =
        |argv: &str| format!("about: x\nneeds: {{os: [freebsd]}}\nsteps:\n  - exec:\n      argv: {argv}\n");
    fs::write(tests.join("vectors/disk/a-fill.yaml"), vector(argv)).unwrap();
    fs::write(tests.join("vectors/disk/b-after.yaml"), vector("[/bin/sync]")).unwrap();
    let run = |kib: u32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command.arg("--tests").arg(&tests).args([
            "test-matrix",
            "--target",
            "freebsd",
            "--release",
            "14.0-STABLE",
        ]);
        command.args(["--module", "stock", "--jobs", "1"]).env("TMPDIR", &small);
        on_small_disk(&command, &small, kib, ("", "")).map(|mut command| command.output().unwrap())
    };
    let before = match run(1024) {
        Ok(output) => output,
        Err(why) => return support::say(&format!("skipped: {test}: no small disk: {why}")),
    };
    assert_eq!(before.status.code(), Some(103), "{}", text(&before));
    let told = text(&before);
    for part in [small.to_str().unwrap(), "not enough space: about ", " 1048576 bytes free", "TMPDIR"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("boot under") && !told.contains("restore under"), "{told}");
    let meanwhile = run(12 * 1024).unwrap();
    assert_eq!(meanwhile.status.code(), Some(103), "{}", text(&meanwhile));
    let told = text(&meanwhile);
    assert!(told.contains("guest lost in disk/a-fill: this machine's disk is full: "), "{told}");
    assert!(told.contains("[host-disk-full]") && told.contains("1 inconclusive, 1 not run"), "{told}");
    assert_eq!(told.matches(" run vectors\n").count(), 1, "{told}");
}

/// The stock code asks the driver, which is still attaching, for its media, and dies of it (tests/bugs.md).
#[test]
fn a_vmxnet3_is_plugged_in_with_the_module_loaded_and_the_kernel_lives() {
    let test = "a_vmxnet3_is_plugged_in_with_the_module_loaded_and_the_kernel_lives";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let output = nlproof(&[&["run", "hardware/plug-vmxnet3"], &WITH_MODULE[..]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for seen in ["  ! nic1 plug\n", "index=$vmx0 ", "      operstate up\n"] {
        assert!(said.contains(seen), "{seen}: {said}");
    }
}

#[test]
fn doctor_tells_which_cards_a_kernel_sees() {
    let test = "doctor_tells_which_cards_a_kernel_sees";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let cell = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "rust"];
    let output = nlproof(&[&["doctor", "--nics"], &cell[..]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let of = |model: &str| {
        let line = said.lines().find(|line| line.starts_with(model)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of("virtio-net-pci"), "virtio-net-pci virtio_pci/vtnet vtnet1 yes yes active yes");
    assert_eq!(of("vmxnet3"), "vmxnet3 pci/vmx vmx0 yes yes active no");
    assert!(of("ne2k_pci").contains("FreeBSD has no driver"), "{said}");
}

/// epair(4) of 15.1 has a capability more, which nothing declares.
#[test]
fn a_release_is_qualified_against_another_one_with_the_module() {
    let test = "a_release_is_qualified_against_another_one_with_the_module";
    if !runs_here(test, "15.0-RELEASE", "stock") || !runs_here(test, "15.1-RELEASE", "rust") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path("key")]).status();
    if !made.is_ok_and(|status| status.success()) {
        return support::say(&format!("skipped: {test}: no ssh-keygen"));
    }
    let sides = ["--baseline", "15.0-RELEASE", "--candidate", "15.1-RELEASE", "--module", "rust"];
    let vectors = ["--filter", "link/create-epair", "--filter", "link/create-lo"];
    let (key, output) = (path("key"), path("q"));
    let ran = nlproof(&[&["qualify", "--key", &key, "-o", &output], &sides[..], &vectors].concat());
    let said = text(&ran);
    assert_eq!(ran.status.code(), Some(100), "{said}");
    assert!(said.contains("UNEXPLAINED: freebsd caps mask, freebsd caps value"), "{said}");
    assert!(said.contains("module: 0 of ") && said.contains(" 1 unexplained; "), "{said}");
    let key = fs::read_to_string(path("key.pub")).unwrap();
    fs::write(path("signers"), format!("me@x {key}")).unwrap();
    let (bundle, signers) = (path("q.tar.zst"), path("signers"));
    let checked = nlproof(&["qualify", "check", &bundle, "--signers", &signers, "--rerun"]);
    let said = text(&checked);
    assert_eq!(checked.status.code(), Some(100), "{said}");
    assert!(said.contains("right: signed by me@x") && !said.contains("REJECTED"), "{said}");
    assert!(said.contains("rerun: everything comes out as in the bundle"), "{said}");
}
