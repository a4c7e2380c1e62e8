// SPDX-License-Identifier: BSD-2-Clause
//! The checks by name, and why each exists.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A check. The order is the order of the report's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The bytes are a module that the loader takes.
    Elf,
    /// Every executable byte is an instruction of a known function.
    Code,
    /// Undefined symbols against allowlist and kernel.
    Imports,
    /// Relocation types against what the loader knows.
    Relocs,
    /// No x87, MMX, SSE or AVX.
    Fpu,
    /// No access below the stack pointer.
    RedZone,
    /// No privileged or trapping instructions.
    Insn,
    /// Frames and deepest chain within budget.
    Stack,
    /// No cycle in the call graph.
    Recursion,
    /// Every indirect branch has a known set of targets.
    Indirect,
    /// No way to a panic.
    Panic,
    /// Acquire and release balance on every path.
    Balance,
    /// No page that is writable and executable.
    Wx,
    /// No sections whose meaning the loader does not keep.
    Sections,
    /// Layouts of shared structures agree.
    Abi,
    /// Module metadata and version range.
    Modmeta,
    /// Functions that fbt can trace.
    Traceable,
    /// Waivers that excuse nothing.
    Waiver,
    /// No growth against an earlier report.
    Baseline,
}

impl Check {
    /// All checks in the order of the report.
    pub const ALL: [Self; 19] = [
        Self::Elf,
        Self::Code,
        Self::Imports,
        Self::Relocs,
        Self::Fpu,
        Self::RedZone,
        Self::Insn,
        Self::Stack,
        Self::Recursion,
        Self::Indirect,
        Self::Panic,
        Self::Balance,
        Self::Wx,
        Self::Sections,
        Self::Abi,
        Self::Modmeta,
        Self::Traceable,
        Self::Waiver,
        Self::Baseline,
    ];

    /// The name in policies, reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elf => "elf",
            Self::Code => "code",
            Self::Imports => "imports",
            Self::Relocs => "relocs",
            Self::Fpu => "fpu",
            Self::RedZone => "red-zone",
            Self::Insn => "insn",
            Self::Stack => "stack",
            Self::Recursion => "recursion",
            Self::Indirect => "indirect",
            Self::Panic => "panic",
            Self::Balance => "balance",
            Self::Wx => "wx",
            Self::Sections => "sections",
            Self::Abi => "abi",
            Self::Modmeta => "modmeta",
            Self::Traceable => "traceable",
            Self::Waiver => "waiver",
            Self::Baseline => "baseline",
        }
    }

    /// The check of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }

    /// Whether a waiver may excuse a finding of this check. Without sound input, known code or honest
    /// waivers nothing else in the report means anything, and growth is accepted by writing the
    /// baseline anew.
    pub fn can_be_waived(self) -> bool {
        !matches!(self, Self::Elf | Self::Waiver | Self::Baseline)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a check looks at, what it catches and how to satisfy it: the text of `--explain`.
pub fn explain(check: Check) -> &'static str {
    match check {
        Check::Elf => {
            "The file must be what link_elf_obj.c loads on amd64: ELF64, little-endian, ET_REL, one symbol table,\n\
             relocations with addends. Sections that overlap in the file, tables that leave it and names outside\n\
             the string table are refused, because other tools would see a different module than the kernel.\n\
             Fix: hand over the result of `ld -r`, not an archive, an executable or a cut file."
        }
        Check::Code => {
            "Every byte of an executable section must belong to a function symbol with a size, or be padding\n\
             (nop, int3, zero), and every function must decode as a sequence of instructions whose direct\n\
             branches land on instructions. Code that is not known cannot be judged by any other check.\n\
             Fix: keep local symbols (`objcopy --strip-debug`, not `--strip-all`); give assembly `.type` and `.size`."
        }
        Check::Imports => {
            "Undefined symbols must be in the policy's allowlist and be *global* symbols of the kernel.\n\
             An import that is nowhere fails at kldload as `unsupported file type` (the cause only in dmesg); one\n\
             that resolves to a kernel-static function works only while debug.link_elf_obj_leak_locals is 1.\n\
             `__muldf3`, `__udivti3` and their kin mean floating point or 128-bit arithmetic crept in.\n\
             Fix: remove the use, or allow the symbol under `imports` after reviewing it."
        }
        Check::Relocs => {
            "amd64's elf_machdep.c applies types 0 (NONE), 1 (64), 2 (PC32), 4 (PLT32) and 11 (32S) to a module;\n\
             anything else ends kldload with `unexpected relocation type N`.\n\
             Fix: for GOTPCREL (9), GOTPCRELX (41) and REX_GOTPCRELX (42) compile with `-C relro-level=off` and\n\
             `-C relocation-model=static`, core included; with clang `-fno-pic -mcmodel=kernel`.\n\
             For `__stack_chk_guard`: an unpatched clang reads it through the GOT; use `-fno-stack-protector`."
        }
        Check::Fpu => {
            "The kernel does not save the user's FPU state for its own code: one xmm store corrupts a process.\n\
             Looks at every instruction's registers and class (x87, MMX, SSE, AVX, fxsave, ldmxcsr).\n\
             Fix: target x86_64-unknown-none; C with `-mno-sse -mno-mmx -mno-80387 -msoft-float`."
        }
        Check::RedZone => {
            "Interrupts use the stack below the stack pointer. An access or an address below it is a local that\n\
             an interrupt overwrites. The depth of the stack pointer is followed through each function.\n\
             Fix: `-C no-redzone=yes`, for C `-mno-red-zone`, and for core too."
        }
        Check::Insn => {
            "Privileged and trapping instructions (hlt, cli, in, out, rdmsr, wrmsr, int, iretq, syscall, ...) do\n\
             not belong into a module that talks to the kernel through its functions.\n\
             Fix: call the kernel's function for it, or waive the function with a reason."
        }
        Check::Stack => {
            "A kernel thread has 16 KiB of stack (KSTACK_PAGES 4) for the system call, the netlink taskqueue and\n\
             the module together. Every function's frame must be known; the frame and the deepest chain of the\n\
             module's own functions stay within the policy's budgets. Frames come from following the stack\n\
             pointer and from `.stack_sizes`; the larger counts. Imports count with 0: the rest of the stack is theirs.\n\
             A stack pointer that depends on data is refused.\n\
             Fix: smaller locals, buffers given by the caller."
        }
        Check::Recursion => {
            "A cycle in the call graph makes the deepest chain unbounded.\n\
             Fix: a loop, or a waiver for every function of the cycle that says what bounds it."
        }
        Check::Indirect => {
            "A call or jump through a register or memory hides who is called: stack, panic and recursion checks end\n\
             there. Jump tables whose entries all lie in the same function are resolved. Anything else is refused\n\
             unless a waiver names the function and its set of `targets`, which then count as called.\n\
             Fix: static dispatch; `-fno-jump-tables`; or the waiver."
        }
        Check::Panic => {
            "No path may lead to a panic symbol of the policy or to `ud2`: what a message holds must not be able to\n\
             stop the kernel.\n\
             Fix: `get` for indexing, `checked_*` or `wrapping_*` arithmetic, no `unwrap`; a linked panic-free module\n\
             does not even import the panic symbol."
        }
        Check::Balance => {
            "What a function acquires (a reference, a lock, an epoch) it releases on every path to its return. The\n\
             policy's `balance` table names the functions that acquire and release; those of the module may stand there\n\
             too and are then held to what they are listed as. Each resource is counted, not told apart by object; a\n\
             null result of `acquire-or-null` and the int 0 of `acquire-or-zero` count as nothing acquired where the\n\
             code tests them in a register.\n\
             Fix: release on the path shown; list a function that hands on what it took; or waive it with the reason."
        }
        Check::Wx => {
            "link_elf_protect gives a page that two sections share the union of their protections. The sections are\n\
             laid out and the protections computed as the loader does it; no page may end writable and executable.\n\
             Fix: link with the kernel's conf/ldscript.kmod.amd64, which pads .text and .rodata to pages."
        }
        Check::Sections => {
            "Constructors run (.init_array, .ctors) or never run, thread-local storage is not set up, and bitcode\n\
             (.llvmbc) makes nm fail; .eh_frame is only dead weight and a warning.\n\
             Fix: `-C force-unwind-tables=no`, `-C embed-bitcode=no` or `objcopy -R .llvmbc -R .llvmcmd`."
        }
        Check::Abi => {
            "Structures that two sides read must lie the same in memory: size, alignment, and each field's name, offset and\n\
             size. The policy's `abi` table names them; their layouts come from the module's own debug information, once as\n\
             C and once as Rust has them, from the kernel's (DWARF, or the types of .SUNW_ctf), and from numbers in the\n\
             table. Structures inside are taken apart; arrays and unions count as a whole. Every file of C that has the\n\
             structure must agree with the others. What cannot be found in the module or in the kernel's types is refused;\n\
             a kernel without types is a warning, because then nothing was compared.\n\
             Fix: change one side; compile with -g and -C debuginfo=2; build against the headers of that kernel."
        }
        Check::Modmeta => {
            "The loader reads set_modmetadata_set: a MDT_MODULE record, and MDT_DEPEND records with version ranges.\n\
             A range for `kernel` that leaves out the kernel's __FreeBSD_version makes kldload fail.\n\
             Fix: DECLARE_MODULE and MODULE_DEPEND in the C shim, built against the headers of that kernel."
        }
        Check::Traceable => {
            "amd64 fbt patches the *first* `push %rbp` it finds and every `ret`. If a function does not start with\n\
             `push %rbp; mov %rsp,%rbp`, the probe fires on some other path, or not at all; a tail call loses the\n\
             return probe.\n\
             Fix: `-C force-frame-pointers=yes -C llvm-args=-enable-shrink-wrap=false`; a call that is not the last thing."
        }
        Check::Waiver => {
            "A waiver excuses one finding: exact symbol, check and reason. One that excuses nothing is an error, so that\n\
             the list never outlives its causes.\n\
             Fix: delete it."
        }
        Check::Baseline => {
            "Imports, the deepest chain and the number of instructions against an earlier report (`--baseline FILE`):\n\
             each import is something that another kernel may lack, and stack is shared with the kernel. Growth is\n\
             rejected so that somebody looks at it; what has shrunk is noted, so that the file can follow.\n\
             Fix: undo the growth, or accept it: `--write-baseline FILE` writes what the module has now."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for check in Check::ALL {
            assert_eq!(Check::from_name(check.name()), Some(check));
            assert!(explain(check).contains("Fix: "), "{check}");
        }
        assert_eq!(Check::from_name("sorcery"), None);
    }
}
