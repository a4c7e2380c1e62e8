// SPDX-License-Identifier: BSD-2-Clause
//! Requests from requests: one thing or several of a draft are otherwise.

use nlproof_wire::schema;

use super::generate::{self, MESSAGES, STEPS};
use super::no_index::NO_INDEX;
use super::rng::Rng;
use super::settle::settle;
use super::words;
use super::world::{OS, World};
use crate::draft::{Draft, DraftAttr, DraftMessage, DraftRace, DraftStep, Payload};

/// A draft that differs from this one; `other` is another one, from which parts may be taken.
pub(super) fn mutate(rng: &mut Rng, draft: &Draft, other: &Draft) -> Draft {
    let mut changed = draft.clone();
    for _ in 0..=rng.below(3) {
        change(rng, &mut changed, other);
    }
    changed.steps.truncate(STEPS + 4);
    if rng.chance(3) {
        let race = generate::race(rng, &World::behind(&changed.steps));
        changed.steps.push(race);
    }
    if changed.steps.is_empty() {
        changed.steps.push(generate::step(rng, &mut World::new()));
    }
    settle(&mut changed);
    changed
}

fn change(rng: &mut Rng, draft: &mut Draft, other: &Draft) {
    match rng.below(20) {
        0 => draft.socket = generate::socket(rng),
        1 => {
            let at = rng.below(draft.steps.len() + 1);
            let mut world = World::behind(draft.steps.get(..at).unwrap_or_default());
            draft.steps.insert(at, generate::step(rng, &mut world));
        }
        2 if draft.steps.len() > 1 => drop(draft.steps.remove(rng.below(draft.steps.len()))),
        3 => {
            let at = rng.below(draft.steps.len() + 1);
            if let Some(step) = rng.maybe(&other.steps) {
                draft.steps.insert(at, step.clone());
            }
        }
        4 => draft.steps.extend(other.steps.iter().take(2).cloned()),
        5 => join(rng, draft),
        6..9 => with_datagram(rng, draft, |rng, world, messages| {
            let at = rng.below(messages.len() + 1);
            let message = match (rng.maybe(messages), rng.chance(30)) {
                (Some(message), true) => message.clone(),
                _ => generate::message(rng, world),
            };
            messages.insert(at, message);
            messages.truncate(MESSAGES + 3);
        }),
        9 => with_datagram(rng, draft, |rng, _, messages| {
            if messages.len() > 1 {
                let at = rng.below(messages.len());
                messages.swap(at, 0);
            }
        }),
        10 => with_message(rng, draft, |rng, _, message| message.flags = generate::flags(rng, message.kind)),
        11 | 12 => with_message(rng, draft, |rng, world, message| {
            let fresh = generate::message(rng, world);
            if fresh.header.len() == message.header.len() {
                (message.header, message.index) = (fresh.header, fresh.index);
            } else if let Some(byte) = rng.below(message.header.len().max(1)).into() {
                let random = u8::try_from(rng.below(256)).unwrap_or_default();
                message.header.iter_mut().skip(byte).take(1).for_each(|byte| *byte = random);
            }
        }),
        13 => with_message(rng, draft, |rng, _, message| match rng.below(4) {
            0 => message.len = Some(u32::try_from(rng.below(80)).unwrap_or_default()),
            1 => message.cut = u32::try_from(rng.below(16)).unwrap_or_default(),
            2 => {
                let len = 1 + rng.below(8);
                message.tail = rng.bytes(len);
            }
            _ => (message.len, message.cut) = (None, 0),
        }),
        14 | 15 => with_message(rng, draft, |rng, world, message| {
            let table = schema::message(OS, message.kind).and_then(|message| message.attrs);
            let Some(spec) = table.and_then(|table| generate::attr_spec(rng, table)) else { return };
            let family = message.header.first().copied().unwrap_or_default();
            let attr = generate::attr(rng, world, spec, family, 2);
            let at = rng.below(message.attrs.len() + 1);
            message.attrs.insert(at, attr);
        }),
        16 => with_attrs(rng, draft, |rng, attrs| {
            if !attrs.is_empty() {
                attrs.remove(rng.below(attrs.len()));
            }
        }),
        17 => with_attrs(rng, draft, |rng, attrs| {
            if let Some(attr) = rng.maybe(attrs).cloned() {
                attrs.push(attr);
            }
        }),
        _ => with_attrs(rng, draft, |rng, attrs| {
            let at = rng.below(attrs.len());
            if let Some(attr) = attrs.get_mut(at) {
                value(rng, attr);
            }
        }),
    }
}

/// Two datagrams become one.
fn join(rng: &mut Rng, draft: &mut Draft) {
    let at = rng.below(draft.steps.len());
    if let [DraftStep::Datagram(first), DraftStep::Datagram(second), ..] =
        draft.steps.get(at..).unwrap_or_default()
        && first.len() + second.len() <= MESSAGES + 3
    {
        let joined = [first.as_slice(), second].concat();
        draft.steps.splice(at..at + 2, [DraftStep::Datagram(joined)]);
    }
}

fn with_datagram(
    rng: &mut Rng,
    draft: &mut Draft,
    change: impl FnOnce(&mut Rng, &World, &mut Vec<DraftMessage>),
) {
    let at = rng.below(draft.steps.len());
    let world = World::behind(draft.steps.get(..=at).unwrap_or_default());
    match draft.steps.get_mut(at) {
        Some(DraftStep::Datagram(messages)) => change(rng, &world, messages),
        Some(DraftStep::Race(race)) => {
            let mut messages = race.clone().into_messages();
            change(rng, &world, &mut messages);
            *race = DraftRace::free(race.length, messages);
        }
        _ => {}
    }
}

fn with_message(rng: &mut Rng, draft: &mut Draft, change: impl FnOnce(&mut Rng, &World, &mut DraftMessage)) {
    with_datagram(rng, draft, |rng, world, messages| {
        let at = rng.below(messages.len());
        if let Some(message) = messages.get_mut(at) {
            change(rng, world, message);
        }
    });
}

/// A message's own attributes, or those of a nest.
fn with_attrs(rng: &mut Rng, draft: &mut Draft, change: impl FnOnce(&mut Rng, &mut Vec<DraftAttr>)) {
    with_message(rng, draft, |rng, _, message| {
        let mut list = &mut message.attrs;
        loop {
            let is_nest = |attr: &DraftAttr| matches!(attr.payload, Payload::Nest(_));
            let nest = list.iter().position(is_nest).filter(|_| rng.chance(40));
            match nest.and_then(|at| list.get(at)) {
                Some(_) => {}
                None => break change(rng, list),
            }
            let Some(DraftAttr { payload: Payload::Nest(inner), .. }) = nest.and_then(|at| list.get_mut(at))
            else {
                break;
            };
            list = inner;
        }
    });
}

/// Another value of the same attribute.
fn value(rng: &mut Rng, attr: &mut DraftAttr) {
    match &mut attr.payload {
        Payload::Index(_) => attr.payload = Payload::Bytes(NO_INDEX.to_le_bytes().to_vec()),
        Payload::Nest(_) => {}
        Payload::Bytes(bytes) => match rng.below(6) {
            0 if bytes.len() == 4 => *bytes = words::number(rng).to_le_bytes().to_vec(),
            0 | 1 => {
                let at = rng.below(bytes.len());
                let random = u8::try_from(rng.below(256)).unwrap_or_default();
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random);
            }
            2 => bytes.resize(rng.below(bytes.len() + 8), 0),
            3 => *bytes = [words::text(rng).as_bytes(), &[0]].concat(),
            4 => {
                // A text of another length, with the same end.
                let text = words::text(rng);
                bytes.splice(..0, text.bytes());
            }
            _ => *bytes = [words::name(rng, &[]).as_bytes(), &[0]].concat(),
        },
    }
}
