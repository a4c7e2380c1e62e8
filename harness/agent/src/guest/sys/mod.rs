// SPDX-License-Identifier: BSD-2-Clause
//! System calls of FreeBSD and Linux on amd64 behind safe functions. All that differs between the two is
//! in `abi`.

#[cfg(feature = "freebsd")]
#[path = "freebsd.rs"]
mod abi;
#[cfg(not(feature = "freebsd"))]
#[path = "linux.rs"]
mod abi;
pub(crate) mod clock;
#[cfg(feature = "freebsd")]
pub(crate) mod device;
pub(crate) mod interface;
pub(crate) mod io;
#[cfg(feature = "freebsd")]
pub(crate) mod jail;
pub(crate) mod memory;
#[cfg(not(feature = "freebsd"))]
pub(crate) mod namespace;
pub(crate) mod process;
mod raw;
pub(crate) mod socket;
#[cfg(feature = "freebsd")]
pub(crate) mod sysctl;

pub(crate) use abi::errno;
pub(crate) use raw::Errno;
