// SPDX-License-Identifier: BSD-2-Clause
//! Facts about the module that are computed once and shared by the checks.

use std::collections::BTreeMap;

use iced_x86::{FastFormatter, FlowControl};
use nlproof_base::counted;

use crate::check::Check;
use crate::code::{Code, Goes};
use crate::elf::{Home, Module};
use crate::flow::{self, Flow};
use crate::graph::{Callee, Graph};
use crate::kernel::KernelSymbols;
use crate::policy::{Policy, demangle, short_name, shorten};
use crate::report::{Finding, Step};

/// Kernel functions that do not return (`__dead2` in `sys/systm.h`, `sys/proc.h`, `sys/kthread.h`) beside
/// those that the policy calls panics.
const NO_RETURN: [&str; 8] = [
    "exit1",
    "kern_reboot",
    "kthread_exit",
    "kproc_exit",
    "thread_exit",
    "sched_throw",
    "cpu_throw",
    "__stack_chk_fail",
];

/// The module, and what follows from it alone.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) module: &'a Module<'a>,
    pub(crate) policy: &'a Policy,
    pub(crate) kernel: Option<&'a KernelSymbols>,
    pub(crate) code: Code,
    pub(crate) flows: Vec<Flow>,
    /// Frames in bytes: followed, or from `.stack_sizes` if that is more.
    pub(crate) frames: Vec<u64>,
    pub(crate) graph: Graph,
}

impl<'a> Facts<'a> {
    pub(crate) fn gather(
        module: &'a Module<'a>,
        policy: &'a Policy,
        kernel: Option<&'a KernelSymbols>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let code = Code::read(module, findings);
        let flows = follow_all(module, policy, &code);
        for (function, flow) in code.functions.iter().zip(&flows) {
            if flow.runs_off {
                findings.push(Finding::error(Check::Code, &*function.name, "can run past its end").cause(
                    "its last instruction is no return, jump or call of a function known not to return",
                ));
            }
            let jumps = function.insns.iter().any(|insn| {
                insn.goes == Goes::Indirect && insn.ins.flow_control() == FlowControl::IndirectBranch
            });
            let unseen = function.insns.iter().zip(&flow.reached).filter(|(insn, reached)| {
                !**reached
                    && !matches!(
                        insn.ins.mnemonic(),
                        iced_x86::Mnemonic::Nop | iced_x86::Mnemonic::Int3 | iced_x86::Mnemonic::Ud2
                    )
            });
            let unseen = unseen.count();
            if jumps && unseen > 0 {
                let what = {
                    let unseen = counted(unseen, "instruction").verb("is", "are");
                    format!("jumps through a pointer, and {unseen} reached in no other way")
                };
                findings.push(
                    Finding::error(Check::Code, &*function.name, what)
                        .help("-fno-jump-tables, -Z no-jump-tables"),
                );
            }
        }
        let sizes = crate::sizes::stack_sizes(module, &code, findings);
        let frames: Vec<u64> = flows
            .iter()
            .enumerate()
            .map(|(index, flow)| flow.frame.max(sizes.get(&index).map_or(0, |size| size.saturating_add(8))))
            .collect();
        let declared = declared_targets(module, policy, &code, findings);
        let graph = Graph::build(&code, &flows, &frames, &declared);
        Self { module, policy, kernel, code, flows, frames, graph }
    }

    /// The instruction as a step of a path.
    pub(crate) fn step(&self, function: usize, insn: usize) -> Step {
        let home = &self.code.functions[function];
        let Some(found) = home.insns.get(insn) else {
            return Step {
                function: short_name(&home.name),
                offset: 0,
                text: String::new(),
                stack: None,
                source: None,
                inlined: Vec::new(),
                raw: None,
                place: None,
            };
        };
        let verb = match found.ins.flow_control() {
            FlowControl::Call | FlowControl::IndirectCall => "call",
            _ => "jump",
        };
        let text = |name: fn(&str) -> String| match found.goes {
            Goes::Function(to) => format!("{verb} {}", name(&self.code.functions[to].name)),
            Goes::Import(to) => format!("{verb} {}", name(&self.module.symbols[to].name)),
            Goes::Inside(0) if verb == "call" => format!("call {}", name(&home.name)),
            _ => {
                let mut text = String::new();
                FastFormatter::new().format(&found.ins, &mut text);
                // The displacement in the file is only a placeholder where a relocation fills it in.
                let reloc = self.module.relocs_in(home.section, found.ins.ip(), found.ins.next_ip()).first();
                match reloc.and_then(|reloc| self.names(reloc, name)) {
                    Some(name) => format!("{text}  ; {name}"),
                    None => text,
                }
            }
        };
        let raw = (shorten(home.name.clone()), text(|name| shorten(name.to_owned())));
        let mangled = |text: &str| text.contains("_R") || text.contains("_ZN");
        // Most names are C's, and there are many steps.
        let (function, text, raw) = match mangled(&raw.0) || mangled(&raw.1) {
            true => (short_name(&home.name), text(short_name), Some(raw)),
            false => (raw.0, raw.1, None),
        };
        Step {
            raw,
            function,
            offset: found.ins.ip() - home.start,
            text,
            stack: None,
            source: None,
            inlined: Vec::new(),
            place: Some((home.section, found.ins.ip())),
        }
    }
}

impl Facts<'_> {
    /// What a relocation names: its symbol, or section and offset behind a section symbol.
    fn names(&self, reloc: &crate::elf::Reloc, name: fn(&str) -> String) -> Option<String> {
        let symbol = self.module.symbols.get(reloc.symbol)?;
        if !symbol.name.is_empty() {
            return Some(name(&symbol.name));
        }
        let (section, offset) = self.module.points_to(reloc)?;
        // PC-relative addends count from the field, four bytes before what is meant.
        let offset = if reloc.kind == object::elf::R_X86_64_PC32.0 { offset.wrapping_add(4) } else { offset };
        Some(format!("{}+{offset:#x}", name(&self.module.sections.get(section)?.name)))
    }
}

/// Follows every function; those that never return are found on the way, callees before callers as often
/// as it takes, within a fixed number of rounds.
fn follow_all(module: &Module<'_>, policy: &Policy, code: &Code) -> Vec<Flow> {
    let stops_import: Vec<bool> = module
        .symbols
        .iter()
        .map(|symbol| {
            symbol.home == Home::Undefined
                && (NO_RETURN.contains(&symbol.name.as_str()) || policy.is_panic(&symbol.name))
        })
        .collect();
    let mut stops_function: Vec<bool> =
        code.functions.iter().map(|function| policy.is_panic(&function.name)).collect();
    let follow = |index: usize, stops_function: &[bool]| {
        flow::follow(&code.functions[index], |goes| match goes {
            Goes::Import(to) => stops_import[*to],
            Goes::Function(to) => stops_function[*to],
            _ => false,
        })
    };
    let mut flows: Vec<Flow> =
        (0..code.functions.len()).map(|index| follow(index, &stops_function)).collect();
    for _ in 0..8 {
        let mut changed = false;
        for (index, flow) in flows.iter().enumerate() {
            // Running off its end is not returning: that is refused on its own.
            if !flow.returns
                && !flow.runs_off
                && !stops_function[index]
                && !code.functions[index].insns.is_empty()
            {
                stops_function[index] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
        for (index, function) in code.functions.iter().enumerate() {
            if function.insns.iter().any(|insn| matches!(insn.goes, Goes::Function(to) if stops_function[to]))
            {
                flows[index] = follow(index, &stops_function);
            }
        }
    }
    flows
}

/// The targets that waivers declare for the indirect branches of a function.
fn declared_targets(
    module: &Module<'_>,
    policy: &Policy,
    code: &Code,
    findings: &mut Vec<Finding>,
) -> Vec<Vec<Callee>> {
    let mut declared = vec![Vec::new(); code.functions.len()];
    let waivers: Vec<_> = policy.waivers.iter().filter(|waiver| !waiver.targets.is_empty()).collect();
    if waivers.is_empty() {
        return declared;
    }
    let mut names: BTreeMap<String, Callee> = BTreeMap::new();
    for (index, symbol) in
        module.symbols.iter().enumerate().filter(|(_, symbol)| symbol.home == Home::Undefined)
    {
        names.insert(demangle(&symbol.name), Callee::Import(index));
        names.insert(symbol.name.clone(), Callee::Import(index));
    }
    for (index, function) in code.functions.iter().enumerate() {
        for name in std::iter::once(&function.name).chain(&function.aliases) {
            names.insert(demangle(name), Callee::Function(index));
            names.insert(name.clone(), Callee::Function(index));
        }
    }
    for waiver in waivers {
        let Some(Callee::Function(from)) = names.get(&waiver.symbol) else { continue };
        for target in &waiver.targets {
            match names.get(target) {
                Some(callee) => declared[*from].push(*callee),
                None => findings.push(Finding::error(
                    Check::Waiver,
                    &*waiver.symbol,
                    format!("is declared to call `{target}`, which is neither in the module nor imported"),
                )),
            }
        }
    }
    declared
}
