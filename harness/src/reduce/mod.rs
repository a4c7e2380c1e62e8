// SPDX-License-Identifier: BSD-2-Clause
//! Making a vector small while what it shows stays: steps, messages, attributes,
//! options, bytes, rounds of a race, numbers, names.
//!
//! [`reduce`] knows nothing of guests: whoever calls it says of each smaller draft whether it still shows the same.

mod places;
mod reducer;
mod search;
mod words;

pub use reducer::{Reduced, reduce, reduce_side_by_side};
pub use search::{Ask, Bounds};
