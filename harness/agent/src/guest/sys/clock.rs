// SPDX-License-Identifier: BSD-2-Clause
//! CLOCK_MONOTONIC and points in time to wait for.
#![expect(unsafe_code, reason = "system calls with pointers, and an instruction")]

use super::abi::{CLOCK_MONOTONIC, number};
use super::raw::syscall;

/// `struct timespec` on amd64, both systems.
#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: i64,
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn now() -> u64 {
    let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the kernel writes one timespec, which outlives the call. It cannot fail: the clock exists and
    // the pointer is valid.
    let result =
        unsafe { syscall(number::CLOCK_GETTIME, [CLOCK_MONOTONIC, &raw mut time as usize, 0, 0, 0, 0]) };
    debug_assert!(result.is_ok());
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

/// The processor's time stamp counter.
pub(crate) fn ticks() -> u64 {
    // SAFETY: every amd64 processor has the instruction, and neither kernel forbids it to programs.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Sets the system's clock to nanoseconds since 1970.
#[cfg(feature = "freebsd")]
pub(crate) fn set(ns: u64) -> Result<(), super::Errno> {
    // sys/sys/time.h CLOCK_REALTIME.
    const CLOCK_REALTIME: usize = 0;
    let time = TimeSpec { seconds: (ns / 1_000_000_000) as i64, nanoseconds: (ns % 1_000_000_000) as i64 };
    // SAFETY: the kernel reads one timespec.
    unsafe {
        syscall(number::CLOCK_SETTIME, [CLOCK_REALTIME, &raw const time as usize, 0, 0, 0, 0]).map(drop)
    }
}

/// A point in time to wait for at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// A deadline that many milliseconds from now; 0 takes only what is there already.
    pub(crate) fn after_ms(ms: u32) -> Self {
        Self(now() + u64::from(ms) * 1_000_000)
    }

    /// The earlier of two.
    pub(crate) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Whether it has come.
    pub(crate) fn passed(self) -> bool {
        now() >= self.0
    }

    /// Whether it came that many milliseconds ago or before.
    pub(crate) fn passed_by_ms(self, ms: u32) -> bool {
        now() >= self.0.saturating_add(u64::from(ms) * 1_000_000)
    }

    /// Milliseconds until it comes, rounded up, as poll(2) takes them.
    pub(crate) fn poll_ms(self) -> i32 {
        self.0.saturating_sub(now()).div_ceil(1_000_000).min(i32::MAX as u64) as i32
    }
}
