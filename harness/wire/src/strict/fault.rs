// SPDX-License-Identifier: BSD-2-Clause
//! What can be wrong with a datagram.

use core::fmt;

use crate::bytes::bytes_word;
use crate::schema::AttrKind;
use crate::view::TrailingCause;

/// One deviation from the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first byte that is wrong, counted from the datagram's first: of a bad length the length field,
    /// of a bad payload the payload, of a missing byte the place where it should be.
    pub offset: usize,
    /// What is wrong there.
    pub what: FaultKind,
    /// Name of the message, if its type is known.
    pub message: Option<&'static str>,
    /// Name of the innermost known attribute that holds the byte or should.
    pub attr: Option<&'static str>,
}

/// Kinds of deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Bytes at the end of the datagram too few for a message header, or a message length that does not
    /// fit it.
    Message(TrailingCause),
    /// Bytes at the end of a list of attributes too few for an attribute header, or an attribute length
    /// that does not fit it.
    Attr(TrailingCause),
    /// The message ends before its fixed structure does.
    ShortHeader {
        /// The structure's name.
        header: &'static str,
        /// Bytes that the item needs.
        need: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// An acknowledgement echoes fewer bytes than the request it quotes has.
    ShortEcho {
        /// `nlmsg_len` of the quoted request.
        len: u32,
        /// Bytes that are left for it.
        left: usize,
    },
    /// Bytes behind the fixed structure of a message that has no attributes.
    Surplus {
        /// How many.
        got: usize,
    },
    /// A payload of a size that its kind does not have.
    AttrSize {
        /// What the attribute is.
        kind: AttrKind,
        /// Bytes of its payload.
        got: usize,
    },
    /// A string without its NUL.
    Unterminated,
    /// Padding cut short.
    PaddingMissing {
        /// Bytes that should be there.
        need: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// A padding byte that is not zero.
    PaddingNotZero {
        /// Value of the byte.
        value: u8,
    },
    /// A message type that the tables do not have; reported on request.
    UnknownMessage {
        /// `nlmsg_type`.
        number: u16,
    },
    /// An attribute that its table does not have; reported on request.
    UnknownAttr {
        /// Number of the attribute.
        number: u16,
        /// The table's name.
        table: &'static str,
    },
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Message(cause) => write!(f, "message {cause}"),
            Self::Attr(cause) => write!(f, "attribute {cause}"),
            Self::ShortHeader { header, need, got } => {
                write!(f, "message ends after {got} of the {need} bytes of {header}")
            }
            Self::ShortEcho { len, left } => {
                write!(f, "echo of a request of {len} {} where {left} are left", bytes_word(len as usize))
            }
            Self::Surplus { got } => write!(f, "{got} {} where the message should end", bytes_word(got)),
            Self::AttrSize { kind, got } => write!(f, "payload of {got} where {kind}"),
            Self::Unterminated => f.write_str("string without a NUL"),
            Self::PaddingMissing { need, got } => write!(f, "{got} of {need} padding bytes"),
            Self::PaddingNotZero { value } => write!(f, "padding byte 0x{value:02x} is not zero"),
            Self::UnknownMessage { number } => write!(f, "unknown message type {number}"),
            Self::UnknownAttr { number, table } => write!(f, "unknown attribute {number} of {table}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        match (self.message, self.attr) {
            (Some(message), Some(attr)) => write!(f, " in {attr} of {message}")?,
            (Some(name), None) | (None, Some(name)) => write!(f, " in {name}")?,
            (None, None) => {}
        }
        write!(f, ": {}", self.what)
    }
}

impl core::error::Error for Fault {}
