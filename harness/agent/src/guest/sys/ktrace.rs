// SPDX-License-Identifier: BSD-2-Clause
//! ktrace(2): the kernel writes what a process and its descendants ask of it into a file.
#![expect(unsafe_code, reason = "a system call that reads through a pointer")]

use core::ffi::CStr;

use super::Errno;
use super::abi::number;
use super::process::Pid;
use super::raw::syscall;

/// `KTROP_SET | KTRFLAG_DESCEND` (sys/sys/ktrace.h).
const SET_WITH_DESCENDANTS: usize = 4;
/// Trace points by the numbers of their records (sys/sys/ktrace.h): calls, returns, bytes that were moved, structures,
/// beginnings and ends of processes.
const POINTS: [usize; 6] = [1, 2, 4, 8, 10, 11];
/// `KTRFAC_INHERIT`: what the process starts is traced too.
const INHERIT: usize = 0x4000_0000;

/// Begins to trace a process into an existing file.
///
/// # Errors
/// The kernel's number: ENOSYS where it has no such call.
pub(crate) fn begin(file: &CStr, pid: Pid) -> Result<(), Errno> {
    let points = POINTS.iter().fold(INHERIT, |points, number| points | 1 << number);
    let arguments = [file.as_ptr() as usize, SET_WITH_DESCENDANTS, points, pid as usize, 0, 0];
    // SAFETY: the path ends with NUL and outlives the call.
    unsafe { syscall(number::KTRACE, arguments).map(drop) }
}
