// SPDX-License-Identifier: BSD-2-Clause
//! Simulators with faults that are put into them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nlproof_agent::{Batch, Body, Record, Step};
use nlproof_wire::consts::{IFLA_IFALIAS, IFLA_MTU, NLMSG_ERROR, RTM_NEWLINK};
use nlproof_wire::view::{AttrItem, MessageItem, attrs, messages};

use crate::targets::{Facts, Loss, SimTarget, Target, TargetError};

/// What is wrong with a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seeded {
    Nothing,
    /// A reference is not released.
    Reference,
    /// EPERM where a message has an MTU and an alias.
    Errno,
    /// The MTU of an answer is what happened to be there.
    History,
    /// The guest dies of an alias.
    Death,
    /// The first answer with an error is another one, once.
    Once,
}

/// A simulator with a fault.
pub(super) struct Faulty {
    pub(super) sim: SimTarget,
    pub(super) seeded: Seeded,
    /// What went before.
    pub(super) history: Arc<AtomicUsize>,
}

impl Faulty {
    fn change(&self, asked: &[u16], data: &mut [u8]) {
        let kind = u16::from_le_bytes([data[4], data[5]]);
        match self.seeded {
            Seeded::Errno
                if kind == NLMSG_ERROR
                    && [IFLA_MTU, IFLA_IFALIAS].iter().all(|attr| asked.contains(attr)) =>
            {
                data[16..20].copy_from_slice(&1_i32.to_le_bytes());
            }
            Seeded::Once if kind == NLMSG_ERROR && self.history.fetch_add(1, Ordering::SeqCst) == 0 => {
                data[16..20].copy_from_slice(&77_i32.to_le_bytes());
            }
            Seeded::History if kind == RTM_NEWLINK => {
                let before = self.history.fetch_add(1, Ordering::SeqCst) as u32;
                let mtu = attrs_of(data).into_iter().find(|(kind, ..)| *kind == IFLA_MTU);
                if let Some((_, at, 4)) = mtu {
                    data[at..at + 4].copy_from_slice(&before.to_le_bytes());
                }
            }
            _ => {}
        }
    }
}

/// Number, place and length of the attributes of a message about links.
fn attrs_of(data: &[u8]) -> Vec<(u16, usize, usize)> {
    let list = data.get(32..).unwrap_or_default();
    let item = |item| match item {
        AttrItem::Attr(attr) => Some((attr.number(), 32 + attr.offset + 4, attr.payload.len())),
        AttrItem::Trailing(_) => None,
    };
    attrs(list).filter_map(item).collect()
}

/// Where messages begin that are long enough to be changed.
fn places_of(datagram: &[u8]) -> Vec<usize> {
    let whole = |item| match item {
        MessageItem::Message(message) if message.header.len >= 20 => Some(message.offset),
        _ => None,
    };
    messages(datagram).filter_map(whole).collect()
}

/// The attributes of messages about links in a datagram, by number: of all, or of the one with this seq.
fn asked_in(datagram: &[u8], seq: Option<u32>) -> Vec<u16> {
    let links = messages(datagram).filter_map(|item| match item {
        MessageItem::Message(message)
            if (RTM_NEWLINK..RTM_NEWLINK + 4).contains(&message.header.kind)
                && seq.is_none_or(|seq| seq == message.header.seq) =>
        {
            datagram.get(message.offset..message.offset + message.header.len as usize)
        }
        _ => None,
    });
    links.flat_map(attrs_of).map(|(kind, ..)| kind).collect()
}

impl Target for Faulty {
    fn facts(&self) -> &Facts {
        self.sim.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let sent = |step: &Step| match step {
            Step::Send(send) => asked_in(&send.data, None),
            Step::Race(race) => {
                race.lanes.iter().flatten().flat_map(|send| asked_in(&send.data, None)).collect()
            }
            _ => Vec::new(),
        };
        let asked: Vec<u16> =
            batch.programs.iter().flat_map(|program| &program.steps).flat_map(sent).collect();
        if self.seeded == Seeded::Death && asked.contains(&IFLA_IFALIAS) {
            return Err(TargetError::Guest(Loss {
                kind: "panicked".into(),
                fingerprint: "page fault | set_alias".into(),
                calls: vec!["set_alias".into()],
                text: "panic: page fault".into(),
            }));
        }
        let mut records = Vec::new();
        self.sim.run(batch, &mut |record| records.push(record))?;
        let mut of_step: Vec<u8> = Vec::new();
        for mut record in records {
            match &mut record.body {
                Body::Sent { data } => of_step.clone_from(data),
                Body::Reply { data, .. } if data.len() >= 20 => {
                    for at in places_of(data) {
                        let message = &mut data[at..];
                        let seq = u32::from_le_bytes([message[8], message[9], message[10], message[11]]);
                        self.change(&asked_in(&of_step, Some(seq)), message);
                    }
                }
                _ => {}
            }
            on_record(record);
        }
        Ok(())
    }
}
