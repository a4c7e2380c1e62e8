// SPDX-License-Identifier: BSD-2-Clause
//! sysctlbyname(3): a setting of the kernel, or of the network stack that this process is in.
#![expect(unsafe_code, reason = "a system call that reads through pointers")]

use super::Errno;
use super::abi::number;
use super::raw::syscall;

/// Sets an int.
///
/// # Errors
/// The kernel's number: ENOENT where there is no such setting.
pub(crate) fn set_int(name: &str, value: i32) -> Result<(), Errno> {
    let new = &raw const value as usize;
    // SAFETY: the kernel reads `name.len()` bytes of the name and the four of the value; both outlive the call, and
    // nothing is written, because the old value is not asked for.
    unsafe {
        syscall(number::SYSCTLBYNAME, [name.as_ptr() as usize, name.len(), 0, 0, new, size_of::<i32>()])
            .map(drop)
    }
}
