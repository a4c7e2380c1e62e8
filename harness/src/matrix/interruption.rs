// SPDX-License-Identifier: BSD-2-Clause
//! The loss of a guest in the middle of its share.

use crate::targets::{Loss, TargetError};

/// Vectors that did not run to their end.
pub(super) struct Interruption {
    /// Their places, in their order: the first one ran when the target was lost.
    pub(super) left: Vec<usize>,
    /// How the guest was lost, so that a fresh one can continue; or why none will.
    pub(super) loss: Result<Loss, NoFurther>,
}

/// Why no fresh guest continues.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFurther {
    /// The target cannot.
    #[error(transparent)]
    Target(TargetError),
    /// Vectors are left that nobody tells of.
    #[error("the target ended without a word about it")]
    Silent,
}

/// The loss of a guest after which a fresh one can continue, or why none will.
pub(super) fn loss_of(error: TargetError) -> Result<Loss, NoFurther> {
    match error {
        TargetError::Guest(loss) => Ok(loss),
        error => Err(NoFurther::Target(error)),
    }
}
