// SPDX-License-Identifier: BSD-2-Clause
//! Why a synthetic module was not written.

/// A synthetic module that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The ELF file of the module could not be written.
    #[error(transparent)]
    Elf(#[from] object::write::Error),
    /// The debug information of the module could not be written.
    #[error(transparent)]
    Debug(#[from] gimli::write::Error),
}
