// SPDX-License-Identifier: BSD-2-Clause
//! The module's ring where there is no such module: on Linux.

use alloc::vec::Vec;

use nlproof_agent::ring::Fired;

use crate::sys::Errno;

/// Never there.
pub(crate) enum Ring {}

/// There is no module.
pub(crate) fn switch_on() -> Result<bool, Errno> {
    Ok(false)
}

impl Ring {
    /// Not called: [`switch_on`] reports that nothing can be read.
    pub(crate) fn begin() -> Result<Self, Errno> {
        Err(Errno(0))
    }

    /// Nothing.
    pub(crate) fn read(&mut self) -> Result<Vec<Fired>, Errno> {
        match *self {}
    }

    /// Nothing.
    pub(crate) fn lost(&self) -> Result<u64, Errno> {
        match *self {}
    }
}
