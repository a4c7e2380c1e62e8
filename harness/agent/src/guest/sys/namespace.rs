// SPDX-License-Identifier: BSD-2-Clause
//! unshare(2).
#![expect(unsafe_code, reason = "system calls on the process")]

use super::Errno;
use super::abi::number;
use super::raw::syscall;

/// linux/sched.h.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fresh {
    /// CLONE_NEWNET.
    Net = 0x4000_0000,
    /// CLONE_NEWUSER | CLONE_NEWNET.
    UserAndNet = 0x5000_0000,
}

/// Leaves the namespaces of the parent for fresh ones.
pub(crate) fn unshare(what: Fresh) -> Result<(), Errno> {
    // SAFETY: no pointers; there is one thread.
    unsafe { syscall(number::UNSHARE, [what as usize, 0, 0, 0, 0, 0]).map(drop) }
}

/// Real user and group id.
pub(crate) fn ids() -> (u32, u32) {
    // SAFETY: no pointers. They cannot fail.
    let (uid, gid) = unsafe { (syscall(number::GETUID, [0; 6]), syscall(number::GETGID, [0; 6])) };
    (uid.map_or(u32::MAX, |uid| uid as u32), gid.map_or(u32::MAX, |gid| gid as u32))
}
