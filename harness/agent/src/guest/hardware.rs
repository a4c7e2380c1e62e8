// SPDX-License-Identifier: BSD-2-Clause
//! A step that does something with a network card.

use nlproof_agent::{Act, Card, Deed, Phase};

use crate::names::Which;
use crate::session::Session;
use crate::sys::clock::Deadline;

/// Between two looks whether the kernel has noticed, in milliseconds.
const CARD_LOOK_MS: u32 = 5;
/// How long no event must come after the kernel has noticed, in milliseconds. It tells of a link in a task that goes before
/// the agent, and of a card that goes before its device is gone: what there is to say has been said or is just being said.
const CARD_QUIET_MS: u32 = 100;
/// A driver that does not come to rest after something was done with its card is waited for no longer, in milliseconds.
const CARD_SETTLE_MS: u32 = 10_000;

impl Session<'_> {
    /// Does something with a network card and records what comes until the kernel has noticed.
    pub(crate) fn hardware(&mut self, act: &Act) {
        let Some(cards) = &self.cards else { return };
        cards.announce(&self.reporter, act, act.deed != Deed::Rest);
        let until = cards.begin_act(&self.reporter, act, true);
        while let Some(until) = until {
            let Some(cards) = &self.cards else { return };
            match cards.outcome_in_time(act, until) {
                None => {}
                Some(outcome) => {
                    cards.tell(&self.reporter, act, outcome);
                    break;
                }
            }
            let seen = self.next(Deadline::after_ms(CARD_LOOK_MS), &mut []);
            self.record(seen);
        }
        self.laps.lap(Phase::Cards);
        // What is done without hardware is over when it is done.
        let card = self.cards.as_ref().and_then(|cards| cards.card(act));
        let quiet_ms = if card.is_some_and(Card::is_hardware) { CARD_QUIET_MS } else { 0 };
        self.settle(quiet_ms, CARD_SETTLE_MS);
        self.name_interfaces(Which::New);
    }
}
