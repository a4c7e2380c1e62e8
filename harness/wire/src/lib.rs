// SPDX-License-Identifier: BSD-2-Clause
//! rtnetlink messages on the wire.
//!
//! FreeBSD and Linux speak the same protocol with different numbers; which of them is meant is the
//! value [`Os`], never the machine this was compiled on.
//!
//! Nothing outside the `alloc` feature allocates or panics, because the kernel module uses it too.
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

#[cfg(any(test, feature = "alloc"))]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bytes;
pub mod consts;
mod os;
pub mod schema;
pub mod strict;
#[cfg(feature = "alloc")]
pub mod tree;
pub mod view;
pub mod write;

pub use os::{Os, errno_name, errno_names, errno_number, families, family_name, family_number};
