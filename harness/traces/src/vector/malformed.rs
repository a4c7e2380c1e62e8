// SPDX-License-Identifier: BSD-2-Clause
//! The ways in which a vector may be malformed on purpose.

use std::fmt;

/// A deviation from well-formedness. A vector declares those it carries; an undeclared one and a declared
/// one that is absent are both errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformation {
    /// `nlmsg_len` differs from the message's true length, or bytes follow that are no message.
    MessageLength,
    /// The message ends before its family header does.
    ShortHeader,
    /// `nla_len` reaches beyond its container or is below the attribute header's four bytes.
    AttrLength,
    /// The payload of an attribute has a size that its type does not have.
    AttrSize,
    /// A string attribute without a terminating NUL.
    Unterminated,
    /// Padding that is absent or not zero.
    Padding,
    /// An attribute that the tables do not know.
    UnknownAttr,
    /// A message type that the tables do not know.
    UnknownMessage,
}

impl Malformation {
    /// All of them, in the order of their names in help texts.
    pub const ALL: [Malformation; 8] = [
        Self::MessageLength,
        Self::ShortHeader,
        Self::AttrLength,
        Self::AttrSize,
        Self::Unterminated,
        Self::Padding,
        Self::UnknownAttr,
        Self::UnknownMessage,
    ];

    /// The word in vector files.
    pub fn name(self) -> &'static str {
        match self {
            Self::MessageLength => "message-length",
            Self::ShortHeader => "short-header",
            Self::AttrLength => "attr-length",
            Self::AttrSize => "attr-size",
            Self::Unterminated => "unterminated",
            Self::Padding => "padding",
            Self::UnknownAttr => "unknown-attr",
            Self::UnknownMessage => "unknown-message",
        }
    }

    /// The malformation with this word.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|malformation| malformation.name() == name)
    }
}

impl fmt::Display for Malformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
