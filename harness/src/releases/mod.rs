// SPDX-License-Identifier: BSD-2-Clause
//! Which releases of FreeBSD there are and where they come from: `tests/releases.yaml`.

mod config;
mod newest;

pub use config::{Release, Releases, Support, load_releases, releases_schema};
pub use newest::{Age, newest_of};
