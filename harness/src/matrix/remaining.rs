// SPDX-License-Identifier: BSD-2-Clause
//! What is left of a cell that runs, and how much of it a guest takes at a time: shares become smaller towards the end, so that
//! all guests end at about the same time.

use std::collections::{BTreeSet, VecDeque};

/// Number of vectors that are worth a further guest: a restore takes as long as some 25, and an emulator translates the
/// kernel's code for each guest anew.
pub(super) const MIN_VECTORS_PER_GUEST: usize = 48;
/// Smallest share: each costs a connection to the agent.
const MIN_SHARE: usize = 8;
/// Largest share where nobody waits for one but may do so soon.
const MAX_SHARE: usize = 64;
/// Divisor: a guest takes this part of its fair share at a time.
const SHARES_PER_GUEST: usize = 2;

/// What is left of a cell, and who runs it.
#[derive(Default)]
pub(super) struct Remaining {
    /// Vectors that nobody has taken.
    pub(super) left: VecDeque<usize>,
    /// Vectors that need a guest of their own, still to be run.
    pub(super) apart: VecDeque<usize>,
    /// Numbers of its guests, including those being opened.
    pub(super) guests: BTreeSet<usize>,
    /// Whether further guests can be had.
    pub(super) open: bool,
    /// Nothing is taken any more.
    pub(super) given_up: bool,
}

impl Remaining {
    /// Whether enough is left for so many guests, the one that asks among them. When only vectors that run apart are left,
    /// each may take a guest along, and the guests that are there are busy with such a one.
    pub(super) fn worth(&self, guests: usize) -> bool {
        let enough = match (self.left.len(), self.apart.len()) {
            (0, 0) => false,
            (0, apart) => apart + 1 >= guests,
            (left, _) => left >= MIN_VECTORS_PER_GUEST * guests,
        };
        self.open && !self.given_up && enough
    }

    /// Number of vectors in the next share of a guest, while so many workers wait for something to do; `shared`: there may be
    /// others soon, `whole`: each guest shall take one share only.
    pub(super) fn share(&self, idle: usize, shared: bool, whole: bool) -> usize {
        let left = self.left.len();
        let others = if self.open { idle } else { 0 };
        let guests =
            (self.guests.len() + others).min((left / MIN_VECTORS_PER_GUEST).max(self.guests.len())).max(1);
        let share = match (guests, whole) {
            (1, true) => left,
            (_, true) => left.div_ceil(guests),
            (1, false) if self.open && shared => MAX_SHARE,
            (1, false) => left,
            (_, false) => left.div_ceil(guests * SHARES_PER_GUEST).max(MIN_SHARE),
        };
        share.min(left)
    }
}
