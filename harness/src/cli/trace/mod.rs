// SPDX-License-Identifier: BSD-2-Clause
//! `trace VECTOR`: the way that a vector's requests and events take through the kernel.

mod files;
mod follow;
mod one;
mod probes;
mod side_by_side;

pub(super) use one::main;
