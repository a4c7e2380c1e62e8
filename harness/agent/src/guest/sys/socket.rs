// SPDX-License-Identifier: BSD-2-Clause
//! Netlink sockets as the kernel sees them.
#![expect(unsafe_code, reason = "system calls that read and write through pointers")]

use super::Errno;
use super::abi::{
    self, AF_NETLINK, MSG_DONTWAIT, MSG_TRUNC, MsgHdr, SOL_SOCKET, SockaddrIn, SockaddrNl, number,
};
use super::io::{Fd, IoVec};
use super::raw::syscall;

/// The same numbers on both systems, as are IPPROTO_TCP and TCP_NODELAY.
pub(super) const AF_INET: usize = 2;
const IPPROTO_TCP: usize = 6;
const TCP_NODELAY: usize = 1;
const SOCK_STREAM: usize = 1;
const SOCK_DGRAM: usize = 2;
const SOCK_RAW: usize = 3;
const AF_UNIX: usize = 1;
const NETLINK_ROUTE: usize = 0;
/// FreeBSD sys/netlink/netlink.h, Linux linux/socket.h: the same number.
const SOL_NETLINK: usize = 270;
const ADDRESS_LEN: usize = size_of::<SockaddrNl>();

/// Options at the level SOL_NETLINK, the same numbers on both systems.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NetlinkOption {
    /// NETLINK_ADD_MEMBERSHIP; the value is the group.
    AddMembership = 1,
    /// NETLINK_CAP_ACK.
    CapAck = 10,
    /// NETLINK_EXT_ACK.
    ExtAck = 11,
    /// NETLINK_GET_STRICT_CHK.
    StrictCheck = 12,
}

/// A raw NETLINK_ROUTE socket.
pub(crate) fn open_netlink() -> Result<Fd, Errno> {
    open(AF_NETLINK.into(), SOCK_RAW, NETLINK_ROUTE)
}

/// A datagram socket that only serves interface ioctls, which take a socket of any family.
pub(crate) fn open_for_ioctls() -> Result<Fd, Errno> {
    open(AF_UNIX, SOCK_DGRAM, 0)
}

/// A TCP socket that listens.
pub(crate) fn listen(address: [u8; 4], port: u16) -> Result<Fd, Errno> {
    let socket = open(AF_INET, SOCK_STREAM, 0)?;
    let address = SockaddrIn::new(address, port);
    let fd = socket.raw() as usize;
    // SAFETY: the kernel reads one address.
    unsafe {
        syscall(number::BIND, [fd, &raw const address as usize, size_of::<SockaddrIn>(), 0, 0, 0])?;
    }
    // SAFETY: no pointers.
    unsafe { syscall(number::LISTEN, [fd, 8, 0, 0, 0, 0])? };
    Ok(socket)
}

/// The next connection, whose small writes are not held back.
pub(crate) fn accept(listener: &Fd) -> Result<Fd, Errno> {
    let arguments = [listener.raw() as usize, 0, 0, abi::SOCK_CLOEXEC, 0, 0];
    // SAFETY: the address is not asked for.
    let connection = Fd::new(unsafe { syscall(number::ACCEPT4, arguments)? });
    set_option(&connection, IPPROTO_TCP, TCP_NODELAY, 1)?;
    Ok(connection)
}

fn open(family: usize, kind: usize, protocol: usize) -> Result<Fd, Errno> {
    // SAFETY: no pointers.
    let fd = unsafe { syscall(number::SOCKET, [family, kind | abi::SOCK_CLOEXEC, protocol, 0, 0, 0])? };
    Ok(Fd::new(fd))
}

/// Sets an option of the level SOL_NETLINK.
pub(crate) fn set_netlink(fd: &Fd, option: NetlinkOption, value: u32) -> Result<(), Errno> {
    set_option(fd, SOL_NETLINK, option as usize, value)
}

/// SO_RCVBUF in bytes.
pub(crate) fn set_receive_buffer(fd: &Fd, bytes: u32) -> Result<(), Errno> {
    set_option(fd, SOL_SOCKET, abi::SO_RCVBUF, bytes)
}

/// A receive buffer of that many bytes even beyond the system's limit, where the caller may.
pub(crate) fn force_receive_buffer(fd: &Fd, bytes: u32) -> Result<(), Errno> {
    // FreeBSD lets the privileged exceed the limit by SO_RCVBUF (sys/netlink/netlink_domain.c
    // `nl_setsbopt`); Linux caps it silently and has an option of its own.
    #[cfg(feature = "freebsd")]
    return set_receive_buffer(fd, bytes);
    #[cfg(not(feature = "freebsd"))]
    set_option(fd, SOL_SOCKET, abi::SO_RCVBUFFORCE, bytes)
}

/// Makes an overflow of the receive buffer an error of the next receive call. Linux always does.
pub(crate) fn report_overflow(fd: &Fd) -> Result<(), Errno> {
    #[cfg(feature = "freebsd")]
    return set_option(fd, SOL_SOCKET, abi::SO_RERROR, 1);
    #[cfg(not(feature = "freebsd"))]
    {
        let _: &Fd = fd;
        Ok(())
    }
}

fn set_option(fd: &Fd, level: usize, option: usize, value: u32) -> Result<(), Errno> {
    let arguments = [fd.raw() as usize, level, option, &raw const value as usize, size_of::<u32>(), 0];
    // SAFETY: the kernel reads one int.
    unsafe { syscall(number::SETSOCKOPT, arguments).map(drop) }
}

/// Binds to a port of the kernel's choice and tells which (`nl_pid`).
pub(crate) fn bind(fd: &Fd) -> Result<u32, Errno> {
    let mut address = SockaddrNl::kernel();
    let mut len = ADDRESS_LEN as u32;
    let fd = fd.raw() as usize;
    // SAFETY: the kernel reads one address.
    unsafe { syscall(number::BIND, [fd, &raw const address as usize, ADDRESS_LEN, 0, 0, 0])? };
    // SAFETY: the kernel writes at most `len` bytes into the address, and the length.
    unsafe {
        syscall(number::GETSOCKNAME, [fd, &raw mut address as usize, &raw mut len as usize, 0, 0, 0])?;
    }
    Ok(address.pid)
}

/// Sends one datagram to the kernel.
pub(crate) fn send(fd: &Fd, data: &[u8]) -> Result<(), Errno> {
    let address = SockaddrNl::kernel();
    let (data, len) = (data.as_ptr() as usize, data.len());
    let arguments = [fd.raw() as usize, data, len, 0, &raw const address as usize, ADDRESS_LEN];
    // SAFETY: the kernel reads the data and one address.
    unsafe { syscall(number::SENDTO, arguments).map(drop) }
}

/// What a receive call gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// Bytes in the buffer.
    pub(crate) len: usize,
    /// Length of the datagram; larger than `len` if the buffer cut it. FreeBSD only says that it did: then
    /// one more than `len`.
    pub(crate) full_len: usize,
}

/// Takes one datagram if there is one; otherwise EAGAIN.
pub(crate) fn receive(fd: &Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
    let mut vector = IoVec { base: buffer.as_mut_ptr(), len: buffer.len() };
    let mut message = MsgHdr {
        name: core::ptr::null_mut(),
        name_len: 0,
        iov: &raw mut vector,
        iov_len: 1,
        control: core::ptr::null_mut(),
        control_len: 0,
        flags: 0,
    };
    let flags = MSG_DONTWAIT | abi::MSG_REPORT_FULL;
    // SAFETY: the kernel writes at most `buffer.len()` bytes into the buffer, and flags into the message;
    // there is no room for an address or control data.
    let returned =
        unsafe { syscall(number::RECVMSG, [fd.raw() as usize, &raw mut message as usize, flags, 0, 0, 0])? };
    let len = returned.min(buffer.len());
    let cut = message.flags & MSG_TRUNC != 0;
    Ok(Received { len, full_len: if cut { returned.max(len + 1) } else { len } })
}

/// Whether the kernel has taken up all that was sent. Linux always has when the send call returns.
///
/// FreeBSD works through the send queue in a thread of its own and joins datagrams that wait there
/// (sys/netlink/netlink_io.c `nl_receive_async`, sbappend(9)): one sent too early would become part of a
/// malformed one before it.
pub(crate) fn taken_up(fd: &Fd) -> bool {
    #[cfg(feature = "freebsd")]
    {
        let mut waiting = 0i32;
        // SAFETY: the kernel writes one int.
        let result = unsafe {
            syscall(number::IOCTL, [fd.raw() as usize, abi::FIONWRITE, &raw mut waiting as usize, 0, 0, 0])
        };
        result.is_err() || waiting <= 0
    }
    #[cfg(not(feature = "freebsd"))]
    {
        let _: &Fd = fd;
        true
    }
}
