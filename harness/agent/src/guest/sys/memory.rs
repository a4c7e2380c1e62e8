// SPDX-License-Identifier: BSD-2-Clause
//! Anonymous memory from the kernel, for the allocator.
#![cfg_attr(not(panic = "abort"), expect(dead_code, reason = "with std the allocator is std's"))]
#![expect(unsafe_code, reason = "mappings")]

#[cfg(feature = "freebsd")]
use core::sync::atomic::AtomicU32;

#[cfg(feature = "freebsd")]
use super::abi::MAP_SHARED_ANONYMOUS;
use super::abi::{MAP_PRIVATE_ANONYMOUS, number};
use super::raw::syscall;

const PROT_READ_WRITE: usize = 3;
const NO_DESCRIPTOR: usize = usize::MAX;

/// Fresh zeroed pages for at least that many bytes; `None` when the kernel has none.
pub(crate) fn map(bytes: usize) -> Option<*mut u8> {
    // SAFETY: the kernel chooses an address where nothing is.
    let address = unsafe {
        syscall(number::MMAP, [0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, NO_DESCRIPTOR, 0])
    };
    address.ok().map(|address| address as *mut u8)
}

/// Gives pages back.
///
/// # Safety
/// The range is one that `map` gave, with the same size, and nothing uses it any more.
pub(crate) unsafe fn unmap(address: *mut u8, bytes: usize) {
    // SAFETY: the caller vouches for the range.
    let result = unsafe { syscall(number::MUNMAP, [address as usize, bytes, 0, 0, 0, 0]) };
    debug_assert!(result.is_ok());
}

/// A counter, at zero, that this process shares with all that it forks; `None` when the kernel has no memory. It is there
/// until the last of them ends.
#[cfg(feature = "freebsd")]
pub(crate) fn shared_counter() -> Option<&'static AtomicU32> {
    let bytes = size_of::<AtomicU32>();
    // SAFETY: the kernel chooses an address where nothing is.
    let address =
        unsafe { syscall(number::MMAP, [0, bytes, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS, NO_DESCRIPTOR, 0]) };
    // SAFETY: a fresh page, aligned and zeroed, which is a valid atomic; nobody unmaps it, and whoever else has it, has it
    // as an atomic too.
    address.ok().map(|address| unsafe { &*(address as *const AtomicU32) })
}
