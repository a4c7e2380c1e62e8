// SPDX-License-Identifier: BSD-2-Clause
//! The decisions of FreeBSD's `sys/netlink/route/iface.c`: requests about interfaces and addresses
//! are parsed, checked, carried out and answered, and changes of interfaces are announced.
//!
//! The crate never touches an `ifnet`: all it wants done stands in the traits [`Kernel`], [`Interface`],
//! [`Requester`] and [`Writer`]. The kernel module implements them over a C shim with opaque pointers,
//! `iface-sim` over a small model of the network stack, and both run the same code from here.
//!
//! What differs between the branches of FreeBSD is a value, [`Behaviours`], chosen by a [`Profile`].
//!
//! There is no allocation, no panic, no floating point and no recursion here, and no formatting
//! machinery either. [`Sleepable`] and [`Epoch`] make a call that sleeps inside the network epoch a
//! compile error.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

#[cfg(test)]
extern crate std;

mod address;
mod address_change;
mod address_dump;
mod address_list;
mod address_request;
mod attributes;
mod behaviour;
mod call;
mod cloner;
mod cloners;
mod context;
mod cookie;
mod dispatch;
mod driver_data;
mod errno;
mod event;
mod gif;
mod kernel;
mod link;
mod link_dump;
mod link_modify;
mod link_request;
mod message;
mod name;
mod probe;
mod profile;
mod report;
mod text;
mod vlan;
mod writer;

pub use address::{
    Address, CacheInfo, Inet6Alias, Inet6State, InetAlias, InterfaceAddress, LinkAddress, SocketAddress,
};
pub use address_request::AddressRequest;
pub use attributes::Request;
pub use behaviour::{
    AddressChanges, AddressDump, Behaviours, DumpError, Inet4Scope, LinkAddressChange, LinkCloner,
    LinkModify, LinkParent, MtuError, Promiscuity, Rename, TypeFilter, UpDown,
};
pub use cloners::{Cloner, Cloners};
pub use context::{Epoch, Sleepable, in_epoch};
pub use cookie::Cookie;
pub use dispatch::handle;
pub use driver_data::DriverData;
pub use errno::Errno;
pub use event::{AddressEvent, LinkEvent, address_event, link_event, link_renamed};
pub use gif::{GifRequest, Tunnel};
pub use kernel::{
    Capabilities, Counter, Interface, Kernel, LinkState, Media, Privilege, Requester, STATISTICS,
};
pub use link_dump::link_info;
pub use link_request::LinkRequest;
pub use message::Message;
pub use name::Name;
pub use probe::{Change, CloneOp, Fired, Happening, Probe, WORDS};
pub use profile::{Profile, UnknownProfile};
pub use report::Report;
pub use text::{TEXT_CAPACITY, Text};
pub use vlan::VlanRequest;
pub use writer::{GroupWriter, MessageHeader, Nest, Writer, attribute_header};
