// SPDX-License-Identifier: BSD-2-Clause
//! Borrowed views of bytes: the fixed structures and the two iterators.
//!
//! Everything here is tolerant: what cannot be read is handed over as bytes with the reason, so that a
//! reader sees the whole datagram. [`crate::strict`] is the place that objects.

mod ack;
mod addr;
mod attr;
mod link;
mod message;

pub use ack::{Ack, NlMsgErr};
pub use addr::{IfAddrMsg, IfaCacheInfo};
pub use attr::{AttrItem, Attrs, RawAttr, attrs, attrs_at, find_attr};
pub use link::{IfInfoMsg, RtnlLinkStats64, STATS64_NAMES};
pub use message::{MessageItem, Messages, NlMsgHdr, RawMessage, Trailing, TrailingCause, messages};
