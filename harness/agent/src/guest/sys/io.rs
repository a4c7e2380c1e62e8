// SPDX-License-Identifier: BSD-2-Clause
//! Descriptors: reading, writing, pipes, waiting.
#![expect(unsafe_code, reason = "system calls that read and write through pointers")]

use core::ffi::CStr;
use core::fmt;

use super::Errno;
#[cfg(feature = "freebsd")]
use super::abi::O_NONBLOCK;
use super::abi::{O_CLOEXEC, errno, number};
use super::raw::syscall;

/// A descriptor that is closed when it goes.
#[derive(Debug)]
pub(crate) struct Fd(i32);

/// Descriptors 0 to 2, which the agent was started with.
pub(crate) const STDIN: i32 = 0;
pub(crate) const STDOUT: i32 = 1;
pub(crate) const STDERR: i32 = 2;

impl Fd {
    /// Takes over what a system call returned.
    pub(super) fn new(returned: usize) -> Self {
        Self(returned as i32)
    }

    /// The number.
    pub(crate) fn raw(&self) -> i32 {
        self.0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is owned and used no more. What close(2) may report (EINTR, EIO) leaves it
        // closed on both systems.
        let result = unsafe { syscall(number::CLOSE, [self.0 as usize, 0, 0, 0, 0, 0]) };
        debug_assert!(result.is_ok());
    }
}

/// `struct iovec`, the same on both systems.
#[repr(C)]
pub(super) struct IoVec {
    pub(super) base: *mut u8,
    pub(super) len: usize,
}

/// Reads what is there, at most the buffer's length. 0 is the end.
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into the buffer.
        let result = unsafe {
            syscall(number::READ, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0])
        };
        if result != Err(errno::EINTR) {
            return result;
        }
    }
}

/// Writes all of it, waiting where the descriptor is a full pipe or does not block.
pub(crate) fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads `bytes.len()` bytes from the slice.
        let result =
            unsafe { syscall(number::WRITE, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) };
        match result {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(errno::EINTR) => {}
            Err(errno::EAGAIN) => {
                poll(&mut [PollFd::writable(fd)], -1)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A pipe: its reading and its writing end, neither passed on to commands.
pub(crate) fn pipe() -> Result<(Fd, Fd), Errno> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes two descriptors.
    unsafe { syscall(number::PIPE2, [ends.as_mut_ptr() as usize, O_CLOEXEC, 0, 0, 0, 0])? };
    let [read, write] = ends;
    Ok((Fd(read), Fd(write)))
}

/// Opens an existing file.
pub(crate) fn open(path: &CStr, access: Access) -> Result<Fd, Errno> {
    // SAFETY: the path ends with NUL.
    let fd =
        unsafe { syscall(number::OPEN, [path.as_ptr() as usize, access as usize | O_CLOEXEC, 0, 0, 0, 0])? };
    Ok(Fd::new(fd))
}

/// Makes an empty file that only its owner may read, where there is none.
#[cfg(feature = "freebsd")]
pub(crate) fn create(path: &CStr) -> Result<Fd, Errno> {
    /// `O_WRONLY | O_CREAT | O_EXCL` (sys/sys/fcntl.h).
    const FLAGS: usize = 0x0001 | 0x0200 | 0x0800;
    // SAFETY: the path ends with NUL.
    let fd = unsafe { syscall(number::OPEN, [path.as_ptr() as usize, FLAGS | O_CLOEXEC, 0o600, 0, 0, 0])? };
    Ok(Fd::new(fd))
}

/// Removes the name of a file.
#[cfg(feature = "freebsd")]
pub(crate) fn remove(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall(number::UNLINK, [path.as_ptr() as usize, 0, 0, 0, 0, 0]).map(drop) }
}

/// fcntl.h, the same on both systems.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// O_RDONLY|O_NONBLOCK.
    #[cfg(feature = "freebsd")]
    Poll = O_NONBLOCK as isize,
    /// O_RDONLY.
    #[cfg(feature = "freebsd")]
    Read = 0,
    /// O_WRONLY.
    #[cfg_attr(feature = "freebsd", expect(dead_code, reason = "only namespaces are set up through files"))]
    Write = 1,
    /// O_RDWR.
    Both = 2,
}

/// Makes `number` (0 to 2) another name of a descriptor, passed on to commands.
pub(crate) fn duplicate(fd: i32, onto: i32) -> Result<(), Errno> {
    // SAFETY: only the standard descriptors are replaced, which nobody owns.
    unsafe { syscall(number::DUP2, [fd as usize, onto as usize, 0, 0, 0, 0]).map(drop) }
}

/// `struct pollfd`, poll.h, the same on both systems.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollFd {
    fd: i32,
    events: i16,
    seen: i16,
}

const POLLIN: i16 = 0x1;
const POLLOUT: i16 = 0x4;

impl PollFd {
    /// Waits for something to read, the end, or an error.
    pub(crate) fn readable(fd: i32) -> Self {
        Self { fd, events: POLLIN, seen: 0 }
    }

    /// Waits for room to write, or an error.
    pub(crate) fn writable(fd: i32) -> Self {
        Self { fd, events: POLLOUT, seen: 0 }
    }

    /// Waits for the other side to be gone.
    pub(crate) fn closed(fd: i32) -> Self {
        Self { fd, events: 0, seen: 0 }
    }

    /// An entry that poll(2) passes over.
    pub(crate) fn none() -> Self {
        Self { fd: -1, events: 0, seen: 0 }
    }

    /// Something happened: what was waited for, or an error.
    pub(crate) fn ready(self) -> bool {
        self.seen != 0
    }
}

/// Waits until one of the entries is ready or that many milliseconds (-1: no limit) have passed. A signal
/// ends it early with nothing ready.
pub(crate) fn poll(fds: &mut [PollFd], ms: i32) -> Result<(), Errno> {
    // SAFETY: the kernel reads and writes `fds.len()` entries.
    let result =
        unsafe { syscall(number::POLL, [fds.as_mut_ptr() as usize, fds.len(), ms as usize, 0, 0, 0]) };
    match result {
        Ok(_) => Ok(()),
        Err(errno::EINTR) => {
            fds.iter_mut().for_each(|fd| fd.seen = 0);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Standard error, for people.
pub(crate) struct Stderr;

impl fmt::Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_all(STDERR, text.as_bytes()).map_err(|_| fmt::Error)
    }
}
