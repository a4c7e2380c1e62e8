// SPDX-License-Identifier: BSD-2-Clause
//! Frames: a magic and version first, then length-prefixed postcard.
//!
//! ```text
//!  hello, both directions, first:   "NLPA" | u16 version | u16 0          (little endian, 8 bytes)
//!  frame:                           u32 length of the body | body          (little endian)
//! ```
//! A reader rejects any other version than its own: harness and agent are built together. The body
//! is one value in postcard's wire format (postcard.jamesmunns.com, wire format 1.0), nothing after
//! it.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::frame_error::FrameError;
use crate::{Body, Request};

/// Seq numbers from here on belong to the agent's fences and never reach the harness.
pub const FENCE_SEQ_BASE: u32 = 0xfe00_0000;

/// The first four bytes of either direction.
pub const MAGIC: [u8; 4] = *b"NLPA";
/// The version of everything in this crate that crosses the frame: any change of shape raises it.
pub const VERSION: u16 = 7;
/// Length of a hello in bytes.
pub const HELLO_LEN: usize = 8;
/// The longest body that is accepted, in bytes. A batch of thousands of vectors is below 1 MiB; what
/// claims more is not a frame.
pub const MAX_BODY: u32 = 64 << 20;

/// Length of the length prefix in bytes.
const PREFIX_LEN: usize = 4;
/// How many bytes of a stream that is none of ours are shown in the error.
const SHOWN: usize = 64;

/// The first thing in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// [`VERSION`] of the writer.
    pub version: u16,
}

impl Hello {
    /// The hello of this build.
    pub const OWN: Self = Self { version: VERSION };

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(self) -> [u8; HELLO_LEN] {
        let [a, b, c, d] = MAGIC;
        let [low, high] = self.version.to_le_bytes();
        [a, b, c, d, low, high, 0, 0]
    }
}

/// The bytes that open a stream: [`Hello::OWN`].
#[must_use]
pub fn encode_hello() -> [u8; HELLO_LEN] {
    Hello::OWN.encode()
}

/// A whole stream to the agent: a hello, then the frame of the one request that it serves.
///
/// # Errors
/// Same as [`encode_frame`].
pub fn encode_request(request: &Request) -> Result<Vec<u8>, FrameError> {
    let mut bytes = encode_hello().to_vec();
    bytes.extend(encode_frame(request)?);
    Ok(bytes)
}

/// One value as a frame: prefix and body.
///
/// # Errors
/// [`FrameError::TooLong`] when the body exceeds [`MAX_BODY`], [`FrameError::Encode`] when postcard
/// refuses the value.
pub fn encode_frame<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::from([0; PREFIX_LEN]);
    bytes = postcard::to_extend(value, bytes).map_err(FrameError::Encode)?;
    let len = bytes.len().saturating_sub(PREFIX_LEN);
    let len = match u32::try_from(len) {
        Ok(len) if len <= MAX_BODY => len,
        _ => return Err(FrameError::TooLong { len: len as u64 }),
    };
    for (place, byte) in bytes.iter_mut().zip(len.to_le_bytes()) {
        *place = byte;
    }
    Ok(bytes)
}

/// The step and time, in nanoseconds, of a frame with its prefix that is a [`Body::Begin`]. Other records are not decoded:
/// most are long.
///
/// # Errors
/// [`FrameError::Decode`]: it holds no record.
pub fn begun(frame: &[u8]) -> Result<Option<(u32, u64)>, FrameError> {
    let body = frame.get(PREFIX_LEN..).unwrap_or_default();
    let decode = |cause| FrameError::Decode { len: body.len(), cause };
    let ((_, step, t_ns), rest) = postcard::take_from_bytes::<(u32, u32, u64)>(body).map_err(decode)?;
    // What tells nothing but its kind is one byte.
    let [_] = rest else { return Ok(None) };
    let kind: Body = postcard::from_bytes(rest).map_err(decode)?;
    Ok((kind == Body::Begin).then_some((step, t_ns)))
}

/// The time, in nanoseconds, of a frame with its prefix that holds a record, of which no more is decoded.
///
/// # Errors
/// [`FrameError::Decode`]: it holds no record.
pub fn time_of(frame: &[u8]) -> Result<u64, FrameError> {
    let body = frame.get(PREFIX_LEN..).unwrap_or_default();
    let decode = |cause| FrameError::Decode { len: body.len(), cause };
    let ((_, _, t_ns), _) = postcard::take_from_bytes::<(u32, u32, u64)>(body).map_err(decode)?;
    Ok(t_ns)
}

/// Takes a stream in whatever pieces it comes and gives its frames.
#[derive(Debug, Clone)]
pub struct FrameReader {
    /// What has come and is not consumed yet starts at `start`.
    bytes: Vec<u8>,
    start: usize,
    /// The hello was seen, or none is expected.
    greeted: bool,
    /// The error that the stream ended in; every later call returns it again.
    failed: Option<FrameError>,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameReader {
    /// A reader of a stream that begins with a [`Hello`].
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, greeted: false, failed: None }
    }

    /// A reader of bare frames, for a stream within one build (the agent's child to its parent).
    #[must_use]
    pub fn without_hello() -> Self {
        Self { greeted: true, ..Self::new() }
    }

    /// Adds what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        // Consumed bytes are dropped only once they are the larger part: each byte is moved at most once
        // on average.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether the hello was seen and accepted.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.greeted
    }

    /// The next value, `None` if it is not complete yet.
    ///
    /// # Errors
    /// Every [`FrameError`] but `Truncated` and `Encode`; after `Decode` and `Surplus` the next call
    /// gives the next frame.
    // Not `Iterator::next`: the type differs from frame to frame.
    #[expect(clippy::should_implement_trait, reason = "the type of the value is chosen per call")]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(frame) = self.next_frame()? else { return Ok(None) };
        let body = frame.get(PREFIX_LEN..).unwrap_or_default();
        let len = body.len();
        match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(Some(value)),
            Ok((_, surplus)) => Err(FrameError::Surplus { len, surplus: surplus.len() }),
            Err(cause) => Err(FrameError::Decode { len, cause }),
        }
    }

    /// The next frame with its prefix, undecoded, to be passed on as it is.
    ///
    /// # Errors
    /// [`FrameError::Magic`], [`FrameError::Version`], [`FrameError::TooLong`].
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.frame_end() {
            Ok(None) => Ok(None),
            Ok(Some(end)) => {
                let frame = self.bytes.get(self.start..end);
                self.start = end;
                Ok(frame)
            }
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Call once the stream has ended.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] when it ended within a hello or a frame, or the error that was met
    /// before.
    pub fn finish(&self) -> Result<(), FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let rest = self.rest();
        let truncated = |what, missing| Err(FrameError::Truncated { what, missing });
        if !self.greeted {
            truncated("a hello", HELLO_LEN.saturating_sub(rest.len()))
        } else if rest.is_empty() {
            Ok(())
        } else {
            match body_len(rest) {
                None => truncated("a frame's length", PREFIX_LEN - rest.len()),
                Some(len) => match (PREFIX_LEN + len as usize).checked_sub(rest.len()) {
                    // A whole frame that nobody has taken is not the stream's fault.
                    None | Some(0) => Ok(()),
                    Some(missing) => truncated("a frame", missing),
                },
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Where the frame that begins at `start` ends, once it is there.
    fn frame_end(&mut self) -> Result<Option<usize>, FrameError> {
        if !self.greeted && !self.take_hello()? {
            return Ok(None);
        }
        let rest = self.rest();
        let Some(len) = body_len(rest) else { return Ok(None) };
        if len > MAX_BODY {
            return Err(FrameError::TooLong { len: len.into() });
        }
        let whole = PREFIX_LEN + len as usize;
        Ok((rest.len() >= whole).then_some(self.start + whole))
    }

    fn take_hello(&mut self) -> Result<bool, FrameError> {
        let rest = self.rest();
        // A shell's complaint may be shorter than a hello: the first wrong byte tells.
        if rest.iter().zip(MAGIC).any(|(found, want)| *found != want) {
            let shown = rest.get(..SHOWN).unwrap_or(rest);
            return Err(FrameError::Magic { found: alloc::format!("{}", shown.escape_ascii()) });
        }
        let Some(hello) = rest.first_chunk::<HELLO_LEN>() else { return Ok(false) };
        let found = u16::from_le_bytes([hello[4], hello[5]]);
        if found != VERSION {
            return Err(FrameError::Version { found, own: VERSION });
        }
        self.greeted = true;
        self.start += HELLO_LEN;
        Ok(true)
    }
}

/// The length prefix, if it is there.
fn body_len(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<PREFIX_LEN>().map(|prefix| u32::from_le_bytes(*prefix))
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    #[test]
    fn hello_is_eight_bytes_with_magic_and_version() {
        assert_eq!(encode_hello(), *b"NLPA\x07\0\0\0");
    }

    #[test]
    fn frames_come_out_in_order() {
        let mut reader = FrameReader::new();
        reader.push(&encode_hello());
        reader.push(&encode_frame(&7u32).unwrap());
        reader.push(&encode_frame("lo10").unwrap());
        assert_eq!(reader.next::<u32>(), Ok(Some(7)));
        assert_eq!(reader.next::<String>(), Ok(Some("lo10".to_string())));
        assert_eq!(reader.next::<u32>(), Ok(None));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn another_version_is_refused_with_both_numbers() {
        let mut reader = FrameReader::new();
        reader.push(&Hello { version: 900 }.encode());
        let error = reader.next::<u32>().unwrap_err();
        assert_eq!(error, FrameError::Version { found: 900, own: VERSION });
        let text = error.to_string();
        assert!(
            text.contains("version 900") && text.contains(&alloc::format!("version {VERSION}")),
            "{text}"
        );
        // It stays refused, whatever follows.
        reader.push(&encode_hello());
        assert_eq!(reader.next::<u32>(), Err(error.clone()));
        assert_eq!(reader.finish(), Err(error));
    }

    #[test]
    fn a_shells_complaint_is_shown() {
        let mut reader = FrameReader::new();
        reader.push(b"sh: \x1bno");
        let error = reader.next::<u32>().unwrap_err();
        assert_eq!(error, FrameError::Magic { found: "sh: \\x1bno".to_string() });
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_body_comes() {
        let mut reader = FrameReader::without_hello();
        reader.push(&(MAX_BODY + 1).to_le_bytes());
        assert_eq!(reader.next::<u32>(), Err(FrameError::TooLong { len: u64::from(MAX_BODY) + 1 }));
        let mut reader = FrameReader::without_hello();
        reader.push(&MAX_BODY.to_le_bytes());
        assert_eq!(reader.next::<u32>(), Ok(None));
    }

    #[test]
    fn a_frame_with_another_value_does_not_spoil_the_next() {
        let mut reader = FrameReader::without_hello();
        reader.push(&encode_frame(&(1u8, 2u8)).unwrap());
        reader.push(&[1, 0, 0, 0, 0xff]);
        reader.push(&encode_frame(&9u8).unwrap());
        assert_eq!(reader.next::<u8>(), Err(FrameError::Surplus { len: 2, surplus: 1 }));
        assert!(matches!(reader.next::<u32>(), Err(FrameError::Decode { len: 1, .. })));
        assert_eq!(reader.next::<u8>(), Ok(Some(9)));
    }

    #[test]
    fn the_end_within_something_names_what_is_missing() {
        let truncated = |reader: &FrameReader| match reader.finish() {
            Err(FrameError::Truncated { what, missing }) => (what, missing),
            other => panic!("{other:?}"),
        };
        let mut reader = FrameReader::new();
        assert_eq!(truncated(&reader), ("a hello", 8));
        reader.push(&encode_hello());
        assert_eq!(reader.next::<u8>(), Ok(None));
        assert_eq!(reader.finish(), Ok(()));
        reader.push(&[5, 0]);
        assert_eq!(truncated(&reader), ("a frame's length", 2));
        reader.push(&[0, 0, 1]);
        assert_eq!(truncated(&reader), ("a frame", 4));
    }
}
