// SPDX-License-Identifier: BSD-2-Clause
//! Acquire and release on every path: references, locks and epochs from the policy's table.
//!
//! Each resource of the table is followed through each function that calls one of its names, by itself: a
//! state is an instruction, how many are held, and the registers that hold the result of the last
//! acquisition that may have failed. States are visited breadth first, so that the first path that does not
//! balance is the shortest. Calls of functions outside the table count as balanced: each is judged itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use iced_x86::{
    ConditionCode, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use nlproof_base::counted;

use crate::check::Check;
use crate::code::{Function, Goes, Insn};
use crate::facts::Facts;
use crate::policy::Resource;
use crate::report::{Finding, Step};

/// More than this many of one resource held by one function: a loop that acquires without release.
const MOST: i8 = 8;
/// Steps of a path that are shown; the last one always is.
const SHOWN: usize = 24;

/// Effect of a call on the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Acquire,
    /// An acquisition that may fail, and then returns this.
    AcquireOr(Nothing),
    Release,
}

/// The value by which an acquisition says that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nothing {
    /// A null pointer: 64 bits.
    Null,
    /// The int 0: 32 bits, whatever is above them.
    Zero,
}

impl Nothing {
    /// Bytes of a register that hold it.
    fn size(self) -> usize {
        match self {
            Self::Null => 8,
            Self::Zero => 4,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: usize,
    held: i8,
    /// Registers (bits by number) that are null, or zero, if the last acquisition failed.
    result: u16,
    /// Which of the two.
    nothing: Nothing,
    /// The flags compare one of them with it.
    tested: bool,
}

pub(crate) fn balance(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let table = &facts.policy.balance;
    if table.is_empty() {
        return (String::new(), "the policy has no table of acquire and release".to_owned());
    }
    let mut followed = 0;
    for resource in table {
        for (index, function) in facts.code.functions.iter().enumerate() {
            let effects: BTreeMap<usize, Effect> = (0..function.insns.len())
                .filter_map(|at| Some((at, effect(facts, resource, &function.insns[at].goes)?)))
                .collect();
            let wanted = wanted(resource, function);
            if !effects.is_empty() || wanted != (0, 0) {
                followed += 1;
                findings.extend(follow(facts, resource, index, &effects, wanted));
            }
        }
    }
    (
        counted(table.len(), "resource").to_string(),
        format!("followed through {}", counted(followed, "function")),
    )
}

/// Least and most that the function may hold when it returns, by its own entry in the table.
fn wanted(resource: &Resource, function: &Function) -> (i8, i8) {
    let listed = |names: &BTreeSet<String>| names.iter().any(|name| function.has_name(name));
    if listed(&resource.acquire) {
        (1, 1)
    } else if listed(&resource.acquire_or_null) || listed(&resource.acquire_or_zero) {
        (0, 1)
    } else if listed(&resource.release) {
        (-1, -1)
    } else {
        (0, 0)
    }
}

fn effect(facts: &Facts<'_>, resource: &Resource, goes: &Goes) -> Option<Effect> {
    let listed = |names: &BTreeSet<String>| match goes {
        Goes::Import(to) => names.contains(&facts.module.symbols[*to].name),
        Goes::Function(to) => names.iter().any(|name| facts.code.functions[*to].has_name(name)),
        _ => false,
    };
    if listed(&resource.acquire) {
        Some(Effect::Acquire)
    } else if listed(&resource.acquire_or_null) {
        Some(Effect::AcquireOr(Nothing::Null))
    } else if listed(&resource.acquire_or_zero) {
        Some(Effect::AcquireOr(Nothing::Zero))
    } else {
        listed(&resource.release).then_some(Effect::Release)
    }
}

/// The shortest path that does not balance, as a finding.
fn follow(
    facts: &Facts<'_>,
    resource: &Resource,
    index: usize,
    effects: &BTreeMap<usize, Effect>,
    (least, most): (i8, i8),
) -> Option<Finding> {
    let function = &facts.code.functions[index];
    let stops: BTreeSet<usize> = facts.flows[index].stops.iter().copied().collect();
    // A few states for each instruction are usual; a function that needs more is refused, not explored.
    let limit = function.insns.len().saturating_mul(32).saturating_add(64);
    let mut factory = InstructionInfoFactory::new();
    let mut from: BTreeMap<State, Option<State>> = BTreeMap::new();
    let first = State { at: 0, held: 0, result: 0, nothing: Nothing::Null, tested: false };
    from.insert(first, None);
    let mut work = VecDeque::from([first]);
    let fail = |from: &BTreeMap<State, Option<State>>, state: State, what: String| {
        Finding::error(Check::Balance, &*function.name, what)
            .path(path(facts, index, effects, from, state))
            .cause("nobody else gives it back: the reference leaks, or the lock stays with a thread that went on")
            .help("release on every path, or list the function itself in the table, or waive it with the reason")
    };
    let name = &resource.resource;
    while let Some(state) = work.pop_front() {
        let Some(insn) = function.insns.get(state.at) else { continue };
        let flow = insn.ins.flow_control();
        if flow == FlowControl::Exception || stops.contains(&state.at) {
            continue;
        }
        let mut next = after(insn, state, effects.get(&state.at).copied(), &mut factory);
        if next.held > MOST || next.held < -MOST {
            return Some(fail(&from, state, format!("takes or gives back `{name}` as often as a loop runs")));
        }
        if next.held < least.min(0) {
            return Some(fail(&from, state, format!("gives back `{name}` without holding it")));
        }
        if leaves(insn) {
            // A tail call of an acquisition hands on its result, null or not.
            if next.held < least || next.held > most {
                let what = match next.held {
                    ..=0 => format!("returns with {} of `{name}`, not {least}", next.held),
                    held => format!("returns with `{name}` held ({held}×)"),
                };
                return Some(fail(&from, state, what));
            }
            if flow != FlowControl::ConditionalBranch {
                continue;
            }
            next = State { held: state.held, ..next };
        }
        for successor in successors(insn, state, next) {
            if let std::collections::btree_map::Entry::Vacant(entry) = from.entry(successor) {
                entry.insert(Some(state));
                work.push_back(successor);
            }
        }
        if from.len() > limit {
            return Some(fail(&from, state, format!("has too many paths to follow `{name}`")));
        }
    }
    None
}

fn is_call(ins: &Instruction) -> bool {
    matches!(ins.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
}

/// Whether the function ends here: a return, or a branch out of it.
fn leaves(insn: &Insn) -> bool {
    insn.ins.flow_control() == FlowControl::Return
        || (!is_call(&insn.ins) && matches!(insn.goes, Goes::Function(_) | Goes::Import(_) | Goes::Indirect))
}

/// The state behind an instruction, its place apart.
fn after(insn: &Insn, state: State, effect: Option<Effect>, factory: &mut InstructionInfoFactory) -> State {
    let ins = &insn.ins;
    let mut next = state;
    if is_call(ins) || effect.is_some() {
        // The caller's registers survive a call (System V ABI: rbx, rbp, r12 to r15).
        next.result &= bit(Register::RBX)
            | bit(Register::RBP)
            | bit(Register::R12)
            | bit(Register::R13)
            | bit(Register::R14)
            | bit(Register::R15);
        next.tested = false;
        match effect {
            Some(Effect::Acquire) => (next.held, next.result) = (state.held + 1, 0),
            Some(Effect::AcquireOr(nothing)) => {
                (next.held, next.result, next.nothing) = (state.held + 1, bit(Register::RAX), nothing);
            }
            Some(Effect::Release) => (next.held, next.result) = (state.held - 1, 0),
            None => {}
        }
        return next;
    }
    if state.result == 0 {
        return next;
    }
    let whole = |op: u32| {
        if ins.op_kind(op) == OpKind::Register && ins.op_register(op).size() == state.nothing.size() {
            bit(ins.op_register(op))
        } else {
            0
        }
    };
    let with_null = match ins.mnemonic() {
        Mnemonic::Test => whole(0) == whole(1),
        Mnemonic::Cmp => {
            ins.op_kind(1) != OpKind::Register && ins.op_kind(1) != OpKind::Memory && ins.immediate(1) == 0
        }
        _ => false,
    };
    if with_null && whole(0) & state.result != 0 {
        next.tested = true;
        return next;
    }
    if ins.rflags_modified() & iced_x86::RflagsBits::ZF != 0 {
        next.tested = false;
    }
    let copied = ins.mnemonic() == Mnemonic::Mov && whole(1) & state.result != 0;
    let info = factory.info(ins);
    for used in info.used_registers() {
        if matches!(
            used.access(),
            OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
        ) {
            next.result &= !bit(used.register());
        }
    }
    if copied {
        next.result |= whole(0);
    }
    next
}

/// The general register's bit, whatever its width; 0 for others.
fn bit(register: Register) -> u16 {
    let full = register.full_register();
    if full.is_gpr64() { 1 << full.number() } else { 0 }
}

fn successors(insn: &Insn, state: State, next: State) -> Vec<State> {
    let mut list = Vec::new();
    let ins = &insn.ins;
    // Null or zero means that nothing was acquired.
    let null = State { held: next.held - 1, result: 0, tested: false, ..next };
    let held = State { result: 0, tested: false, ..next };
    let (taken, passed) = match ins.condition_code() {
        ConditionCode::e if state.tested && ins.is_jcc_short_or_near() => (null, held),
        ConditionCode::ne if state.tested && ins.is_jcc_short_or_near() => (held, null),
        _ => (next, next),
    };
    if !is_call(ins) {
        match &insn.goes {
            Goes::Inside(to) => list.push(State { at: *to, ..taken }),
            Goes::Table(targets) => list.extend(targets.iter().map(|&at| State { at, ..next })),
            _ => {}
        }
    }
    if !matches!(
        ins.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return
    ) {
        list.push(State { at: state.at + 1, ..passed });
    }
    list
}

/// From the entry to `last`: the table's calls, the branches that are taken, and the end.
fn path(
    facts: &Facts<'_>,
    index: usize,
    effects: &BTreeMap<usize, Effect>,
    from: &BTreeMap<State, Option<State>>,
    last: State,
) -> Vec<Step> {
    let insns = &facts.code.functions[index].insns;
    let mut steps = vec![last.at];
    let mut state = last;
    while let Some(Some(before)) = from.get(&state) {
        let insn = &insns[before.at];
        let taken = state.at != before.at + 1 && insn.ins.flow_control() != FlowControl::UnconditionalBranch;
        if effects.contains_key(&before.at) || taken {
            steps.push(before.at);
        }
        state = *before;
    }
    steps.reverse();
    // The beginning of a long path matters least.
    let skipped = steps.len().saturating_sub(SHOWN);
    steps.into_iter().skip(skipped).map(|at| facts.step(index, at)).collect()
}
