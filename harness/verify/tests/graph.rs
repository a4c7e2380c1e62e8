// SPDX-License-Identifier: BSD-2-Clause
//! For each check of call graph, sections and metadata a module that it accepts and one that it, and only it,
//! rejects; waivers.

mod support;

use iced_x86::code_asm::*;
use nlproof_verify::{Check, KernelSymbols, ObjectBytes, Policy, verify};
use object::SymbolKind;
use object::elf::{
    R_X86_64_32S, R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE,
};
use support::*;

fn framed(fixture: &mut Fixture, name: &str, bytes: i32) -> object::write::SymbolId {
    fixture.function(name, |a| {
        a.sub(rsp, bytes).unwrap();
        a.add(rsp, bytes).unwrap();
        a.ret().unwrap();
    })
}

#[test]
fn stack_sums_the_deepest_chain_and_shows_its_path() {
    let mut fixture = Fixture::new();
    let small = framed(&mut fixture, "small", 8);
    let large = framed(&mut fixture, "large", 1000);
    fixture.caller("entry", &[small, large]);
    let report = accepts(&fixture, &Policy::default());
    // 8 for the return address and 8 for rbp; 1000 + 8.
    assert_eq!(report.stats.deepest_chain, 16 + 1008);
    assert_eq!((report.functions[0].name.as_str(), report.functions[0].frame), ("entry", Some(16)));

    let tight = policy("chain-bytes: 1023");
    let what = rejects(&fixture, &tight, Check::Stack, "entry");
    assert!(what.contains("needs 1024 bytes"), "{what}");
    let report = fixture.verify(&tight);
    let path: Vec<_> =
        report.findings[0].path.iter().map(|step| (step.function.as_str(), step.stack)).collect();
    assert_eq!(path, [("entry", Some((16, 16))), ("large", Some((1008, 1024)))]);
    assert_eq!(report.findings[0].path[0].text, "call large");
    rejects(&fixture, &policy("frame-bytes: 1000"), Check::Stack, "large");
}

#[test]
fn stack_pointers_that_depend_on_data_or_loops_are_refused() {
    let mut fixture = Fixture::new();
    fixture.function("alloca", |a| {
        a.push(rbp).unwrap();
        a.mov(rbp, rsp).unwrap();
        a.sub(rsp, rdi).unwrap();
        a.leave().unwrap();
        a.ret().unwrap();
    });
    let what = rejects(&fixture, &Policy::default(), Check::Stack, "alloca");
    assert!(what.contains("depends on data"), "{what}");
    let mut fixture = Fixture::new();
    fixture.function("probe", |a| {
        a.push(rbp).unwrap();
        a.mov(rbp, rsp).unwrap();
        let mut head = a.create_label();
        a.set_label(&mut head).unwrap();
        a.push(rax).unwrap();
        a.dec(rdi).unwrap();
        a.jne(head).unwrap();
        a.leave().unwrap();
        a.ret().unwrap();
    });
    let what = rejects(&fixture, &Policy::default(), Check::Stack, "probe");
    assert!(what.contains("how often a loop runs"), "{what}");
    let mut fixture = Fixture::new();
    fixture.function("leaky", |a| {
        a.push(rax).unwrap();
        a.ret().unwrap();
    });
    let what = rejects(&fixture, &Policy::default(), Check::Stack, "leaky");
    assert!(what.contains("not back"), "{what}");
}

#[test]
fn stack_sizes_count_if_they_are_more() {
    let mut fixture = Fixture::new();
    let f = fixture.function("f", leaf);
    let mut record = vec![0; 8];
    record.extend([0xa0, 0x1f]);
    let sizes = fixture.section(".stack_sizes", object::elf::SectionFlags(0), &record, 1);
    fixture.reloc(sizes, 0, f, 0, R_X86_64_64);
    let what = rejects(&fixture, &Policy::default(), Check::Stack, "f");
    assert!(what.contains("frame of 4008 bytes"), "{what}");
    let report = accepts(&fixture, &policy("frame-bytes: 4008"));
    assert_eq!(report.functions[0].frame, Some(4008));
}

#[test]
fn recursion_names_every_member_of_the_cycle() {
    let mut fixture = Fixture::new();
    let leaf = fixture.function("leaf", leaf);
    fixture.caller("a", &[leaf]);
    accepts(&fixture, &Policy::default());
    let mut fixture = Fixture::new();
    // b is known by its import until both are there: call through symbols made first.
    let a = fixture.caller("a", &[]);
    let b = fixture.caller("b", &[a]);
    let c = fixture.bytes("c", &[0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3], 11);
    let start = fixture.start_of(c);
    fixture.reloc(fixture.text(), start + 1, b, -4, R_X86_64_PLT32);
    fixture.reloc(fixture.text(), start + 6, c, -4, R_X86_64_PLT32);
    rejects(&fixture, &Policy::default(), Check::Recursion, "c");
    let report = accepts(&fixture, &policy("waivers: [{symbol: c, check: recursion, reason: depth is one}]"));
    assert_eq!(report.counts(), (0, 1, 0));
}

#[test]
fn recursion_is_found_across_functions() {
    let mut fixture = Fixture::new();
    let a = fixture.bytes("a", &[0xe8, 0, 0, 0, 0, 0xc3], 6);
    let b = fixture.caller("b", &[a]);
    fixture.reloc(fixture.text(), fixture.start_of(a) + 1, b, -4, R_X86_64_PLT32);
    let what = rejects(&fixture, &Policy::default(), Check::Recursion, "a");
    assert!(what.contains("a cycle of 2: a, b"), "{what}");
    // One waiver is not enough for a cycle of two.
    rejects(&fixture, &policy("waivers: [{symbol: a, check: recursion, reason: x}]"), Check::Recursion, "b");
}

#[test]
fn indirect_calls_need_a_waiver_whose_targets_are_then_followed() {
    let mut fixture = Fixture::new();
    framed(&mut fixture, "target", 2000);
    fixture.function("f", |a| {
        a.push(rbp).unwrap();
        a.call(rax).unwrap();
        a.pop(rbp).unwrap();
        a.ret().unwrap();
    });
    rejects(&fixture, &Policy::default(), Check::Indirect, "f");
    let waived =
        policy("waivers: [{symbol: f, check: indirect, reason: the only method, targets: [target]}]");
    assert_eq!(accepts(&fixture, &waived).stats.deepest_chain, 16 + 2008);
    let wrong = policy("waivers: [{symbol: f, check: indirect, reason: a guess, targets: [nothing]}]");
    rejects(&fixture, &wrong, Check::Waiver, "f");
}

fn switch(read_only: bool) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.pad_text();
    // jmp *table(,%rax,8); ret; xor %eax,%eax; ret
    let f = fixture.bytes("f", &[0xff, 0x24, 0xc5, 0, 0, 0, 0, 0xc3, 0x31, 0xc0, 0xc3], 11);
    fixture.pad_text();
    let flags = if read_only { SHF_ALLOC } else { SHF_ALLOC | SHF_WRITE };
    let table = fixture.section(".rodata.table", flags, &[0; 16], 4096);
    let table_symbol = fixture.section_symbol(table);
    let start = fixture.start_of(f);
    fixture.reloc(fixture.text(), start + 3, table_symbol, 0, R_X86_64_32S);
    fixture.reloc(table, 0, f, 7, R_X86_64_64);
    fixture.reloc(table, 8, f, 8, R_X86_64_64);
    fixture
}

#[test]
fn jump_tables_in_constant_memory_are_resolved() {
    let report = accepts(&switch(true), &Policy::default());
    assert_eq!(report.functions[0].indirect, 0);
    let report = switch(false).verify(&Policy::default());
    assert!(report.findings.iter().any(|finding| finding.check == Check::Indirect), "{report}");
    // What only the table reaches is not seen, and that is said.
    assert!(report.findings.iter().any(|finding| finding.check == Check::Code), "{report}");
}

#[test]
fn panic_paths_are_shown_from_the_entry() {
    let mut fixture = Fixture::new();
    let up = fixture.import("if_up");
    fixture.caller("f", &[up]);
    accepts(&fixture, &Policy::default());
    let mut fixture = Fixture::new();
    let panic = fixture.import("panic");
    let inner = fixture.caller("inner", &[panic]);
    fixture.caller("outer", &[inner]);
    let report = fixture.verify(&Policy::default());
    let outer = report.findings.iter().find(|finding| finding.subject == "outer").unwrap();
    let path: Vec<_> = outer.path.iter().map(|step| format!("{}: {}", step.function, step.text)).collect();
    assert_eq!(path, ["outer: call inner", "inner: call panic"]);
    assert!(
        report.findings.iter().any(|finding| finding.subject == "panic" && finding.what == "is imported")
    );
    assert!(report.findings.iter().all(|finding| finding.check == Check::Panic), "{report}");
}

#[test]
fn long_ways_to_a_panic_are_shortened_and_keep_their_end() {
    let mut fixture = Fixture::new();
    let mut callee = fixture.import("panic");
    for number in 0..200 {
        callee = fixture.caller(&format!("f{number}"), &[callee]);
    }
    let report = fixture.verify(&Policy::default());
    let top = report.findings.iter().find(|finding| finding.subject == "f199").unwrap();
    assert_eq!(top.path.len(), 65);
    assert_eq!((top.path[64].function.as_str(), top.path[64].text.as_str()), ("f0", "call panic"));
    assert_eq!(top.what, "can panic: call panic");
}

#[test]
fn ud2_is_a_panic_where_it_can_be_reached() {
    let mut fixture = Fixture::new();
    fixture.function("dead", |a| {
        a.ret().unwrap();
        a.ud2().unwrap();
    });
    accepts(&fixture, &Policy::default());
    fixture.function("live", |a| a.ud2().unwrap());
    rejects(&fixture, &Policy::default(), Check::Panic, "live");
}

#[test]
fn wx_follows_the_pages_that_sections_share() {
    let mut fixture = Fixture::bare();
    fixture.function("f", leaf);
    fixture.section(".data", SHF_ALLOC | SHF_WRITE, &[0; 16], 16);
    let policy = policy("metadata: false");
    let what = rejects(&fixture, &policy, Check::Wx, ".text");
    assert!(what.contains("page 0") && what.contains(".text, .data"), "{what}");
    let mut fixture = Fixture::bare();
    fixture.function("f", leaf);
    fixture.pad_text();
    fixture.section(".data", SHF_ALLOC | SHF_WRITE, &[0; 16], 16);
    accepts(&fixture, &policy);
    fixture.section(".text.hot", SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR, &[0xcc; 16], 4096);
    rejects(&fixture, &policy, Check::Wx, ".text.hot");
}

#[test]
fn sections_that_the_loader_would_not_honour_are_refused() {
    let with = |name: &str, flags| {
        let mut fixture = Fixture::new();
        fixture.function("f", leaf);
        fixture.pad_text();
        fixture.section(name, flags, &[0; 8], 4096);
        fixture
    };
    accepts(&with(".data", SHF_ALLOC | SHF_WRITE), &Policy::default());
    rejects(&with(".init_array", SHF_ALLOC | SHF_WRITE), &Policy::default(), Check::Sections, ".init_array");
    rejects(&with(".ctors.1", SHF_ALLOC | SHF_WRITE), &Policy::default(), Check::Sections, ".ctors.1");
    rejects(&with(".tbss", SHF_ALLOC | SHF_WRITE | SHF_TLS), &Policy::default(), Check::Sections, ".tbss");
    rejects(&with(".llvmbc", object::elf::SectionFlags(0)), &Policy::default(), Check::Sections, ".llvmbc");
    let report = accepts(&with(".eh_frame", SHF_ALLOC), &Policy::default());
    assert_eq!(report.counts(), (0, 0, 1));
}

#[test]
fn module_metadata_must_be_there_and_fit_the_kernel() {
    let mut fixture = Fixture::bare();
    fixture.function("f", leaf);
    rejects(&fixture, &Policy::default(), Check::Modmeta, "set_modmetadata_set");
    accepts(&fixture, &policy("metadata: false"));
    let mut fixture = Fixture::bare();
    fixture.metadata(VERSION + 1, VERSION + 9);
    fixture.function("f", leaf);
    let what = rejects(&fixture, &Policy::default(), Check::Modmeta, "kernel");
    assert!(what.contains("1400507; the module wants 1400508..1400516"), "{what}");
    let mut fixture = Fixture::bare();
    fixture.metadata(VERSION, VERSION - 1);
    fixture.function("f", leaf);
    let what = rejects(&fixture, &Policy::default(), Check::Modmeta, "kernel");
    assert!(what.contains("no order"), "{what}");
}

#[test]
fn traced_functions_need_prologue_and_return() {
    let traced = policy("traced: [f]");
    let mut fixture = Fixture::new();
    fixture.function("f", leaf);
    accepts(&fixture, &traced);
    rejects(&fixture, &policy("traced: [f, g]"), Check::Traceable, "g");
    let mut fixture = Fixture::new();
    fixture.function("f", |a| a.ret().unwrap());
    accepts(&fixture, &Policy::default());
    let what = rejects(&fixture, &traced, Check::Traceable, "f");
    assert!(what.contains("does not start with"), "{what}");
    let mut fixture = Fixture::new();
    let up = fixture.import("if_up");
    let f = fixture.bytes("f", &[0x55, 0x48, 0x89, 0xe5, 0x5d, 0xe9, 0, 0, 0, 0], 10);
    let place = fixture.start_of(f) + 6;
    fixture.reloc(fixture.text(), place, up, -4, R_X86_64_PLT32);
    let what = rejects(&fixture, &policy("traced: ['*']"), Check::Traceable, "f");
    assert!(what.contains("tail call"), "{what}");
}

#[test]
fn a_waiver_holds_for_its_kernels_alone() {
    let mut fixture = Fixture::new();
    let c = fixture.bytes("c", &[0xe8, 0, 0, 0, 0, 0xc3], 6);
    fixture.reloc(fixture.text(), fixture.start_of(c) + 1, c, -4, R_X86_64_PLT32);
    let with = |kernels: &str| {
        policy(&format!("waivers: [{{symbol: c, check: recursion, reason: x, kernels: {kernels}}}]"))
    };
    accepts(&fixture, &with("{from: 1400000, before: 1500000}"));
    // Of other kernels: it neither excuses nor is unused.
    rejects(&fixture, &with("{from: 1500000}"), Check::Recursion, "c");
    assert_eq!(fixture.verify(&with("{from: 1500000}")).counts(), (1, 0, 0));
    // Not known which kernel: it does not excuse, and that is said.
    let bytes = fixture.build();
    let report = nlproof_verify::verify(
        &nlproof_verify::ObjectBytes { name: "sample.ko", bytes: &bytes },
        &with("{from: 1400000}"),
        None,
    );
    assert_eq!(
        (verdict(&report, Check::Recursion), verdict(&report, Check::Waiver)),
        (nlproof_verify::Verdict::Reject, nlproof_verify::Verdict::Reject)
    );
}

#[test]
fn an_unused_waiver_is_an_error() {
    let mut fixture = Fixture::new();
    fixture.function("f", leaf);
    let what =
        rejects(&fixture, &policy("waivers: [{symbol: f, check: stack, reason: old}]"), Check::Waiver, "f");
    assert!(what.contains("excuses nothing"), "{what}");
}

#[test]
fn calls_by_section_and_addend_find_their_function() {
    let mut fixture = Fixture::new();
    let first = framed(&mut fixture, "first", 8);
    let second = framed(&mut fixture, "second", 800);
    assert!(fixture.start_of(first) < fixture.start_of(second));
    let f = fixture.bytes("f", &[0xe8, 0, 0, 0, 0, 0xc3], 6);
    let text = fixture.text();
    let section = fixture.section_symbol(text);
    let (place, to) = (fixture.start_of(f) + 1, fixture.start_of(second) as i64);
    fixture.reloc(text, place, section, to - 4, R_X86_64_PC32);
    assert_eq!(accepts(&fixture, &Policy::default()).stats.deepest_chain, 8 + 808);
}

#[test]
fn functions_that_never_return_end_the_path_of_their_callers() {
    let mut fixture = Fixture::new();
    let stop = fixture.import("kern_reboot");
    let data = fixture.section(".data", SHF_ALLOC | SHF_WRITE, &[0; 8], 4096);
    fixture.symbol("word", data, 0, 8, SymbolKind::Data);
    // call kern_reboot, and nothing behind it
    let never = fixture.bytes("never", &[0xe8, 0, 0, 0, 0], 5);
    fixture.reloc(fixture.text(), fixture.start_of(never) + 1, stop, -4, R_X86_64_PLT32);
    let f = fixture.bytes("f", &[0x50, 0xe8, 0, 0, 0, 0], 6);
    fixture.reloc(fixture.text(), fixture.start_of(f) + 2, never, -4, R_X86_64_PLT32);
    let symbols = KernelSymbols::from_globals(["kern_reboot"], Some(VERSION));
    fixture.pad_text();
    let report =
        verify(&ObjectBytes { name: "m.ko", bytes: &fixture.build() }, &Policy::default(), Some(&symbols));
    assert!(!report.findings.iter().any(|finding| finding.check == Check::Code), "{report}");
}
