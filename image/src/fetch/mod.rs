// SPDX-License-Identifier: BSD-2-Clause
//! Release directories from http(s) mirrors in FreeBSD's layout: verified, resumed, retried, shared.

mod broken;
mod checksum;
mod download;
mod error;
mod http;
mod images;
mod interrupted;
mod pins;
mod release_lock;
mod sets;

pub use broken::Broken;
pub use checksum::{AnyDigest, BASIC_CI, ChecksumError, Checksums};
pub(crate) use checksum::{CHECKSUM_FILES, Digests};
pub use download::{FetchEvent, Fetcher, Limits};
pub use error::FetchError;
pub use images::VmImages;
pub use interrupted::Interrupted;
pub use pins::Pins;
pub use release_lock::{Fetched, FetchedFile, How};
pub use sets::Sets;
