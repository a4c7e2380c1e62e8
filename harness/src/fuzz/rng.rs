// SPDX-License-Identifier: BSD-2-Clause
//! Chance that is the same for the same seed, on every machine and in every version of this program's dependencies.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Chance.
#[derive(Debug, Clone)]
pub(super) struct Rng(ChaCha8Rng);

impl Rng {
    /// The numbers of one round of a campaign: rounds have nothing to do with each other, so that one can be run without those before.
    pub(super) fn of_round(seed: u64, round: u64) -> Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(round);
        Rng(rng)
    }

    /// Below `end`; 0 if there is nothing below.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * end as u128;
        // The upper half of a product with a number below 2^64 is below the other factor.
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these; `None` if there is none.
    pub(super) fn maybe<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(items.len());
        items.get(at)
    }

    /// One of these.
    pub(super) fn one<T: Clone, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) }
        let at = self.below(N);
        items[at].clone()
    }

    /// Any number.
    pub(super) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Bytes, `len` of them.
    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_for_a_seed_and_a_round() {
        let drawn = |seed, round| {
            let mut rng = Rng::of_round(seed, round);
            (0..4).map(|_| rng.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1, 2), drawn(1, 2));
        assert_ne!(drawn(1, 2), drawn(1, 3));
        assert_ne!(drawn(1, 2), drawn(2, 2));
        // What a campaign of an earlier version has drawn: it must be found again.
        assert_eq!(drawn(1, 0), [402, 80, 596, 219]);
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let mut rng = Rng::of_round(0, 0);
        assert_eq!((rng.below(0), rng.maybe::<u8>(&[]), rng.bytes(0)), (0, None, vec![]));
        assert!((0..100).all(|_| rng.below(3) < 3 && !rng.chance(0) && rng.chance(100)));
    }
}
