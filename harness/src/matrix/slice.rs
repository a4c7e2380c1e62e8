// SPDX-License-Identifier: BSD-2-Clause
//! A slice of the vectors: one of N jobs that share the work.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::vector::Vector;

/// Slice `index` of `of`, both from 1: what one of several jobs takes. A vector is in the same slice whatever
/// other vectors there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// Which, from 1.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

impl Slice {
    /// Whether the slice takes the vector of this id: the first eight bytes of its SHA-256, big-endian, modulo the
    /// number of slices, is the slice's index counted from 0.
    pub fn takes(self, id: &str) -> bool {
        let digest = Sha256::digest(id.as_bytes());
        let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        number % u64::from(self.of) == u64::from(self.index - 1)
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers =
            text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Slice { index, of }),
            Some((0, of)) if of > 0 => Err(format!("slices are counted from 1: 1/{of} to {of}/{of}")),
            Some((index, of)) => Err(format!("there is no slice {index} of {of}")),
            None => Err("a slice is K/N, such as 2/4".into()),
        }
    }
}

/// Digest of a run's selection before any slice was taken: two reports with the same digest can be joined.
pub fn selection_digest(vectors: &[Vector]) -> String {
    let mut ids: Vec<_> = vectors.iter().map(|vector| vector.id.as_str()).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id.as_bytes());
        hash.update(b"\n");
    }
    nlproof_base::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_is_in_exactly_one_slice_and_stays_there() {
        for of in 1..9 {
            for number in 0..200 {
                let id = format!("link/v{number}");
                let takers: Vec<_> =
                    (1..=of).filter(|index| Slice { index: *index, of }.takes(&id)).collect();
                assert_eq!(takers.len(), 1, "{id} of {of}");
            }
        }
        // A promise to jobs that run different builds of nlproof: 0x1b5a2c3229449e97 modulo 4 is 3.
        let slices: Vec<_> =
            (1..=4).filter(|index| Slice { index: *index, of: 4 }.takes("link/create-lo")).collect();
        assert_eq!(slices, [4]);
    }

    #[test]
    fn slices_are_read_and_wrong_ones_explained() {
        assert_eq!("2/4".parse(), Ok(Slice { index: 2, of: 4 }));
        assert_eq!(Slice { index: 2, of: 4 }.to_string(), "2/4");
        for (text, what) in [
            ("0/4", "slices are counted from 1: 1/4 to 4/4"),
            ("5/4", "there is no slice 5 of 4"),
            ("0/0", "there is no slice 0 of 0"),
            ("2", "a slice is K/N, such as 2/4"),
            ("-1/2", "a slice is K/N, such as 2/4"),
        ] {
            assert_eq!(text.parse::<Slice>(), Err(what.to_owned()));
        }
    }
}
