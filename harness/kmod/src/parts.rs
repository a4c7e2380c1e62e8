// SPDX-License-Identifier: BSD-2-Clause
//! Which files of a checkout a module is made of. The build script reads this too: it puts them into the program.

/// Directories with the endings of the files that count, from the checkout's root.
pub(crate) const TREES: [(&str, &[&str]); 4] = [
    ("harness/wire/src", &[".rs"]),
    ("kmod-src/core/src", &[".rs"]),
    ("kmod-src/ffi/src", &[".rs"]),
    ("kmod-src/shim", &[".c", ".h"]),
];

/// What a module may do, which is looked at before it is loaded.
pub(crate) const POLICY: &str = "tests/fixtures/verify/nlproof_iface.yaml";
