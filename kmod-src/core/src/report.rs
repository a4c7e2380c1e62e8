// SPDX-License-Identifier: BSD-2-Clause
//! The contents of a request's acknowledgement besides the error number, and the request's share of
//! scratch memory: the parts of `struct nl_pstate` (`netlink/netlink_message_parser.h`) that outlive
//! the parsing.

use crate::cookie::Cookie;
use crate::errno::Errno;
use crate::text::{TEXT_CAPACITY, Text};

/// `SCRATCH_BUFFER_SIZE` of `netlink_message_parser.h`: bytes of memory for what is made while parsing one
/// message, the error text included.
const SCRATCH: usize = 1152;
/// Every piece of it begins at a multiple of `_Alignof(__max_align_t)`.
const SCRATCH_ALIGN: usize = 16;

/// Error text, error offset and cookie of one request. The kernel's rule for text and offset: who speaks
/// first is heard.
#[derive(Clone, Debug)]
pub struct Report {
    text: Option<Text>,
    offset: u32,
    cookie: Option<Cookie>,
    scratch: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self { text: None, offset: 0, cookie: None, scratch: SCRATCH }
    }
}

impl Report {
    /// The error text, without a NUL.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        self.text.as_ref().map(Text::as_bytes)
    }

    /// Where in the message the fault is, in bytes from its header. An offset of 0 means none.
    #[must_use]
    pub const fn offset(&self) -> Option<u32> {
        if self.offset == 0 { None } else { Some(self.offset) }
    }

    /// What a create found out.
    #[must_use]
    pub const fn cookie(&self) -> Option<&Cookie> {
        self.cookie.as_ref()
    }

    /// Sets the text, unless there is one or no memory for one.
    pub(crate) fn say(&mut self, write: impl FnOnce(&mut Text)) {
        if self.text.is_none() && self.take_scratch(TEXT_CAPACITY, Errno::ENOMEM).is_ok() {
            write(self.text.insert(Text::default()));
        }
    }

    /// Sets the offset, unless there is one.
    pub(crate) fn at(&mut self, offset: u32) {
        if self.offset == 0 {
            self.offset = offset;
        }
    }

    /// Sets the cookie. Without memory for it there is none (the stock code would follow a null pointer).
    pub(crate) fn set_cookie(&mut self, cookie: Cookie) {
        if self.take_scratch(cookie.scratch(), Errno::ENOMEM).is_ok() {
            self.cookie = Some(cookie);
        }
    }

    /// Accounts for `len` bytes of scratch memory, as `npt_alloc` does.
    pub(crate) fn take_scratch(&mut self, len: usize, exhausted: Errno) -> Result<(), Errno> {
        let size = len.checked_next_multiple_of(SCRATCH_ALIGN).ok_or(exhausted)?;
        self.scratch = self.scratch.checked_sub(size).ok_or(exhausted)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    #[test]
    fn who_speaks_first_is_heard() {
        let mut report = Report::default();
        assert_eq!((report.text(), report.offset()), (None, None));
        report.say(|text| {
            text.str("first");
        });
        report.say(|text| {
            text.str("second");
        });
        report.at(20);
        report.at(24);
        assert_eq!((report.text(), report.offset()), (Some(&b"first"[..]), Some(20)));
    }

    #[test]
    fn scratch_runs_out() {
        let mut report = Report::default();
        assert_eq!(report.take_scratch(1025, Errno::ENOBUFS), Ok(()));
        report.say(|text| {
            text.str("no room: 112 bytes are left");
        });
        assert_eq!(report.text(), None);
        report.set_cookie(Cookie::of(1, Name::truncated(b"lo1")));
        assert!(report.cookie().is_some());
        assert_eq!(report.take_scratch(100, Errno::ENOBUFS), Err(Errno::ENOBUFS));
    }
}
