// SPDX-License-Identifier: BSD-2-Clause
//! Layouts of shared structures: C, Rust, the kernel and the policy's numbers.

#[path = "support/dwarf.rs"]
mod dwarf;
mod support;

use std::path::Path;

use dwarf::{Debug, Field};
use gimli::constants::{DW_LANG_C99, DW_LANG_Rust, DW_TAG_namespace};
use nlproof_verify::{Check, KernelSymbols, ObjectBytes, Policy, Report, Verdict, verify};
use support::*;

const FIELDS: [Field<'static>; 3] = [("data", 0, 8), ("len", 8, 4), ("kind", 12, 2)];

fn policy(table: &str) -> Policy {
    Policy::parse(Path::new("p.yaml"), &format!("abi:\n- {table}\n")).unwrap()
}

/// A module with `struct request` in C and `m::abi::Request` in Rust.
fn module(c: (u64, &[Field<'_>]), rust: (u64, &[Field<'_>])) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.caller("f", &[]);
    let mut debug = Debug::new(4);
    let unit = debug.unit(DW_LANG_C99, "a.c", 0, &[], 0);
    let root = debug.root(unit);
    debug.structure(unit, root, "request", c.0, c.1);
    let unit = debug.unit(DW_LANG_Rust, "lib.rs", 0, &[], 0);
    let root = debug.root(unit);
    let krate = debug.entry(unit, root, DW_TAG_namespace, "m");
    let module = debug.entry(unit, krate, DW_TAG_namespace, "abi");
    debug.structure(unit, module, "Request", rust.0, rust.1);
    // Of the same name in another place: not the one that is meant.
    debug.structure(unit, krate, "Request", 1, &[("x", 0, 1)]);
    debug.add_to(&mut fixture);
    fixture
}

const BOTH: &str = "{c: request, rust: 'm::abi::Request'}";

#[test]
fn equal_layouts_are_accepted() {
    let report = accepts(&module((16, &FIELDS), (16, &FIELDS)), &policy(BOTH));
    assert_eq!(verdict(&report, Check::Abi), Verdict::Ok);
    assert!(report.to_string().contains("1 comparison of 3 fields"), "{report}");
}

#[test]
fn a_field_that_moved_is_rejected_with_both_places() {
    let moved = [("data", 0, 8), ("len", 8, 4), ("kind", 14, 2)];
    let text = rejects(&module((16, &FIELDS), (16, &moved)), &policy(BOTH), Check::Abi, "request");
    assert!(text.starts_with("has `kind` at 12 in C and at 14 in Rust"), "{text}");
}

#[test]
fn two_fields_that_changed_places_are_told_by_their_names() {
    let swapped = [("data", 0, 8), ("kind", 8, 4), ("len", 12, 2)];
    let text = rejects(&module((16, &FIELDS), (16, &swapped)), &policy(BOTH), Check::Abi, "request");
    assert!(text.contains("`len` at 8 in C and at 12 in Rust"), "{text}");
}

#[test]
fn size_alignment_and_missing_fields_count() {
    let more = [("data", 0, 8), ("len", 8, 4), ("kind", 12, 2), ("flags", 16, 8)];
    let text = rejects(&module((16, &FIELDS), (24, &more)), &policy(BOTH), Check::Abi, "request");
    assert!(text.starts_with("has 16 bytes in C and 24 in Rust"), "{text}");
    assert!(text.contains("`flags` at 16 in Rust only"), "{text}");
    let narrow = [("data", 0, 4), ("len", 8, 4), ("kind", 12, 2)];
    let text = rejects(&module((16, &FIELDS), (16, &narrow)), &policy(BOTH), Check::Abi, "request");
    assert!(text.starts_with("is aligned to 8 in C and to 4 in Rust"), "{text}");
    assert!(text.contains("`data` of 8 bytes in C and of 4 bytes in Rust"), "{text}");
}

#[test]
fn structures_inside_are_compared_field_by_field() {
    let fixture = |offset: u64| {
        let mut fixture = Fixture::new();
        fixture.caller("f", &[]);
        let mut debug = Debug::new(5);
        for (language, name, offset) in [(DW_LANG_C99, "outer", 2), (DW_LANG_Rust, "Outer", offset)] {
            let unit = debug.unit(language, name, 0, &[], 0);
            let root = debug.root(unit);
            let inner = debug.structure(unit, root, "inner", 4, &[("a", 0, 1), ("b", offset, 2)]);
            let outer = debug.structure(unit, root, name, 8, &[("first", 0, 4)]);
            debug.member(unit, outer, "second", 4, inner);
        }
        debug.add_to(&mut fixture);
        fixture
    };
    let policy = policy("{c: outer, rust: Outer}");
    accepts(&fixture(2), &policy);
    let text = rejects(&fixture(1), &policy, Check::Abi, "outer");
    assert!(text.contains("`second.b` at 6 in C and at 5 in Rust"), "{text}");
}

#[test]
fn two_files_of_c_that_disagree_are_rejected() {
    let mut fixture = Fixture::new();
    fixture.caller("f", &[]);
    let mut debug = Debug::new(4);
    for (file, size) in [("a.c", 8), ("b.c", 16)] {
        let unit = debug.unit(DW_LANG_C99, file, 0, &[], 0);
        let root = debug.root(unit);
        debug.structure(unit, root, "request", size, &[("data", 0, 8)]);
    }
    debug.add_to(&mut fixture);
    let text = rejects(&fixture, &policy("{c: request, size: 8}"), Check::Abi, "request");
    assert!(text.starts_with("has 8 bytes in a.c and 16 in b.c"), "{text}");
}

#[test]
fn numbers_of_the_policy_are_held_against_the_module() {
    let module = module((16, &FIELDS), (16, &FIELDS));
    accepts(&module, &policy("{c: request, size: 16, align: 8, offsets: {len: 8}}"));
    for (numbers, says) in [
        ("size: 24", "has 16 bytes in C and 24 in the policy"),
        ("align: 4", "is aligned to 8 in C and to 4 in the policy"),
        ("offsets: {len: 12}", "has `len` at 8 in C and at 12 in the policy"),
        ("offsets: {lens: 12}", "has no field `lens` in C"),
    ] {
        let text = rejects(&module, &policy(&format!("{{c: request, {numbers}}}")), Check::Abi, "request");
        assert!(text.starts_with(says), "{text}");
    }
}

#[test]
fn what_cannot_be_found_is_rejected() {
    let module = module((16, &FIELDS), (16, &FIELDS));
    let text = rejects(&module, &policy("{c: requests, rust: 'm::abi::Request'}"), Check::Abi, "requests");
    assert!(text.starts_with("is not in the module's debug information of C"), "{text}");
    let mut bare = Fixture::new();
    bare.caller("f", &[]);
    let text = rejects(&bare, &policy(BOTH), Check::Abi, "abi");
    assert!(text.contains("the module has no .debug_info"), "{text}");
}

#[test]
fn without_a_table_nothing_is_checked_and_the_report_says_so() {
    let report = accepts(&module((16, &FIELDS), (8, &FIELDS)), &Policy::default());
    assert_eq!(verdict(&report, Check::Abi), Verdict::NotChecked);
}

/// Verified against a kernel whose file is `kernel`.
fn against(kernel_file: &[u8], table: &str) -> Report {
    let policy = policy(table);
    let mut symbols = kernel();
    symbols.add_layouts(kernel_file, &policy).unwrap();
    let bytes = module((16, &FIELDS), (16, &FIELDS)).build();
    verify(&ObjectBytes { name: "m.ko", bytes: &bytes }, &policy, Some(&symbols))
}

const OF_KERNEL: &str = "{c: request, kernel: request}";

/// A linked file has no relocations: everything is at its place, as in a unit that begins at 0.
fn kernel_with_dwarf(size: u64, fields: &[Field<'_>]) -> Vec<u8> {
    let mut fixture = Fixture::bare();
    let mut debug = Debug::new(4);
    let unit = debug.unit(DW_LANG_C99, "kern.c", 0, &[], 0);
    let root = debug.root(unit);
    debug.structure(unit, root, "request", size, fields);
    debug.add_linked(&mut fixture);
    fixture.build()
}

#[test]
fn the_kernels_dwarf_is_compared() {
    let report = against(&kernel_with_dwarf(16, &FIELDS), OF_KERNEL);
    assert!(report.accepted && report.to_string().contains("the kernel's types from DWARF"), "{report}");
    let moved = [("data", 0, 8), ("len", 12, 4), ("kind", 8, 2)];
    let report = against(&kernel_with_dwarf(16, &moved), OF_KERNEL);
    assert_eq!(verdict(&report, Check::Abi), Verdict::Reject);
    assert!(report.to_string().contains("`len` at 8 in C and at 12 in the kernel (DWARF)"), "{report}");
}

/// `.SUNW_ctf` of version 3: two numbers, a typedef and `struct request`.
fn kernel_with_ctf(len: u32, compressed: bool) -> Vec<u8> {
    let strings = b"\0u64\0u32\0u16\0request\0data\0len\0kind\0u_t\0";
    let at = |name: &str| {
        let found = strings.windows(name.len() + 1).position(|part| part == format!("{name}\0").as_bytes());
        found.unwrap() as u32
    };
    let mut types: Vec<u32> = Vec::new();
    for (name, bytes) in [("u64", 8), ("u32", 4), ("u16", 2)] {
        types.extend([at(name), 1 << 26, bytes, bytes * 8]);
    }
    types.extend([at("u_t"), 10 << 26, 2]);
    // A function of one argument: in version 3 nothing pads it.
    types.extend([0, 5 << 26 | 1, 1, 2]);
    types.extend([at("request"), 6 << 26 | 3, 16]);
    types.extend([at("data"), 1, 0, at("len"), 4, len * 8, at("kind"), 3, 96]);
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut body = types.clone();
    body.extend(strings);
    let mut data = vec![0xf1, 0xcf, 3, u8::from(compressed)];
    for word in [0, 0, 0, 0, 0, 0, types.len() as u32, strings.len() as u32] {
        data.extend(word.to_le_bytes());
    }
    data.extend(if compressed { miniz_oxide::deflate::compress_to_vec_zlib(&body, 6) } else { body });
    let mut fixture = Fixture::bare();
    fixture.section(".SUNW_ctf", object::elf::SectionFlags(0), &data, 4);
    fixture.build()
}

#[test]
fn the_kernels_ctf_is_compared() {
    for compressed in [false, true] {
        let report = against(&kernel_with_ctf(8, compressed), OF_KERNEL);
        assert!(report.accepted && report.to_string().contains("the kernel's types from CTF"), "{report}");
        let report = against(&kernel_with_ctf(4, compressed), OF_KERNEL);
        assert!(report.to_string().contains("`len` at 8 in C and at 4 in the kernel (CTF)"), "{report}");
        let report = against(&kernel_with_ctf(8, compressed), "{c: request, kernel: requests}");
        assert!(report.to_string().contains("is not in the kernel's CTF as `requests`"), "{report}");
    }
}

#[test]
fn a_kernel_without_types_or_none_at_all_is_a_warning() {
    let report = against(&Fixture::bare().build(), OF_KERNEL);
    assert!(report.accepted, "{report}");
    assert_eq!(verdict(&report, Check::Abi), Verdict::Warn);
    assert!(report.to_string().contains("carries neither DWARF nor CTF"), "{report}");
    let bytes = module((16, &FIELDS), (16, &FIELDS)).build();
    let report = verify(&ObjectBytes { name: "m.ko", bytes: &bytes }, &policy(OF_KERNEL), None);
    assert!(report.to_string().contains("no kernel was given"), "{report}");
}

#[test]
fn damaged_types_are_refused_and_never_panic() {
    let good = kernel_with_ctf(8, false);
    let policy = policy(OF_KERNEL);
    let mut refused = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        refused += usize::from(KernelSymbols::default().add_layouts(&bytes, &policy).is_err());
    }
    assert!(refused > 20, "{refused}");
}

/// A module whose report shows lines, inlined functions and layouts.
fn with_everything(version: u16) -> Vec<u8> {
    let mut fixture = Fixture::bare();
    let panic = fixture.import("panic");
    let function = fixture.caller("f", &[panic]);
    let start = fixture.start_of(function);
    let mut debug = Debug::new(version);
    let unit = debug.unit(DW_LANG_C99, "a.c", start, &[(0, 1), (4, 2)], 20);
    let root = debug.root(unit);
    let inner = debug.structure(unit, root, "inner", 16, &FIELDS);
    let outer = debug.structure(unit, root, "request", 24, &[("first", 0, 8)]);
    debug.member(unit, outer, "second", 8, inner);
    debug.inlined(unit, "g", (start + 4, start + 9), 3);
    debug.add_to(&mut fixture);
    fixture.build()
}

#[test]
fn every_byte_of_a_module_with_debug_information_flipped() {
    let policy = Policy { metadata: false, ..policy("{c: request, size: 24, offsets: {second.len: 16}}") };
    for version in [4, 5] {
        let good = with_everything(version);
        let judge = |bytes: &[u8]| {
            let report = verify(&ObjectBytes { name: "m.ko", bytes }, &policy, Some(&kernel()));
            assert!(report.to_string().len() + report.to_json().len() + report.to_sarif().len() > 0);
            assert_eq!(report.accepted, report.counts().0 == 0);
            report
        };
        let report = judge(&good);
        assert_eq!(verdict(&report, Check::Abi), Verdict::Ok, "{report}");
        let mut noticed = 0;
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0xff;
            noticed += usize::from(verdict(&judge(&bytes), Check::Abi) != Verdict::Ok);
        }
        assert!(noticed > 50, "{noticed}");
    }
}
