// SPDX-License-Identifier: BSD-2-Clause
//! Making a vector small while what it shows stays: steps, messages, attributes, options, bytes.
//!
//! [`reduce`] knows nothing of guests: whoever calls it says of each smaller draft whether it still shows the same.

mod places;
mod reducer;

pub use reducer::{Reduced, reduce};
