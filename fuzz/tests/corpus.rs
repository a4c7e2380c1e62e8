// SPDX-License-Identifier: BSD-2-Clause
//! The kept inputs, and mutations of them, through their targets.

use std::fs;
use std::path::{Path, PathBuf};

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 4] = [
    ("wire", nlproof_fuzz::wire),
    ("netlink", nlproof_fuzz::netlink),
    ("verify", nlproof_fuzz::verify),
    ("import", nlproof_fuzz::import),
];
/// Mutations of one kept input.
const MUTATIONS: u32 = 8;

/// Inputs of a target by name, in the same order everywhere.
fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Xorshift (Marsaglia 2003): the same mutations in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// One to four changes: a bit, a byte or a word of interest, a piece of another input, a cut.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    const WORDS: [u32; 8] = [0, 1, 3, 4, 0x7fff_ffff, 0xffff_ffff, 0xffff, 0x8000_0000];
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 if at + 4 <= bytes.len() => {
                bytes[at..at + 4].copy_from_slice(&WORDS[random.below(WORDS.len())].to_le_bytes());
            }
            3 if !other.is_empty() => {
                let from = random.below(other.len());
                let to = other.len().min(from + 1 + random.below(64));
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => bytes.truncate(random.below(bytes.len() + 1)),
        }
    }
}

/// Every kept input passes. Says which one did not before the panic ends the test.
#[test]
fn every_kept_input() {
    for (name, target) in TARGETS {
        let inputs = kept(name);
        assert!(!inputs.is_empty(), "no inputs for {name}");
        for (path, bytes) in inputs {
            let broken = std::panic::catch_unwind(|| target(&bytes)).is_err();
            assert!(!broken, "{} breaks the target {name}", path.display());
        }
    }
}

#[test]
fn mutations_of_every_kept_input() {
    for (name, target) in TARGETS {
        let inputs = kept(name);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for (path, bytes) in &inputs {
            for number in 0..MUTATIONS {
                let mut bytes = bytes.clone();
                let other = random.below(inputs.len());
                mutate(&mut random, &mut bytes, &inputs[other].1);
                let broken = std::panic::catch_unwind(|| target(&bytes)).is_err();
                assert!(!broken, "mutation {number} of {}: {bytes:02x?}", path.display());
            }
        }
    }
}

#[test]
fn mutations_differ_from_their_input_and_from_each_other() {
    let mut random = Random(1);
    let original = vec![7; 64];
    let made: std::collections::BTreeSet<Vec<u8>> = (0..100)
        .map(|_| {
            let mut bytes = original.clone();
            mutate(&mut random, &mut bytes, &[1, 2, 3]);
            bytes
        })
        .collect();
    assert!(made.len() > 80, "{}", made.len());
}
