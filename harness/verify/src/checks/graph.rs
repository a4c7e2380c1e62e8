// SPDX-License-Identifier: BSD-2-Clause
//! Checks on the call graph: stack, recursion, indirect branches, panic.

use std::collections::VecDeque;

use iced_x86::{FlowControl, Mnemonic};
use nlproof_base::counted;

use crate::check::Check;
use crate::code::Goes;
use crate::facts::Facts;
use crate::graph::Callee;
use crate::policy::short_name;
use crate::report::{Finding, Step};

/// Longest path that is kept for a finding: a chain of n functions has n entries with n steps each.
const PATH: usize = 64;

pub(crate) fn stack(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let policy = facts.policy;
    for (index, function) in facts.code.functions.iter().enumerate() {
        if let Some((at, why)) = facts.flows[index].problem {
            findings.push(
                Finding::error(
                    Check::Stack,
                    &*function.name,
                    format!("has a frame that is not known: the stack pointer {why}"),
                )
                .path(vec![facts.step(index, at)])
                .help("locals of fixed size only"),
            );
        }
        let frame = facts.frames[index];
        if frame > policy.frame_bytes {
            let what =
                format!("has a frame of {}; {} are allowed", counted(frame, "byte"), policy.frame_bytes);
            findings.push(
                Finding::error(Check::Stack, &*function.name, what)
                    .help("smaller locals, or a buffer of the caller's"),
            );
        }
    }
    let worst = (0..facts.code.functions.len())
        .reduce(|best, other| if facts.graph.chain[other] > facts.graph.chain[best] { other } else { best });
    let Some(worst) = worst else { return ("0 functions".to_owned(), "no code".to_owned()) };
    let bytes = facts.graph.chain[worst];
    let name = &facts.code.functions[worst].name;
    if bytes > policy.chain_bytes {
        let what = format!(
            "needs {} of stack down its deepest chain; {} are allowed",
            counted(bytes, "byte"),
            policy.chain_bytes
        );
        findings.push(
            Finding::error(Check::Stack, &**name, what)
                .path(deepest(facts, worst))
                .help("split what is on the stack at the same time"),
        );
    }
    (name.clone(), format!("{bytes} of {} (deepest chain)", counted(policy.chain_bytes, "byte")))
}

fn deepest(facts: &Facts<'_>, from: usize) -> Vec<Step> {
    let (mut path, mut at, mut sum) = (Vec::new(), from, 0_u64);
    // A waived cycle has no last call: the path is at most as long as there are functions.
    for _ in 0..facts.code.functions.len() {
        sum = sum.saturating_add(facts.frames[at]);
        let edge = facts.graph.deepest[at];
        let mut step = facts.step(at, edge.map_or(0, |edge| edge.insn));
        step.stack = Some((facts.frames[at], sum));
        path.push(step);
        match edge.map(|edge| edge.to) {
            Some(Callee::Function(to)) => at = to,
            _ => break,
        }
    }
    path
}

pub(crate) fn recursion(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    for cycle in &facts.graph.cycles {
        let names: Vec<String> =
            cycle.iter().take(8).map(|&member| short_name(&facts.code.functions[member].name)).collect();
        // Every member is a subject of its own: a waiver must name each.
        for &member in cycle {
            let path = facts.graph.edges[member]
                .iter()
                .find(|edge| matches!(edge.to, Callee::Function(to) if cycle.binary_search(&to).is_ok()))
                .map(|edge| facts.step(member, edge.insn));
            findings.push(
                Finding::error(Check::Recursion, &*facts.code.functions[member].name, "can call itself")
                    .path(path.into_iter().collect())
                    .cause(format!("a cycle of {}: {}", cycle.len(), names.join(", ")))
                    .help("a loop, or a waiver for each function that says what bounds the depth"),
            );
        }
    }
    (
        counted(facts.code.functions.len(), "function").to_string(),
        counted(facts.graph.cycles.len(), "cycle").to_string(),
    )
}

pub(crate) fn indirect(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let (mut sites, mut tables) = (0, 0);
    for (index, function) in facts.code.functions.iter().enumerate() {
        let found: Vec<usize> =
            (0..function.insns.len()).filter(|&at| function.insns[at].goes == Goes::Indirect).collect();
        tables += function.insns.iter().filter(|insn| matches!(insn.goes, Goes::Table(_))).count();
        sites += found.len();
        if !found.is_empty() {
            let what = format!("calls or jumps through a pointer in {}", counted(found.len(), "place"));
            let path = found.iter().take(3).map(|&at| facts.step(index, at)).collect();
            findings.push(
                Finding::error(Check::Indirect, &*function.name, what)
                    .path(path)
                    .cause("stack, recursion and panic cannot be followed past it")
                    .help("static dispatch, or a waiver with the set of `targets`"),
            );
        }
    }
    (counted(sites, "site").to_string(), format!("{} resolved", counted(tables, "jump table")))
}

pub(crate) fn panic(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let functions = facts.code.functions.len();
    let mut callers: Vec<Vec<(usize, usize)>> = vec![Vec::new(); functions];
    // For each function on a way to a panic: the instruction that takes it, and the next function.
    let mut way: Vec<Option<(usize, Option<usize>)>> = vec![None; functions];
    // Where that way ends: function and instruction.
    let mut end = vec![(0_usize, 0_usize); functions];
    let mut work = VecDeque::new();
    for (index, edges) in facts.graph.edges.iter().enumerate() {
        for edge in edges {
            match edge.to {
                Callee::Function(to) if facts.policy.is_panic(&facts.code.functions[to].name) => {
                    way[index].get_or_insert((edge.insn, None));
                }
                Callee::Function(to) => callers[to].push((index, edge.insn)),
                Callee::Import(to) if facts.policy.is_panic(&facts.module.symbols[to].name) => {
                    way[index].get_or_insert((edge.insn, None));
                }
                Callee::Import(_) => {}
            }
        }
        let function = &facts.code.functions[index];
        let trap = (0..function.insns.len())
            .find(|&at| facts.flows[index].reached[at] && function.insns[at].ins.mnemonic() == Mnemonic::Ud2);
        if let Some(at) = trap {
            way[index].get_or_insert((at, None));
        }
        if let Some((insn, _)) = way[index] {
            end[index] = (index, insn);
            work.push_back(index);
        }
    }
    while let Some(at) = work.pop_front() {
        for &(caller, insn) in &callers[at] {
            if way[caller].is_none() {
                way[caller] = Some((insn, Some(at)));
                end[caller] = end[at];
                work.push_back(caller);
            }
        }
    }
    let mut reached = 0;
    for (index, function) in facts.code.functions.iter().enumerate() {
        // Roots: what the kernel can enter. What only the module calls is shown on their paths.
        let root = function.global || function.address_taken || callers[index].is_empty();
        if way[index].is_none() || !root || facts.policy.is_panic(&function.name) {
            continue;
        }
        reached += 1;
        let last = facts.step(end[index].0, end[index].1);
        let what = format!("can panic: {}", last.text);
        let (mut path, mut at) = (Vec::new(), index);
        while let Some((insn, next)) = way[at] {
            path.push(facts.step(at, insn));
            match next {
                // A longer way goes on with its end.
                Some(_) if path.len() == PATH => {
                    path.push(last);
                    break;
                }
                Some(next) => at = next,
                None => break,
            }
        }
        findings.push(
            Finding::error(Check::Panic, &*function.name, what)
                .path(path)
                .help("`get` for indexing, `checked_` or `wrapping_` arithmetic, no `unwrap`"),
        );
    }
    for symbol in &facts.module.symbols {
        if symbol.home == crate::elf::Home::Undefined && facts.policy.is_panic(&symbol.name) {
            findings.push(
                Finding::error(Check::Panic, &*symbol.name, "is imported")
                    .cause("a linked module without a way to a panic does not import it")
                    .help("link with --gc-sections; see the paths above"),
            );
        }
    }
    let calls = facts.code.functions.iter().flat_map(|function| &function.insns);
    let calls = calls.filter(|insn| insn.ins.flow_control() == FlowControl::Call).count();
    {
        let followed = counted(calls, "call");
        (counted(reached, "entry").to_string(), format!("reach a panic symbol; {followed} followed"))
    }
}
