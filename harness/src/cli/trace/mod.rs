// SPDX-License-Identifier: BSD-2-Clause
//! `trace VECTOR`: which way a vector's requests and events take through the kernel.

mod beside;
mod files;
mod follow;
mod one;
mod probes;

pub(super) use one::main;
