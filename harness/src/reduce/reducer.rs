// SPDX-License-Identifier: BSD-2-Clause
//! The search: large parts first, then smaller ones, until nothing can be left out.

use nlproof_agent::{Privilege, SocketOptions};
use nlproof_wire::consts::NLM_F_REQUEST;

use super::places::{AttrsAt, attr_lists, datagram, messages};
use crate::draft::{Draft, DraftMessage, Payload};

/// Bytes of a payload are left out in parts of at least this share of it: its length matters, and rarely each byte.
const PARTS: usize = 16;

/// What a reduction came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// The smallest draft that still shows the same.
    pub draft: Draft,
    /// How many drafts were looked at.
    pub tests: usize,
    /// Nothing more can be left out. False: the search ended early.
    pub whole: bool,
}

/// Makes a draft smaller as long as `holds` says that it shows the same, with at most `budget` questions. `None` as an answer
/// ends the search with what is known by then.
pub fn reduce(draft: &Draft, budget: usize, holds: &mut dyn FnMut(&Draft) -> Option<bool>) -> Reduced {
    let mut search = Search { draft: draft.clone(), tests: 0, budget, ended: false, holds };
    loop {
        let before = search.draft.clone();
        search.steps();
        search.circumstances();
        search.attrs();
        search.messages();
        search.payloads();
        if search.ended || search.draft == before {
            break;
        }
    }
    Reduced { draft: search.draft, tests: search.tests, whole: !search.ended }
}

struct Search<'a> {
    draft: Draft,
    tests: usize,
    budget: usize,
    ended: bool,
    holds: &'a mut dyn FnMut(&Draft) -> Option<bool>,
}

impl Search<'_> {
    /// Takes a smaller draft if it shows the same.
    fn take(&mut self, candidate: Draft) -> bool {
        if self.ended || candidate == self.draft {
            return false;
        }
        if self.tests == self.budget {
            self.ended = true;
            return false;
        }
        self.tests += 1;
        match (self.holds)(&candidate) {
            None => self.ended = true,
            Some(true) => {
                self.draft = candidate;
                return true;
            }
            Some(false) => {}
        }
        false
    }

    /// Tests a change of the draft.
    fn change(&mut self, change: impl FnOnce(&mut Draft)) -> bool {
        let mut candidate = self.draft.clone();
        change(&mut candidate);
        self.take(candidate)
    }

    /// Leaves out items of a list: all, halves, quarters, and so on to `least` items at a time.
    fn thin<T>(&mut self, list: &dyn Fn(&mut Draft) -> Option<&mut Vec<T>>, least: usize) {
        let mut len = list(&mut self.draft).map_or(0, |list| list.len());
        let mut chunk = len;
        while chunk >= least.max(1) && !self.ended {
            let mut at = 0;
            while at < len && !self.ended {
                let mut candidate = self.draft.clone();
                let Some(items) = list(&mut candidate) else { return };
                items.drain(at..(at + chunk).min(len));
                let left = items.len();
                if self.take(candidate) {
                    len = left;
                } else {
                    at += chunk;
                }
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    fn steps(&mut self) {
        self.thin(&|draft| Some(&mut draft.steps), 1);
        for step in 0..self.draft.steps.len() {
            self.thin(&|draft| datagram(draft, step), 1);
        }
    }

    fn circumstances(&mut self) {
        self.thin(&|draft| Some(&mut draft.groups), 1);
        self.thin(&|draft| Some(&mut draft.modules), 1);
        self.thin(&|draft| Some(&mut draft.sysctl), 1);
        self.change(|draft| draft.privilege = Privilege::Root);
        self.change(|draft| draft.socket = SocketOptions::default());
        self.change(|draft| draft.socket.cap_ack = false);
        self.change(|draft| draft.socket.strict = false);
        self.change(|draft| draft.socket.ext_ack = false);
        self.change(|draft| draft.socket.receive_buffer = None);
        self.change(|draft| draft.socket.event_buffer = None);
    }

    fn attrs(&mut self) {
        let mut at = 0;
        // The places change with what is left out; outer lists come first.
        while let Some(place) = attr_lists(&self.draft).get(at) {
            self.thin(&|draft| place.of(draft), 1);
            at += 1;
        }
    }

    fn messages(&mut self) {
        for at in messages(&self.draft) {
            let set = |draft: &mut Draft, change: &dyn Fn(&mut DraftMessage)| {
                if let Some(message) = at.of(draft) {
                    change(message);
                }
            };
            self.change(|draft| set(draft, &|message| (message.len, message.cut) = (None, 0)));
            self.change(|draft| set(draft, &|message| message.tail.clear()));
            self.change(|draft| set(draft, &|message| message.reply = None));
            self.change(|draft| {
                set(draft, &|message| {
                    message.header.fill(0);
                    message.index = None;
                });
            });
            self.change(|draft| set(draft, &|message| message.index = None));
            let size = at.of(&mut self.draft).map_or(0, |message| message.header.len());
            for byte in 0..size {
                self.change(|draft| {
                    set(draft, &|message| {
                        if let Some(byte) = message.header.get_mut(byte) {
                            *byte = 0;
                        }
                    });
                });
            }
            for bit in (0..u16::BITS).map(|bit| 1_u16 << bit).filter(|bit| *bit != NLM_F_REQUEST) {
                self.change(|draft| set(draft, &|message| message.flags &= !bit));
            }
            self.thin(&|draft| at.of(draft).map(|message| &mut message.tail), 4);
        }
    }

    fn payloads(&mut self) {
        for place in attr_lists(&self.draft) {
            let count = place.of(&mut self.draft).map_or(0, |list| list.len());
            for at in 0..count {
                self.change(|draft| {
                    if let Some(attr) = place.of(draft).and_then(|list| list.get_mut(at)) {
                        attr.len = None;
                    }
                });
                let len = payload(&mut self.draft, &place, at).map_or(0, |bytes| bytes.len());
                self.thin(&|draft| payload(draft, &place, at), len.div_ceil(PARTS));
            }
        }
    }
}

/// The bytes that an attribute holds.
fn payload<'d>(draft: &'d mut Draft, list: &AttrsAt, at: usize) -> Option<&'d mut Vec<u8>> {
    match &mut list.of(draft)?.get_mut(at)?.payload {
        Payload::Bytes(bytes) => Some(bytes),
        Payload::Index(_) | Payload::Nest(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::{DraftAttr, DraftStep};

    fn message(kind: u16, attrs: &[u16]) -> DraftMessage {
        let attr = |kind: &u16| DraftAttr { kind: *kind, payload: Payload::Bytes(vec![7; 64]), len: None };
        DraftMessage {
            kind,
            flags: 5,
            header: vec![9; 16],
            index: Some("lo0".into()),
            attrs: vec![DraftAttr {
                kind: 1,
                payload: Payload::Nest(attrs.iter().map(attr).collect()),
                len: None,
            }],
            tail: vec![1, 2],
            len: None,
            cut: 0,
            reply: None,
        }
    }

    fn draft() -> Draft {
        let datagram =
            |kind: u16| DraftStep::Datagram((0..4_u16).map(|n| message(kind + n, &[1, 2, 3, 4])).collect());
        Draft {
            privilege: Privilege::Jailed,
            socket: SocketOptions { ext_ack: true, strict: true, ..SocketOptions::default() },
            groups: vec!["link".into(), "neigh".into()],
            modules: vec![],
            sysctl: vec![],
            steps: (0..5)
                .map(|step| datagram(16 + 4 * step))
                .chain([DraftStep::Wait { quiet_ms: 1, limit_ms: 2 }])
                .collect(),
        }
    }

    fn nested(message: &DraftMessage) -> Vec<u16> {
        message.attrs.iter().fold(Vec::new(), |mut kinds, attr| {
            if let Payload::Nest(inner) = &attr.payload {
                kinds.extend(inner.iter().map(|attr| attr.kind));
            }
            kinds
        })
    }

    #[test]
    fn what_matters_is_left_and_nothing_else() {
        let mut asked = 0;
        let reduced = reduce(&draft(), 10_000, &mut |draft| {
            asked += 1;
            let kinds: Vec<_> = draft.messages().map(|message| message.kind).collect();
            let two = kinds.contains(&18) && kinds.contains(&30);
            Some(two && draft.socket.strict && draft.messages().any(|message| nested(message).contains(&3)))
        });
        assert!(reduced.whole);
        assert_eq!(reduced.tests, asked);
        let kinds: Vec<_> = reduced.draft.messages().map(|message| message.kind).collect();
        assert_eq!(kinds, [18, 30]);
        let left: Vec<_> = reduced.draft.messages().map(nested).collect();
        assert_eq!(left.concat(), [3], "one of them");
        let options = SocketOptions { strict: true, ..SocketOptions::default() };
        assert_eq!((reduced.draft.socket, reduced.draft.privilege), (options, Privilege::Root));
        assert!(reduced.draft.groups.is_empty());
        for message in reduced.draft.messages() {
            assert_eq!((message.flags, &message.tail, &message.index), (1, &vec![], &None));
            assert!(message.header.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_length_that_matters_is_found_in_few_questions() {
        let mut long = draft();
        for message in long.messages_mut() {
            message.attrs = vec![DraftAttr { kind: 1, payload: Payload::Bytes(vec![1; 2000]), len: None }];
        }
        let reduced = reduce(&long, 400, &mut |draft| {
            let longest =
                draft.messages().flat_map(|message| &message.attrs).map(|attr| match &attr.payload {
                    Payload::Bytes(bytes) => bytes.len(),
                    _ => 0,
                });
            Some(longest.max() >= Some(700))
        });
        assert!(reduced.whole);
        assert_eq!(reduced.draft.messages().count(), 1);
        let left = reduced.draft.messages().flat_map(|message| &message.attrs).next();
        assert!(matches!(&left.unwrap().payload, Payload::Bytes(bytes) if (700..900).contains(&bytes.len())));
    }

    #[test]
    fn the_search_ends_with_its_budget_or_when_it_is_told_to() {
        let spent = reduce(&draft(), 3, &mut |_| Some(false));
        assert_eq!((spent.draft, spent.tests, spent.whole), (draft(), 3, false));
        let mut left = 2;
        let told = reduce(&draft(), 100, &mut |draft| {
            left -= 1;
            (left > 0).then_some(draft.steps.len() > 2)
        });
        assert_eq!((told.tests, told.whole), (2, false));
    }
}
