// SPDX-License-Identifier: BSD-2-Clause
//! Traces: what the agent or the simulator saw, decoded, normalised by named passes, and written as text.
//!
//! [`RawLine`] is a record as it came, [`RawWriter`] keeps them (NDJSON, packed), and [`read_raw`] reads them back; [`Trace`] is their decoded form;
//! [`normalise`] renames what differs between runs; [`Trace::to_text`] is what goldens hold, and [`messages`] reads it back.

mod console;
mod decode;
mod fold;
mod item;
mod message;
mod names;
mod node;
mod passes;
mod raw;
mod raw_file;
mod raw_read;
mod records;
mod render;
mod text;

pub use console::{Console, ConsoleStatus};
pub use decode::{Role, decode_datagram, decode_message};
pub use item::{Item, Kind, Lossy, Trace};
pub use message::{Message, messages};
pub use names::with_names;
pub use node::{Node, Val};
pub use passes::normalise;
pub use raw::RawLine;
pub use raw_file::{PACKED, PLAIN, RawReader, RawWriter};
pub use raw_read::{RawRecord, RawWhat, read_raw};
pub use render::{marked_to_text, node_to_text};
pub use text::quoted;
