// SPDX-License-Identifier: BSD-2-Clause
//! Where a processor that never rests is: its stack, read through QEMU's monitor while it stands still for a moment,
//! because frames of a loop are gone before they are read. FreeBSD's kernels keep frame pointers
//! (`-fno-omit-frame-pointer` of `sys/conf/kern.pre.mk`): each frame begins with the caller's, then the return address.
//!
//! ```text
//! (qemu) info registers                       (qemu) x /2gx 0xfffffe00084f9a30
//! RAX=... RBP=fffffe00084f9a30 RSP=...        fffffe00084f9a30: 0xfffffe00084f9a80 0xffffffff80d2b1f4
//! RIP=ffffffff80b5a3c1 RFL=... HLT=0
//! ```

use std::time::Duration;

use super::machine::Vm;

/// Limit for QEMU's answer, which comes from a loop that never blocks.
const LIMIT: Duration = Duration::from_secs(5);
/// Deep enough for a request: from the system call or task to a driver there are some twenty calls.
const DEEPEST: usize = 32;
/// Where amd64 kernels are: the upper half of the address space.
pub(super) const KERNEL: u64 = 1 << 63;

/// A look at the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// The processor was halted: it waited for an interrupt.
    pub(super) halted: bool,
    /// The instruction pointer and the return addresses, innermost first, as far as they are the kernel's.
    pub(super) stack: Vec<u64>,
}

impl Vm {
    /// Looks at the processor; `None`: QEMU does not show it.
    pub(super) async fn look(&mut self) -> Option<Look> {
        self.qmp().stop().await.ok()?;
        let look = self.look_at_rest().await;
        self.qmp().cont().await.ok()?;
        look
    }

    /// The same look at a machine that stands still already.
    pub(super) async fn look_at_rest(&mut self) -> Option<Look> {
        let registers = self.qmp().human("info registers", LIMIT).await.ok()?;
        let halted = word(&registers, "HLT=")? != "0";
        let mut stack = Vec::new();
        if !halted && let Some(pointer) = hex(&registers, "RIP=").filter(|address| address & KERNEL != 0) {
            stack.push(pointer);
            self.callers(hex(&registers, "RBP="), &mut stack).await;
        }
        Some(Look { halted, stack })
    }

    /// Follows the frames from this one outwards.
    pub(super) async fn callers(&mut self, mut frame: Option<u64>, stack: &mut Vec<u64>) {
        while let Some(at) = frame.filter(|at| at & KERNEL != 0 && stack.len() < DEEPEST) {
            let Some([caller, address]) = self.words(at).await else { return };
            if address & KERNEL == 0 {
                return;
            }
            stack.push(address);
            // Stacks grow downwards: callers' frames are above.
            frame = Some(caller).filter(|caller| *caller > at);
        }
    }

    /// The words of memory from this address on; `None`: it cannot be read.
    pub(super) async fn words<const N: usize>(&mut self, at: u64) -> Option<[u64; N]> {
        words_in(&self.qmp().human(&format!("x /{N}gx {at:#x}"), LIMIT).await.ok()?)
    }
}

/// The word behind a name in `info registers`.
fn word<'t>(registers: &'t str, name: &str) -> Option<&'t str> {
    registers.split_whitespace().find_map(|word| word.strip_prefix(name))
}

fn hex(registers: &str, name: &str) -> Option<u64> {
    u64::from_str_radix(word(registers, name)?, 16).ok()
}

/// What `x /gx` shows: two words a line, behind their address.
fn words_in<const N: usize>(text: &str) -> Option<[u64; N]> {
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let words = lines.flat_map(|(_, words)| words.split_whitespace());
    let words: Option<Vec<u64>> =
        words.map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect();
    words?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERS: &str = "CPU#0\r\nRAX=0000000000000001 RBX=fffff80003a15000 RCX=0 RDX=0\r\n\
        RSI=0 RDI=0 RBP=fffffe00084f9a30 RSP=fffffe00084f9a00\r\n\
        RIP=ffffffff80b5a3c1 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n";

    #[test]
    fn the_monitors_words_are_read() {
        assert_eq!(word(REGISTERS, "HLT="), Some("0"));
        assert_eq!(hex(REGISTERS, "RIP="), Some(0xffff_ffff_80b5_a3c1));
        assert_eq!(hex(REGISTERS, "RBP="), Some(0xffff_fe00_084f_9a30));
        assert_eq!(hex(REGISTERS, "R99="), None);
        let words = "fffffe00084f9a30: 0xfffffe00084f9a80 0xffffffff80d2b1f4\r\nfffffe00084f9a40: 0x1\r\n";
        assert_eq!(words_in(words), Some([0xffff_fe00_084f_9a80, 0xffff_ffff_80d2_b1f4, 1]));
        assert_eq!(words_in::<2>(words), None, "another number of them");
        assert_eq!(words_in::<1>("Cannot access memory\r\n"), None);
        assert_eq!(words_in::<1>("fffffe00084f9a30: what\r\n"), None);
    }
}
