// SPDX-License-Identifier: BSD-2-Clause
//! Anonymous memory from the kernel: for the allocator, and shared with children.
#![expect(unsafe_code, reason = "mappings")]

#[cfg(feature = "freebsd")]
use core::sync::atomic::AtomicU32;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::Errno;
use super::abi::{MAP_PRIVATE_ANONYMOUS, MAP_SHARED_ANONYMOUS, number};
use super::raw::syscall;

const PROT_READ_WRITE: usize = 3;
const NO_DESCRIPTOR: usize = usize::MAX;

/// Fresh zeroed pages for at least that many bytes; `None` when the kernel has none.
#[cfg_attr(not(panic = "abort"), expect(dead_code, reason = "with std the allocator is std's"))]
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
#[cfg_attr(not(panic = "abort"), expect(dead_code, reason = "with std the allocator is std's"))]
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

/// Bytes that a parent and the child that it forks both have. One of them uses them at a time: the child while it lives, the
/// parent before and after.
pub(crate) struct SharedBytes {
    /// A mapping: the length, and room for so many bytes.
    start: *mut u8,
    room: usize,
}

impl SharedBytes {
    /// Where the bytes begin.
    const HEADER: usize = size_of::<AtomicUsize>();

    /// None yet, with room for so many.
    ///
    /// # Errors
    /// The kernel's number.
    pub(crate) fn new(room: usize) -> Result<Self, Errno> {
        let bytes = Self::HEADER + room;
        // SAFETY: the kernel chooses an address where nothing is.
        let start = unsafe {
            syscall(number::MMAP, [0, bytes, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS, NO_DESCRIPTOR, 0])
        }?;
        Ok(Self { start: start as *mut u8, room })
    }

    fn len(&self) -> &AtomicUsize {
        // SAFETY: the mapping begins on a page, so the atomic is aligned; it was zeroed, which is a valid one; nobody
        // unmaps it, and the other process has it as an atomic too.
        unsafe { &*self.start.cast::<AtomicUsize>() }
    }

    /// Adds all of these bytes; false: there is no room for them, and nothing was added. Whoever looks afterwards finds all
    /// of them or none, whenever this process ends.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let len = self.len().load(Ordering::Acquire);
        if bytes.len() > self.room.saturating_sub(len) {
            return false;
        }
        // SAFETY: the place is within the mapping, behind its header: `len` and the bytes are at most `room` together. The
        // source is no part of it, because nothing but `take` gives any of it away, and not while this is borrowed. The other
        // process does not use it now (see the type).
        unsafe {
            self.start.add(Self::HEADER + len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.len().store(len + bytes.len(), Ordering::Release);
        true
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.len().load(Ordering::Acquire)
    }

    /// Takes all of them.
    pub(crate) fn take(&mut self) -> &[u8] {
        let len = self.len().swap(0, Ordering::AcqRel).min(self.room);
        // SAFETY: the range is within the mapping, which is never unmapped, and all bytes of it have been zeroed or written.
        // Nothing writes to it while it is borrowed: not this process, which needs `&mut` for that, and not the other one
        // (see the type).
        unsafe { core::slice::from_raw_parts(self.start.add(Self::HEADER), len) }
    }
}
