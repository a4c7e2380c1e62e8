// SPDX-License-Identifier: BSD-2-Clause
//! Watched programs where there is no ktrace(2): on Linux.

use alloc::string::String;

use nlproof_agent::{ErrorStage, Watch};

use crate::session::Session;
use crate::sys::Errno;

impl Session<'_> {
    /// Says that it cannot.
    pub(crate) fn watch(&self, _watch: &Watch) {
        self.reporter.error(ErrorStage::Exec, Errno(0), String::from("only FreeBSD has ktrace(2)"));
    }
}
