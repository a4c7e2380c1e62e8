// SPDX-License-Identifier: BSD-2-Clause
//! Settings of the whole kernel that a program needs: a jail may not set them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nlproof_agent::Setting;

use crate::sys::Errno;
use crate::sys::sysctl;

/// Settings as they were, which are put back when this goes.
pub(crate) struct Settings {
    before: Vec<(String, i32)>,
}

impl Settings {
    /// Makes all of them. Those that were made are put back if one cannot be.
    ///
    /// # Errors
    /// The kernel's number, and which setting it was.
    pub(crate) fn make(settings: &[Setting]) -> Result<Self, (Errno, String)> {
        let mut made = Self { before: Vec::new() };
        for Setting { name, value } in settings {
            let failed = |errno| (errno, format!("{name} cannot be set to {value} ({errno})"));
            let before = sysctl::int(name).map_err(failed)?;
            sysctl::set_int(name, *value).map_err(failed)?;
            made.before.push((name.clone(), before));
        }
        Ok(made)
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        for (name, value) in self.before.iter().rev() {
            // What was read and set a moment ago can be set.
            sysctl::set_int(name, *value).ok();
        }
    }
}
