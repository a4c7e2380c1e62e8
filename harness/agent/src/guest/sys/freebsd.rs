// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD amd64: numbers and layouts, from the headers of stable/14 (the same in 13, 15 and 16).
// Errors that are named on one system only are still worth having.

/// sys/sys/syscall.h.
pub(super) mod number {
    pub(crate) const EXIT: usize = 1;
    pub(crate) const FORK: usize = 2;
    pub(crate) const READ: usize = 3;
    pub(crate) const WRITE: usize = 4;
    pub(crate) const OPEN: usize = 5;
    pub(crate) const CLOSE: usize = 6;
    pub(crate) const WAIT4: usize = 7;
    pub(crate) const GETPID: usize = 20;
    pub(crate) const UNLINK: usize = 10;
    pub(crate) const CHDIR: usize = 12;
    pub(crate) const SETUID: usize = 23;
    pub(crate) const RECVMSG: usize = 27;
    pub(crate) const GETSOCKNAME: usize = 32;
    pub(crate) const KILL: usize = 37;
    pub(crate) const KTRACE: usize = 45;
    pub(crate) const IOCTL: usize = 54;
    pub(crate) const EXECVE: usize = 59;
    pub(crate) const MUNMAP: usize = 73;
    pub(crate) const SETGROUPS: usize = 80;
    pub(crate) const SETPGID: usize = 82;
    pub(crate) const DUP2: usize = 90;
    pub(crate) const SOCKET: usize = 97;
    pub(crate) const BIND: usize = 104;
    pub(crate) const SETSOCKOPT: usize = 105;
    pub(crate) const LISTEN: usize = 106;
    pub(crate) const SENDTO: usize = 133;
    pub(crate) const SETSID: usize = 147;
    pub(crate) const SETGID: usize = 181;
    pub(crate) const SYSCTL: usize = 202;
    pub(crate) const POLL: usize = 209;
    pub(crate) const CLOCK_GETTIME: usize = 232;
    pub(crate) const CLOCK_SETTIME: usize = 233;
    pub(crate) const SCHED_YIELD: usize = 331;
    pub(crate) const SIGACTION: usize = 416;
    pub(crate) const JAIL_ATTACH: usize = 436;
    pub(crate) const MMAP: usize = 477;
    pub(crate) const JAIL_GET: usize = 506;
    pub(crate) const JAIL_SET: usize = 507;
    pub(crate) const JAIL_REMOVE: usize = 508;
    pub(crate) const ACCEPT4: usize = 541;
    pub(crate) const PIPE2: usize = 542;
    pub(crate) const PROCCTL: usize = 544;
    pub(crate) const SYSCTLBYNAME: usize = 570;
}

/// sys/sys/errno.h.
pub(crate) mod errno {
    use crate::sys::Errno;

    pub(crate) const ENOENT: Errno = Errno(2);
    pub(crate) const EINTR: Errno = Errno(4);
    pub(crate) const ENOMEM: Errno = Errno(12);
    pub(crate) const EACCES: Errno = Errno(13);
    pub(crate) const EBUSY: Errno = Errno(16);
    pub(crate) const ENXIO: Errno = Errno(6);
    pub(crate) const EINVAL: Errno = Errno(22);
    pub(crate) const EAGAIN: Errno = Errno(35);
    pub(crate) const ENOBUFS: Errno = Errno(55);
}

/// sys/sys/time.h.
pub(super) const CLOCK_MONOTONIC: usize = 4;
/// sys/sys/mman.h.
pub(super) const MAP_PRIVATE_ANONYMOUS: usize = 0x1002;
pub(super) const MAP_SHARED_ANONYMOUS: usize = 0x1001;
/// sys/sys/fcntl.h.
pub(super) const O_CLOEXEC: usize = 0x0010_0000;
pub(super) const O_NONBLOCK: usize = 0x0004;

/// sys/sys/socket.h.
pub(super) const AF_NETLINK: u8 = 38;
pub(super) const SOCK_CLOEXEC: usize = 0x1000_0000;
pub(super) const SOL_SOCKET: usize = 0xffff;
pub(super) const SO_RCVBUF: usize = 0x1002;
pub(super) const MSG_DONTWAIT: usize = 0x80;
pub(super) const MSG_TRUNC: i32 = 0x10;
/// No flag: recvmsg(2) is not asked for the full length, because 13 takes MSG_TRUNC as a flag and then
/// reports every datagram as cut.
pub(super) const MSG_REPORT_FULL: usize = 0;
/// Receive errors such as ENOBUFS are reported at all (sys/sys/socket.h).
pub(super) const SO_RERROR: usize = 0x0002_0000;

/// `FIONWRITE`, `_IOR('f', 119, int)`: bytes in the send queue (sys/sys/filio.h).
pub(super) const FIONWRITE: usize = 0x4004_6677;
/// `_IOWR('i', 32, struct ifreq)` (sys/sys/sockio.h).
pub(super) const SIOCGIFINDEX: usize = 0xc020_6920;
/// `_IOWR('i', 90, struct ifreq)` (sys/sys/sockio.h).
pub(super) const SIOCSIFVNET: usize = 0xc020_695a;
/// sys/sockio.h: an interface of a cloner is made, or destroyed.
pub(super) const SIOCIFCREATE: usize = 0xc020_697a;
pub(super) const SIOCIFDESTROY: usize = 0x8020_6979;

/// `struct sockaddr_nl`, sys/netlink/netlink.h: 12 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SockaddrNl {
    len: u8,
    family: u8,
    pad: u16,
    pub(super) pid: u32,
    pub(super) groups: u32,
}

impl SockaddrNl {
    pub(super) const fn kernel() -> Self {
        Self { len: size_of::<Self>() as u8, family: AF_NETLINK, pad: 0, pid: 0, groups: 0 }
    }
}

/// `struct sockaddr_in`, sys/netinet/in.h: 16 bytes; port and address in network byte order.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SockaddrIn {
    len: u8,
    family: u8,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

impl SockaddrIn {
    pub(super) const fn new(address: [u8; 4], port: u16) -> Self {
        Self {
            len: size_of::<Self>() as u8,
            family: super::socket::AF_INET as u8,
            port: port.to_be_bytes(),
            address,
            zero: [0; 8],
        }
    }
}

/// `struct msghdr`, sys/sys/socket.h: `msg_iovlen` is an int, `msg_controllen` a socklen_t.
#[repr(C)]
pub(super) struct MsgHdr {
    pub(super) name: *mut u8,
    pub(super) name_len: u32,
    pub(super) iov: *mut super::io::IoVec,
    pub(super) iov_len: i32,
    pub(super) control: *mut u8,
    pub(super) control_len: u32,
    pub(super) flags: i32,
}

/// `struct ifreq`, sys/net/if.h: the name and a union of 16 bytes, of which the index is a short.
#[repr(C)]
pub(super) struct IfReq {
    pub(super) name: [u8; 16],
    pub(super) value: [u8; 16],
}

impl IfReq {
    pub(super) fn index(&self) -> u32 {
        let [low, high, ..] = self.value;
        u16::from_ne_bytes([low, high]).into()
    }
}

/// `struct sigaction`, sys/sys/signal.h: handler, flags, and a mask of 128 bits.
#[repr(C)]
pub(super) struct SigAction {
    handler: usize,
    flags: i32,
    mask: [u32; 4],
}

impl SigAction {
    pub(super) const fn new(handler: usize) -> Self {
        Self { handler, flags: 0, mask: [0; 4] }
    }
}

const _: () = {
    assert!(size_of::<SockaddrNl>() == 12);
    assert!(size_of::<SockaddrIn>() == 16);
    assert!(size_of::<MsgHdr>() == 48);
    assert!(size_of::<IfReq>() == 32);
    assert!(size_of::<SigAction>() == 32);
};
