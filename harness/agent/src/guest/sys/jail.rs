// SPDX-License-Identifier: BSD-2-Clause
//! jail_set(2), jail_get(2), jail_remove(2): parameters are pairs of name and value, names and strings with
//! their NUL, numbers and jailsys values as ints (sys/kern/kern_jail.c `kern_jail_set`).
#![expect(unsafe_code, reason = "system calls that read and write through pointers")]

use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;

use super::Errno;
use super::abi::number;
use super::io::IoVec;
use super::raw::syscall;

/// sys/sys/jail.h.
const JAIL_CREATE: usize = 0x01;
const JAIL_ATTACH: usize = 0x04;
const JAIL_SYS_NEW: i32 = 1;

/// A parameter's name or value. The kernel writes into one value only, that of `errmsg`.
fn part(bytes: &[u8]) -> IoVec {
    IoVec { base: bytes.as_ptr().cast_mut(), len: bytes.len() }
}

/// Creates a jail with a network stack of its own and puts this process into it. It is not persistent: it
/// goes with its last process.
///
/// # Errors
/// The kernel's number, and its words where it has any.
pub(crate) fn enter_fresh(name: &CStr) -> Result<(), (Errno, String)> {
    let vnet = JAIL_SYS_NEW.to_ne_bytes();
    let children = 0i32.to_ne_bytes();
    let mut words = [0u8; 256];
    let mut parameters = [
        part(b"path\0"),
        part(b"/\0"),
        part(b"name\0"),
        part(name.to_bytes_with_nul()),
        part(b"host.hostname\0"),
        part(name.to_bytes_with_nul()),
        part(b"vnet\0"),
        part(&vnet),
        part(b"children.max\0"),
        part(&children),
        // Commands of a vector may be ping(8).
        part(b"allow.raw_sockets\0"),
        IoVec { base: core::ptr::null_mut(), len: 0 },
        part(b"errmsg\0"),
        IoVec { base: words.as_mut_ptr(), len: words.len() },
    ];
    let arguments = [parameters.as_mut_ptr() as usize, parameters.len(), JAIL_CREATE | JAIL_ATTACH, 0, 0, 0];
    // SAFETY: the kernel reads the vectors and what they point to, and writes at most its length into
    // `words`; all outlive the call.
    match unsafe { syscall(number::JAIL_SET, arguments) } {
        Ok(_) => Ok(()),
        Err(error) => {
            let words = CStr::from_bytes_until_nul(&words).map(CStr::to_string_lossy).unwrap_or_default();
            Err((error, words.into_owned()))
        }
    }
}

/// Kills what still runs in a jail. An error says that there is none of that name any more.
pub(crate) fn remove(name: &CStr) -> Result<(), Errno> {
    let mut value = Vec::from(name.to_bytes_with_nul());
    let mut parameters = [part(b"name\0"), IoVec { base: value.as_mut_ptr(), len: value.len() }];
    // SAFETY: the kernel reads the vectors and what they point to, and writes the value back into `value`,
    // at most its length; all outlive the call.
    let jid = unsafe {
        syscall(number::JAIL_GET, [parameters.as_mut_ptr() as usize, parameters.len(), 0, 0, 0, 0])?
    };
    // SAFETY: no pointers.
    unsafe { syscall(number::JAIL_REMOVE, [jid, 0, 0, 0, 0, 0]).map(drop) }
}
