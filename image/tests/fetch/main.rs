// SPDX-License-Identifier: BSD-2-Clause
//! Fetches from a server on this machine that does what mirrors and the wires to them do.

mod images;
mod server;
mod sets;
mod sharing;
