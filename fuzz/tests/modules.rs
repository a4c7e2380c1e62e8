// SPDX-License-Identifier: BSD-2-Clause
//! Small modules that reach each part of the verifier, whole and cut. `NLPROOF_FUZZ_SEEDS=DIR` writes them
//! there, as inputs to begin with.

#[path = "../../harness/verify/tests/support/dwarf.rs"]
mod dwarf;
#[path = "../../harness/verify/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;

use iced_x86::code_asm::*;
use object::SymbolKind;
use object::elf::{
    R_X86_64_32S, R_X86_64_64, R_X86_64_PC32, R_X86_64_REX_GOTPCRELX, SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE,
    SectionFlags,
};
use support::Fixture;

/// MDT_MODULE and MDT_DEPEND as [`Fixture::metadata`] has them, without a page to themselves.
fn metadata(fixture: &mut Fixture, types: [i32; 2]) {
    let mut data = Vec::new();
    for kind in types {
        data.extend(1_i32.to_le_bytes());
        data.extend(kind.to_le_bytes());
        data.extend([0; 16]);
    }
    for word in [1_400_000_i32, 1_400_507, 1_499_999] {
        data.extend(word.to_le_bytes());
    }
    data.extend(b"sample\0kernel\0");
    let records = fixture.section(".rodata.meta", SHF_ALLOC, &data, 8);
    let base = fixture.section_symbol(records);
    for (place, to) in [(16, 60), (32, 48), (40, 67)] {
        fixture.reloc(records, place, base, to, R_X86_64_64);
    }
    let set = fixture.section("set_modmetadata_set", SHF_ALLOC, &[0; 16], 8);
    fixture.reloc(set, 0, base, 0, R_X86_64_64);
    fixture.reloc(set, 8, base, 24, R_X86_64_64);
}

/// Two functions, an import, metadata.
fn plain() -> Fixture {
    let mut fixture = Fixture::bare();
    metadata(&mut fixture, [2, 1]);
    let up = fixture.import("if_up");
    let inner = fixture.caller("inner", &[up]);
    fixture.caller("outer", &[inner, up]);
    fixture
}

/// A jump table, `.stack_sizes`, an address taken, an alias, a version record.
fn tables() -> Fixture {
    let mut fixture = Fixture::bare();
    metadata(&mut fixture, [3, 4]);
    let switch = fixture.bytes("switch", &[0xff, 0x24, 0xc5, 0, 0, 0, 0, 0xc3, 0x31, 0xc0, 0xc3], 11);
    let start = fixture.start_of(switch);
    fixture.symbol("alias", fixture.text(), start, 11, SymbolKind::Text);
    let table = fixture.section(".rodata.table", SHF_ALLOC, &[0; 16], 8);
    let table_symbol = fixture.section_symbol(table);
    fixture.reloc(fixture.text(), start + 3, table_symbol, 0, R_X86_64_32S);
    fixture.reloc(table, 0, switch, 7, R_X86_64_64);
    fixture.reloc(table, 8, switch, 8, R_X86_64_64);
    let taker = fixture.bytes("taker", &[0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3], 8);
    let place = fixture.start_of(taker) + 3;
    fixture.reloc(fixture.text(), place, switch, -4, R_X86_64_PC32);
    let sizes = fixture.section(".stack_sizes", SectionFlags(0), &[0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x01], 1);
    fixture.reloc(sizes, 0, switch, 0, R_X86_64_64);
    fixture
}

/// A module with everything that is rejected: recursion, a panic, FPU, privileged and trapping
/// instructions, the red zone, indirect calls, dynamic stack, tail calls, code without a symbol.
fn refused() -> Fixture {
    let mut fixture = Fixture::bare();
    let panic = fixture.import("panic");
    let rust_panic = fixture.import("_ZN4core9panicking5panic17h0123456789abcdefE");
    let guard = fixture.import("__stack_chk_guard");
    let first = fixture.caller("first", &[panic, rust_panic]);
    let second = fixture.caller("_RNvCs1234_7mycrate3foo", &[first]);
    fixture.hide(second);
    let frame = |a: &mut CodeAssembler, middle: &dyn Fn(&mut CodeAssembler)| {
        a.push(rbp).unwrap();
        a.mov(rbp, rsp).unwrap();
        middle(a);
        a.leave().unwrap();
        a.ret().unwrap();
    };
    fixture.function("fpu", |a| frame(a, &|a| a.addsd(xmm0, xmm1).unwrap()));
    fixture.function("privileged", |a| frame(a, &|a| a.wrmsr().unwrap()));
    fixture.function("indirect", |a| frame(a, &|a| a.call(rax).unwrap()));
    fixture.function("dynamic", |a| frame(a, &|a| a.sub(rsp, rax).unwrap()));
    fixture.function("aligned", |a| frame(a, &|a| a.and(rsp, -32).unwrap()));
    fixture.function("large", |a| frame(a, &|a| a.sub(rsp, 8192).unwrap()));
    fixture.function("red_zone", |a| frame(a, &|a| a.mov(qword_ptr(rsp - 8), rax).unwrap()));
    fixture.function("loops", |a| {
        let mut again = a.create_label();
        a.set_label(&mut again).unwrap();
        a.push(rax).unwrap();
        a.jne(again).unwrap();
        a.ret().unwrap();
    });
    fixture.function("traps", |a| a.ud2().unwrap());
    let got = fixture.bytes("got", &[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3], 8);
    let place = fixture.start_of(got) + 3;
    fixture.reloc(fixture.text(), place, guard, -4, R_X86_64_REX_GOTPCRELX);
    let itself = fixture.bytes("itself", &[0xe8, 0xfb, 0xff, 0xff, 0xff, 0xc3], 6);
    let tail = fixture.bytes("tail", &[0xe9, 0, 0, 0, 0], 5);
    let place = fixture.start_of(tail) + 1;
    fixture.reloc(fixture.text(), place, itself, -4, object::elf::R_X86_64_PLT32);
    fixture.bytes("unsized", &[0xc3], 0);
    fixture.section(".wx", SectionFlags(SHF_ALLOC.0 | SHF_WRITE.0 | SHF_EXECINSTR.0), &[0xc3], 1);
    fixture.section(".init_array", SectionFlags(SHF_ALLOC.0 | SHF_WRITE.0), &[0; 8], 8);
    fixture.section(".eh_frame", SHF_ALLOC, &[0; 8], 8);
    fixture
}

/// A name of 139 bytes that stands for 393,180, in a function, an import and a cycle.
fn doubling() -> Fixture {
    const NAME: &str = "_RINvC1a1bTuuETB7_B7_ETBb_Bb_ETBj_Bj_ETBr_Br_ETBz_Bz_ETBH_BH_ETBP_BP_E\
                        TBX_BX_ETB15_B15_ETB1d_B1d_ETB1n_B1n_ETB1x_B1x_ETB1H_B1H_ETB1R_B1R_EE";
    let mut fixture = Fixture::bare();
    let import = fixture.import(NAME);
    let inner = fixture.bytes(NAME, &[0xe8, 0xfb, 0xff, 0xff, 0xff, 0xc3], 6);
    fixture.caller("outer", &[inner, import]);
    fixture
}

/// Lines, an inlined function, a structure in C and in Rust, in a version of DWARF.
fn described(version: u16) -> Fixture {
    use gimli::constants::{DW_LANG_C99, DW_LANG_Rust, DW_TAG_namespace};
    let fields = [("data", 0, 8), ("len", 8, 4), ("kind", 12, 2)];
    let mut fixture = Fixture::bare();
    let panic = fixture.import("panic");
    let first = fixture.caller("first", &[panic]);
    let start = fixture.start_of(first);
    let mut debug = dwarf::Debug::new(version);
    let unit = debug.unit(DW_LANG_C99, "first.c", start, &[(0, 1), (4, 2)], 20);
    let root = debug.root(unit);
    debug.structure(unit, root, "request", 16, &fields);
    debug.inlined(unit, "second", (start + 4, start + 9), 3);
    let unit = debug.unit(DW_LANG_Rust, "lib.rs", 0, &[], 0);
    let root = debug.root(unit);
    let module = debug.entry(unit, root, DW_TAG_namespace, "m");
    let inner = debug.structure(unit, module, "Inner", 8, &fields[..1]);
    let outer = debug.structure(unit, module, "Request", 16, &fields[1..]);
    debug.member(unit, outer, "data", 0, inner);
    debug.add_to(&mut fixture);
    fixture
}

/// An archive of two members that call each other, and one that is no object.
fn archive() -> Vec<u8> {
    let member = |name: &str, calls: &str| {
        let mut fixture = Fixture::bare();
        let other = fixture.import(calls);
        fixture.caller(name, &[other]);
        fixture.build()
    };
    let mut file = b"!<arch>\n".to_vec();
    for (name, data) in [("a.o", member("a", "b")), ("b.o", member("b", "if_up")), ("c", b"text".to_vec())] {
        let header =
            format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, data.len());
        file.extend(header.bytes());
        file.extend(data);
    }
    file
}

/// `set_modmetadata_set` as SHT_NOBITS of 2^63 bytes.
fn claimed_size() -> Vec<u8> {
    use object::read::elf::FileHeader as _;
    let mut bytes = plain().build();
    let header = object::elf::FileHeader64::<object::LittleEndian>::parse(&*bytes).unwrap();
    let sections = header.sections(object::LittleEndian, &*bytes).unwrap();
    let mut list = sections.iter();
    let name = |section| sections.section_name(object::LittleEndian, section);
    let index = list.position(|section| name(section) == Ok(b"set_modmetadata_set")).unwrap();
    let at = header.e_shoff(object::LittleEndian) as usize + index * 64;
    bytes[at + 4..at + 8].copy_from_slice(&object::elf::SHT_NOBITS.0.to_le_bytes());
    bytes[at + 32..at + 40].copy_from_slice(&(1_u64 << 63).to_le_bytes());
    bytes
}

#[test]
fn small_modules_whole_and_cut() {
    let seeds = std::env::var_os("NLPROOF_FUZZ_SEEDS").map(|seeds| PathBuf::from(seeds).join("verify"));
    let modules = [
        ("plain", plain().build()),
        ("tables", tables().build()),
        ("refused", refused().build()),
        ("doubling", doubling().build()),
        ("claimed-size", claimed_size()),
        ("dwarf-4", described(4).build()),
        ("dwarf-5", described(5).build()),
        ("archive", archive()),
    ];
    for (name, bytes) in modules {
        assert!(bytes.len() < 8192, "{name}: {} bytes are more than libFuzzer makes", bytes.len());
        nlproof_fuzz::verify(&bytes);
        for length in (0..bytes.len()).step_by(37) {
            nlproof_fuzz::verify(&bytes[..length]);
        }
        if let Some(seeds) = &seeds {
            fs::create_dir_all(seeds).unwrap();
            fs::write(seeds.join(name), &bytes).unwrap();
        }
    }
}

/// The seeds are as intended: read to the end, and rejected for every reason that exists.
#[test]
fn the_modules_reach_the_checks() {
    use nlproof_verify::{ObjectBytes, Policy, Verdict, verify};
    let rejects = |fixture: Fixture| {
        let report = verify(&ObjectBytes { name: "m.ko", bytes: &fixture.build() }, &Policy::default(), None);
        assert!(report.stats.insns > 0, "{report}");
        report.checks.iter().filter(|row| row.verdict == Verdict::Reject).count()
    };
    assert_eq!(rejects(plain()), 0);
    let refused = rejects(refused());
    assert!(refused >= 10, "{refused} checks");
}
