// SPDX-License-Identifier: BSD-2-Clause
//! Names and indexes of interfaces, as a program sees them come.

use alloc::format;

use nlproof_agent::interfaces::{Interface, newcomers};
use nlproof_agent::{Body, ErrorStage, Phase};

use crate::session::Session;

/// Which interfaces to name.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// Interfaces that have appeared since the last look.
    New,
    /// All.
    All,
}

impl Session<'_> {
    /// Reports the names and indexes of interfaces.
    pub(crate) fn name_interfaces(&mut self, which: Which) {
        // There may be ten thousand, and nobody asks for their names.
        if self.outside {
            return;
        }
        let now = match self.stack.list() {
            Ok(now) => now,
            Err(errno) => {
                let text = format!("the interfaces could not be listed ({errno})");
                return self.reporter.error(ErrorStage::Receive, errno, text);
            }
        };
        let all: &[Interface] = &[];
        let before = match which {
            Which::New => self.known.as_slice(),
            Which::All => all,
        };
        for interface in newcomers(before, &now) {
            self.report_name(interface);
        }
        if let Some(cards) = &self.cards {
            let is_card = |it: &&Interface| cards.cards.iter().any(|card| card.interface == it.name);
            for card in now.iter().filter(is_card) {
                self.seen_cards.retain(|seen| seen.name != card.name);
                self.seen_cards.push(card.clone());
            }
        }
        self.devices |= now.iter().any(Interface::has_device);
        self.known = now;
        self.laps.lap(Phase::Reading);
    }

    /// Reports one name, if it is new or has another index.
    pub(crate) fn name(&mut self, interface: Interface) {
        if !self.known.contains(&interface) {
            self.report_name(&interface);
            self.known.push(interface);
        }
    }

    fn report_name(&self, interface: &Interface) {
        self.reporter.report(Body::Resolved { ifname: interface.name.clone(), ifindex: interface.index });
    }

    /// The last index of a card's interface that is gone.
    pub(crate) fn last_index(&self, name: &str) -> Option<u32> {
        self.seen_cards.iter().find(|seen| seen.name == name).map(|seen| seen.index)
    }
}
