// SPDX-License-Identifier: BSD-2-Clause
//! Builds the kernel module `nlproof_iface.ko` for one FreeBSD release, on any host that has clang, ld.lld
//! and a rustc with its source.
//!
//! ```text
//! rust-src ── core, compiler_builtins ─┐
//! kmod-src/{core,ffi}, harness/wire ───┴─ libiface_kmod.a ── what is reachable: rust.o ─┐
//! src.txz (sys/*.h) ── kmod-src/shim/*.c ── *.o ────────────────────────────────────────┴─ nlproof_iface.ko
//! ```
//!
//! `core` is compiled with the flags of the kernel, because a prebuilt one has relocations that FreeBSD's
//! module loader does not know. A module that could panic, or that has such relocations, is rejected here
//! already, and not only by the kernel.
//!
//! The same inputs give the same bytes. Nothing of FreeBSD's source is kept but headers, in the cache.

mod archive;
mod build;
mod c_part;
mod check;
mod error;
mod faultnic;
mod flags;
mod headers;
mod kernel;
mod key;
mod module;
mod parts;
mod remembered;
mod sources;
mod sysroot;
mod tool;
mod toolchain;
mod work;

pub use build::{Options, Stage, build};
pub use check::Refusal;
pub use error::KmodError;
pub use faultnic::{FAULTNIC, build_faultnic};
pub use headers::HeaderSource;
pub use kernel::{kernel, kernel_debug};
pub use module::Module;
pub use sources::{Checkout, embedded_policy};
pub use tool::Tool;
pub use toolchain::{CTools, ToolPaths, Toolchain};
