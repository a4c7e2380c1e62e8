// SPDX-License-Identifier: BSD-2-Clause
//! From bytes, policy and kernel to a report.

use std::borrow::Cow;
use std::collections::BTreeSet;

use nlproof_base::counted;
use sha2::{Digest as _, Sha256};

use crate::archive;
use crate::check::Check;
use crate::checks::{self, NO_SETS};
use crate::dwarf::place_steps;
use crate::elf::{Home, Module};
use crate::facts::Facts;
use crate::kernel::{KernelSymbols, version_with};
use crate::policy::{Policy, demangle};
use crate::report::{Finding, FunctionRow, Report, Row, SCHEMA, Severity, Stats, Verdict};

/// The bytes of a module and the name under which the report shows them.
#[derive(Debug, Clone, Copy)]
pub struct ObjectBytes<'a> {
    /// For the report only, usually the file's name.
    pub name: &'a str,
    /// The file's contents.
    pub bytes: &'a [u8],
}

type Run = fn(&Facts<'_>, &mut Vec<Finding>) -> (String, String);

/// Verifies a module: pure, without I/O, never panics, work bounded by the length of the bytes. Whatever
/// cannot be known is rejected by name.
pub fn verify(object: &ObjectBytes<'_>, policy: &Policy, kernel: Option<&KernelSymbols>) -> Report {
    let mut findings = Vec::new();
    let module = match archive::read(object.bytes, &mut findings) {
        Ok(module) => module,
        Err(error) => return unreadable(object, &error.to_string()),
    };
    // ELFOSABI_FREEBSD and ELFOSABI_NONE: clang and rustc mark plain objects with 0.
    if ![0, 9].contains(&module.os_abi) {
        let what = format!("is marked for another system (OS ABI {})", module.os_abi);
        findings.push(Finding::error(Check::Elf, object.name, what));
    }
    let policy = &in_force(policy, kernel, &mut findings);
    let facts = Facts::gather(&module, policy, kernel, &mut findings);
    let runs: [(Check, Run); 15] = [
        (Check::Imports, checks::imports),
        (Check::Relocs, checks::relocs),
        (Check::Fpu, checks::fpu),
        (Check::RedZone, checks::red_zone),
        (Check::Insn, checks::insn),
        (Check::Stack, checks::stack),
        (Check::Recursion, checks::recursion),
        (Check::Indirect, checks::indirect),
        (Check::Panic, checks::panic),
        (Check::Balance, checks::balance),
        (Check::Wx, checks::wx),
        (Check::Sections, checks::sections),
        (Check::Abi, checks::abi),
        (Check::Modmeta, checks::modmeta),
        (Check::Traceable, checks::traceable),
    ];
    let functions = function_rows(&facts);
    let stats = stats(&facts);
    let mut summaries = vec![
        (Check::Elf, kind(&module), counted(object.bytes.len(), "byte").to_string()),
        (
            Check::Code,
            counted(stats.functions, "function").to_string(),
            counted(stats.insns, "insn").to_string(),
        ),
    ];
    for (check, run) in runs {
        let (subject, detail) = run(&facts, &mut findings);
        summaries.push((check, subject, detail));
    }
    summaries.push((
        Check::Waiver,
        counted(policy.waivers.len(), "waiver").to_string(),
        "each excuses something".to_owned(),
    ));
    waive(policy, &mut findings);
    summaries.push((Check::Baseline, String::new(), String::new()));
    findings.sort_by_key(|finding| finding.check);
    let without_lines = place_steps(&module, &mut findings);
    let checks = summaries
        .into_iter()
        .map(|(check, subject, detail)| match check {
            Check::Baseline => not_checked(check, "no baseline was given"),
            Check::Abi if policy.abi.is_empty() => not_checked(check, "the policy has no `abi` table"),
            Check::Balance if policy.balance.is_empty() => {
                not_checked(check, "the policy has no `balance` table")
            }
            Check::Modmeta if !policy.metadata && detail == NO_SETS => {
                not_checked(check, "the policy asks for no metadata, and there is none")
            }
            Check::Traceable if policy.traced.is_empty() => {
                Row { verdict: Verdict::NotChecked, ..row(check, subject, detail, &findings) }
            }
            _ => row(check, subject, detail, &findings),
        })
        .collect();
    let accepted = !findings.iter().any(Finding::rejects);
    Report {
        schema: SCHEMA,
        module: object.name.to_owned(),
        sha256: sha256(object.bytes),
        accepted,
        checks,
        findings,
        functions,
        imports: imports(&module),
        stats,
        without_lines,
        elapsed_micros: None,
    }
}

fn kind(module: &Module<'_>) -> String {
    match module.members.len() {
        1 if module.is_one_file() => "ET_REL amd64".to_owned(),
        members => format!("archive of {members} × ET_REL amd64"),
    }
}

fn sha256(bytes: &[u8]) -> String {
    nlproof_base::hex(&Sha256::digest(bytes))
}

/// Names of undefined symbols, each once, sorted.
fn imports(module: &Module<'_>) -> Vec<String> {
    let named =
        module.symbols.iter().filter(|symbol| symbol.home == Home::Undefined && !symbol.name.is_empty());
    let names: BTreeSet<&str> = named.map(|symbol| symbol.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn not_checked(check: Check, why: &str) -> Row {
    Row { check, verdict: Verdict::NotChecked, subject: String::new(), detail: why.to_owned() }
}

/// The row of a check: what the first finding says, or subject and detail if none rejects.
pub fn row<C: Copy + PartialEq>(
    check: C,
    subject: String,
    detail: String,
    findings: &[Finding<C>],
) -> Row<C> {
    let of_check = || findings.iter().filter(move |finding| finding.check == check);
    let first = of_check().find(|finding| finding.rejects()).or_else(|| of_check().next());
    let verdict = match first {
        None => Verdict::Ok,
        Some(first) if first.rejects() => Verdict::Reject,
        Some(_) if of_check().any(|finding| finding.waived.is_some()) => Verdict::Waived,
        Some(_) => Verdict::Warn,
    };
    match first {
        Some(first) if verdict == Verdict::Reject => {
            let more = of_check().filter(|finding| finding.rejects()).count() - 1;
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            Row { check, verdict, subject: first.subject.clone(), detail: format!("{}{more}", first.what) }
        }
        _ => Row { check, verdict, subject, detail },
    }
}

/// The policy with the waivers that are for this kernel. Which kernel it is has to be known if one asks.
fn in_force<'a>(
    policy: &'a Policy,
    kernel: Option<&KernelSymbols>,
    findings: &mut Vec<Finding>,
) -> Cow<'a, Policy> {
    if policy.waivers.iter().all(|waiver| waiver.kernels.is_none()) {
        return Cow::Borrowed(policy);
    }
    let version = version_with(policy, kernel);
    let mut policy = policy.clone();
    policy.waivers.retain(|waiver| match (waiver.kernels, version) {
        (None, _) => true,
        (Some(kernels), Some(version)) => kernels.contains(version),
        (Some(_), None) => {
            let what =
                format!("has a waiver for `{}` of some kernels, and this one is not known", waiver.check);
            findings.push(
                Finding::error(Check::Waiver, &*waiver.symbol, what)
                    .help("give --kernel, or `kernel-version`"),
            );
            false
        }
    });
    Cow::Owned(policy)
}

/// Marks what the policy excuses; a waiver that excuses nothing is itself a finding.
fn waive(policy: &Policy, findings: &mut Vec<Finding>) {
    let mut unused = Vec::new();
    for waiver in &policy.waivers {
        let mut used = false;
        for finding in findings.iter_mut().filter(|finding| finding.check == waiver.check) {
            let named = finding.subject == waiver.symbol || demangle(&finding.subject) == waiver.symbol;
            if named && finding.severity == Severity::Error && waiver.check.can_be_waived() {
                finding.waived = Some(waiver.reason.clone());
                used = true;
            }
        }
        if !used {
            let what = format!("has a waiver for `{}` that excuses nothing", waiver.check);
            unused.push(Finding::error(Check::Waiver, &*waiver.symbol, what).help("delete the waiver"));
        }
    }
    findings.append(&mut unused);
}

fn unreadable(object: &ObjectBytes<'_>, error: &str) -> Report {
    let finding = Finding::error(Check::Elf, object.name, format!("cannot be analysed: {error}"));
    let checks = Check::ALL
        .into_iter()
        .map(|check| match check {
            Check::Elf => row(check, String::new(), String::new(), std::slice::from_ref(&finding)),
            Check::Baseline => not_checked(check, "no baseline was given"),
            _ => Row {
                check,
                verdict: Verdict::NotRun,
                subject: String::new(),
                detail: "no module to look at".to_owned(),
            },
        })
        .collect();
    Report {
        schema: SCHEMA,
        module: object.name.to_owned(),
        sha256: sha256(object.bytes),
        accepted: false,
        checks,
        findings: vec![finding],
        functions: Vec::new(),
        imports: Vec::new(),
        stats: Stats::default(),
        without_lines: None,
        elapsed_micros: None,
    }
}

fn function_rows(facts: &Facts<'_>) -> Vec<FunctionRow> {
    let mut rows: Vec<FunctionRow> = facts
        .code
        .functions
        .iter()
        .enumerate()
        .map(|(index, function)| FunctionRow {
            symbol: function.name.clone(),
            name: demangle(&function.name),
            frame: facts.flows[index].problem.is_none().then_some(facts.frames[index]),
            chain: facts.graph.chain[index],
            calls: facts.graph.edges[index].len(),
            indirect: function.insns.iter().filter(|insn| insn.goes == crate::code::Goes::Indirect).count(),
            insns: function.insns.len(),
            traceable: checks::is_traceable(facts, index),
        })
        .collect();
    rows.sort_by(|a, b| b.chain.cmp(&a.chain).then_with(|| a.symbol.cmp(&b.symbol)));
    rows
}

fn stats(facts: &Facts<'_>) -> Stats {
    let loaded = |index: usize| facts.module.sections.get(index).is_some_and(crate::elf::Section::is_alloc);
    let symbols = facts.module.symbols.iter();
    Stats {
        functions: facts.code.functions.len(),
        insns: facts.code.functions.iter().map(|function| function.insns.len()).sum(),
        relocs: facts
            .module
            .relocs
            .iter()
            .enumerate()
            .filter(|(index, _)| loaded(*index))
            .map(|(_, list)| list.len())
            .sum(),
        imports: symbols.filter(|symbol| symbol.home == Home::Undefined && !symbol.name.is_empty()).count(),
        deepest_chain: facts.graph.chain.iter().copied().max().unwrap_or(0),
    }
}
