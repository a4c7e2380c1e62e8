// SPDX-License-Identifier: BSD-2-Clause
//! What was read as a replica.

use std::collections::BTreeMap;

use nlproof_wire::Os;
use nlproof_wire::consts::{IFLA_IFNAME, RTM_NEWLINK};
use nlproof_wire::schema;
use nlproof_wire::view::{IfInfoMsg, MessageItem, find_attr, messages};

use super::reading::{Direction, Reading};
use crate::vector::{Replica, ReplicaStep};

/// The most names of messages that the sentence of a vector lists.
const NAMED: usize = 4;

/// A replica that sends what was sent, one datagram a step. Interfaces whose names the kernel told are named.
pub fn replica(id: &str, from: &str, os: Os, reading: &Reading) -> Replica {
    let mut replica = Replica::new(id, about(os, from, reading), os);
    replica.socket = reading.socket;
    // A name that is told later is better than none; what holds when a request is sent is better than that.
    let mut interfaces = BTreeMap::new();
    for seen in reading.seen.iter().rev().filter(|seen| seen.direction == Direction::FromKernel) {
        learn(&seen.data, &mut interfaces);
    }
    for seen in &reading.seen {
        match seen.direction {
            Direction::FromKernel => learn(&seen.data, &mut interfaces),
            Direction::ToKernel | Direction::Unknown => {
                let (data, interfaces) = (seen.data.clone(), interfaces.clone());
                replica.steps.push(ReplicaStep::Send { data, interfaces });
            }
        }
    }
    replica
}

/// Takes names and indexes of interfaces from what the kernel told of them.
pub(super) fn learn(datagram: &[u8], interfaces: &mut BTreeMap<u32, String>) {
    for item in messages(datagram) {
        let MessageItem::Message(message) = item else { continue };
        if message.header.kind != RTM_NEWLINK {
            continue;
        }
        let Some((info, attrs)) = IfInfoMsg::parse(message.payload)
            .and_then(|info| Some((info, message.payload.get(IfInfoMsg::SIZE..)?)))
        else {
            continue;
        };
        let name = find_attr(attrs, IFLA_IFNAME).and_then(|attr| attr.as_str_bytes());
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).filter(|name| !name.is_empty());
        if let (Some(name), Ok(index)) = (name, u32::try_from(info.index)) {
            interfaces.insert(index, name.to_owned());
        }
    }
}

/// One sentence of what is sent, for want of a better.
fn about(os: Os, from: &str, reading: &Reading) -> String {
    let mut names: Vec<String> = Vec::new();
    for seen in reading.sent() {
        for item in messages(&seen.data) {
            let name = match item {
                MessageItem::Message(message) => schema::message(os, message.header.kind).map_or_else(
                    || format!("message {}", message.header.kind),
                    |known| known.name.to_owned(),
                ),
                MessageItem::Trailing(_) => "bytes that are no message".to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let more = if names.len() > NAMED { ", ..." } else { "" };
    names.truncate(NAMED);
    match names.is_empty() {
        true => format!("what stands in {from}"),
        false => format!("what stands in {from}: {}{more}", names.join(", ")),
    }
}
