// SPDX-License-Identifier: BSD-2-Clause
//! The system call instruction.
#![expect(unsafe_code, reason = "this is where the kernel is entered")]

use core::arch::asm;
use core::fmt;

/// The kernel's error number, in its own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno {}", self.0)
    }
}

/// A system call with up to six arguments.
///
/// FreeBSD says "error" with the carry flag and the positive number in rax (sys/amd64/amd64/vm_machdep.c
/// `cpu_set_syscall_retval`), clears r8 to r10 and returns a second value in rdx (exception.S
/// `fast_syscall_common`). Linux returns the negative number (-4095 to -1) and keeps all but rcx and r11.
///
/// # Safety
/// What the call does with its arguments must be sound: pointers valid for what the kernel reads and
/// writes through them, descriptors and mappings owned by the caller.
pub(super) unsafe fn syscall(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    let result: isize;
    // SAFETY: the caller vouches for the call; every register that either kernel changes is named.
    unsafe {
        #[cfg(feature = "freebsd")]
        asm!(
            "syscall",
            "jnc 2f",
            "neg rax",
            "2:",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, inlateout("rdx") c => _,
            inlateout("r10") d => _, inlateout("r8") e => _, inlateout("r9") f => _,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
        #[cfg(not(feature = "freebsd"))]
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}
