// SPDX-License-Identifier: BSD-2-Clause
//! The way to a guest, without a guest: a local sshd on a loopback port, and this machine's Linux kernel in
//! a network namespace.

mod agent;
mod copy;
mod death;
mod server;
mod ssh;
