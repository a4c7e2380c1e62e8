// SPDX-License-Identifier: BSD-2-Clause
//! Layouts of shared structures: C, Rust and the kernel against each other and against the policy's numbers.

use std::collections::BTreeSet;

use nlproof_base::counted;

use crate::check::Check;
use crate::dwarf::{DebugError, DebugSections, Language, structures};
use crate::facts::Facts;
use crate::layout::{Layout, differences, place};
use crate::policy::Shared;
use crate::report::Finding;

/// How many differences of one structure are told.
const SHOWN: usize = 8;

pub(crate) fn abi(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let table = &facts.policy.abi;
    if table.is_empty() {
        return (String::new(), String::new());
    }
    let (c, rust) = match of_module(facts) {
        Ok(found) => found,
        Err(why) => {
            findings.push(
                Finding::error(Check::Abi, "abi", format!("cannot be judged: {why}"))
                    .help("compile C with -g and Rust with -C debuginfo=2, and keep the debug sections"),
            );
            return (counted(table.len(), "structure").to_string(), "nothing compared".to_owned());
        }
    };
    let (mut compared, mut fields) = (0, 0);
    for shared in table {
        let mut sides: Vec<(String, Layout)> = Vec::new();
        if let Some(name) = &shared.c {
            sides.extend(side(shared, "C", c.get(name), findings));
        }
        if let Some(name) = &shared.rust {
            sides.extend(side(shared, "Rust", rust.get(name), findings));
        }
        if let Some(name) = &shared.kernel {
            sides.extend(of_kernel(facts, shared, name, findings));
        }
        if let Some(((first, layout), others)) = sides.split_first() {
            for (other, there) in others {
                compared += 1;
                fields += layout.fields.len();
                report(shared, &differences((first, layout), (other, there)), findings);
            }
        }
        if shared.has_numbers()
            && let Some((side, layout)) = sides.first()
        {
            compared += 1;
            report(shared, &against_numbers(shared, side, layout), findings);
        }
    }
    let kernel = match facts.kernel.and_then(|kernel| kernel.layouts()) {
        Some(layouts) => format!("; the kernel's types from {}", layouts.from.unwrap_or("nowhere")),
        None => String::new(),
    };
    {
        let (compared, fields) = (counted(compared, "comparison"), counted(fields, "field"));
        (counted(table.len(), "structure").to_string(), format!("{compared} of {fields}{kernel}"))
    }
}

type Found = std::collections::BTreeMap<String, Vec<(String, Option<Layout>)>>;

/// The structures of the module, as C and as Rust has them.
fn of_module(facts: &Facts<'_>) -> Result<(Found, Found), DebugError> {
    let table = &facts.policy.abi;
    let names = |pick: fn(&Shared) -> Option<&String>| table.iter().filter_map(pick).cloned();
    let c: BTreeSet<String> = names(|shared| shared.c.as_ref()).collect();
    let rust: BTreeSet<String> = names(|shared| shared.rust.as_ref()).collect();
    if c.is_empty() && rust.is_empty() {
        return Ok((Found::new(), Found::new()));
    }
    let (mut found, mut any) = ((Found::new(), Found::new()), false);
    for member in &facts.module.members {
        let debug = DebugSections::of_member(facts.module, member)?;
        if debug.get(".debug_info").is_empty() {
            continue;
        }
        any = true;
        for (language, wanted, list) in
            [(Language::C, &c, &mut found.0), (Language::Rust, &rust, &mut found.1)]
        {
            if wanted.is_empty() {
                continue;
            }
            let more = structures(&debug, language, wanted)?;
            for (name, layouts) in more {
                let list: &mut Vec<_> = list.entry(name).or_default();
                // One of each kind is enough to say that they differ.
                for (unit, layout) in layouts {
                    if list.len() < 8 && !list.iter().any(|(_, other)| *other == layout) {
                        list.push((unit, layout));
                    }
                }
            }
        }
    }
    if any { Ok(found) } else { Err(DebugError::NoInfo) }
}

/// The layout of one side of the module; its definitions must agree among themselves.
fn side(
    shared: &Shared,
    language: &str,
    found: Option<&Vec<(String, Option<Layout>)>>,
    findings: &mut Vec<Finding>,
) -> Option<(String, Layout)> {
    let subject = shared.subject();
    let Some(list) = found else {
        let what = format!("is not in the module's debug information of {language}");
        findings.push(
            Finding::error(Check::Abi, subject, what)
                .cause("nothing compiled uses it by that name, or it was compiled without types")
                .help("clang: -g; rustc: -C debuginfo=2, and the type's whole path in the policy"),
        );
        return None;
    };
    let mut first: Option<(&str, &Layout)> = None;
    for (unit, layout) in list {
        let Some(layout) = layout else {
            let what = format!("cannot be followed in the debug information of {language} ({unit})");
            findings.push(Finding::error(Check::Abi, subject, what));
            return None;
        };
        match first {
            None => first = Some((unit, layout)),
            Some(first) => report(shared, &differences(first, (unit, layout)), findings),
        }
    }
    first.map(|(_, layout)| (language.to_owned(), layout.clone()))
}

/// The kernel's layout.
fn of_kernel(
    facts: &Facts<'_>,
    shared: &Shared,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Option<(String, Layout)> {
    let subject = shared.subject();
    let unknown = |what: &str, help: &str| Finding::warning(Check::Abi, subject, what).help(help);
    let Some(kernel) = facts.kernel else {
        findings.push(unknown("is not compared with the kernel's: no kernel was given", "give the kernel"));
        return None;
    };
    let Some(layouts) = kernel.layouts().filter(|layouts| layouts.from.is_some()) else {
        findings.push(unknown(
            "is not compared with the kernel's: the kernel carries neither DWARF nor CTF",
            "give kernel.debug, or a kernel with .SUNW_ctf",
        ));
        return None;
    };
    let from = layouts.from.unwrap_or_default();
    match layouts.found.get(name).map(Vec::as_slice) {
        // Of two structures of one name nobody knows which is meant.
        Some([Some(layout)]) => Some((format!("the kernel ({from})"), layout.clone())),
        Some([_, _, ..]) => {
            let what = format!("is defined in more than one way in the kernel's {from}");
            findings.push(Finding::error(Check::Abi, subject, what));
            None
        }
        Some(_) => {
            let what = format!("cannot be followed in the kernel's {from}");
            findings.push(Finding::error(Check::Abi, subject, what));
            None
        }
        None => {
            let what = format!("is not in the kernel's {from} as `{name}`");
            findings.push(Finding::error(Check::Abi, subject, what));
            None
        }
    }
}

fn against_numbers(shared: &Shared, side: &str, layout: &Layout) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(size) = shared.size.filter(|size| *size != layout.size) {
        found.push(format!("has {} in {side} and {size} in the policy", counted(layout.size, "byte")));
    }
    if let Some(align) = shared.align.filter(|align| Some(*align) != layout.align) {
        let here = layout.align.map_or("unknown".to_owned(), |align| align.to_string());
        found.push(format!("is aligned to {here} in {side} and to {align} in the policy"));
    }
    for (name, offset) in &shared.offsets {
        match layout.fields.iter().find(|field| field.name == *name) {
            Some(field) if Some(field.offset) == offset.checked_mul(8) => {}
            Some(field) => found.push(format!(
                "has `{name}` at {} in {side} and at {offset} in the policy",
                place(field.offset)
            )),
            None => found.push(format!("has no field `{name}` in {side}")),
        }
    }
    found
}

fn report(shared: &Shared, differences: &[String], findings: &mut Vec<Finding>) {
    let Some((first, others)) = differences.split_first() else { return };
    let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
    let mut finding = Finding::error(Check::Abi, shared.subject(), format!("{first}{more}"))
        .help("change one side so that both are the same; #[repr(C)] on Rust's");
    if !others.is_empty() {
        finding = finding.cause(others.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; "));
    }
    findings.push(finding);
}
