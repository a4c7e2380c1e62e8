// SPDX-License-Identifier: BSD-2-Clause
//! A reduction: what of a draft may be left out, large parts first, then smaller ones, until nothing can be.

use nlproof_agent::{Privilege, SocketOptions};
use nlproof_wire::consts::NLM_F_REQUEST;

use super::places::{attr_lists, command, datagram, messages, payload, race, socket};
use super::search::{Ask, Bounds, Search};
use super::words::{name_of, names, renamed, shorter};
use crate::draft::{Draft, DraftMessage, DraftStep, RaceLength};

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
    let bounds = Bounds { budget, width: 1 };
    reduce_side_by_side(draft, bounds, &mut |drafts| drafts.iter().map(&mut *holds).collect())
}

/// The same, with several questions at a time. Of those that show the same the first is taken: what is found does not depend
/// on how many are asked at a time, as long as an answer does not.
pub fn reduce_side_by_side(draft: &Draft, bounds: Bounds, ask: &mut Ask<'_>) -> Reduced {
    let mut search = Search::new(draft, bounds, ask);
    loop {
        let before = search.draft.clone();
        search.steps();
        search.races();
        search.circumstances();
        search.attrs();
        search.messages();
        search.payloads();
        search.names();
        if search.ended || search.draft == before {
            break;
        }
    }
    Reduced { draft: search.draft, tests: search.tests, whole: !search.ended }
}

/// How long a pause is.
fn quiet(draft: &mut Draft, step: usize) -> Option<&mut u32> {
    match draft.steps.get_mut(step)? {
        DraftStep::Wait { quiet_ms, .. } => Some(quiet_ms),
        _ => None,
    }
}

/// How long a race is.
fn length(draft: &mut Draft, step: usize) -> Option<&mut u32> {
    match &mut race(draft, step)?.length {
        RaceLength::Rounds(number) | RaceLength::Seconds(number) => Some(number),
    }
}

impl Search<'_, '_> {
    fn steps(&mut self) {
        self.thin(&|draft| Some(&mut draft.steps), 1, 1);
        for step in 0..self.draft.steps.len() {
            self.thin(&|draft| datagram(draft, step), 1, 1);
            self.thin(&|draft| command(draft, step), 1, 1);
            self.halve(&|draft| quiet(draft, step), 1);
        }
    }

    /// Fewer rounds, sockets and requests.
    fn races(&mut self) {
        for step in 0..self.draft.steps.len() {
            let Some(sockets) = race(&mut self.draft, step).map(|race| race.sockets.len()) else { continue };
            self.thin(&|draft| race(draft, step).map(|race| &mut race.before), 1, 0);
            self.thin(&|draft| race(draft, step).map(|race| &mut race.after), 1, 0);
            self.thin(&|draft| race(draft, step).map(|race| &mut race.sockets), 1, 2);
            for at in 0..sockets {
                self.thin(&|draft| socket(draft, step, at), 1, 1);
            }
            self.halve(&|draft| length(draft, step), 1);
        }
    }

    fn circumstances(&mut self) {
        self.thin(&|draft| Some(&mut draft.groups), 1, 0);
        self.thin(&|draft| Some(&mut draft.modules), 1, 0);
        self.thin(&|draft| Some(&mut draft.sysctl), 1, 0);
        self.change(|draft| draft.privilege = Privilege::Root);
        self.change(|draft| draft.socket = SocketOptions::default());
        self.each(5, &|draft, place| match place {
            0 => draft.socket.cap_ack = false,
            1 => draft.socket.strict = false,
            2 => draft.socket.ext_ack = false,
            3 => draft.socket.receive_buffer = None,
            _ => draft.socket.event_buffer = None,
        });
    }

    fn attrs(&mut self) {
        let mut at = 0;
        // The places change with what is left out; outer lists come first.
        while let Some(place) = attr_lists(&mut self.draft).get(at) {
            self.thin(&|draft| place.of(draft), 1, 0);
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
            self.each(5, &|draft, place| {
                set(draft, &|message| match place {
                    0 => (message.len, message.cut) = (None, 0),
                    1 => message.tail.clear(),
                    2 => message.reply = None,
                    3 => {
                        message.header.fill(0);
                        message.index = None;
                    }
                    _ => message.index = None,
                });
            });
            let size = at.of(&mut self.draft).map_or(0, |message| message.header.len());
            self.each(size, &|draft, place| {
                set(draft, &|message| {
                    if let Some(byte) = message.header.get_mut(place) {
                        *byte = 0;
                    }
                });
            });
            let bits: Vec<u16> =
                (0..u16::BITS).map(|bit| 1 << bit).filter(|bit| *bit != NLM_F_REQUEST).collect();
            self.each(bits.len(), &|draft, place| {
                let bit = bits.get(place).copied().unwrap_or_default();
                set(draft, &|message| message.flags &= !bit);
            });
            self.thin(&|draft| at.of(draft).map(|message| &mut message.tail), 4, 0);
        }
    }

    fn payloads(&mut self) {
        for place in attr_lists(&mut self.draft) {
            let count = place.of(&mut self.draft).map_or(0, |list| list.len());
            for at in 0..count {
                self.change(|draft| {
                    if let Some(attr) = place.of(draft).and_then(|list| list.get_mut(at)) {
                        attr.len = None;
                    }
                });
                let bytes = &|draft: &'_ mut Draft| payload(draft, &place, at).cloned();
                let Some(found) = bytes(&mut self.draft) else { continue };
                let set = |draft: &mut Draft, new: Vec<u8>| {
                    if let Some(bytes) = payload(draft, &place, at) {
                        *bytes = new;
                    }
                };
                if matches!(found.len(), 1 | 2 | 4 | 8) && name_of(&found).is_none() {
                    self.number(&found, &set);
                }
                if name_of(&found).is_none() {
                    self.thin(&|draft| payload(draft, &place, at), found.len().div_ceil(PARTS), 0);
                    self.length(bytes, &set);
                }
            }
        }
    }

    fn names(&mut self) {
        for name in names(&self.draft) {
            let candidates: Vec<Draft> =
                shorter(&name).iter().map(|other| renamed(&self.draft, &name, other)).collect();
            self.first(&candidates);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::{DraftAttr, DraftRace, DraftRequest, Payload};

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

    fn plain(attrs: Vec<(u16, Vec<u8>)>) -> DraftMessage {
        let attr = |(kind, bytes)| DraftAttr { kind, payload: Payload::Bytes(bytes), len: None };
        let attrs = attrs.into_iter().map(attr).collect();
        DraftMessage { attrs, index: None, tail: vec![], header: vec![0; 16], ..message(16, &[]) }
    }

    #[test]
    fn how_many_are_asked_at_a_time_changes_nothing_but_the_number_of_questions() {
        let holds =
            |draft: &Draft| draft.messages().any(|message| message.kind == 30 && message.header[3] == 9);
        let search = |width| {
            let mut most = 0;
            let reduced = reduce_side_by_side(&draft(), Bounds { budget: 10_000, width }, &mut |drafts| {
                most = most.max(drafts.len());
                Some(drafts.iter().map(holds).collect())
            });
            assert!(reduced.whole && most <= width);
            (reduced.draft, reduced.tests, most)
        };
        let (alone, together) = (search(1), search(4));
        assert_eq!(alone.0, together.0);
        assert!(together.2 == 4 && alone.1 < together.1, "{} and {}", alone.1, together.1);
    }

    #[test]
    fn a_race_keeps_two_sockets_and_loses_rounds_and_what_its_requests_may_come_to() {
        let request =
            |kind| DraftRequest { message: message(kind, &[1]), outcomes: vec![format!("E{kind}")] };
        let race = DraftRace {
            length: RaceLength::Rounds(100),
            before: vec![message(90, &[1]), message(91, &[])],
            sockets: vec![vec![request(16), request(17)], vec![request(18)], vec![request(19), request(20)]],
            after: vec![message(92, &[])],
        };
        let long = Draft { steps: vec![DraftStep::Race(race)], ..draft() };
        let reduced = reduce(&long, 10_000, &mut |draft| {
            let DraftStep::Race(race) = &draft.steps[0] else { return Some(false) };
            let kinds: Vec<_> = draft.messages().map(|message| message.kind).collect();
            let long = matches!(race.length, RaceLength::Rounds(rounds) if rounds >= 12);
            Some(long && [17, 20, 91].iter().all(|kind| kinds.contains(kind)))
        });
        let DraftStep::Race(race) = &reduced.draft.steps[0] else { panic!("{:?}", reduced.draft) };
        assert_eq!(race.length, RaceLength::Rounds(12));
        let words: Vec<_> = race.sockets.iter().flatten().map(|request| request.outcomes.concat()).collect();
        assert_eq!((words.concat(), race.sockets.len()), ("E17E20".to_owned(), 2));
        assert_eq!((race.before.len(), race.after.len()), (1, 0));
    }

    #[test]
    fn numbers_become_small_names_short_and_commands_lose_words() {
        let exec = DraftStep::Exec {
            argv: ["ifconfig", "-v", "bridge1234", "up"].map(Into::into).into(),
            limit_ms: 10,
        };
        let number = plain(vec![(3, b"bridge1234\0".to_vec()), (4, 9000_u32.to_le_bytes().to_vec())]);
        let long = Draft { steps: vec![DraftStep::Datagram(vec![number]), exec], ..draft() };
        let reduced = reduce(&long, 10_000, &mut |draft| {
            let found = draft.messages().flat_map(|message| &message.attrs);
            let payloads: Vec<_> = found
                .filter_map(|attr| match &attr.payload {
                    Payload::Bytes(bytes) => Some((attr.kind, bytes.clone())),
                    _ => None,
                })
                .collect();
            let DraftStep::Exec { argv, .. } = draft.steps.last()? else { return Some(false) };
            let named = argv.iter().find(|word| word.starts_with("bridge"));
            let same = named.is_some_and(|name| payloads.contains(&(3, [name.as_bytes(), &[0]].concat())));
            let mtu = payloads.iter().any(|(kind, bytes)| {
                *kind == 4 && u32::from_le_bytes(bytes.clone().try_into().unwrap_or_default()) > 100
            });
            Some(same && mtu)
        });
        let DraftStep::Exec { argv, .. } = &reduced.draft.steps[1] else { panic!("{:?}", reduced.draft) };
        assert_eq!(argv, &["bridge0"]);
        let mtu = reduced.draft.messages().flat_map(|message| &message.attrs).last();
        assert!(matches!(&mtu.unwrap().payload, Payload::Bytes(bytes) if bytes[..] == [140, 0, 0, 0]));
    }

    #[test]
    fn the_length_that_matters_is_found_to_the_byte() {
        let long =
            Draft { steps: vec![DraftStep::Datagram(vec![plain(vec![(9, vec![b'a'; 1130])])])], ..draft() };
        let reduced = reduce(&long, 10_000, &mut |draft| {
            let mut attrs = draft.messages().flat_map(|message| &message.attrs);
            Some(attrs.any(|attr| matches!(&attr.payload, Payload::Bytes(bytes) if bytes.len() >= 1120)))
        });
        let attr = reduced.draft.messages().flat_map(|message| &message.attrs).next();
        assert!(matches!(&attr.unwrap().payload, Payload::Bytes(bytes) if bytes.len() == 1120));
    }
}
