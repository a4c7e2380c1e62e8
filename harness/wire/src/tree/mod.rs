// SPDX-License-Identifier: BSD-2-Clause
//! Owned trees of messages and attributes.
//!
//! Decoding accepts any bytes and loses none: [`Datagram::encode`] gives back exactly what was decoded,
//! with its unknown attributes, dirty padding and broken tails. Lengths are kept as they stand in the
//! headers and are not derived, so that a tree can also be made to lie; the constructors and
//! [`Datagram::fix_lengths`] make them true.

mod attr;
mod datagram;

pub use attr::{Attr, Value};
pub use datagram::{Datagram, Message};
