// SPDX-License-Identifier: BSD-2-Clause
//! The stack pointer followed through one function: its frame, accesses below it, reachable instructions.
//!
//! The state at an instruction is how far the stack pointer (and the frame pointer, while it is known)
//! is from where it stood at entry. Where two ways meet, the deeper one is kept; a place whose depth
//! does not settle is rejected, as is a stack pointer that depends on data.

use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use crate::code::{Function, Goes};

/// How often the depth at one instruction may change before it counts as not settling.
const VISITS: u8 = 8;
/// Deepest frame that is followed, in bytes; far beyond every budget.
const DEEPEST: i64 = 1 << 20;

/// Facts about one function.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Frame in bytes with the return address.
    pub(crate) frame: u64,
    /// Why the frame is not known: instruction and text.
    pub(crate) problem: Option<(usize, &'static str)>,
    /// Instructions that use memory below the stack pointer.
    pub(crate) below: Vec<usize>,
    /// Which instructions can be reached from the entry.
    pub(crate) reached: Vec<bool>,
    /// Calls that do not return.
    pub(crate) stops: Vec<usize>,
    /// A `ret`, or a branch out of the function, is reached.
    pub(crate) returns: bool,
    /// Control reaches the end of the function.
    pub(crate) runs_off: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Stack pointer minus its value at entry; never more than 8.
    depth: i64,
    /// How much higher the stack pointer may be, after an alignment.
    slack: i64,
    /// Frame pointer minus the stack pointer at entry.
    frame_pointer: Option<i64>,
}

/// Follows `function`; `stops` says which instruction is a call that does not return.
pub(crate) fn follow(function: &Function, stops: impl Fn(&Goes) -> bool) -> Flow {
    let count = function.insns.len();
    let mut flow = Flow { reached: vec![false; count], ..Flow::default() };
    let mut factory = InstructionInfoFactory::new();
    let mut states: Vec<Option<State>> = vec![None; count];
    let mut visits = vec![0_u8; count];
    let mut work = vec![(0_usize, State { depth: 0, slack: 0, frame_pointer: None })];
    let mut lowest = 0;
    while let Some((at, incoming)) = work.pop() {
        let Some(insn) = function.insns.get(at) else {
            flow.runs_off = true;
            continue;
        };
        let joined = join(states[at], incoming);
        if states[at] == Some(joined) {
            continue;
        }
        visits[at] += 1;
        if visits[at] > VISITS {
            flow.problem.get_or_insert((at, "depends on how often a loop runs"));
            continue;
        }
        states[at] = Some(joined);
        flow.reached[at] = true;
        let mut state = joined;
        if let Err(problem) = step(&insn.ins, &mut state, &mut factory) {
            flow.problem.get_or_insert((at, problem));
        }
        if state.depth < -DEEPEST {
            flow.problem.get_or_insert((at, "is deeper than any stack"));
            continue;
        }
        lowest = lowest.min(state.depth);
        match insn.ins.flow_control() {
            FlowControl::Return => {
                flow.returns = true;
                if joined.depth != 0 || joined.slack != 0 {
                    flow.problem.get_or_insert((at, "is not back where it was when the function returns"));
                }
                continue;
            }
            FlowControl::Exception => continue,
            FlowControl::Call | FlowControl::IndirectCall if stops(&insn.goes) => {
                flow.stops.push(at);
                continue;
            }
            _ => {}
        }
        let is_call = matches!(insn.ins.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        if !is_call {
            match &insn.goes {
                Goes::Inside(to) => work.push((*to, state)),
                Goes::Table(targets) => work.extend(targets.iter().map(|&to| (to, state))),
                // A tail call, or a jump through memory: the frame is left behind.
                Goes::Function(_) | Goes::Import(_) | Goes::Indirect => flow.returns = true,
                Goes::On | Goes::Astray | Goes::Place(..) => {}
            }
        }
        if !matches!(insn.ins.flow_control(), FlowControl::UnconditionalBranch | FlowControl::IndirectBranch)
        {
            work.push((at + 1, state));
        }
    }
    flow.frame = lowest.unsigned_abs() + 8;
    for (at, insn) in function.insns.iter().enumerate() {
        if states[at].is_some_and(|state| uses_below(&insn.ins, &state)) {
            flow.below.push(at);
        }
    }
    flow
}

fn join(old: Option<State>, new: State) -> State {
    let Some(old) = old else { return new };
    let top = (old.depth + old.slack).max(new.depth + new.slack);
    let depth = old.depth.min(new.depth);
    State {
        depth,
        slack: top - depth,
        frame_pointer: old.frame_pointer.filter(|_| old.frame_pointer == new.frame_pointer),
    }
}

/// The effect of one instruction on the state.
fn step(
    ins: &Instruction,
    state: &mut State,
    factory: &mut InstructionInfoFactory,
) -> Result<(), &'static str> {
    let is_call = matches!(ins.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
    if is_call || ins.flow_control() == FlowControl::Return {
        // The callee gives back what the call pushed.
        return Ok(());
    }
    if ins.mnemonic() == Mnemonic::Leave {
        let frame_pointer = state.frame_pointer.ok_or("comes from a frame pointer that is not known")?;
        *state = State { depth: frame_pointer + 8, slack: 0, frame_pointer: None };
        return Ok(());
    }
    if ins.mnemonic() == Mnemonic::Enter {
        return Err("is set by `enter`");
    }
    if ins.is_stack_instruction() {
        state.depth += i64::from(ins.stack_pointer_increment());
    }
    for op in 0..ins.op_count() {
        if ins.op_kind(op) != OpKind::Register {
            continue;
        }
        let register = ins.op_register(op);
        let full = register.full_register();
        if full != Register::RSP && full != Register::RBP {
            continue;
        }
        let access = factory.info(ins).op_access(op);
        if matches!(access, OpAccess::Read | OpAccess::None | OpAccess::CondRead | OpAccess::NoMemAccess) {
            continue;
        }
        if full == Register::RBP {
            state.frame_pointer = match (ins.mnemonic(), register) {
                (Mnemonic::Mov, Register::RBP) if ins.op_register(1) == Register::RSP && state.slack == 0 => {
                    Some(state.depth)
                }
                (Mnemonic::Lea, Register::RBP)
                    if plain_base(ins) == Some(Register::RSP) && state.slack == 0 =>
                {
                    Some(state.depth.saturating_add(ins.memory_displacement64() as i64))
                }
                _ => None,
            };
            continue;
        }
        if register != Register::RSP {
            return Err("is partly overwritten");
        }
        set_stack_pointer(ins, state)?;
    }
    Ok(())
}

fn set_stack_pointer(ins: &Instruction, state: &mut State) -> Result<(), &'static str> {
    let immediate = matches!(
        ins.op1_kind(),
        OpKind::Immediate8to64
            | OpKind::Immediate32to64
            | OpKind::Immediate64
            | OpKind::Immediate8
            | OpKind::Immediate32
    );
    match ins.mnemonic() {
        Mnemonic::Sub if immediate => state.depth = state.depth.saturating_sub(ins.immediate(1) as i64),
        Mnemonic::Add if immediate => state.depth = state.depth.saturating_add(ins.immediate(1) as i64),
        Mnemonic::And if immediate => {
            let mask = (ins.immediate(1) as i64).wrapping_neg();
            if mask <= 0 || mask > 4096 || mask & (mask - 1) != 0 {
                return Err("is masked by something that is no alignment");
            }
            state.depth -= mask - 1;
            state.slack += mask - 1;
        }
        Mnemonic::Mov if ins.op_register(1) == Register::RBP => {
            let frame_pointer = state.frame_pointer.ok_or("comes from a frame pointer that is not known")?;
            (state.depth, state.slack) = (frame_pointer, 0);
        }
        Mnemonic::Lea if plain_base(ins) == Some(Register::RSP) => {
            state.depth = state.depth.saturating_add(ins.memory_displacement64() as i64);
        }
        Mnemonic::Lea if plain_base(ins) == Some(Register::RBP) => {
            let frame_pointer = state.frame_pointer.ok_or("comes from a frame pointer that is not known")?;
            (state.depth, state.slack) =
                (frame_pointer.saturating_add(ins.memory_displacement64() as i64), 0);
        }
        _ => return Err("depends on data"),
    }
    Ok(())
}

fn plain_base(ins: &Instruction) -> Option<Register> {
    (ins.memory_index() == Register::None).then(|| ins.memory_base())
}

/// Whether memory below the stack pointer is used, or its address made. With an index only a base of
/// the stack pointer itself and a negative displacement count: the index is not known.
fn uses_below(ins: &Instruction, state: &State) -> bool {
    let memory = (0..ins.op_count()).any(|op| ins.op_kind(op) == OpKind::Memory);
    // `lea` into the stack pointer is how compilers lower it.
    if !memory
        || (ins.mnemonic() == Mnemonic::Lea && ins.op0_register() == Register::RSP)
        || ins.is_jmp_near_indirect()
    {
        return false;
    }
    let displacement = ins.memory_displacement64() as i64;
    match ins.memory_base() {
        Register::RSP => displacement < 0,
        Register::RBP if ins.memory_index() == Register::None => state
            .frame_pointer
            .is_some_and(|frame_pointer| frame_pointer.saturating_add(displacement) < state.depth),
        _ => false,
    }
}
