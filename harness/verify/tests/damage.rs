// SPDX-License-Identifier: BSD-2-Clause
//! Damaged and arbitrary bytes: always a report, never a panic, work bounded by the length.

mod support;

use nlproof_verify::{KernelSymbols, ObjectBytes, Policy, Report, verify};
use object::elf::{R_X86_64_32S, R_X86_64_64};
use proptest::prelude::*;
use support::*;

/// A small module with calls, imports, data and a jump table.
fn sample() -> Vec<u8> {
    let mut fixture = Fixture::new();
    let up = fixture.import("if_up");
    let inner = fixture.caller("inner", &[up]);
    fixture.caller("outer", &[inner, up]);
    let switch = fixture.bytes("switch", &[0xff, 0x24, 0xc5, 0, 0, 0, 0, 0xc3, 0x31, 0xc0, 0xc3], 11);
    let table = fixture.section(".rodata.table", object::elf::SHF_ALLOC, &[0; 16], 8);
    let table_symbol = fixture.section_symbol(table);
    let place = fixture.start_of(switch) + 3;
    fixture.reloc(fixture.text(), place, table_symbol, 0, R_X86_64_32S);
    fixture.reloc(table, 0, switch, 7, R_X86_64_64);
    fixture.reloc(table, 8, switch, 8, R_X86_64_64);
    fixture.build()
}

/// Verifies and looks at everything that a report can become.
fn report(bytes: &[u8]) -> Report {
    let report = verify(&ObjectBytes { name: "damaged.ko", bytes }, &Policy::default(), Some(&kernel()));
    assert!(report.to_string().lines().count() > 16);
    assert!(report.to_json().starts_with('{'));
    assert!(report.to_sarif().starts_with('{'));
    assert!(
        report.stats.insns <= bytes.len(),
        "{} instructions of {} bytes",
        report.stats.insns,
        bytes.len()
    );
    assert_eq!(report.accepted, report.counts().0 == 0);
    report
}

#[test]
fn the_sample_is_accepted() {
    let report = report(&sample());
    assert!(report.accepted, "{report}");
}

#[test]
fn every_byte_flipped_in_turn() {
    let good = sample();
    let mut rejected = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        rejected += usize::from(!report(&bytes).accepted);
        let _symbols = KernelSymbols::from_elf(&bytes);
    }
    // Three quarters of this file are alignment between sections; of the rest much must be noticed.
    assert!(rejected > good.len() / 10, "{rejected} of {} rejected", good.len());
}

#[test]
fn cut_at_every_length() {
    let good = sample();
    for length in 0..good.len() {
        assert!(!report(&good[..length]).accepted, "cut at {length}");
    }
}

#[test]
fn a_name_cannot_reach_the_terminal_as_control_characters() {
    let mut fixture = Fixture::new();
    fixture.bytes("f\u{1b}[31m", &[0xfa, 0xc3], 2);
    let report = fixture.verify(&Policy::default());
    assert!(!report.accepted);
    assert!(!report.to_string().contains('\u{1b}'));
}

#[test]
fn the_same_module_gives_the_same_report() {
    let bytes = sample();
    assert_eq!(report(&bytes).to_string(), report(&bytes).to_string());
    assert_eq!(report(&bytes).to_json(), report(&bytes).to_json());
}

/// Offset of a section's header in a file, by name.
fn section_header(file: &[u8], name: &str) -> usize {
    use object::read::elf::FileHeader as _;
    let header = object::elf::FileHeader64::<object::LittleEndian>::parse(file).unwrap();
    let endian = object::LittleEndian;
    let sections = header.sections(endian, file).unwrap();
    let mut list = sections.iter();
    let index = list.position(|section| sections.section_name(endian, section) == Ok(name.as_bytes()));
    header.e_shoff(endian) as usize + index.unwrap() * 64
}

#[test]
fn a_linker_set_without_contents_is_refused_whatever_size_it_claims() {
    let mut bytes = sample();
    let header = section_header(&bytes, "set_modmetadata_set");
    bytes[header + 4..header + 8].copy_from_slice(&object::elf::SHT_NOBITS.0.to_le_bytes());
    bytes[header + 32..header + 40].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    let report = report(&bytes);
    let text = report.to_string();
    assert!(!report.accepted && text.contains("is not a whole number of pointers in the file"), "{text}");
}

#[test]
fn long_names_do_not_multiply() {
    let name = |number: usize| format!("f{number:03}{}", "x".repeat(4000));
    let mut fixture = Fixture::new();
    let panic = fixture.import("panic");
    let mut last = fixture.caller(&name(0), &[panic]);
    for number in 1..100 {
        last = fixture.caller(&name(number), &[last]);
    }
    let bytes = fixture.build();
    let text = report(&bytes).to_json();
    // A hundred findings with 64 steps each, of which every one names two functions.
    assert!(text.len() < 10 * bytes.len(), "{} bytes of report for {}", text.len(), bytes.len());

    let mut fixture = Fixture::new();
    fixture.caller(&"x".repeat(4097), &[]);
    let report = report(&fixture.build());
    assert!(!report.accepted && report.to_string().contains("a name has 4097 bytes"), "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        report(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_header(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let mut file = sample();
        file.truncate(64);
        file.extend(bytes);
        report(&file);
    }

    #[test]
    fn several_bytes_changed(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..32)) {
        let mut bytes = sample();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        report(&bytes);
    }

    #[test]
    fn arbitrary_code(code in proptest::collection::vec(any::<u8>(), 1..256)) {
        let mut fixture = Fixture::new();
        fixture.bytes("f", &code, code.len() as u64);
        report(&fixture.build());
    }
}
