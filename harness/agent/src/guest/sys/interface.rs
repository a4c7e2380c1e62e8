// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces: name to index, and on FreeBSD all of them at once.
#![expect(unsafe_code, reason = "system calls that read and write through pointers")]

use super::Errno;
use super::abi::{IfReq, SIOCGIFINDEX, number};
use super::io::Fd;
use super::raw::syscall;

/// The index of the interface with that name; the kernel's error if there is none (FreeBSD ENXIO, Linux
/// ENODEV). A name that is too long for one cannot be there: what the kernel says to an empty name.
pub(crate) fn index(socket: &Fd, name: &str) -> Result<u32, Errno> {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: IfReq = unsafe { core::mem::zeroed() };
    // The last byte stays NUL.
    if name.len() < request.name.len() && !name.as_bytes().contains(&0) {
        for (place, byte) in request.name.iter_mut().zip(name.bytes()) {
            *place = byte;
        }
    }
    // SAFETY: the kernel reads and writes one ifreq.
    unsafe {
        syscall(number::IOCTL, [socket.raw() as usize, SIOCGIFINDEX, &raw mut request as usize, 0, 0, 0])?
    };
    Ok(request.index())
}

/// Moves an interface of this network stack into that of a jail.
///
/// # Errors
/// The kernel's number: ENXIO where there is no such interface.
#[cfg(feature = "freebsd")]
pub(crate) fn move_to(socket: &Fd, name: &str, jid: super::jail::Jid) -> Result<(), Errno> {
    // `ifr_jid`, an int.
    ask(socket, super::abi::SIOCSIFVNET, name, jid.to_ne_bytes())
}

/// Has a cloner make an interface.
///
/// # Errors
/// The kernel's number: EINVAL where there is no cloner, EEXIST where there is such an interface.
#[cfg(feature = "freebsd")]
pub(crate) fn create(socket: &Fd, name: &str) -> Result<(), Errno> {
    ask(socket, super::abi::SIOCIFCREATE, name, [0; 4])
}

/// Has a cloner destroy an interface of its own.
///
/// # Errors
/// The kernel's number: ENXIO where there is no such interface.
#[cfg(feature = "freebsd")]
pub(crate) fn destroy(socket: &Fd, name: &str) -> Result<(), Errno> {
    ask(socket, super::abi::SIOCIFDESTROY, name, [0; 4])
}

/// An ioctl(2) whose argument is an ifreq with a name and four bytes.
#[cfg(feature = "freebsd")]
fn ask(socket: &Fd, what: usize, name: &str, value: [u8; 4]) -> Result<(), Errno> {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: IfReq = unsafe { core::mem::zeroed() };
    // The last byte stays NUL.
    if name.len() < request.name.len() {
        for (place, byte) in request.name.iter_mut().zip(name.bytes()) {
            *place = byte;
        }
    }
    for (place, byte) in request.value.iter_mut().zip(value) {
        *place = byte;
    }
    let arguments = [socket.raw() as usize, what, &raw mut request as usize, 0, 0, 0];
    // SAFETY: the kernel reads and writes one ifreq.
    unsafe { syscall(number::IOCTL, arguments).map(drop) }
}

/// The answer to sysctl(3) `{CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST, 0}`, see
/// [`nlproof_agent::interfaces::from_iflist`].
#[cfg(feature = "freebsd")]
pub(crate) fn list() -> Result<alloc::vec::Vec<u8>, Errno> {
    use alloc::vec;

    // sys/sys/sysctl.h, sys/sys/socket.h, sys/sys/errno.h.
    const IFLIST: [i32; 6] = [4, 17, 0, 0, 3, 0];
    const ENOMEM: Errno = Errno(12);
    let ask = |buffer: *mut u8, len: &mut usize| {
        let (oid, count) = (IFLIST.as_ptr() as usize, IFLIST.len());
        // SAFETY: the kernel reads six ints, writes at most `len` bytes into the buffer (none if it is
        // null), and the length.
        unsafe {
            syscall(number::SYSCTL, [oid, count, buffer as usize, core::ptr::from_mut(len) as usize, 0, 0])
        }
    };
    loop {
        let mut len = 0;
        ask(core::ptr::null_mut(), &mut len)?;
        // Another interface may come in between.
        len += 4096;
        let mut answer = vec![0; len];
        match ask(answer.as_mut_ptr(), &mut len) {
            Ok(_) => {
                answer.truncate(len);
                return Ok(answer);
            }
            Err(ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
}
