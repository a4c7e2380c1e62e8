// SPDX-License-Identifier: BSD-2-Clause
//! Checks that look at instructions one at a time, and at the shape of a function for fbt.

use iced_x86::{Code as Op, CpuidFeature, FlowControl, Instruction, Mnemonic, OpKind, Register};
use nlproof_base::counted;

use crate::check::Check;
use crate::code::{Function, Goes};
use crate::facts::Facts;
use crate::report::{Finding, Step};

pub(crate) fn fpu(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let help = "Rust: target x86_64-unknown-none; clang: -mno-sse -mno-mmx -mno-80387 -msoft-float";
    each(
        facts,
        Check::Fpu,
        findings,
        is_fpu,
        |number| format!("uses FPU or vector registers in {}", counted(number, "instruction")),
        help,
    )
}

pub(crate) fn insn(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let help = "call the kernel's function for it";
    each(
        facts,
        Check::Insn,
        findings,
        is_forbidden,
        |number| format!("has {}", counted(number, "privileged or trapping instruction")),
        help,
    )
}

/// One finding for each function with instructions that `bad` picks; the path shows the first three.
fn each(
    facts: &Facts<'_>,
    check: Check,
    findings: &mut Vec<Finding>,
    bad: impl Fn(&Instruction) -> bool,
    what: impl Fn(usize) -> String,
    help: &str,
) -> (String, String) {
    for (index, function) in facts.code.functions.iter().enumerate() {
        let found: Vec<usize> =
            (0..function.insns.len()).filter(|&at| bad(&function.insns[at].ins)).collect();
        if !found.is_empty() {
            let path = found.iter().take(3).map(|&at| facts.step(index, at)).collect::<Vec<Step>>();
            findings.push(Finding::error(check, &*function.name, what(found.len())).path(path).help(help));
        }
    }
    let insns: usize = facts.code.functions.iter().map(|function| function.insns.len()).sum();
    (counted(insns, "insn").to_string(), format!("in {}", counted(facts.code.functions.len(), "function")))
}

/// Touches x87, MMX, SSE or AVX state. `lfence` and `prefetch` are of class SSE but touch none of it, so
/// the registers decide; x87 has implicit ones and is told by its class.
fn is_fpu(ins: &Instruction) -> bool {
    let vector = (0..ins.op_count()).any(|op| {
        ins.op_kind(op) == OpKind::Register && {
            let register = ins.op_register(op);
            register.is_vector_register()
                || register.is_mm()
                || register.is_st()
                || register.is_k()
                || register.is_tmm()
        }
    });
    vector
        || ins.cpuid_features().iter().any(|feature| {
            matches!(
                feature,
                CpuidFeature::FPU | CpuidFeature::FPU287 | CpuidFeature::FPU387 | CpuidFeature::MMX
            )
        })
        || ins.is_save_restore_instruction()
        || matches!(
            ins.mnemonic(),
            Mnemonic::Ldmxcsr
                | Mnemonic::Stmxcsr
                | Mnemonic::Vldmxcsr
                | Mnemonic::Vstmxcsr
                | Mnemonic::Vzeroupper
                | Mnemonic::Vzeroall
                | Mnemonic::Wait
        )
}

/// Privileged, or enters another context. `int3` and `ud2` behind a call that does not return are how
/// compilers mark the end; where they can be reached, `panic` sees `ud2`, and `int3` is refused here.
fn is_forbidden(ins: &Instruction) -> bool {
    ins.is_privileged()
        || matches!(
            ins.mnemonic(),
            Mnemonic::Syscall
                | Mnemonic::Sysenter
                | Mnemonic::Sysexit
                | Mnemonic::Sysret
                | Mnemonic::Int
                | Mnemonic::Int1
                | Mnemonic::Iret
                | Mnemonic::Iretd
                | Mnemonic::Iretq
                | Mnemonic::In
                | Mnemonic::Out
                | Mnemonic::Insb
                | Mnemonic::Insw
                | Mnemonic::Insd
                | Mnemonic::Outsb
                | Mnemonic::Outsw
                | Mnemonic::Outsd
                | Mnemonic::Cli
                | Mnemonic::Sti
                | Mnemonic::Hlt
                | Mnemonic::Popf
                | Mnemonic::Popfd
                | Mnemonic::Popfq
                | Mnemonic::Lldt
                | Mnemonic::Ltr
                | Mnemonic::Xbegin
        )
        || matches!(ins.flow_control(), FlowControl::Return if !is_near_return(ins))
        || ins.is_jmp_far()
        || ins.is_jmp_far_indirect()
        || ins.is_call_far()
        || ins.is_call_far_indirect()
        || (0..ins.op_count())
            .any(|op| ins.op_kind(op) == OpKind::Register && writes_system_register(ins.op_register(op)))
}

fn is_near_return(ins: &Instruction) -> bool {
    matches!(ins.code(), Op::Retnq | Op::Retnq_imm16)
}

fn writes_system_register(register: Register) -> bool {
    register.is_cr() || register.is_dr() || register.is_segment_register()
}

pub(crate) fn red_zone(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    for (index, function) in facts.code.functions.iter().enumerate() {
        let below = &facts.flows[index].below;
        if !below.is_empty() {
            let what =
                format!("uses memory below the stack pointer in {}", counted(below.len(), "instruction"));
            let path = below.iter().take(3).map(|&at| facts.step(index, at)).collect();
            findings.push(
                Finding::error(Check::RedZone, &*function.name, what)
                    .path(path)
                    .cause("an interrupt uses the same memory")
                    .help("Rust: -C no-redzone=yes, core included; clang: -mno-red-zone"),
            );
        }
    }
    (counted(facts.code.functions.len(), "function").to_string(), "stack pointer followed".to_owned())
}

/// Why fbt would not see every entry and return of the function; `None` if it does.
fn hidden(facts: &Facts<'_>, index: usize) -> Option<(&'static str, usize)> {
    let function = &facts.code.functions[index];
    let mut insns =
        function.insns.iter().enumerate().skip_while(|(_, insn)| insn.ins.mnemonic() == Mnemonic::Endbr64);
    let push = insns.next();
    if !push
        .is_some_and(|(_, insn)| insn.ins.code() == Op::Push_r64 && insn.ins.op0_register() == Register::RBP)
    {
        return Some(("does not start with `push %rbp`: its entry probe fires elsewhere or never", 0));
    }
    let mov = insns.next();
    if !mov.is_some_and(|(_, insn)| {
        insn.ins.mnemonic() == Mnemonic::Mov
            && insn.ins.op0_register() == Register::RBP
            && insn.ins.op1_kind() == OpKind::Register
            && insn.ins.op1_register() == Register::RSP
    }) {
        return Some((
            "does not set up a frame pointer: stack() and caller are wrong",
            mov.map_or(0, |(at, _)| at),
        ));
    }
    let is_call = |insn: &crate::code::Insn| {
        matches!(insn.ins.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
    };
    let tail = function.insns.iter().position(|insn| {
        !is_call(insn) && matches!(insn.goes, Goes::Function(_) | Goes::Import(_) | Goes::Indirect)
    });
    if let Some(at) = tail {
        return Some(("leaves by a tail call: no return probe fires", at));
    }
    // fbt patches the one-byte `ret` (0xc3) only.
    if !function.insns.iter().any(|insn| insn.ins.code() == Op::Retnq && insn.ins.len() == 1) {
        return Some((
            "has no plain `ret`: there is no return probe",
            function.insns.len().saturating_sub(1),
        ));
    }
    None
}

pub(crate) fn is_traceable(facts: &Facts<'_>, index: usize) -> bool {
    hidden(facts, index).is_none()
}

pub(crate) fn traceable(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let traced = &facts.policy.traced;
    let wanted =
        |function: &Function| traced.contains("*") || traced.iter().any(|name| function.has_name(name));
    let (mut asked, mut seen) = (0, 0);
    for (index, function) in facts.code.functions.iter().enumerate() {
        let why = hidden(facts, index);
        seen += usize::from(why.is_none());
        if !wanted(function) {
            continue;
        }
        asked += 1;
        if let Some((why, at)) = why {
            let path = if at < function.insns.len() { vec![facts.step(index, at)] } else { Vec::new() };
            findings.push(
                Finding::error(Check::Traceable, &*function.name, why)
                    .path(path)
                    .help("-C force-frame-pointers=yes -C llvm-args=-enable-shrink-wrap=false; make the call not the last thing"),
            );
        }
    }
    for name in traced.iter().filter(|name| *name != "*") {
        if !facts.code.functions.iter().any(|function| function.has_name(name)) {
            findings.push(Finding::error(
                Check::Traceable,
                &**name,
                "is to be traced, but is not in the module",
            ));
        }
    }
    (
        counted(asked, "function").to_string(),
        format!(
            "{seen} of {} have entry and return probes{}",
            facts.code.functions.len(),
            if traced.is_empty() { "; the policy names none in `traced`" } else { "" }
        ),
    )
}
