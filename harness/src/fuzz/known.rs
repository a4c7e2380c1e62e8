// SPDX-License-Identifier: BSD-2-Clause
//! Bugs that are known already, by what their vectors show.

use std::collections::BTreeMap;

use super::lane::{Code, Side};
use super::oracle::{Oracle, Suspicion};
use crate::matrix::is_stated;
use crate::targets::Loss;
use crate::vector::StatedLoss;

/// A vector's loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLoss {
    /// The vector.
    pub vector: String,
    /// What it states.
    pub stated: StatedLoss,
}

/// What is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Losses that vectors state.
    pub losses: Vec<KnownLoss>,
    /// Fingerprints of what vectors of `tests/bugs.md` show, each with the vector; and those that it names itself, each with the
    /// finding's name.
    pub fingerprints: BTreeMap<String, String>,
}

impl Known {
    /// The vector that shows the same.
    pub fn vector_of(&self, sides: &[Side], suspicion: &Suspicion, loss: Option<&Loss>) -> Option<&str> {
        if suspicion.oracle == Oracle::Lost
            && let (Some(side), Some(loss)) = (sides.get(suspicion.side), loss)
            && let Code::Kernel(code) = side.code
        {
            let same = |known: &&KnownLoss| {
                known.stated.is_about(&side.release, code) && is_stated(&known.stated, loss)
            };
            if let Some(known) = self.losses.iter().find(same) {
                return Some(&known.vector);
            }
        }
        self.fingerprints.get(&suspicion.fingerprint()).map(String::as_str)
    }
}
