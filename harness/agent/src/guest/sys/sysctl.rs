// SPDX-License-Identifier: BSD-2-Clause
//! sysctlbyname(3): a setting of the kernel, or of the network stack that this process is in.
#![expect(unsafe_code, reason = "a system call that reads through pointers")]

use super::abi::number;
use super::raw::syscall;
use super::{Errno, errno};

/// Sets an int.
///
/// # Errors
/// The kernel's number: ENOENT where there is no such setting.
pub(crate) fn set_int(name: &str, value: i32) -> Result<(), Errno> {
    set(name, &value.to_ne_bytes())
}

/// Sets a value to these bytes: of a text without its NUL.
///
/// # Errors
/// The kernel's number: ENOENT where there is no such setting, EINVAL where that is no value of it.
pub(crate) fn set(name: &str, value: &[u8]) -> Result<(), Errno> {
    let new = value.as_ptr() as usize;
    // SAFETY: the kernel reads `name.len()` bytes of the name and `value.len()` of the value; both outlive the call, and
    // nothing is written, because the old value is not asked for.
    unsafe {
        syscall(number::SYSCTLBYNAME, [name.as_ptr() as usize, name.len(), 0, 0, new, value.len()]).map(drop)
    }
}

/// Reads a value into `buffer` and gives its length in bytes.
///
/// # Errors
/// The kernel's number: ENOENT where there is no such value, ENOMEM if it is longer.
pub(crate) fn read(name: &str, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut length = buffer.len();
    let (old, old_length) = (buffer.as_mut_ptr() as usize, &raw mut length as usize);
    // SAFETY: the kernel reads `name.len()` bytes of the name, writes at most `length` bytes to the buffer, and the
    // length; all of them outlive the call.
    unsafe { syscall(number::SYSCTLBYNAME, [name.as_ptr() as usize, name.len(), old, old_length, 0, 0])? };
    Ok(length.min(buffer.len()))
}

/// Reads an int.
///
/// # Errors
/// Same as [`read`]; EINVAL for any other length.
pub(crate) fn int(name: &str) -> Result<i32, Errno> {
    let mut bytes = [0; size_of::<i32>()];
    match read(name, &mut bytes)? {
        len if len == bytes.len() => Ok(i32::from_ne_bytes(bytes)),
        _ => Err(errno::EINVAL),
    }
}

/// Reads an unsigned number of four or eight bytes.
///
/// # Errors
/// Same as [`read`]; EINVAL for any other length.
pub(crate) fn number(name: &str) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    match read(name, &mut bytes)? {
        4 | 8 => Ok(u64::from_le_bytes(bytes)),
        _ => Err(errno::EINVAL),
    }
}
