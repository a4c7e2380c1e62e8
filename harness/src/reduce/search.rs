// SPDX-License-Identifier: BSD-2-Clause
//! How a draft becomes smaller: the first of some smaller ones that shows the same, for lists, numbers and lengths.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use crate::draft::Draft;

/// How a search is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most drafts that are looked at.
    pub budget: usize,
    /// How many are asked at a time.
    pub width: usize,
}

/// Says of drafts whether each shows the same; `None` ends the search.
pub type Ask<'a> = dyn FnMut(&[Draft]) -> Option<Vec<bool>> + 'a;

/// A draft that becomes smaller.
pub(super) struct Search<'a, 'b> {
    pub(super) draft: Draft,
    pub(super) tests: usize,
    bounds: Bounds,
    pub(super) ended: bool,
    /// Drafts that do not show the same.
    known: HashSet<[u8; 32]>,
    ask: &'a mut Ask<'b>,
}

fn key(draft: &Draft) -> [u8; 32] {
    Sha256::digest(format!("{draft:?}")).into()
}

impl<'a, 'b> Search<'a, 'b> {
    /// A search that begins with this draft.
    pub(super) fn new(draft: &Draft, bounds: Bounds, ask: &'a mut Ask<'b>) -> Self {
        Search { draft: draft.clone(), tests: 0, bounds, ended: false, known: HashSet::new(), ask }
    }

    /// Takes the first of some smaller drafts that shows the same, and tells its place among them.
    pub(super) fn first(&mut self, candidates: &[Draft]) -> Option<usize> {
        let fresh: Vec<usize> = candidates
            .iter()
            .enumerate()
            .filter(|(_, draft)| **draft != self.draft && !self.known.contains(&key(draft)))
            .map(|(place, _)| place)
            .collect();
        for places in fresh.chunks(self.bounds.width.max(1)) {
            let left = self.bounds.budget - self.tests;
            if self.ended || left == 0 {
                self.ended = true;
                return None;
            }
            let asked: Vec<Draft> =
                places.iter().take(left).filter_map(|place| candidates.get(*place).cloned()).collect();
            self.tests += asked.len();
            let Some(answers) = (self.ask)(&asked) else {
                self.ended = true;
                return None;
            };
            let mut taken = None;
            for ((place, draft), shows) in places.iter().zip(asked).zip(answers) {
                match (shows, taken) {
                    (true, None) => {
                        self.draft = draft;
                        taken = Some(*place);
                    }
                    (true, Some(_)) => {}
                    (false, _) => {
                        self.known.insert(key(&draft));
                    }
                }
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Tests a change of the draft.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Draft)) -> bool {
        let mut candidate = self.draft.clone();
        change(&mut candidate);
        self.first(&[candidate]).is_some()
    }

    /// Tests changes that have nothing to do with each other, each once.
    pub(super) fn each(&mut self, count: usize, change: &dyn Fn(&mut Draft, usize)) {
        let mut at = 0;
        while at < count && !self.ended {
            let candidates: Vec<Draft> = (at..count)
                .map(|place| {
                    let mut candidate = self.draft.clone();
                    change(&mut candidate, place);
                    candidate
                })
                .collect();
            match self.first(&candidates) {
                Some(place) => at += place + 1,
                None => break,
            }
        }
    }

    /// Leaves out items of a list: all, halves, quarters, and so on to `least` items at a time. The list keeps `kept` items.
    pub(super) fn thin<T>(
        &mut self,
        list: &dyn Fn(&mut Draft) -> Option<&mut Vec<T>>,
        least: usize,
        kept: usize,
    ) {
        let mut chunk = list(&mut self.draft).map_or(0, |list| list.len());
        while chunk >= least.max(1) && !self.ended {
            let mut at = 0;
            loop {
                let len = list(&mut self.draft).map_or(0, |list| list.len());
                let places: Vec<usize> = (at..len).step_by(chunk).collect();
                let mut candidates = Vec::new();
                for start in &places {
                    let mut candidate = self.draft.clone();
                    let Some(items) = list(&mut candidate) else { return };
                    items.drain(*start..(start + chunk).min(len));
                    // A list that would be too short is the one that is there: nothing to ask.
                    candidates.push(if items.len() < kept { self.draft.clone() } else { candidate });
                }
                match self.first(&candidates) {
                    Some(place) => at = places.get(place).copied().unwrap_or(len),
                    None => break,
                }
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    /// Halves a number as long as that shows the same.
    pub(super) fn halve(&mut self, number: &dyn Fn(&mut Draft) -> Option<&mut u32>, least: u32) {
        while let Some(value) = number(&mut self.draft).map(|value| *value).filter(|value| *value > least) {
            let smaller = [least, (value / 2).max(least)];
            let candidates: Vec<Draft> = smaller
                .into_iter()
                .map(|value| {
                    let mut candidate = self.draft.clone();
                    if let Some(number) = number(&mut candidate) {
                        *number = value;
                    }
                    candidate
                })
                .collect();
            if self.first(&candidates).is_none() {
                return;
            }
        }
    }

    /// Makes a number smaller: nothing, one, then half of it for as long as that shows the same.
    pub(super) fn number(&mut self, bytes: &[u8], set: &dyn Fn(&mut Draft, Vec<u8>)) {
        let mut eight = [0; 8];
        eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let mut value = u64::from_le_bytes(eight);
        while value > 1 && !self.ended {
            let smaller = [0, 1, value / 2];
            let candidate = |number: &u64| {
                let mut candidate = self.draft.clone();
                set(&mut candidate, number.to_le_bytes().into_iter().take(bytes.len()).collect());
                candidate
            };
            let candidates: Vec<Draft> = smaller.iter().map(candidate).collect();
            match self.first(&candidates) {
                Some(place) => value = smaller.get(place).copied().unwrap_or_default(),
                None => return,
            }
        }
    }

    /// Finds the length of a payload: bytes before its last one are left out, in ever smaller parts.
    pub(super) fn length(
        &mut self,
        bytes: &dyn Fn(&mut Draft) -> Option<Vec<u8>>,
        set: &dyn Fn(&mut Draft, Vec<u8>),
    ) {
        let Some(mut found) = bytes(&mut self.draft) else { return };
        let mut part = found.len() / 2;
        while part > 0 && !self.ended {
            let mut shorter = found.clone();
            let end = shorter.len().saturating_sub(1);
            shorter.drain(end.saturating_sub(part)..end);
            let mut candidate = self.draft.clone();
            set(&mut candidate, shorter.clone());
            if shorter.len() < found.len() && self.first(&[candidate]).is_some() {
                found = shorter;
                part = part.min(found.len().saturating_sub(1));
            } else {
                part /= 2;
            }
        }
    }
}
