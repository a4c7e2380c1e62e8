// SPDX-License-Identifier: BSD-2-Clause
//! Real kernels. Needs release directories in `$NLPROOF_DISTS` or `$XDG_CACHE_HOME/nlproof/dists`; a release
//! that is not there is skipped by name.

mod bench;
mod cards;
#[path = "../support/cell.rs"]
mod cell;
mod cells;
#[path = "../support/disk.rs"]
mod disk;
mod findings;
mod guests;
mod module;
#[path = "../support/seeded.rs"]
mod seeded;
#[path = "../support/skip.rs"]
mod support;

/// The cell of the release's own code.
pub(crate) const STOCK: [&str; 6] = ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "stock"];
/// The cell in which the module runs.
pub(crate) const WITH_MODULE: [&str; 6] =
    ["--target", "freebsd", "--release", "14.0-STABLE", "--module", "rust"];
