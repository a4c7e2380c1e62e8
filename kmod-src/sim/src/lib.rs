// SPDX-License-Identifier: BSD-2-Clause
//! A FreeBSD network stack small enough to read, behind the traits of `iface-core`.
//!
//! [`Sim`] is one fresh vnet: `lo0`, down and without addresses, and netlink sockets to talk to it. The
//! files are named after what they model; each says which of the kernel's sources it follows. What is not
//! modelled: packets, routes beyond their effect on address events, duplicate address detection, the passing
//! of time (but see [`Sim::advance`]), every message that is not about interfaces or addresses.
#![forbid(unsafe_code)]

mod acknowledge;
mod bridge;
mod cloner;
mod describe;
mod discard;
mod epair;
mod ifconfig;
mod index_table;
mod inet;
mod inet6;
mod interface;
mod kernel;
mod lifecycle;
mod loopback;
mod receive;
mod reference;
mod release;
mod sim;
mod socket;
mod stack;
mod tracer;
mod tunnel;
mod variant;
mod vlan;
mod writer;

pub use iface_core::{Errno, Profile};
pub use ifconfig::Ifconfig;
pub use release::Release;
pub use sim::{Sim, SocketId};
pub use socket::{Privilege, SocketOptions};
pub use tracer::{Fault, KernelRecord};
