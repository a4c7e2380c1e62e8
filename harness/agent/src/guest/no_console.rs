// SPDX-License-Identifier: BSD-2-Clause
//! What the kernel prints, on Linux: not looked at.

use alloc::string::String;
use alloc::vec::Vec;

use nlproof_agent::console::Printed;

use crate::sys::Errno;

/// As of the FreeBSD agent.
pub(crate) struct Look {
    pub(crate) printed: Vec<Printed>,
    pub(crate) overrun: bool,
}

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
