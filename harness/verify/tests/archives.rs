// SPDX-License-Identifier: BSD-2-Clause
//! Archives: every member is looked at, and symbols are resolved across them.

#[path = "support/dwarf.rs"]
mod dwarf;
mod support;

use dwarf::Debug;
use gimli::constants::{DW_LANG_C99, DW_LANG_Rust};
use nlproof_verify::{Check, ObjectBytes, Policy, Report, Verdict, verify};
use support::*;

/// An archive as `ar` of System V writes it, names of at most 15 bytes.
fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, data) in members {
        file.extend(
            format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, data.len())
                .bytes(),
        );
        file.extend(data);
        // An odd offset is padded; what is in it must not need any alignment.
        if data.len() % 2 == 1 {
            file.push(b'\n');
        }
    }
    file
}

fn plain() -> Policy {
    Policy { metadata: false, ..Policy::default() }
}

fn judge(members: &[(&str, Vec<u8>)], policy: &Policy) -> Report {
    let bytes = archive(members);
    let report = verify(&ObjectBytes { name: "lib.a", bytes: &bytes }, policy, Some(&kernel()));
    assert!(report.to_json().starts_with('{') && report.to_sarif().starts_with('{'));
    report
}

/// A member with one function that calls what the others define or the kernel has.
fn member(name: &str, calls: &[&str], debug: bool) -> Vec<u8> {
    let mut fixture = Fixture::bare();
    let symbols: Vec<_> = calls.iter().map(|name| fixture.import(name)).collect();
    let function = fixture.caller(name, &symbols);
    if debug {
        let mut debug = Debug::new(4);
        let start = fixture.start_of(function);
        debug.unit(DW_LANG_C99, &format!("{name}.c"), start, &[(0, 7), (4, 8)], 20);
        debug.add_to(&mut fixture);
    }
    fixture.build()
}

#[test]
fn members_that_call_each_other_are_accepted_as_one() {
    let report =
        judge(&[("a.o", member("a", &["b"], false)), ("b.o", member("b", &["if_up"], false))], &plain());
    assert!(report.accepted, "{report}");
    assert_eq!(report.imports, ["if_up"], "what a member defines is no import");
    assert_eq!(report.stats.functions, 2);
    let chain = |name: &str| report.functions.iter().find(|row| row.symbol == name).unwrap().chain;
    assert!(chain("a") > chain("b"), "the chain goes through the members: {report}");
    let elf = report.checks.iter().find(|row| row.check == Check::Elf).unwrap();
    assert_eq!(elf.subject, "archive of 2 × ET_REL amd64");
}

#[test]
fn a_panic_in_another_member_is_found_with_the_lines_of_both() {
    let members = [("a.o", member("a", &["b"], true)), ("b.o", member("b", &["panic"], true))];
    let report = judge(&members, &plain());
    assert_eq!(verdict(&report, Check::Panic), Verdict::Reject);
    let finding = report.findings.iter().find(|finding| finding.subject == "a").unwrap();
    let lines: Vec<_> = finding.path.iter().map(|step| step.source.as_ref().unwrap()).collect();
    assert_eq!((lines[0].file.as_str(), lines[1].file.as_str()), ("/shim/a.c", "/shim/b.c"));
    assert_eq!(lines[1].line, 8);
}

#[test]
fn a_cycle_through_members_is_recursion() {
    let report = judge(&[("a.o", member("a", &["b"], false)), ("b.o", member("b", &["a"], false))], &plain());
    assert_eq!(verdict(&report, Check::Recursion), Verdict::Reject, "{report}");
}

#[test]
fn layouts_are_compared_across_members() {
    let with = |language, name: &str, offset| {
        let mut fixture = Fixture::bare();
        fixture.caller(name, &[]);
        let mut debug = Debug::new(5);
        let unit = debug.unit(language, name, 0, &[], 0);
        let root = debug.root(unit);
        debug.structure(unit, root, "shared", 8, &[("a", offset, 2)]);
        debug.add_to(&mut fixture);
        fixture.build()
    };
    let table = "metadata: false\nabi: [{c: shared, rust: shared}]\n";
    let policy = Policy::parse(std::path::Path::new("p.yaml"), table).unwrap();
    for (offset, accepted) in [(2, true), (4, false)] {
        let members = [("a.o", with(DW_LANG_C99, "a", 2)), ("b.o", with(DW_LANG_Rust, "b", offset))];
        let report = judge(&members, &policy);
        assert_eq!(report.accepted, accepted, "{report}");
    }
}

#[test]
fn one_bad_member_rejects_the_archive_by_its_name() {
    let report = judge(
        &[("a.o", member("a", &[], false)), ("bad.o", member("b", &[], false)[..80].to_vec())],
        &plain(),
    );
    assert!(!report.accepted && report.to_string().contains("member `bad.o`: "), "{report}");
}

#[test]
fn what_two_members_define_is_refused() {
    let report = judge(&[("a.o", member("a", &[], false)), ("b.o", member("a", &[], false))], &plain());
    assert!(report.to_string().contains("`a` is defined by two members of the archive"), "{report}");
}

#[test]
fn a_member_that_is_no_object_is_named_and_an_archive_of_nothing_is_refused() {
    let report = judge(&[("notes", b"odd".to_vec()), ("a.o", member("a", &[], false))], &plain());
    assert!(report.accepted && verdict(&report, Check::Elf) == Verdict::Warn, "{report}");
    assert!(report.to_string().contains("`notes` is a member of the archive, no object"), "{report}");
    let report = judge(&[("notes", b"odd".to_vec())], &plain());
    assert!(report.to_string().contains("an archive without any object"), "{report}");
    let thin = verify(&ObjectBytes { name: "t.a", bytes: b"!<thin>\n" }, &plain(), None);
    assert!(thin.to_string().contains("a thin archive"), "{thin}");
}

#[test]
fn every_byte_flipped_and_every_cut() {
    let good = archive(&[("a.o", member("a", &["b"], true)), ("b.o", member("b", &["panic"], true))]);
    let judge = |bytes: &[u8]| {
        let report = verify(&ObjectBytes { name: "lib.a", bytes }, &plain(), Some(&kernel()));
        assert!(!report.to_string().is_empty());
        assert_eq!(report.accepted, report.counts().0 == 0);
    };
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        judge(&bytes);
    }
    (0..good.len()).step_by(7).for_each(|length| judge(&good[..length]));
}
