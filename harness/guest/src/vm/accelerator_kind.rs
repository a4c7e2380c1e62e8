// SPDX-License-Identifier: BSD-2-Clause
//! The two ways in which QEMU runs a guest.

use std::fmt;

/// Something that runs guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcceleratorKind {
    /// The kernel's virtual machine: the processor runs the guest.
    Kvm,
    /// QEMU's translator: works everywhere, several times slower.
    Tcg,
}

impl fmt::Display for AcceleratorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}
