// SPDX-License-Identifier: BSD-2-Clause
//! What can be wrong with a stream of frames.

use alloc::string::String;

use nlproof_base::counted;

use crate::frame::MAX_BODY;
#[cfg(doc)]
use crate::frame::{MAGIC, VERSION};

/// What is wrong with a stream. All but [`Decode`](Self::Decode) and [`Encode`](Self::Encode) mean that
/// nothing that follows in it can be understood: a reader goes on answering with the same error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The stream does not begin with [`MAGIC`].
    #[error(
        "the peer does not speak the agent's protocol: the stream begins with \"{found}\" instead of \
         \"NLPA\"; see what was started there"
    )]
    Magic {
        /// What came, escaped; at most 64 bytes of it.
        found: String,
    },
    /// The peer was built with another version of the protocol.
    #[error(
        "the peer speaks version {found} of the agent's protocol and this build version {own}: use one build for both"
    )]
    Version {
        /// The peer's version.
        found: u16,
        /// [`VERSION`].
        own: u16,
    },
    /// A frame claims, or a value would need, more than [`MAX_BODY`] bytes.
    #[error("a frame of {} exceeds the limit of {max} bytes", counted(*len, "byte"), max = MAX_BODY)]
    TooLong {
        /// The length in bytes.
        len: u64,
    },
    /// The body of a frame is not the expected value. The frame was consumed.
    #[error("a frame of {} does not hold the expected value: {cause}", counted(*len, "byte"))]
    Decode {
        /// Length of the body in bytes.
        len: usize,
        /// What postcard says.
        cause: postcard::Error,
    },
    /// The value is followed by surplus bytes in its frame. The frame was consumed.
    #[error("a frame of {} has {} after its value", counted(*len, "byte"), counted(*surplus, "surplus byte"))]
    Surplus {
        /// Length of the body in bytes.
        len: usize,
        /// How many bytes are too many.
        surplus: usize,
    },
    /// The stream ended within a hello or a frame.
    #[error("the stream ended {} short of {what}", counted(*missing, "byte"))]
    Truncated {
        /// `a hello`, `a frame's length`, or `a frame`.
        what: &'static str,
        /// How many bytes of it did not come.
        missing: usize,
    },
    /// The value cannot be encoded.
    #[error("a value cannot be encoded: {0}")]
    Encode(postcard::Error),
}
