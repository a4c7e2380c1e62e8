// SPDX-License-Identifier: BSD-2-Clause
//! `iface-core` inside a FreeBSD kernel: its traits over the C shim in `kmod-src/shim`.
//!
//! This crate has the only unsafe Rust of the module. The kernel's structures are opaque pointers here; what
//! the shim and this crate exchange by value stands in `abi.rs`, and both sides assert the layouts.
#![no_std]

mod abi;
mod address;
mod call;
mod entry;
mod errno;
mod interface;
mod panic;
mod probe;
mod profile;
mod requester;
mod writer;
