// SPDX-License-Identifier: BSD-2-Clause
//! A step that does something with a network card.

use nlproof_agent::{Act, Phase};

use crate::names::Which;
use crate::session::Session;
use crate::sys::clock::Deadline;

/// Between two looks whether the kernel has noticed, in milliseconds.
const CARD_LOOK_MS: u32 = 5;
/// A driver that does not come to rest after something was done with its card is waited for no longer, in milliseconds.
const CARD_SETTLE_MS: u32 = 10_000;

impl Session<'_> {
    /// Does something with a network card and records what comes until the kernel has noticed.
    pub(crate) fn hardware(&mut self, act: &Act) {
        let Some(cards) = &self.cards else { return };
        cards.announce(&self.reporter, act, true);
        let until = cards.begin_act(&self.reporter, act, true);
        while let Some(until) = until {
            let Some(cards) = &self.cards else { return };
            match cards.outcome(act, until) {
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
        let quiet_ms = self.cards.as_ref().and_then(|cards| cards.card(act)).map_or(0, |card| card.settle_ms);
        self.settle(quiet_ms, CARD_SETTLE_MS);
        self.name_interfaces(Which::New);
    }
}
