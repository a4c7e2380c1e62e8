// SPDX-License-Identifier: BSD-2-Clause
//! A kernel module that the loader loads.

use crate::{digest::Sha256, image::Input};

/// A module that the loader loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderModule {
    /// Name without `.ko`.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// Further lines of `loader.conf`.
    pub settings: String,
}

impl LoaderModule {
    /// The file, as an input of an image.
    pub(crate) fn input(&self) -> Input {
        Input {
            file: format!("{}.ko", self.name),
            sha256: Sha256::of(&self.bytes),
            bytes: self.bytes.len() as u64,
        }
    }

    /// Where it lies in the guest.
    pub(crate) fn path(&self) -> String {
        format!("boot/modules/{}.ko", self.name)
    }

    /// Lines of `loader.conf` for it.
    pub(crate) fn loader_conf(&self) -> String {
        format!("{}_load=\"YES\"\n{}", self.name, self.settings)
    }
}
