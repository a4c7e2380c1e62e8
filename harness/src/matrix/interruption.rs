// SPDX-License-Identifier: BSD-2-Clause
//! The loss of a guest in the middle of its share.

use crate::targets::Loss;

/// Vectors that did not run to their end.
pub(super) struct Interruption {
    /// Their places, in their order: the first one ran when the target was lost.
    pub(super) left: Vec<usize>,
    /// How the guest was lost, so that a fresh one can continue; or why none will.
    pub(super) loss: Result<Loss, String>,
}
