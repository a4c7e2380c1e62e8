// SPDX-License-Identifier: BSD-2-Clause
//! A replica of what was followed, and of what was heard meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_wire::Os;
use nlproof_wire::consts::{IFLA_IFNAME, NLM_F_CREATE, RTM_DELLINK, RTM_NEWLINK};
use nlproof_wire::schema::group_name;
use nlproof_wire::view::{IfInfoMsg, MessageItem, RawMessage, find_attr, messages};

use super::super::steps::learn;
use super::follow::{Act, Deed};
use super::set_option;
use crate::vector::{Replica, ReplicaStep};

/// RTNLGRP_LINK.
const LINK: u32 = 1;
/// Options that join a multicast group and leave it (sys/netlink/netlink.h).
const ADD_MEMBERSHIP: u32 = 1;
/// A pause that waits for events, in milliseconds: without one for how long, and at most.
const QUIET_MS: u32 = 100;
const LIMIT_MS: u32 = 2000;
/// The limit of a command, in milliseconds.
const COMMAND_MS: u32 = 10_000;

/// Requests of ioctl(2) that a vector does by ifconfig(8) instead (sys/sys/sockio.h).
const CREATE: [u32; 2] = [0xc020_697a, 0xc020_697c];
const DESTROY: u32 = 0x8020_6979;

/// A multicast event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// RTNLGRP_* number.
    pub group: u32,
    /// The datagram.
    pub data: Vec<u8>,
}

/// A step of a program, as far as it concerns netlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends a datagram.
    Send(Vec<u8>),
    /// An answer came.
    Answer(Vec<u8>),
    /// Waits for events, of which one came.
    Event(Vec<u8>),
    /// Makes an interface otherwise than by netlink.
    Create(String),
    /// Removes an interface otherwise than by netlink.
    Destroy(String),
}

/// The steps of a program, and what it did that is none: a line each.
pub fn steps_of(acts: &[Act], heard: &[Heard]) -> (Vec<Step>, Vec<String>) {
    let mut units = Units::of(acts, heard);
    let (mut steps, mut left) = (Vec::new(), BTreeMap::<String, usize>::new());
    let mut leave = |what: String| *left.entry(what).or_default() += 1;
    for act in acts {
        match &act.deed {
            Deed::Moved { route: true, sent: true, data, whole } if data.len() == *whole => {
                steps.push(Step::Send(data.clone()));
            }
            Deed::Moved { route: true, sent: false, data, whole } if data.len() == *whole => {
                steps.push(if is_event(data) {
                    Step::Event(data.clone())
                } else {
                    Step::Answer(data.clone())
                });
            }
            Deed::Ioctl { request } if CREATE.contains(request) => match units.created.next() {
                Some(unit) => steps.push(Step::Create(unit)),
                None => leave("an interface made by ioctl(2), of which no event tells".to_owned()),
            },
            Deed::Ioctl { request: DESTROY } => match units.destroyed.next() {
                Some(unit) => steps.push(Step::Destroy(unit)),
                None => leave("an interface removed by ioctl(2), of which no event tells".to_owned()),
            },
            Deed::Ioctl { request } => {
                // What only asks changes nothing.
                if let Some(name) = request_name(*request) {
                    leave(format!("ioctl(2) {name}"));
                }
            }
            Deed::Option { number: ADD_MEMBERSHIP, .. } => {
                leave("setsockopt(2) NETLINK_ADD_MEMBERSHIP, whose group the trace does not tell".to_owned());
            }
            deed => {
                if let Some(told) = deed.told() {
                    leave(told);
                }
            }
        }
    }
    let told = left.into_iter().map(|(what, count)| match count {
        1 => what,
        count => format!("{what} ({count} times)"),
    });
    (steps, told.collect())
}

/// The vector that says what a program said. Its groups are those of which events were heard, its waits stand where the
/// program waited for events; the second is what it leaves out, a line each.
pub fn replica_of(id: &str, about: &str, acts: &[Act], heard: &[Heard]) -> (Replica, Vec<String>) {
    let os = Os::FreeBsd;
    let mut replica = Replica::new(id, about, os);
    let groups: BTreeSet<u32> = heard.iter().map(|event| event.group).collect();
    replica.groups = groups.iter().filter_map(|group| group_name(os, *group)).map(str::to_owned).collect();
    for act in acts {
        if let Deed::Option { number, route: true } = act.deed {
            set_option(&mut replica.socket, number);
        }
    }
    let (steps, left) = steps_of(acts, heard);
    // A name that is told later is better than none; what holds when a request is sent is better than that.
    let mut interfaces = BTreeMap::new();
    for event in heard.iter().rev() {
        learn(&event.data, &mut interfaces);
    }
    for step in steps.iter().rev() {
        if let Step::Answer(data) | Step::Event(data) = step {
            learn(data, &mut interfaces);
        }
    }
    let mut modules = BTreeSet::new();
    for step in steps {
        match step {
            Step::Send(data) => {
                replica.steps.push(ReplicaStep::Send { data, interfaces: interfaces.clone() });
            }
            Step::Answer(data) => learn(&data, &mut interfaces),
            Step::Event(data) => {
                learn(&data, &mut interfaces);
                let wait = ReplicaStep::Wait { quiet_ms: QUIET_MS, limit_ms: LIMIT_MS };
                if replica.steps.last() != Some(&wait) {
                    replica.steps.push(wait);
                }
            }
            Step::Create(unit) => {
                modules.extend(module_of(&unit));
                replica.steps.push(ifconfig(&unit, "create"));
            }
            Step::Destroy(unit) => replica.steps.push(ifconfig(&unit, "destroy")),
        }
    }
    replica.modules = modules.into_iter().map(str::to_owned).collect();
    (replica, left)
}

fn ifconfig(unit: &str, what: &str) -> ReplicaStep {
    let argv = ["/sbin/ifconfig", unit, what].map(str::to_owned).to_vec();
    ReplicaStep::Exec { argv, limit_ms: COMMAND_MS }
}

/// The kernel module that has the interfaces of that name.
fn module_of(unit: &str) -> Option<&'static str> {
    Some(match unit.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "epair" => "if_epair",
        "bridge" => "if_bridge",
        "disc" => "if_disc",
        "gif" => "if_gif",
        "tap" | "tun" | "vmnet" => "if_tuntap",
        "vlan" => "if_vlan",
        "lagg" => "if_lagg",
        "vxlan" => "if_vxlan",
        "gre" => "if_gre",
        "stf" => "if_stf",
        "wg" => "if_wg",
        _ => return None,
    })
}

/// Names of requests that change something (sys/sys/sockio.h, sys/netinet6/in6_var.h), by group 'i' and number.
pub fn request_name(request: u32) -> Option<&'static str> {
    Some(match request & 0xff {
        16 if request == 0x8020_6910 => "SIOCSIFFLAGS",
        25 => "SIOCDIFADDR",
        26 | 43 => "SIOCAIFADDR",
        27 if request & 0x4000_0000 == 0 => "SIOCAIFADDR_IN6",
        30 => "SIOCSIFCAP",
        40 => "SIOCSIFNAME",
        41 => "SIOCSIFDESCR",
        49 => "SIOCADDMULTI",
        50 => "SIOCDELMULTI",
        52 => "SIOCSIFMTU",
        54 => "SIOCSIFPHYS",
        55 => "SIOCSIFMEDIA",
        60 => "SIOCSIFLLADDR",
        90 => "SIOCSIFVNET",
        92 => "SIOCSIFFIB",
        121 => "SIOCIFDESTROY",
        122 => "SIOCIFCREATE",
        124 => "SIOCIFCREATE2",
        123 if request & 0x4000_0000 == 0 => "SIOCSDRVSPEC",
        135 => "SIOCAIFGROUP",
        137 => "SIOCDIFGROUP",
        _ => return None,
    })
}

/// Whether a datagram is no answer: it bears no number of a request.
fn is_event(data: &[u8]) -> bool {
    messages(data).any(|item| matches!(item, MessageItem::Message(message) if message.header.seq == 0))
}

/// Interfaces that came and went, without those that netlink requests made and removed; those that are made together once.
struct Units {
    created: std::vec::IntoIter<String>,
    destroyed: std::vec::IntoIter<String>,
}

impl Units {
    fn of(acts: &[Act], heard: &[Heard]) -> Self {
        let mut by_netlink = BTreeSet::new();
        for act in acts {
            if let Deed::Moved { route: true, sent: true, data, .. } = &act.deed {
                by_netlink.extend(links(data).filter_map(|link| {
                    let makes = link.kind == RTM_NEWLINK && link.flags & NLM_F_CREATE != 0;
                    link.name.filter(|_| makes || link.kind == RTM_DELLINK).map(|name| unit_of(&name))
                }));
            }
        }
        let (mut there, mut created, mut destroyed) = (BTreeSet::new(), Vec::new(), Vec::new());
        for link in heard.iter().filter(|event| event.group == LINK).flat_map(|event| links(&event.data)) {
            let Some(name) = link.name else { continue };
            let unit = unit_of(&name);
            // Every network stack has it from its beginning.
            if unit == "lo0" || by_netlink.contains(&unit) {
                continue;
            }
            if link.kind == RTM_NEWLINK && there.insert(unit.clone()) {
                created.push(unit);
            } else if link.kind == RTM_DELLINK && there.remove(&unit) {
                destroyed.push(unit);
            }
        }
        Self { created: created.into_iter(), destroyed: destroyed.into_iter() }
    }
}

/// The interface by whose name it is made: both ends of an epair are made as one.
fn unit_of(name: &str) -> String {
    let ends = name.strip_prefix("epair").and_then(|rest| rest.strip_suffix(['a', 'b']));
    match ends {
        Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("epair{number}")
        }
        _ => name.to_owned(),
    }
}

/// A message about a link.
struct Link {
    kind: u16,
    flags: u16,
    name: Option<String>,
}

fn links(data: &[u8]) -> impl Iterator<Item = Link> {
    messages(data).filter_map(|item| match item {
        MessageItem::Message(message) if matches!(message.header.kind, RTM_NEWLINK | RTM_DELLINK) => {
            Some(Link { kind: message.header.kind, flags: message.header.flags, name: name_in(&message) })
        }
        _ => None,
    })
}

fn name_in(message: &RawMessage<'_>) -> Option<String> {
    let attr = find_attr(message.payload.get(IfInfoMsg::SIZE..)?, IFLA_IFNAME)?;
    std::str::from_utf8(attr.as_str_bytes()?).ok().map(str::to_owned)
}
