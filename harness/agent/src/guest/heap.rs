// SPDX-License-Identifier: BSD-2-Clause
//! The allocator: sizes are rounded up to powers of two, each with a list of free blocks; small blocks
//! are cut from chunks, large ones are mappings of their own and go back to the kernel.
//!
//! A bump allocator would not do: the parent passes every record of a long batch through its buffers.
//! There is one thread, ever, and a forked child has a copy of its own.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

use crate::sys::memory;

/// Blocks from 16 bytes (the alignment of everything) up to 64 KiB come from chunks.
const SMALLEST_SHIFT: u32 = 4;
const CLASSES: usize = 13;
const LARGEST_SMALL: usize = 1 << (SMALLEST_SHIFT as usize + CLASSES - 1);
/// How much is asked from the kernel at a time for small blocks, in bytes.
const CHUNK: usize = 1 << 20;
/// Mappings begin on a page.
const PAGE: usize = 4096;

struct Heap(UnsafeCell<State>);

struct State {
    /// First free block of each class; a free block begins with the address of the next.
    free: [*mut u8; CLASSES],
    /// What is left of the current chunk.
    next: *mut u8,
    left: usize,
}

// SAFETY: the agent never starts a second thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(State { free: [null_mut(); CLASSES], next: null_mut(), left: 0 }));

/// The class of a layout and the size of its blocks; `None`: a mapping of its own.
fn class(layout: Layout) -> Option<(usize, usize)> {
    // A block is aligned to its size, because chunks are aligned to pages and cut in powers of two only
    // after rounding up to the block's size.
    let size = layout.size().max(layout.align()).max(1 << SMALLEST_SHIFT).next_power_of_two();
    (size <= LARGEST_SMALL && layout.align() <= PAGE)
        .then(|| ((size.trailing_zeros() - SMALLEST_SHIFT) as usize, size))
}

impl State {
    fn cut(&mut self, size: usize) -> *mut u8 {
        let misaligned = self.next.align_offset(size.min(PAGE));
        if self.left < misaligned.saturating_add(size) {
            // What is left of the old chunk is given up: at most one block, 64 KiB of 1 MiB.
            let Some(chunk) = memory::map(CHUNK) else { return null_mut() };
            (self.next, self.left) = (chunk, CHUNK);
            return self.cut(size);
        }
        let block = self.next.wrapping_add(misaligned);
        self.next = block.wrapping_add(size);
        self.left -= misaligned + size;
        block
    }
}

// SAFETY: blocks are handed out once until they are given back, are at least as large and as aligned as
// the layout asks (see `class`), and null says that there is no memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((class, size)) = class(layout) else {
            return if layout.align() > PAGE {
                null_mut()
            } else {
                memory::map(layout.size()).unwrap_or(null_mut())
            };
        };
        // SAFETY: one thread, and nothing in here allocates: no other reference to the state exists.
        let state = unsafe { &mut *self.0.get() };
        let Some(head) = state.free.get_mut(class) else { return null_mut() };
        if head.is_null() {
            return state.cut(size);
        }
        let block = *head;
        // SAFETY: a block in the list begins with the address of the next, written by `dealloc`, and is
        // aligned to 16 bytes.
        *head = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        let block = unsafe { self.alloc(layout) };
        // A mapping of its own is fresh pages of the kernel's, zeroed already: to write them again would have the kernel
        // find a page for each, of buffers that mostly stay empty.
        if !block.is_null() && class(layout).is_some() {
            // SAFETY: the block has at least the layout's size, and nobody else has it.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((class, _)) = class(layout) else {
            // SAFETY: such a layout was mapped by `alloc`, and the caller uses it no more.
            unsafe { memory::unmap(block, layout.size()) };
            return;
        };
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        if let Some(head) = state.free.get_mut(class) {
            // SAFETY: the block has at least 16 bytes, is aligned to them, and the caller uses it no more.
            unsafe { block.cast::<*mut u8>().write(*head) };
            *head = block;
        }
    }
}
