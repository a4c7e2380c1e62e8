// SPDX-License-Identifier: BSD-2-Clause
//! The model seen from outside: what a program with netlink sockets in a fresh vnet would see.

mod address;
mod branch_16;
mod driver;
mod event;
mod framing;
mod hostile;
mod jail;
mod link;
mod observed;
mod probes;
mod support;
