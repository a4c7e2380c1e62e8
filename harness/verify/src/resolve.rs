// SPDX-License-Identifier: BSD-2-Clause
//! Branch targets from places to instructions and functions; jump tables; addresses taken.

use iced_x86::{OpKind, Register};
use object::elf;

use crate::check::Check;
use crate::code::{Code, Goes};
use crate::elf::Module;
use crate::report::Finding;

/// Entries of jump tables that are looked at in all, so that many jumps to one long table stay cheap.
const TABLE_BUDGET: usize = 1 << 20;

/// Resolves every branch of `code`.
pub(crate) fn resolve(code: &mut Code, module: &Module<'_>, findings: &mut Vec<Finding>) {
    let mut budget = TABLE_BUDGET;
    for index in 0..code.functions.len() {
        for number in 0..code.functions[index].insns.len() {
            let goes = match code.functions[index].insns[number].goes {
                Goes::Place(section, offset) => direct(code, index, number, section, offset),
                Goes::Indirect => match table(code, module, index, number, &mut budget) {
                    Some(targets) => Goes::Table(targets),
                    None => continue,
                },
                Goes::Astray => Goes::Astray,
                _ => continue,
            };
            let function = &mut code.functions[index];
            if goes == Goes::Astray {
                let at = function.insns[number].ins.ip() - function.start;
                let what = format!(
                    "branches at +{at:#x} to something that is not the start of an instruction or function"
                );
                findings.push(Finding::error(Check::Code, &*function.name, what));
            }
            function.insns[number].goes = goes;
        }
    }
    mark_address_taken(code, module);
}

fn direct(code: &Code, index: usize, number: usize, section: usize, offset: u64) -> Goes {
    let function = &code.functions[index];
    // A call to the function's own start is recursion, a jump to it a loop.
    if function.section == section && (function.start..function.end).contains(&offset) {
        return match function.at(offset) {
            // A call into the function's own middle pushes an address that no `ret` takes off.
            Some(to) if to == 0 || !function.insns[number].ins.is_call_near() => Goes::Inside(to),
            _ => Goes::Astray,
        };
    }
    match code.holding(section, offset) {
        Some(other) if code.functions[other].start == offset => Goes::Function(other),
        _ => Goes::Astray,
    }
}

/// `jmp *table(,%reg,8)` where each entry is a 64-bit relocation into the same function. The table ends
/// at the first entry that is anything else; what may be behind its real end is then at worst a branch
/// too many.
fn table(
    code: &Code,
    module: &Module<'_>,
    index: usize,
    number: usize,
    budget: &mut usize,
) -> Option<Vec<usize>> {
    let function = &code.functions[index];
    let ins = &function.insns[number].ins;
    let shape = ins.is_jmp_near_indirect()
        && ins.op0_kind() == OpKind::Memory
        && ins.memory_base() == Register::None
        && ins.memory_index() != Register::None
        && ins.memory_index_scale() == 8;
    if !shape {
        return None;
    }
    // The displacement is the last field of the instruction.
    let reloc = module.reloc_at(function.section, ins.next_ip().checked_sub(4)?)?;
    if reloc.kind != elf::R_X86_64_32S.0 {
        return None;
    }
    let (section, mut at) = module.points_to(reloc)?;
    // A table that code can write to may change after it was read here.
    if module.sections.get(section)?.is_write() {
        return None;
    }
    let mut targets = Vec::new();
    while let Some(entry) = module.reloc_at(section, at).filter(|entry| entry.kind == elf::R_X86_64_64.0) {
        *budget = budget.checked_sub(1)?;
        let Some((home, offset)) = module.points_to(entry) else { break };
        let inside = home == function.section && (function.start..function.end).contains(&offset);
        let Some(target) = inside.then(|| function.at(offset)).flatten() else { break };
        targets.push(target);
        at = at.checked_add(8)?;
    }
    targets.sort_unstable();
    targets.dedup();
    (!targets.is_empty()).then_some(targets)
}

fn mark_address_taken(code: &mut Code, module: &Module<'_>) {
    for (section, list) in module.relocs.iter().enumerate() {
        for reloc in list {
            let Some((home, offset)) = module.points_to(reloc) else { continue };
            let absolute = reloc.kind == elf::R_X86_64_64.0 || reloc.kind == elf::R_X86_64_32S.0;
            // `lea f(%rip)` is PC-relative and no branch; the addend counts from the field.
            let offset = if absolute { offset } else { offset.wrapping_add(4) };
            if let Some(from) = code.holding(section, reloc.offset)
                && !absolute
            {
                let function = &code.functions[from];
                let next = function.insns.partition_point(|insn| insn.ins.ip() <= reloc.offset);
                let branch = next.checked_sub(1).and_then(|at| function.insns.get(at));
                if branch.is_some_and(|insn| insn.goes != Goes::On) {
                    continue;
                }
            }
            if let Some(target) = code.holding(home, offset)
                && let Some(function) = code.functions.get_mut(target)
                && function.start == offset
            {
                function.address_taken = true;
            }
        }
    }
}
