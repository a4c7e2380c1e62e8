// SPDX-License-Identifier: BSD-2-Clause
//! What the kernel prints, on Linux: not looked at.

use alloc::string::String;

use nlproof_agent::console::Look;

use crate::sys::Errno;

/// Never read.
pub(crate) struct Console;

/// Nothing.
pub(crate) fn skip() {}

impl Console {
    /// Nothing.
    pub(crate) fn begin() -> Self {
        Self
    }

    /// Why not.
    pub(crate) fn look(&mut self) -> Result<Look, (Errno, String)> {
        let why = "the message buffer of Linux is that of the whole machine, of whose programs this is one";
        Err((Errno(0), String::from(why)))
    }
}
