// SPDX-License-Identifier: BSD-2-Clause
//! What a request finds: a system, and the interfaces that those before it made.

use nlproof_wire::Os;
use nlproof_wire::consts::{IFLA_IFNAME, NLM_F_CREATE, RTM_NEWLINK};

use super::words::KINDS;
use crate::draft::{DraftMessage, DraftStep, Payload};

/// The system that is asked.
pub(super) const OS: Os = Os::FreeBsd;

/// Interfaces that are there when a request is carried out, as far as those before it were.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) there: Vec<String>,
}

impl World {
    /// A fresh network stack.
    pub(super) fn new() -> World {
        World { there: vec!["lo0".into()] }
    }

    /// The first interface that was made.
    pub(super) fn first_made(&self) -> Option<&str> {
        self.there.get(1).map(String::as_str)
    }

    /// What is there behind these steps.
    pub(super) fn behind(steps: &[DraftStep]) -> World {
        let mut world = World::new();
        steps.iter().flat_map(DraftStep::messages).for_each(|message| world.hear(message));
        world
    }

    /// A message is sent.
    pub(super) fn hear(&mut self, message: &DraftMessage) {
        if message.kind != RTM_NEWLINK || message.flags & NLM_F_CREATE == 0 {
            return;
        }
        let names = message.attrs.iter().filter(|attr| attr.kind == IFLA_IFNAME);
        for name in names.filter_map(|attr| match &attr.payload {
            Payload::Bytes(bytes) => std::str::from_utf8(bytes.strip_suffix(&[0])?).ok(),
            Payload::Index(_) | Payload::Nest(_) => None,
        }) {
            let made = KINDS.iter().filter(|(_, known, _)| *known == name).flat_map(|(_, _, made)| *made);
            self.there.extend(made.map(|name| (*name).to_owned()));
        }
    }
}
