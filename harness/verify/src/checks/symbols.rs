// SPDX-License-Identifier: BSD-2-Clause
//! Imports and relocations: whether the kernel's linker can place the module.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_base::counted;
use object::elf;

use crate::check::Check;
use crate::elf::Home;
use crate::facts::Facts;
use crate::policy::short_name;
use crate::report::Finding;

pub(crate) fn imports(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let mut number = 0;
    let sets: BTreeSet<&str> = facts.module.sections.iter().map(|section| section.name.as_str()).collect();
    for symbol in
        facts.module.symbols.iter().filter(|symbol| symbol.home == Home::Undefined && !symbol.name.is_empty())
    {
        number += 1;
        let name = symbol.name.as_str();
        if is_compiler_rt(name) {
            findings.push(
                Finding::error(Check::Imports, name, "is arithmetic that the kernel does not have")
                    .cause("floating point or 128-bit integers in the source")
                    .help("use integers of at most 64 bits"),
            );
            continue;
        }
        if facts.policy.imports.as_ref().is_some_and(|allowed| !allowed.contains(name)) {
            findings.push(
                Finding::error(Check::Imports, name, "is not in the policy's list of imports")
                    .help("add it to `imports` after reviewing what it may do, or remove the use"),
            );
        }
        let Some(kernel) = facts.kernel else { continue };
        if kernel.has_global(name) || symbol.bind == elf::STB_WEAK.0 || is_linker_set_bound(&sets, name) {
            continue;
        }
        findings.push(if kernel.has_local(name) {
            Finding::error(Check::Imports, name, "is only a local symbol of the kernel")
                .cause("it resolves only while debug.link_elf_obj_leak_locals is 1")
                .help("use a function that the kernel exports")
        } else {
            Finding::error(Check::Imports, name, "is nowhere in the kernel")
                .cause("kldload would fail with `unsupported file type` and name the symbol only in dmesg")
                .help("remove the use, or name the modules it comes from along with the kernel")
        });
    }
    let detail = match (&facts.policy.imports, facts.kernel) {
        (Some(allowed), Some(kernel)) => {
            format!("{number} of {} allowed, {} in the kernel", allowed.len(), kernel.len())
        }
        (Some(allowed), None) => format!("{number} of {} allowed; no kernel to compare with", allowed.len()),
        (None, Some(kernel)) => format!("no list in the policy; {} in the kernel", kernel.len()),
        (None, None) => "no list in the policy and no kernel to compare with".to_owned(),
    };
    if facts.kernel.is_none() && facts.policy.imports.is_none() && number > 0 {
        findings.push(
            Finding::warning(Check::Imports, "imports", "cannot be judged")
                .help("give a kernel, or list the allowed `imports` in the policy"),
        );
    }
    (counted(number, "symbol").to_string(), detail)
}

/// `__start_set_X` and `__stop_set_X` are made by the linker of the kernel for sets the file has.
fn is_linker_set_bound(sets: &BTreeSet<&str>, name: &str) -> bool {
    let set = name.strip_prefix("__start_").or_else(|| name.strip_prefix("__stop_"));
    set.is_some_and(|set| sets.contains(set))
}

/// Routines of compiler-rt for floats and 128-bit integers (its README: names end in the operand modes).
fn is_compiler_rt(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("__") else { return false };
    const TAILS: [&str; 20] = [
        "sf2", "df2", "tf2", "xf2", "sf3", "df3", "tf3", "xf3", "sfsi", "dfsi", "sfdi", "dfdi", "sfti",
        "dfti", "sisf", "sidf", "disf", "didf", "ti3", "ti4",
    ];
    let heads = [
        "add", "sub", "mul", "div", "udiv", "mod", "umod", "neg", "fix", "float", "extend", "trunc", "eq",
        "ne", "lt", "le", "gt", "ge", "unord", "ashl", "ashr", "lshr", "pow",
    ];
    heads.iter().any(|head| rest.starts_with(head)) && TAILS.iter().any(|tail| rest.ends_with(tail))
}

pub(crate) fn relocs(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let module = facts.module;
    let (mut number, mut sections) = (0, 0);
    let mut kinds: BTreeMap<u32, usize> = BTreeMap::new();
    // One finding for each type and symbol: a function may name one a thousand times.
    let mut refused: BTreeMap<(String, u32), (usize, String)> = BTreeMap::new();
    for (section, list) in module.relocs.iter().enumerate() {
        if list.is_empty() || !module.sections[section].is_alloc() {
            continue;
        }
        sections += 1;
        let home = &module.sections[section];
        for reloc in list {
            number += 1;
            *kinds.entry(reloc.kind).or_default() += 1;
            let width = match reloc.kind {
                0 => 0,
                1 => 8,
                2 | 4 | 11 => 4,
                kind => {
                    let symbol = &module.symbols[reloc.symbol];
                    let subject =
                        if symbol.name.is_empty() { home.name.clone() } else { symbol.name.clone() };
                    let place = format!("{}+{:#x}", short_name(&home.name), reloc.offset);
                    refused.entry((subject, kind)).or_insert((0, place)).0 += 1;
                    continue;
                }
            };
            if reloc.offset.checked_add(width).is_none_or(|end| end > home.data.len() as u64) {
                let what = format!("has a relocation at {:#x}, outside of its contents", reloc.offset);
                findings.push(Finding::error(Check::Relocs, &*home.name, what));
            }
        }
    }
    for ((subject, kind), (times, place)) in refused {
        let what =
            format!("is reached by relocation type {kind} ({}), {times}×, first at {place}", kind_name(kind));
        let finding = Finding::error(Check::Relocs, &*subject, what);
        findings.push(match kind {
            9 | 41 | 42 if subject == "__stack_chk_guard" => finding
                .cause("module was compiled with stack protector by an unpatched clang, which reads the guard through the GOT")
                .help("compile with -fno-stack-protector, or with FreeBSD's own clang"),
            3 | 9 | 26 | 41 | 42 => finding
                .cause("the loader has no global offset table: kldload ends with `unexpected relocation type`")
                .help("Rust: -C relro-level=off -C relocation-model=static, core included; clang: -fno-pic -mcmodel=kernel"),
            16..=23 | 34..=36 => finding.cause("thread-local storage does not exist in the kernel").help("use a per-CPU or global variable"),
            10 | 12..=15 => finding
                .cause("the field is too narrow for a kernel address")
                .help("compile with the kernel code model (-mcmodel=kernel, -C code-model=kernel)"),
            _ => finding.cause("the loader of FreeBSD/amd64 applies types 0, 1, 2, 4 and 11 only"),
        });
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(&kind, count)| format!("{}×{count}", kind_name(kind))).collect();
    (format!("{number} in {}", counted(sections, "section")), kinds.join(" "))
}

/// Short names of `R_X86_64_*` (System V ABI, AMD64 supplement, table 4.9).
fn kind_name(kind: u32) -> &'static str {
    match kind {
        0 => "NONE",
        1 => "64",
        2 => "PC32",
        3 => "GOT32",
        4 => "PLT32",
        9 => "GOTPCREL",
        10 => "32",
        11 => "32S",
        12 => "16",
        14 => "8",
        16..=18 => "TLS",
        19 => "TLSGD",
        20 => "TLSLD",
        21 => "DTPOFF32",
        22 => "GOTTPOFF",
        23 => "TPOFF32",
        24 => "PC64",
        25 => "GOTOFF64",
        26 => "GOTPC32",
        41 => "GOTPCRELX",
        42 => "REX_GOTPCRELX",
        _ => "other",
    }
}
