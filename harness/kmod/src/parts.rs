// SPDX-License-Identifier: BSD-2-Clause
//! The files of a checkout that a module is made of. The build script includes this file too, to put them into the
//! program.

/// Directories with the endings of the files that count, from the checkout's root.
pub(crate) const TREES: [(&str, &[&str]); 4] = [
    ("harness/wire/src", &[".rs"]),
    ("kmod-src/core/src", &[".rs"]),
    ("kmod-src/ffi/src", &[".rs"]),
    ("kmod-src/shim", &[".c", ".h"]),
];

/// Path of the policy that a module is verified against before it is loaded.
pub(crate) const POLICY: &str = "tests/fixtures/verify/nlproof_iface.yaml";
