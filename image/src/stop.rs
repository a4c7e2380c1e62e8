// SPDX-License-Identifier: BSD-2-Clause
//! Cancellation: the caller's flag, and the failure of a stage that runs at the same time.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that everything that takes long polls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop<'a> {
    /// Raised by the caller, for instance at Ctrl-C.
    pub(crate) cancel: &'a AtomicBool,
    /// Raised when another stage failed and the result of this one is no longer wanted.
    pub(crate) failed: &'a AtomicBool,
}

impl Stop<'_> {
    pub(crate) fn is_set(self) -> bool {
        self.cancel.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }
}
