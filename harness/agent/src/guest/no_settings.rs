// SPDX-License-Identifier: BSD-2-Clause
//! Settings of the kernel, on Linux: none, because this is somebody's machine.

use alloc::string::String;

use nlproof_agent::Setting;

use crate::sys::{Errno, errno};

/// Nothing.
pub(crate) struct Settings;

impl Settings {
    /// Nothing.
    ///
    /// # Errors
    /// There are settings.
    pub(crate) fn make(settings: &[Setting]) -> Result<Self, (Errno, String)> {
        match settings {
            [] => Ok(Self),
            _ => Err((errno::EPERM, String::from("settings of the kernel are left alone on Linux"))),
        }
    }
}
