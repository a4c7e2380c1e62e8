// SPDX-License-Identifier: BSD-2-Clause
//! Kernel traces of a real 14.0-STABLE kernel: the module's ring and DTrace. Without the release's directory, or without
//! DTrace in it, tests are skipped by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use iface_core::Probe;
use nlproof_agent::KernelEvent;
use nlproof_agent::ring::fired;

#[path = "../support/cell.rs"]
mod cell;
mod console;
#[path = "../support/skip.rs"]
mod support;

use cell::{nlproof, nlproof_in, runs_here, text};

const RELEASE: &str = "14.0-STABLE";

/// The checkout that this test belongs to.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn trace(vector: &str, more: &[&str]) -> Output {
    let cell = ["trace", vector, "--target", "freebsd", "--release", RELEASE];
    nlproof(&[&cell[..], more].concat())
}

/// Whether a guest had no DTrace that works, which is said with the test's name.
fn no_dtrace(test: &str, said: &str) -> bool {
    let missing = said.contains("dtrace(1) does not run in this guest");
    if missing {
        support::say(&format!("skipped: {test}: no DTrace in the guest"));
    }
    missing
}

/// The module's sources as they are, but for one release of a reference that is left out: no option of the build does
/// that, and the cache knows the module by its sources.
fn leaking_project(place: &Path) -> PathBuf {
    let copied = Command::new("cp").arg("-R").arg(checkout().join("kmod-src")).arg(place).status().unwrap();
    assert!(copied.success());
    std::os::unix::fs::symlink(checkout().join("harness"), place.join("harness")).unwrap();
    // A directory of its own: what stands beside it is the checkout.
    let tests = place.join("tests");
    fs::create_dir(&tests).unwrap();
    for entry in fs::read_dir(checkout().join("tests").canonicalize().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        std::os::unix::fs::symlink(&path, tests.join(path.file_name().unwrap())).unwrap();
    }
    let file = place.join("kmod-src/core/src/link.rs");
    let source = fs::read_to_string(&file).unwrap();
    let kept =
        "let ifp = found.filter(|ifp| matches(ifp, &wanted, behaviours.type_filter)).ok_or(Errno::ENODEV)?;";
    assert_eq!(source.matches(kept).count(), 1, "where the reference of RTM_GETLINK is held");
    let leaked = "let ifp = core::mem::ManuallyDrop::new(\
                  found.filter(|ifp| matches(ifp, &wanted, behaviours.type_filter)).ok_or(Errno::ENODEV)?);";
    fs::write(&file, source.replace(kept, leaked)).unwrap();
    tests
}

#[test]
fn a_leak_that_was_put_into_the_module_is_found_with_what_took_it() {
    let test = "a_leak_that_was_put_into_the_module_is_found_with_what_took_it";
    if !runs_here(test, RELEASE, "rust") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let tests = leaking_project(place.path());
    // A saved state with a module that nobody wants again would only take room.
    let cell = ["--target", "freebsd", "--release", RELEASE, "--module", "rust", "--cold"];
    let output = nlproof_in(&tests, &[&["trace", "link/create-lo"], &cell[..]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(100), "{said}");
    assert_eq!(said.matches("violated: ").count(), 1, "{said}");
    let violation = said.split("violated: ").nth(1).unwrap();
    assert!(
        violation.starts_with("a reference was taken and not released: step 1: reference-taken index="),
        "{violation}"
    );
    assert!(violation.contains("in request-in message=getlink flags=request"), "{violation}");
}

#[test]
fn dtrace_and_the_ring_give_the_same_records() {
    let test = "dtrace_and_the_ring_give_the_same_records";
    if !runs_here(test, RELEASE, "rust") {
        return;
    }
    let script = "kldload -n dtrace sdt && dtrace -x nolibs -l -P nlproof";
    let shell = ["shell", "--release", RELEASE, "--module", "rust", "--", "sh", "-c", script];
    let listed = text(&nlproof(&shell));
    for probe in &nlproof::ktrace::table().probes {
        let name = format!(" {}\n", probe.name);
        assert!(listed.replace('\r', "").replace(" \n", "\n").contains(&name), "{name}: {listed}");
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("raw.ndjson");
    // Any probe of its has dtrace(1) listen to the module's too.
    let probe = "fbt::ifnet_byindex_ref:entry";
    let output =
        trace("link/create-lo", &["--module", "rust", "--probe", probe, "--ndjson", file.to_str().unwrap()]);
    let said = text(&output);
    if no_dtrace(test, &said) {
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("fbt:kernel:ifnet_byindex_ref:entry arg0="), "{said}");
    let raw = fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |source: &str| {
        let of_ours = |line: &&serde_json::Value| {
            line["src"] == source && line["probe"].as_str().is_some_and(|probe| !probe.contains(':'))
        };
        let record = |line: &serde_json::Value| {
            format!("{} {} {} {}", line["step"], line["tid"], line["probe"], line["args"])
        };
        lines.iter().filter(of_ours).map(record).collect::<Vec<_>>()
    };
    assert!(of("kern").len() > 15, "{raw}");
    assert_eq!(of("kern"), of("dtrace"));
}

#[test]
fn stock_and_rust_stand_beside_each_other() {
    let test = "stock_and_rust_stand_beside_each_other";
    if !runs_here(test, RELEASE, "rust") {
        return;
    }
    let output = trace("link/create-lo", &["--module", "stock,rust"]);
    let said = text(&output);
    if no_dtrace(test, &said) {
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "freebsd/14.0-STABLE/stock (dtrace)",
        "freebsd/14.0-STABLE/rust (ring)",
        "cloner-in op=create name=lo10",
        "cloner-in op=create index=0 name=lo10",
        "not compared: request-parsed (only in rust): ",
        "the same: ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    for (args, expected) in
        [(&["--aggregate"][..], "are for one module"), (&["--probe", "fbt::f:entry"], "are for one module")]
    {
        let output = trace("link/create-lo", &[&["--module", "stock,rust"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(expected), "{}", text(&output));
    }
}

#[test]
fn ones_own_probes_are_shown_and_wrong_ones_refused_in_dtraces_words() {
    let test = "ones_own_probes_are_shown_and_wrong_ones_refused_in_dtraces_words";
    if !runs_here(test, RELEASE, "stock") {
        return;
    }
    let probe = |probe: &str| trace("link/create-lo", &["--module", "stock", "--probe", probe]);
    let output = probe("fbt::nlmsg_ack:entry");
    let said = text(&output);
    if no_dtrace(test, &said) {
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let places = ["T0 request-out", "T0 fbt:kernel:nlmsg_ack:entry arg0=0x"].map(|part| said.find(part));
    assert!(places[0].is_some() && places[0] < places[1], "{said}");
    for (wrong, expected) in [
        (
            "fbt::nope_*:entry",
            "--probe 'fbt::nope_*:entry': dtrace says: probe description fbt::nope_*:entry does not match",
        ),
        ("fbt::nlmsg_ack:entry /arg0 +/", "dtrace says: syntax error near \"/\""),
    ] {
        let output = probe(wrong);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(expected), "{}", text(&output));
    }
}

#[test]
fn stock_code_is_followed_in_the_matrix_if_asked_for() {
    let test = "stock_code_is_followed_in_the_matrix_if_asked_for";
    if !runs_here(test, RELEASE, "stock") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let cell = ["--target", "freebsd", "--release", RELEASE, "--module", "stock", "--suite", "event"];
    let report = ["--kernel-trace", "--report-dir", place.path().to_str().unwrap()];
    let output = nlproof(&[&["test-matrix"], &cell[..], &report].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path().join("report.json")).unwrap()).unwrap();
    let about = json["cells"][0]["facts"]["kernel trace"].as_str().unwrap();
    if about.starts_with("not available: ") {
        support::say(&format!("skipped: {test}: {about}"));
        return;
    }
    assert!(about.starts_with("stock code by dtrace(1): "), "{about}");
    let raw = text(&nlproof(&["report", "raw", place.path().to_str().unwrap()]));
    assert!(raw.contains(r#""src":"dtrace""#), "what was heard is kept");
}

/// What the ring holds after the commands, in the words of `od -An -v -tx1`.
const OBSERVED: &str = "sysctl net.netlink.nlproof.mode=observe net.netlink.nlproof.trace=1 >/dev/null
ifconfig lo10 create && ifconfig lo10 inet 10.9.9.9/32 && ifconfig lo10 destroy
sysctl -b net.netlink.nlproof.records | od -An -v -tx1
sysctl -n net.netlink.nlproof.requests net.netlink.nlproof.dropped net.netlink.nlproof.mode";

#[test]
fn the_ring_records_the_stock_codes_requests_and_events_in_mode_observe() {
    let test = "the_ring_records_the_stock_codes_requests_and_events_in_mode_observe";
    if !runs_here(test, RELEASE, "rust") {
        return;
    }
    let run = nlproof(&["shell", "--release", RELEASE, "--module", "rust", "--", "sh", "-c", OBSERVED]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
    let said = String::from_utf8_lossy(&run.stdout);
    let (dump, last): (Vec<_>, Vec<_>) = said.lines().partition(|line| line.starts_with(' '));
    // The Rust code answered nothing, and nothing was lost.
    assert_eq!(last, ["0", "0", "observe"], "{said}");
    let bytes = dump.iter().flat_map(|line| line.split_whitespace());
    let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let events: Vec<_> = fired(&bytes).map(|fired| fired.event).collect();
    let places = |wanted: &str, args: &[u64]| -> Vec<usize> {
        let probe = Probe::TABLE.iter().position(|(name, _)| *name == wanted).unwrap();
        let is = |event: &KernelEvent| usize::from(event.probe) == probe && event.args.starts_with(args);
        (0..).zip(&events).filter(|(_, event)| is(event)).map(|(place, _)| place).collect()
    };
    const ARRIVED: u64 = 0;
    const DEPARTED: u64 = 1;
    const ADDRESS_ADDED: u64 = 5;
    const RTM_NEWADDR: u64 = 20;
    // ifconfig(8) gives the address by netlink: its event comes inside the request.
    let asked = [places("request-in", &[RTM_NEWADDR]), places("request-out", &[RTM_NEWADDR])].concat();
    let [begin, end] = asked[..] else { panic!("{events:?}") };
    let added = places("event-begin", &[ADDRESS_ADDED]);
    assert!(!added.is_empty() && added.iter().all(|place| (begin..end).contains(place)), "{events:?}");
    for what in [ARRIVED, DEPARTED, ADDRESS_ADDED] {
        let ends = places("event-end", &[what]);
        assert_eq!(places("event-begin", &[what]).len(), ends.len(), "{what}: {events:?}");
    }
    assert_eq!(places("event-begin", &[ARRIVED]).len(), 1);
    assert_eq!(places("event-begin", &[DEPARTED]).len(), 1);
}
