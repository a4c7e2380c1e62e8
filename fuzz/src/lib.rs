// SPDX-License-Identifier: BSD-2-Clause
//! Fuzz targets as functions: each takes arbitrary bytes and panics where a promise is broken.
//!
//! `fuzz_targets/` are the same functions behind libFuzzer, `tests/` run them over `corpus/` and over
//! mutations of it with nothing but a stable compiler.
#![forbid(unsafe_code)]

mod import;
mod module;
mod netlink;
mod wire;

pub use import::import;
pub use module::verify;
pub use netlink::{Conversation, netlink};
pub use wire::wire;
