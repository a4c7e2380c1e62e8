// SPDX-License-Identifier: BSD-2-Clause
//! Linux x86_64: numbers and layouts, from the kernel's uapi headers.

/// asm/unistd_64.h.
pub(super) mod number {
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const OPEN: usize = 2;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const POLL: usize = 7;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const MUNMAP: usize = 11;
    pub(crate) const SIGACTION: usize = 13;
    pub(crate) const IOCTL: usize = 16;
    pub(crate) const SCHED_YIELD: usize = 24;
    pub(crate) const DUP2: usize = 33;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const SOCKET: usize = 41;
    pub(crate) const SENDTO: usize = 44;
    pub(crate) const RECVMSG: usize = 47;
    pub(crate) const BIND: usize = 49;
    pub(crate) const LISTEN: usize = 50;
    pub(crate) const GETSOCKNAME: usize = 51;
    pub(crate) const SETSOCKOPT: usize = 54;
    pub(crate) const FORK: usize = 57;
    pub(crate) const EXECVE: usize = 59;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const KILL: usize = 62;
    pub(crate) const GETUID: usize = 102;
    pub(crate) const GETGID: usize = 104;
    pub(crate) const SETUID: usize = 105;
    pub(crate) const SETGID: usize = 106;
    pub(crate) const SETPGID: usize = 109;
    pub(crate) const SETSID: usize = 112;
    pub(crate) const SETGROUPS: usize = 116;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const CLOCK_GETTIME: usize = 228;
    pub(crate) const EXIT: usize = 231;
    pub(crate) const UNSHARE: usize = 272;
    pub(crate) const ACCEPT4: usize = 288;
    pub(crate) const PIPE2: usize = 293;
}

/// asm-generic/errno.h.
pub(crate) mod errno {
    use crate::sys::Errno;

    pub(crate) const EPERM: Errno = Errno(1);
    pub(crate) const ENOENT: Errno = Errno(2);
    pub(crate) const EINTR: Errno = Errno(4);
    pub(crate) const EAGAIN: Errno = Errno(11);
    pub(crate) const EACCES: Errno = Errno(13);
    pub(crate) const ENOBUFS: Errno = Errno(105);
}

/// linux/time.h.
pub(super) const CLOCK_MONOTONIC: usize = 1;
/// linux/mman.h, asm-generic/mman-common.h.
pub(super) const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
pub(super) const MAP_SHARED_ANONYMOUS: usize = 0x21;
/// asm-generic/fcntl.h.
pub(super) const O_CLOEXEC: usize = 0o2_000_000;

/// linux/socket.h, asm-generic/socket.h, linux/net.h.
pub(super) const AF_NETLINK: u16 = 16;
pub(super) const SOCK_CLOEXEC: usize = 0o2_000_000;
pub(super) const SOL_SOCKET: usize = 1;
pub(super) const SO_RCVBUF: usize = 8;
/// Beyond net.core.rmem_max, with CAP_NET_ADMIN in the first user namespace.
pub(super) const SO_RCVBUFFORCE: usize = 33;
pub(super) const MSG_DONTWAIT: usize = 0x40;
pub(super) const MSG_TRUNC: i32 = 0x20;
/// With MSG_TRUNC recvmsg(2) returns the full length of a datagram that was cut.
pub(super) const MSG_REPORT_FULL: usize = 0x20;

/// linux/sockios.h.
pub(super) const SIOCGIFINDEX: usize = 0x8933;

/// `struct sockaddr_in`, linux/in.h: 16 bytes; port and address in network byte order.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SockaddrIn {
    family: u16,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

impl SockaddrIn {
    pub(super) const fn new(address: [u8; 4], port: u16) -> Self {
        Self { family: super::socket::AF_INET as u16, port: port.to_be_bytes(), address, zero: [0; 8] }
    }
}

/// `struct sockaddr_nl`, linux/netlink.h: 12 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SockaddrNl {
    family: u16,
    pad: u16,
    pub(super) pid: u32,
    pub(super) groups: u32,
}

impl SockaddrNl {
    pub(super) const fn kernel() -> Self {
        Self { family: AF_NETLINK, pad: 0, pid: 0, groups: 0 }
    }
}

/// `struct user_msghdr`, linux/socket.h.
#[repr(C)]
pub(super) struct MsgHdr {
    pub(super) name: *mut u8,
    pub(super) name_len: u32,
    pub(super) iov: *mut super::io::IoVec,
    pub(super) iov_len: usize,
    pub(super) control: *mut u8,
    pub(super) control_len: usize,
    pub(super) flags: i32,
}

/// `struct ifreq`, linux/if.h: the name and a union of 24 bytes, of which the index is an int.
#[repr(C)]
pub(super) struct IfReq {
    pub(super) name: [u8; 16],
    pub(super) value: [u8; 24],
}

impl IfReq {
    pub(super) fn index(&self) -> u32 {
        let [a, b, c, d, ..] = self.value;
        u32::from_ne_bytes([a, b, c, d])
    }
}

/// The kernel's `struct sigaction`, asm/signal.h: handler, flags, restorer, mask.
#[repr(C)]
pub(super) struct SigAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

impl SigAction {
    pub(super) const fn new(handler: usize) -> Self {
        Self { handler, flags: 0, restorer: 0, mask: 0 }
    }
}

const _: () = {
    assert!(size_of::<SockaddrNl>() == 12);
    assert!(size_of::<MsgHdr>() == 56);
    assert!(size_of::<IfReq>() == 40);
    assert!(size_of::<SigAction>() == 32);
};
