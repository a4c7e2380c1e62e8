// SPDX-License-Identifier: BSD-2-Clause
//! jail_set(2), jail_get(2), jail_remove(2): parameters are pairs of name and value, names and strings with
//! their NUL, numbers and jailsys values as ints (sys/kern/kern_jail.c `kern_jail_set`).
#![expect(unsafe_code, reason = "system calls that read and write through pointers")]

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;

use super::Errno;
use super::abi::number;
use super::io::IoVec;
use super::raw::syscall;

/// sys/sys/jail.h.
const JAIL_CREATE: usize = 0x01;
const JAIL_UPDATE: usize = 0x02;
const JAIL_ATTACH: usize = 0x04;
const JAIL_SYS_NEW: i32 = 1;
const JAIL_SYS_INHERIT: i32 = 2;

/// A parameter's name or value. The kernel writes into one value only, that of `errmsg`.
fn part(bytes: &[u8]) -> IoVec {
    IoVec { base: bytes.as_ptr().cast_mut(), len: bytes.len() }
}

/// A jail's number: the kernel finds it without comparing the names of hundreds.
pub(crate) type Jid = i32;

/// Which jail.
#[derive(Clone, Copy)]
enum Who<'a> {
    Name(&'a CStr),
    Jid(Jid),
}

/// What is done with a jail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// The jail is created and entered, and goes with its last process.
    CreateAndEnter,
    /// The jail is created and stays although no process is in it.
    CreateWaiting,
    /// From now on it stays although no process is in it.
    Stay,
    /// From now on it goes with its last process.
    LetGo,
    /// The jail is created within the jail of this process, shares its network stack, and is entered.
    CreateWithin,
}

/// Creates a jail with a network stack of its own and puts this process into it. It is not persistent: it
/// goes with its last process.
///
/// # Errors
/// The kernel's number, and its words where it has any.
pub(crate) fn enter_fresh(name: &CStr) -> Result<(), (Errno, String)> {
    set(Who::Name(name), Deed::CreateAndEnter).map(drop)
}

/// Creates a jail with a network stack of its own that waits for its first process, and gives its number.
///
/// # Errors
/// Same as [`enter_fresh`].
pub(crate) fn create_waiting(name: &CStr) -> Result<Jid, (Errno, String)> {
    set(Who::Name(name), Deed::CreateWaiting)
}

/// Puts this process into a jail that waits. It stays until it is let go.
///
/// # Errors
/// The kernel's number: EINVAL where there is no such jail.
pub(crate) fn enter_waiting(jid: Jid) -> Result<(), Errno> {
    // jail_set(2) could do it too, and would look through all its parameters.
    // SAFETY: no pointers.
    unsafe { syscall(number::JAIL_ATTACH, [jid as usize, 0, 0, 0, 0, 0]).map(drop) }
}

/// Makes a jail that is there stay when its last process has gone, until it is let go.
///
/// # Errors
/// Same as [`enter_fresh`].
pub(crate) fn stay(jid: Jid) -> Result<(), (Errno, String)> {
    set(Who::Jid(jid), Deed::Stay).map(drop)
}

/// Lets a jail that waited go with its last process. If that has been waited for already, the jail is taken apart
/// within this call, for a quarter of a second; otherwise the kernel does it in a thread of its own
/// (sys/kern/kern_jail.c `prison_free`).
///
/// # Errors
/// Same as [`enter_fresh`].
pub(crate) fn let_go(jid: Jid) -> Result<(), (Errno, String)> {
    set(Who::Jid(jid), Deed::LetGo).map(drop)
}

/// Creates a jail within the one that this process is in, with that one's network stack and addresses, and puts this
/// process into it. It goes with its last process.
///
/// # Errors
/// Same as [`enter_fresh`].
pub(crate) fn enter_within(name: &CStr) -> Result<(), (Errno, String)> {
    set(Who::Name(name), Deed::CreateWithin).map(drop)
}

fn set(who: Who<'_>, deed: Deed) -> Result<Jid, (Errno, String)> {
    let vnet = JAIL_SYS_NEW.to_ne_bytes();
    // Room for the one of `CreateWithin`.
    let children = i32::from(deed != Deed::CreateWithin).to_ne_bytes();
    let inherit = JAIL_SYS_INHERIT.to_ne_bytes();
    let nothing = || IoVec { base: core::ptr::null_mut(), len: 0 };
    let number = match who {
        Who::Jid(jid) => jid.to_ne_bytes(),
        Who::Name(_) => [0; 4],
    };
    let mut words = [0u8; 256];
    let mut parameters = match who {
        Who::Name(name) => vec![part(b"name\0"), part(name.to_bytes_with_nul())],
        Who::Jid(_) => vec![part(b"jid\0"), part(&number)],
    };
    if matches!(deed, Deed::CreateAndEnter | Deed::CreateWaiting | Deed::CreateWithin) {
        parameters.extend([part(b"path\0"), part(b"/\0")]);
        if let Who::Name(name) = who {
            parameters.extend([part(b"host.hostname\0"), part(name.to_bytes_with_nul())]);
        }
        parameters.extend([part(b"children.max\0"), part(&children)]);
        if deed == Deed::CreateWithin {
            parameters.extend([part(b"ip4\0"), part(&inherit), part(b"ip6\0"), part(&inherit)]);
        } else {
            parameters.extend([part(b"vnet\0"), part(&vnet)]);
        }
        // Commands of a vector may be ping(8).
        parameters.extend([part(b"allow.raw_sockets\0"), nothing()]);
    }
    match deed {
        Deed::CreateAndEnter | Deed::CreateWithin => {}
        Deed::CreateWaiting | Deed::Stay => parameters.extend([part(b"persist\0"), nothing()]),
        Deed::LetGo => parameters.extend([part(b"nopersist\0"), nothing()]),
    }
    parameters.extend([part(b"errmsg\0"), IoVec { base: words.as_mut_ptr(), len: words.len() }]);
    let flags = match deed {
        Deed::CreateAndEnter | Deed::CreateWithin => JAIL_CREATE | JAIL_ATTACH,
        Deed::CreateWaiting => JAIL_CREATE,
        Deed::Stay | Deed::LetGo => JAIL_UPDATE,
    };
    let arguments = [parameters.as_mut_ptr() as usize, parameters.len(), flags, 0, 0, 0];
    // SAFETY: the kernel reads the vectors and what they point to, and writes at most its length into
    // `words`; all outlive the call.
    match unsafe { syscall(number::JAIL_SET, arguments) } {
        Ok(jid) => Ok(jid as Jid),
        Err(error) => {
            let words = CStr::from_bytes_until_nul(&words).map(CStr::to_string_lossy).unwrap_or_default();
            Err((error, words.into_owned()))
        }
    }
}

/// The number of a jail.
///
/// # Errors
/// The kernel's number: ENOENT where there is none of that name.
pub(crate) fn get(name: &CStr) -> Result<usize, Errno> {
    let mut value = Vec::from(name.to_bytes_with_nul());
    let mut parameters = [part(b"name\0"), IoVec { base: value.as_mut_ptr(), len: value.len() }];
    // SAFETY: the kernel reads the vectors and what they point to, and writes the value back into `value`,
    // at most its length; all outlive the call.
    unsafe { syscall(number::JAIL_GET, [parameters.as_mut_ptr() as usize, parameters.len(), 0, 0, 0, 0]) }
}

/// Kills what still runs in a jail. An error says that there is none of that number any more.
pub(crate) fn remove(jid: Jid) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { syscall(number::JAIL_REMOVE, [jid as usize, 0, 0, 0, 0, 0]).map(drop) }
}
