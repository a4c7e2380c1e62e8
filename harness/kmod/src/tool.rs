// SPDX-License-Identifier: BSD-2-Clause
//! The names of the three tools that a module needs, and how to get each.

use std::fmt;

/// A tool that a module needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// rustc with the source of its standard library.
    Rustc,
    /// clang, which compiles for every target.
    Clang,
    /// ld.lld.
    Lld,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rustc => "rustc with rust-src",
            Self::Clang => "clang",
            Self::Lld => "ld.lld",
        })
    }
}

impl Tool {
    /// How to get it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Rustc => {
                "install one that has its source (Debian: `apt-get install rustc-web rust-web-src` or \
                 `rustc rust-src`; rustup: `rustup component add rust-src`), or name it with \
                 NLPROOF_KMOD_RUSTC"
            }
            Self::Clang => {
                "install clang (Debian: `apt-get install clang-16`), or name it with NLPROOF_KMOD_CLANG"
            }
            Self::Lld => "install lld (Debian: `apt-get install lld-16`), or name it with NLPROOF_KMOD_LLD",
        }
    }
}
