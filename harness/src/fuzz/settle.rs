// SPDX-License-Identifier: BSD-2-Clause
//! What makes a draft one that can be asked: what ends each step, which modules it needs, and whether it fits into bytes.

use nlproof_wire::consts::{NLM_F_ACK, NLM_F_REQUEST};

use super::no_index::settle_indexes;
use super::words::MODULES;
use super::world::OS;
use crate::draft::{Draft, DraftAttr, DraftMessage, DraftRace, DraftStep, Payload, RaceLength, Reply};
use crate::vector::{Vector, compile};

/// Rounds of a race: the first one changes what the others find.
pub(super) const ROUNDS: u32 = 2;

/// A race is the last step, because nobody knows what it leaves; what asks in it wants an answer; and events of racing requests
/// have no order, so that no group is joined.
fn settle_race(draft: &mut Draft) {
    let Some(at) = draft.steps.iter().position(|step| matches!(step, DraftStep::Race(_))) else { return };
    draft.steps.truncate(at + 1);
    draft.groups.clear();
    let Some(DraftStep::Race(race)) = draft.steps.pop() else { return };
    let mut messages: Vec<DraftMessage> = race.into_messages();
    messages.retain(|message| message.kind >= 16);
    for message in &mut messages {
        message.flags |= NLM_F_REQUEST | NLM_F_ACK;
        (message.len, message.cut, message.reply) = (None, 0, None);
        // Each is a datagram of its own.
        settle_indexes(std::slice::from_mut(message));
    }
    match messages.len() {
        0 => {}
        1 => draft.steps.push(DraftStep::Datagram(messages)),
        _ => draft.steps.push(DraftStep::Race(DraftRace::free(RaceLength::Rounds(ROUNDS), messages))),
    }
}

/// Says of each step what ends it, and of the draft which modules it needs.
///
/// To a message whose length is wrong, or that wants no answer, none need come: nobody waits for it. What comes all the same
/// is heard, because the agent asks for an acknowledgement of its own behind every request.
pub(super) fn settle(draft: &mut Draft) {
    settle_race(draft);
    for step in &mut draft.steps {
        let DraftStep::Datagram(messages) = step else { continue };
        let answered = |message: &DraftMessage| {
            let wanted = NLM_F_REQUEST | NLM_F_ACK;
            message.is_whole() && message.kind >= 16 && message.flags & wanted == wanted
        };
        let all = messages.iter().all(answered);
        messages.iter_mut().for_each(|message| message.reply = None);
        settle_indexes(messages);
        if let Some(last) = messages.last_mut() {
            last.reply = (!all).then_some(Reply::Nothing);
        }
    }
    let mut modules = Vec::new();
    let wants = |kind: &str| draft.messages().any(|message| names_one_of(&message.attrs, kind));
    for (kind, module) in MODULES {
        if wants(kind) && !modules.iter().any(|known| known == module) {
            modules.push(module.to_owned());
        }
    }
    draft.modules = modules;
}

/// Whether an attribute holds the name of a driver, or of an interface that it makes: by the latter a cloner is found, whatever
/// kind is asked for.
fn names_one_of(attrs: &[DraftAttr], driver: &str) -> bool {
    let is_unit = |rest: &[u8]| rest.iter().all(u8::is_ascii_digit);
    attrs.iter().any(|attr| match &attr.payload {
        Payload::Bytes(bytes) => bytes
            .strip_suffix(&[0])
            .and_then(|name| name.strip_prefix(driver.as_bytes()))
            .is_some_and(is_unit),
        Payload::Nest(inner) => names_one_of(inner, driver),
        Payload::Index(_) => false,
    })
}

/// Whether a draft can be put into bytes.
pub(super) fn fits(draft: &Draft) -> bool {
    draft.vector(OS, "fuzz/draft").is_ok_and(|vector| compile(&vector, OS, 0).is_ok())
}

/// Drafts as the vectors of a round; those that are none are left out.
pub(super) fn vectors(drafts: &[Draft], round: &str) -> Vec<Vector> {
    let numbered = drafts.iter().enumerate();
    numbered.filter_map(|(at, draft)| draft.vector(OS, &format!("fuzz/{round}-{at}")).ok()).collect()
}
