// SPDX-License-Identifier: BSD-2-Clause
//! The netlink sockets of a program: one for requests, one per multicast group.

use alloc::format;
use alloc::string::String;

use nlproof_agent::{DropSource, SocketOptions};

use crate::sys::Errno;
use crate::sys::io::Fd;
use crate::sys::socket::{self, NetlinkOption};

/// Receive buffers that are tried for a group's socket, in bytes: the first needs privilege, the second is
/// below FreeBSD's default limit (kern.ipc.maxsockbuf). Linux lowers what it does not allow.
const GROUP_BUFFERS: [u32; 2] = [8 << 20, 1 << 20];

/// One socket.
#[derive(Debug)]
pub(crate) struct Netlink {
    /// Descriptor of the socket.
    pub(crate) fd: Fd,
    /// What it is, as a drop is reported.
    pub(crate) source: DropSource,
    /// A receive call failed for good: it is not waited for any more.
    pub(crate) broken: bool,
}

/// What could not be done, for people, with the kernel's number.
type Failed = (Errno, String);

fn step<T>(what: &str, result: Result<T, Errno>) -> Result<T, Failed> {
    result.map_err(|errno| (errno, format!("{what} failed ({errno})")))
}

impl Netlink {
    fn new(fd: Fd, source: DropSource) -> Self {
        Self { fd, source, broken: false }
    }

    /// The request socket and its `nl_pid`.
    pub(crate) fn request(options: &SocketOptions) -> Result<(Self, u32), Failed> {
        let fd = step("opening the request socket", socket::open_netlink())?;
        for (wanted, option, name) in [
            (options.ext_ack, NetlinkOption::ExtAck, "NETLINK_EXT_ACK"),
            (options.cap_ack, NetlinkOption::CapAck, "NETLINK_CAP_ACK"),
            (options.strict, NetlinkOption::StrictCheck, "NETLINK_GET_STRICT_CHK"),
        ] {
            if wanted {
                step(name, socket::set_netlink(&fd, option, 1))?;
            }
        }
        if let Some(bytes) = options.receive_buffer {
            step(&format!("a receive buffer of {bytes} bytes"), socket::set_receive_buffer(&fd, bytes))?;
        }
        step("SO_RERROR", socket::report_overflow(&fd))?;
        let pid = step("binding the request socket", socket::bind(&fd))?;
        Ok((Self::new(fd, DropSource::Request), pid))
    }

    /// A socket that has joined one group; its receive buffer is as large as can be, or as given.
    pub(crate) fn group(group: u32, buffer: Option<u32>) -> Result<Self, Failed> {
        let fd = step("opening the socket of a group", socket::open_netlink())?;
        step("SO_RERROR", socket::report_overflow(&fd))?;
        // Where neither is allowed the system's default stays: it may lose events, but never silently,
        // that is a `Drop` record.
        if let Some(bytes) = buffer {
            step(&format!("a receive buffer of {bytes} bytes"), socket::set_receive_buffer(&fd, bytes))?;
        }
        for bytes in GROUP_BUFFERS.into_iter().filter(|_| buffer.is_none()) {
            if socket::force_receive_buffer(&fd, bytes)
                .or_else(|_| socket::set_receive_buffer(&fd, bytes))
                .is_ok()
            {
                break;
            }
        }
        step("binding the socket of a group", socket::bind(&fd))?;
        step(
            &format!("joining group {group}"),
            socket::set_netlink(&fd, NetlinkOption::AddMembership, group),
        )?;
        Ok(Self::new(fd, DropSource::Group(group)))
    }
}
