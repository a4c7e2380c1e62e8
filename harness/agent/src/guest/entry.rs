// SPDX-License-Identifier: BSD-2-Clause
//! What libc and std would bring: the entry point, the functions that compiled code calls, the panic
//! handler, and the note by which FreeBSD recognises its programs.
#![expect(unsafe_code, reason = "entry point, mem* functions and linker sections cannot be written without")]

use core::arch::{asm, global_asm};
use core::fmt::Write;

use nlproof_agent::status;

use crate::sys::io::Stderr;
use crate::sys::process;

// Both kernels enter with the arguments at the stack pointer (Linux) or at rdi (FreeBSD), none of which
// is used, and with a stack pointer whose alignment differs: call pushes onto an aligned one.
global_asm!(
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start
);

// The toolchain's precompiled `alloc` was made for programs that unwind and names these two (libgcc_s and
// std have them). Panics abort here, so neither is ever reached.
global_asm!(
    ".globl _Unwind_Resume",
    ".globl rust_eh_personality",
    "_Unwind_Resume:",
    "rust_eh_personality:",
    "ud2"
);

extern "C" fn start() -> ! {
    process::exit(crate::parent::serve(crate::stacks::Stacks::NONE))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // The status says the same to whoever does not get the line.
    writeln!(Stderr, "nlproof-agent: bug: {info}").ok();
    process::exit(status::PANIC)
}

/// The ABI note of FreeBSD (sys/elf_common.h NT_FREEBSD_ABI_TAG; lib/csu/common/crtbrand.S): sizes of name
/// and descriptor, type 1, the name, and the `__FreeBSD_version` the program was made for.
#[cfg(feature = "freebsd")]
#[repr(C, align(4))]
struct AbiNote {
    name_len: u32,
    descriptor_len: u32,
    kind: u32,
    name: [u8; 8],
    version: u32,
}

/// 1400000: the oldest release line whose netlink is supported here as it is in 14.0.
#[cfg(feature = "freebsd")]
#[used]
// SAFETY: a note section holds notes and this is one; nothing else places anything there.
#[unsafe(link_section = ".note.tag")]
static ABI_NOTE: AbiNote =
    AbiNote { name_len: 8, descriptor_len: 4, kind: 1, name: *b"FreeBSD\0", version: 1_400_000 };

// The compiler calls these by name. They are written with string instructions because it would turn a
// loop back into a call of the very function. Eight bytes go at a time: an emulator takes each repetition for an
// instruction of its own.

/// # Safety
/// `to` and `from` are valid for `len` bytes and do not overlap (C11 7.24.2.1).
// SAFETY: no other definition of the name exists, there is no libc.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both ranges, which the two instructions walk through once, `len` bytes together; the
    // direction flag is clear at function entry (System V ABI 3.2.1).
    unsafe { forward(to, from, len) };
    to
}

/// # Safety
/// `to` and `from` are valid for `len` bytes, and `to` does not begin within `from`, unless at its first byte.
unsafe fn forward(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller vouches for both ranges. The words and the bytes that are left over are `len` bytes together, and
    // the direction flag is clear, as at the entry of the only callers, which are functions of the C ABI.
    unsafe {
        asm!("rep movsq",
            "mov ecx, {rest:e}",
            "rep movsb",
            rest = in(reg) len & 7,
            inout("rcx") len >> 3 => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

/// # Safety
/// `to` and `from` are valid for `len` bytes (C11 7.24.2.2).
// SAFETY: as memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: the caller vouches for both ranges, and `to` begins before `from` or after its end: copying forward, by
        // bytes or by words, reads each byte before it is overwritten.
        unsafe { forward(to, from, len) };
    } else {
        // SAFETY: backward, from the last byte, for the same reason; `len` is not 0 here. The direction
        // flag is cleared again.
        unsafe {
            asm!("std", "rep movsb", "cld",
                inout("rcx") len => _,
                inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
                inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _,
                options(nostack));
        }
    }
    to
}

/// # Safety
/// `to` is valid for `len` bytes (C11 7.24.6.1).
// SAFETY: as memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the range.
    unsafe {
        asm!("rep stosq",
            "mov ecx, {rest:e}",
            "rep stosb",
            rest = in(reg) len & 7,
            inout("rcx") len >> 3 => _, inout("rdi") to => _,
            in("rax") u64::from(byte as u8) * 0x0101_0101_0101_0101,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// `a` and `b` are valid for `len` bytes (C11 7.24.4.1).
// SAFETY: as memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let (mut left, mut right): (u32, u32) = (0, 0);
    if len != 0 {
        // SAFETY: the caller vouches for both ranges; the comparison stops after the first difference or
        // after `len` bytes, so one behind the pointers lies within them.
        unsafe {
            asm!("repe cmpsb",
                "movzx {left:e}, byte ptr [rsi - 1]",
                "movzx {right:e}, byte ptr [rdi - 1]",
                left = out(reg) left, right = out(reg) right,
                inout("rcx") len => _, inout("rsi") a => _, inout("rdi") b => _,
                options(nostack, readonly));
        }
    }
    left as i32 - right as i32
}

/// # Safety
/// As memcmp; only zero or not matters.
// SAFETY: as memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, len) }
}
