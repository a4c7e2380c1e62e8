// SPDX-License-Identifier: BSD-2-Clause
//! What finds something out about a kernel: traces, recordings, the fuzzer, a qualification.

use std::fs;
use std::process::Command;

use crate::cell::{nlproof, nlproof_in, runs_here, text};
use crate::support::say;
use crate::{STOCK, WITH_MODULE, seeded};

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
    let recorded = nlproof(&[&["run", "limits/kind-of-1120", "--record", recording], &STOCK[..]].concat());
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
    let again = nlproof(&[&["run", "limits/kind-of-1120", "--record", recording], &STOCK[..]].concat());
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
    let output = trace(&STOCK);
    let said = text(&output);
    if said.contains("dtrace(1) does not run in this guest") {
        say(
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
        return say(&format!("skipped: {test}: no ssh-keygen"));
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
