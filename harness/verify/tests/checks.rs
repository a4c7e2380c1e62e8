// SPDX-License-Identifier: BSD-2-Clause
//! For each check a module that it accepts and one that it, and only it, rejects.

mod support;

use std::path::Path;

use iced_x86::code_asm::*;
use nlproof_verify::{Check, KernelSymbols, ObjectBytes, Policy, verify};
use object::elf::{R_X86_64_32S, R_X86_64_GOTPCREL, R_X86_64_REX_GOTPCRELX};
use support::*;

#[test]
fn elf_takes_a_module_and_no_cut_one() {
    let mut fixture = Fixture::new();
    fixture.function("f", leaf);
    accepts(&fixture, &Policy::default());
    let bytes = fixture.build();
    for bytes in [&bytes[..bytes.len() - 1], b"", b"!<arch>\nx", b"\x7fELF"] {
        let report = verify(&ObjectBytes { name: "cut.ko", bytes }, &Policy::default(), None);
        assert!(!report.accepted);
        assert_eq!(report.findings[0].check, Check::Elf, "{report}");
    }
}

#[test]
fn code_needs_functions_with_sizes() {
    let mut fixture = Fixture::new();
    fixture.bytes("f", &[0xc3], 0);
    let what = rejects(&fixture, &Policy::default(), Check::Code, "f");
    assert!(what.contains("without a size"), "{what}");
}

#[test]
fn code_that_no_symbol_names_is_refused_and_padding_is_not() {
    let mut fixture = Fixture::new();
    fixture.bytes("f", &[0xc3, 0xcc, 0x90, 0x0f, 0x1f, 0x00], 1);
    accepts(&fixture, &Policy::default());
    fixture.bytes("g", &[0xc3, 0x31, 0xc0, 0xc3], 1);
    rejects(&fixture, &Policy::default(), Check::Code, ".text");
}

#[test]
fn code_that_is_no_instruction_or_runs_past_the_end_is_refused() {
    let mut fixture = Fixture::new();
    fixture.bytes("f", &[0xc3, 0x06], 2);
    let what = rejects(&fixture, &Policy::default(), Check::Code, "f");
    assert!(what.contains("no instruction"), "{what}");
    let mut fixture = Fixture::new();
    fixture.bytes("f", &[0x31, 0xc0], 2);
    let what = rejects(&fixture, &Policy::default(), Check::Code, "f");
    assert!(what.contains("past its end"), "{what}");
}

#[test]
fn code_must_not_jump_into_an_instruction_or_be_changed_by_a_relocation() {
    let mut fixture = Fixture::new();
    // jmp +1 into the middle of a five-byte mov.
    fixture.bytes("f", &[0xeb, 0x01, 0xb8, 0, 0, 0, 0, 0xc3], 8);
    let what = rejects(&fixture, &Policy::default(), Check::Code, "f");
    assert!(what.contains("branches at +0x0"), "{what}");
    let mut fixture = Fixture::new();
    let f = fixture.function("f", |a| {
        for _ in 0..4 {
            a.nop().unwrap();
        }
        a.ret().unwrap();
    });
    fixture.reloc(fixture.text(), fixture.start_of(f), f, 0, R_X86_64_32S);
    let what = rejects(&fixture, &Policy::default(), Check::Code, "f");
    assert!(what.contains("changes an instruction"), "{what}");
}

#[test]
fn imports_must_be_allowed_and_global_in_the_kernel() {
    let mut fixture = Fixture::new();
    let up = fixture.import("if_up");
    fixture.caller("f", &[up]);
    accepts(&fixture, &policy("imports: [if_up]"));
    let what = rejects(&fixture, &policy("imports: [if_down]"), Check::Imports, "if_up");
    assert!(what.contains("not in the policy's list"), "{what}");
    let strange = fixture.import("if_sideways");
    fixture.caller("g", &[strange]);
    let what = rejects(&fixture, &Policy::default(), Check::Imports, "if_sideways");
    assert!(what.contains("nowhere in the kernel"), "{what}");
    let mut fixture = Fixture::new();
    let float = fixture.import("__muldf3");
    fixture.caller("f", &[float]);
    let what = rejects(&fixture, &Policy::default(), Check::Imports, "__muldf3");
    assert!(what.contains("floating point"), "{what}");
}

#[test]
fn imports_of_local_kernel_symbols_are_refused() {
    let mut kernel_file = Fixture::bare();
    kernel_file.function("shown", leaf);
    let hidden = kernel_file.function("hidden", leaf);
    kernel_file.hide(hidden);
    let mut symbols = KernelSymbols::from_elf(&kernel_file.build()).unwrap();
    assert_eq!((symbols.len(), symbols.version()), (1, None));
    assert!(symbols.add_elf(b"no kernel").is_err());
    let importing = |name: &str| {
        let mut module = Fixture::new();
        let import = module.import(name);
        module.caller("f", &[import]);
        verify(&ObjectBytes { name: "m.ko", bytes: &module.build() }, &Policy::default(), Some(&symbols))
    };
    assert!(importing("shown").accepted);
    let report = importing("hidden");
    assert!(report.findings[0].what.contains("only a local symbol of the kernel"), "{report}");
    assert!(!report.accepted);
}

#[test]
fn the_projects_own_policy_can_be_read() {
    let text = include_str!("../../../tests/fixtures/verify/nlproof_iface.yaml");
    let policy = policy(text);
    assert!(policy.imports.is_some_and(|imports| imports.contains("nl_handlers")));
    assert!(policy.waivers.iter().all(|waiver| matches!(waiver.check, Check::Indirect | Check::Balance)));
}

#[test]
fn relocations_outside_the_loaders_types_are_refused_with_the_cause() {
    let mut fixture = Fixture::new();
    let guard = fixture.import("__stack_chk_guard");
    // mov 0(%rip),%rax; ret
    let f = fixture.bytes("f", &[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3], 8);
    let place = fixture.start_of(f) + 3;
    fixture.reloc(fixture.text(), place, guard, -4, R_X86_64_REX_GOTPCRELX);
    let what = rejects(&fixture, &Policy::default(), Check::Relocs, "__stack_chk_guard");
    assert!(what.contains("type 42 (REX_GOTPCRELX)"), "{what}");
    assert!(what.contains("module was compiled with stack protector by an unpatched clang"), "{what}");

    let mut fixture = Fixture::new();
    let up = fixture.import("if_up");
    let f = fixture.bytes("f", &[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3], 8);
    let place = fixture.start_of(f) + 3;
    fixture.reloc(fixture.text(), place, up, -4, R_X86_64_GOTPCREL);
    let what = rejects(&fixture, &Policy::default(), Check::Relocs, "if_up");
    assert!(what.contains("type 9 (GOTPCREL)") && what.contains("no global offset table"), "{what}");
}

#[test]
fn relocations_of_sections_that_are_not_loaded_are_free() {
    let mut fixture = Fixture::new();
    let f = fixture.function("f", leaf);
    let debug = fixture.section(".debug_info", object::elf::SectionFlags(0), &[0; 8], 1);
    fixture.reloc(debug, 0, f, 0, object::elf::R_X86_64_32);
    accepts(&fixture, &Policy::default());
}

#[test]
fn fpu_is_refused_and_fences_are_not() {
    let mut fixture = Fixture::new();
    fixture.function("f", |a| {
        a.lfence().unwrap();
        a.mfence().unwrap();
        a.ret().unwrap();
    });
    accepts(&fixture, &Policy::default());
    fixture.function("g", |a| {
        a.xorps(xmm0, xmm0).unwrap();
        a.ret().unwrap();
    });
    rejects(&fixture, &Policy::default(), Check::Fpu, "g");
    let mut fixture = Fixture::new();
    fixture.function("x87", |a| {
        a.fld1().unwrap();
        a.ret().unwrap();
    });
    rejects(&fixture, &Policy::default(), Check::Fpu, "x87");
}

#[test]
fn red_zone_is_refused_and_locals_above_the_stack_pointer_are_not() {
    let mut fixture = Fixture::new();
    fixture.function("f", |a| {
        a.push(rbp).unwrap();
        a.mov(rbp, rsp).unwrap();
        a.sub(rsp, 16).unwrap();
        a.mov(qword_ptr(rbp - 16), rax).unwrap();
        a.mov(qword_ptr(rsp + 8), rax).unwrap();
        a.leave().unwrap();
        a.ret().unwrap();
    });
    accepts(&fixture, &Policy::default());
    fixture.function("g", |a| {
        a.mov(qword_ptr(rsp - 8), rax).unwrap();
        a.ret().unwrap();
    });
    rejects(&fixture, &Policy::default(), Check::RedZone, "g");
    let mut fixture = Fixture::new();
    fixture.function("h", |a| {
        a.push(rbp).unwrap();
        a.mov(rbp, rsp).unwrap();
        a.mov(qword_ptr(rbp - 8), rax).unwrap();
        a.pop(rbp).unwrap();
        a.ret().unwrap();
    });
    rejects(&fixture, &Policy::default(), Check::RedZone, "h");
}

#[test]
fn privileged_instructions_are_refused() {
    let bodies: [&[u8]; 4] = [&[0xfa, 0xc3], &[0x0f, 0x32, 0xc3], &[0xf4, 0xc3], &[0xcd, 0x80, 0xc3]];
    for body in bodies {
        let mut fixture = Fixture::new();
        fixture.bytes("f", body, body.len() as u64);
        rejects(&fixture, &Policy::default(), Check::Insn, "f");
        accepts(&fixture, &policy("waivers: [{symbol: f, check: insn, reason: a test}]"));
    }
}

/// An epoch and an interface's reference, as in the kernel.
const TABLE: &str = "balance:\n\
    - {resource: epoch, acquire: [enter], release: [leave]}\n\
    - {resource: interface, acquire-or-null: [ifunit_ref], release: [if_rele]}\n";

fn resources() -> KernelSymbols {
    KernelSymbols::from_globals(["enter", "leave", "ifunit_ref", "if_rele", "try"], Some(VERSION))
}

/// Verifies `code` of one function whose calls (offset of the displacement, import) are relocated.
fn balance(name: &str, code: &[u8], calls: &[(u64, &str)], table: &str) -> nlproof_verify::Report {
    let mut fixture = Fixture::new();
    let f = fixture.bytes(name, code, code.len() as u64);
    for (place, import) in calls {
        let import = fixture.import(import);
        let at = fixture.start_of(f) + place;
        fixture.reloc(fixture.text(), at, import, -4, object::elf::R_X86_64_PLT32);
    }
    verify(&ObjectBytes { name: "m.ko", bytes: &fixture.build() }, &policy(table), Some(&resources()))
}

#[track_caller]
fn unbalanced(report: &nlproof_verify::Report) -> &nlproof_verify::Finding {
    for finding in report.findings.iter().filter(|finding| finding.rejects()) {
        assert_eq!(finding.check, Check::Balance, "{report}");
    }
    report.findings.iter().find(|finding| finding.check == Check::Balance).unwrap()
}

#[test]
fn balance_needs_a_release_on_every_path_and_shows_the_shortest_that_has_none() {
    // call enter; test edi,edi; je out; call leave; out: ret
    let code = [0xe8, 0, 0, 0, 0, 0x85, 0xff, 0x74, 5, 0xe8, 0, 0, 0, 0, 0xc3];
    let calls = [(1, "enter"), (10, "leave")];
    let report = balance("f", &code, &calls, TABLE);
    let finding = unbalanced(&report);
    assert_eq!((&*finding.subject, &*finding.what), ("f", "returns with `epoch` held (1×)"));
    let offsets: Vec<u64> = finding.path.iter().map(|step| step.offset).collect();
    assert_eq!(offsets, [0, 7, 14], "{report}");
    assert!(report.to_string().contains("0: f+0x0") && report.to_string().contains("call enter"), "{report}");
    // Without the branch it balances.
    let straight = [0xe8, 0, 0, 0, 0, 0x85, 0xff, 0x90, 0x90, 0xe8, 0, 0, 0, 0, 0xc3];
    assert!(balance("f", &straight, &calls, TABLE).accepted);
    // A waiver excuses it, and nobody looks without a table.
    let waiver = format!("{TABLE}waivers: [{{symbol: f, check: balance, reason: a test}}]");
    assert!(balance("f", &code, &calls, &waiver).accepted);
    assert!(balance("f", &code, &calls, "").accepted);
}

#[test]
fn balance_counts_loops_early_releases_and_calls_that_end_the_function() {
    // again: call enter; test edi,edi; jne again; ret
    let code = [0xe8, 0, 0, 0, 0, 0x85, 0xff, 0x75, 0xf7, 0xc3];
    let report = balance("f", &code, &[(1, "enter")], TABLE);
    assert!(unbalanced(&report).what.contains("`epoch`"), "{report}");
    let report = balance("f", &[0xe8, 0, 0, 0, 0, 0xc3], &[(1, "leave")], TABLE);
    assert_eq!(unbalanced(&report).what, "gives back `epoch` without holding it");
    // call enter; jmp leave
    let tail = [0xe8, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0];
    assert!(balance("f", &tail, &[(1, "enter"), (6, "leave")], TABLE).accepted);
    let report = balance("f", &tail, &[(1, "enter"), (6, "enter")], TABLE);
    assert_eq!(unbalanced(&report).what, "returns with `epoch` held (2×)");
}

#[test]
fn balance_knows_that_null_is_no_reference() {
    // push rbx; call ifunit_ref; mov rbx,rax; test rbx,rbx; je out; mov rdi,rbx; call if_rele; out: pop rbx; ret
    let code = [
        0x53, 0xe8, 0, 0, 0, 0, 0x48, 0x89, 0xc3, 0x48, 0x85, 0xdb, 0x74, 8, 0x48, 0x89, 0xdf, 0xe8, 0, 0, 0,
        0, 0x5b, 0xc3,
    ];
    let calls = [(2, "ifunit_ref"), (18, "if_rele")];
    let report = balance("f", &code, &calls, TABLE);
    assert!(report.accepted, "{report}");
    // The other way round: released if there is none, kept if there is one.
    let mut wrong = code;
    wrong[12] = 0x75;
    assert_eq!(unbalanced(&balance("f", &wrong, &calls, TABLE)).subject, "f");
    // The test of a register that holds something else says nothing.
    let mut other = code;
    other[9..12].copy_from_slice(&[0x48, 0x85, 0xff]);
    assert_eq!(unbalanced(&balance("f", &other, &calls, TABLE)).subject, "f");
}

#[test]
fn balance_knows_that_zero_is_no_lock() {
    let table = TABLE.replace("acquire-or-null", "acquire-or-zero");
    // push rbx; call ifunit_ref; mov ebx,eax; test ebx,ebx; je out; call if_rele; out: pop rbx; ret
    let code = [0x53, 0xe8, 0, 0, 0, 0, 0x89, 0xc3, 0x85, 0xdb, 0x74, 5, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3];
    let calls = [(2, "ifunit_ref"), (13, "if_rele")];
    let report = balance("f", &code, &calls, &table);
    assert!(report.accepted, "{report}");
    // The other way round: released if it was not got, kept if it was.
    let mut wrong = code;
    wrong[10] = 0x75;
    assert_eq!(unbalanced(&balance("f", &wrong, &calls, &table)).subject, "f");
    // Half of a pointer is not null because its other half is.
    assert_eq!(unbalanced(&balance("f", &code, &calls, TABLE)).subject, "f");
    // Nor is an int zero where the bits above it are.
    let wide =
        [0x53, 0xe8, 0, 0, 0, 0, 0x48, 0x89, 0xc3, 0x48, 0x85, 0xdb, 0x74, 5, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3];
    assert_eq!(unbalanced(&balance("f", &wide, &[(2, "ifunit_ref"), (15, "if_rele")], &table)).subject, "f");
    // A function of the module may hand on such a lock.
    let listed = "balance: [{resource: lock, acquire-or-zero: [try, begin], release: [drop]}]";
    assert!(balance("begin", &[0xe8, 0, 0, 0, 0, 0xc3], &[(1, "try")], listed).accepted);
}

#[test]
fn balance_holds_a_function_of_the_table_to_what_it_is_listed_as() {
    let table = "balance: [{resource: epoch, acquire: [enter, begin], release: [leave, end]}]";
    let call = [0xe8, 0, 0, 0, 0, 0xc3];
    assert!(balance("begin", &call, &[(1, "enter")], table).accepted);
    assert!(balance("end", &call, &[(1, "leave")], table).accepted);
    assert_eq!(unbalanced(&balance("begin", &[0xc3], &[], table)).what, "returns with 0 of `epoch`, not 1");
    assert_eq!(
        unbalanced(&balance("end", &call, &[(1, "enter")], table)).what,
        "returns with `epoch` held (1×)"
    );
    let error = Policy::parse(Path::new("p.yaml"), "balance: [{resource: x, acquire: [a], release: [a]}]");
    assert!(error.unwrap_err().what.contains("stands twice"));
    let error = Policy::parse(Path::new("p.yaml"), "balance: [{resource: x, release: [a]}]");
    assert!(error.unwrap_err().what.contains("lacks names"));
}
