// SPDX-License-Identifier: BSD-2-Clause
//! The common ground of all parts of nlproof: numbers with their nouns, bounded reads of outside input, errors
//! with a place in a file, and names that are safe in paths, bytes as digits and by chance.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod count;
#[cfg(feature = "std")]
mod error;
mod hex;
#[cfg(feature = "std")]
mod limit;
#[cfg(feature = "std")]
mod nearest;
#[cfg(feature = "std")]
mod position;
#[cfg(feature = "std")]
mod random;
#[cfg(feature = "std")]
mod read;
mod release;
#[cfg(feature = "yaml")]
mod yaml;

pub use count::{Counted, counted};
#[cfg(feature = "std")]
pub use error::FileError;
pub use hex::hex;
#[cfg(feature = "std")]
pub use limit::Limit;
#[cfg(feature = "std")]
pub use nearest::nearest;
#[cfg(feature = "std")]
pub use position::Position;
#[cfg(feature = "std")]
pub use random::random;
#[cfg(feature = "std")]
pub use read::{ReadError, open, read, read_any, read_from, read_text};
pub use release::{NotAReleaseName, ReleaseName};
#[cfg(feature = "yaml")]
pub use yaml::yaml_error;
