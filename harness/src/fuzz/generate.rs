// SPDX-License-Identifier: BSD-2-Clause
//! Requests from the schema: every message and attribute that the tables have, in the order in which a client could send them.

use nlproof_agent::{Privilege, SocketOptions};
use nlproof_wire::consts::freebsd::AF_INET6;
use nlproof_wire::consts::{
    AF_INET, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL,
    NLM_F_REQUEST, RTM_DELADDR, RTM_DELLINK, RTM_GETADDR, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK, RTM_SETLINK,
};
use nlproof_wire::schema::{self, AttrKind, AttrSpec, AttrTable, FieldKind, HeaderField};
use nlproof_wire::view::IfaCacheInfo;

use super::no_index::NO_INDEX;
use super::rng::Rng;
use super::settle::{ROUNDS, settle};
use super::words::{self, KINDS};
use super::world::{OS, World};
use crate::draft::{Draft, DraftAttr, DraftMessage, DraftRace, DraftStep, Payload, RaceLength};

/// The most steps of a draft.
pub(super) const STEPS: usize = 6;
/// The most messages of a datagram.
pub(super) const MESSAGES: usize = 5;
/// How many drafts of a hundred end in a race.
const RACES: usize = 12;
/// How deep nests are.
const DEPTH: u32 = 3;
/// Attributes that the interface code reads.
const READ: [&str; 14] = [
    "address",
    "broadcast",
    "cacheinfo",
    "flags",
    "freebsd",
    "group",
    "ifalias",
    "ifname",
    "label",
    "link",
    "linkinfo",
    "local",
    "master",
    "mtu",
];
/// Attributes that change one interface together: what one of them does may be wrong behind another one alone.
const CHANGE: [&str; 2] = ["ifalias", "mtu"];

/// A new draft.
pub(super) fn draft(rng: &mut Rng) -> Draft {
    let mut draft = Draft {
        privilege: match rng.below(40) {
            0 => Privilege::Unprivileged,
            1 => Privilege::Jailed,
            _ => Privilege::Root,
        },
        socket: socket(rng),
        groups: groups(rng),
        modules: Vec::new(),
        sysctl: Vec::new(),
        steps: Vec::new(),
    };
    let mut world = World::new();
    for _ in 0..=rng.below(STEPS) {
        draft.steps.push(step(rng, &mut world));
    }
    if rng.chance(RACES) {
        draft.steps.push(race(rng, &world));
    }
    settle(&mut draft);
    draft
}

pub(super) fn socket(rng: &mut Rng) -> SocketOptions {
    SocketOptions {
        ext_ack: rng.chance(80),
        cap_ack: rng.chance(25),
        strict: rng.chance(15),
        receive_buffer: None,
        event_buffer: None,
    }
}

fn groups(rng: &mut Rng) -> Vec<String> {
    if !rng.chance(20) {
        return Vec::new();
    }
    let ours = |name: &&str| name.contains("link") || name.contains("ifaddr");
    let names = schema::groups(OS).iter().map(|group| group.name).filter(ours);
    names.filter(|_| rng.chance(60)).map(str::to_owned).collect()
}

/// A datagram.
pub(super) fn step(rng: &mut Rng, world: &mut World) -> DraftStep {
    let count = if rng.chance(65) { 1 } else { 2 + rng.below(MESSAGES - 1) };
    let messages = (0..count).map(|_| {
        let message = message(rng, world);
        world.hear(&message);
        message
    });
    DraftStep::Datagram(messages.collect())
}

/// Two or three sockets that ask at once: as often as not two of them for the same, and all of them of one interface.
pub(super) fn race(rng: &mut Rng, world: &World) -> DraftStep {
    let count = 2 + rng.below(2);
    let mut sockets: Vec<_> = (0..count).map(|_| message(rng, world)).collect();
    if rng.chance(50)
        && let [first, second, ..] = sockets.as_mut_slice()
    {
        second.clone_from(first);
    }
    if rng.chance(50)
        && let Some(index) = sockets.iter().find_map(|message| message.index.clone())
    {
        sockets.iter_mut().filter(|message| message.index.is_some()).for_each(|message| {
            message.index = Some(index.clone());
        });
    }
    DraftStep::Race(DraftRace::free(RaceLength::Rounds(ROUNDS), sockets))
}

/// A message.
pub(super) fn message(rng: &mut Rng, world: &World) -> DraftMessage {
    let kind = match rng.below(100) {
        0..38 => RTM_NEWLINK,
        38..48 => RTM_DELLINK,
        48..60 => RTM_GETLINK,
        60..80 => RTM_NEWADDR,
        80..87 => RTM_DELADDR,
        87..95 => RTM_GETADDR,
        95..97 => RTM_SETLINK,
        // Of routes and neighbours the simulator knows nothing.
        _ => rng.one(&[0, 1, 2, 3, 4, 15, 23, 99, 130, u16::MAX]),
    };
    let mut message = DraftMessage {
        kind,
        flags: flags(rng, kind),
        header: Vec::new(),
        index: None,
        attrs: Vec::new(),
        tail: Vec::new(),
        len: None,
        cut: 0,
        reply: None,
    };
    let Some(spec) = schema::message(OS, kind) else {
        let len = rng.below(32);
        message.tail = rng.bytes(len);
        return message;
    };
    message.header = vec![0; spec.header.size];
    let family = family(rng, kind);
    for field in spec.header.fields {
        fill(rng, world, field, family, &mut message);
    }
    let Some(table) = spec.attrs else { return message };
    if kind == RTM_NEWLINK && message.flags & NLM_F_CREATE != 0 {
        message.attrs = creation(rng);
    } else if rng.chance(60) && matches!(kind, RTM_NEWLINK | RTM_DELLINK | RTM_GETLINK | RTM_SETLINK) {
        message.attrs.push(string(IFLA_IFNAME, &words::name(rng, &world.there)));
    }
    for _ in 0..rng.below(4) {
        if let Some(spec) = attr_spec(rng, table) {
            let attr = attr(rng, world, spec, family, DEPTH);
            let at = rng.below(message.attrs.len() + 1);
            message.attrs.insert(at, attr);
        }
    }
    message
}

/// An attribute of a table: as often as not one that the interface code reads, and often one that changes an interface.
pub(super) fn attr_spec(rng: &mut Rng, table: &'static AttrTable) -> Option<&'static AttrSpec> {
    let names: &[&str] = match rng.below(4) {
        0 => &CHANGE,
        1 => &READ,
        _ => &[],
    };
    let some: Vec<_> = table.attrs.iter().filter(|spec| names.contains(&spec.name)).collect();
    match rng.maybe(&some) {
        Some(spec) => Some(spec),
        None => rng.maybe(table.attrs),
    }
}

/// Flags of a message.
pub(super) fn flags(rng: &mut Rng, kind: u16) -> u16 {
    let mut flags = NLM_F_REQUEST;
    if rng.chance(95) {
        flags |= NLM_F_ACK;
    }
    match kind {
        RTM_NEWLINK | RTM_NEWADDR => {
            flags |= if rng.chance(60) { NLM_F_CREATE } else { 0 };
            flags |= if rng.chance(20) { NLM_F_EXCL } else { 0 };
        }
        RTM_GETLINK | RTM_GETADDR => flags |= if rng.chance(50) { NLM_F_DUMP } else { 0 },
        _ => {}
    }
    if rng.chance(5) {
        flags ^= 1 << rng.below(12);
    }
    flags
}

fn family(rng: &mut Rng, kind: u16) -> u8 {
    match kind {
        RTM_NEWADDR | RTM_DELADDR | RTM_GETADDR => match rng.below(20) {
            0..9 => AF_INET,
            9..17 => AF_INET6,
            17 => 0,
            _ => u8::try_from(rng.below(40)).unwrap_or_default(),
        },
        _ => match rng.below(20) {
            0 => AF_INET,
            1 => u8::try_from(rng.below(256)).unwrap_or_default(),
            _ => 0,
        },
    }
}

fn fill(rng: &mut Rng, world: &World, field: &HeaderField, family: u8, message: &mut DraftMessage) {
    let value = match field.kind {
        FieldKind::Family => family.into(),
        FieldKind::IfIndex => match rng.below(20) {
            0..11 => {
                message.index = rng.maybe(&world.there).cloned();
                0
            }
            11..18 => 0,
            // No index that an interface has in one place and not in another.
            _ => i64::from(rng.one(&[NO_INDEX, 0x7fff_ffff, u32::MAX])),
        },
        FieldKind::U8 => match (family, rng.below(4)) {
            (AF_INET, 0) => 24,
            (AF_INET, 1) => 32,
            (AF_INET6, 0) => 64,
            (AF_INET6, 1) => 128,
            (_, 2) => i64::try_from(rng.below(140)).unwrap_or_default(),
            _ => 0,
        },
        FieldKind::IfFlags if rng.chance(30) => {
            i64::from(rng.one(&[0x1_u32, 0x100, 0x101, 0x8000, 0x20000, 0x1001, u32::MAX]))
        }
        FieldKind::IfaFlags if rng.chance(20) => i64::from(rng.word() & 0xff),
        FieldKind::Scope if rng.chance(20) => i64::from(rng.one(&[0_u32, 200, 253, 254, 255])),
        FieldKind::LinkType if rng.chance(10) => i64::from(rng.one(&[1_u32, 6, 24, 772, 0xffff])),
        FieldKind::Pad if rng.chance(3) => 1,
        _ => 0,
    };
    // What does not fit stays zero.
    field.write(&mut message.header, value);
}

/// What makes an interface: its name and kind, which mostly belong together.
fn creation(rng: &mut Rng) -> Vec<DraftAttr> {
    let (kind, name, _) = rng.one(&KINDS);
    let kind = if rng.chance(85) { kind.to_owned() } else { words::kind(rng) };
    let name = if rng.chance(85) { name.to_owned() } else { words::name(rng, &[]) };
    let mut inner = vec![string(IFLA_INFO_KIND, &kind)];
    if kind == "vlan" || rng.chance(10) {
        // IFLA_VLAN_ID with a tag.
        let tag = u8::try_from(rng.below(30)).unwrap_or_default();
        let data = rng.one(&[vec![6, 0, 1, 0, tag, 0, 0, 0], vec![], vec![6, 0, 1, 0, 0xff, 0xff, 0, 0]]);
        inner.push(DraftAttr { kind: 2, payload: Payload::Bytes(data), len: None });
    }
    let linkinfo = DraftAttr { kind: IFLA_LINKINFO, payload: Payload::Nest(inner), len: None };
    let mut attrs = vec![string(IFLA_IFNAME, &name), linkinfo];
    match rng.below(20) {
        0 => drop(attrs.remove(0)),
        1 => drop(attrs.remove(1)),
        2 => attrs.reverse(),
        _ => {}
    }
    attrs
}

fn string(kind: u16, text: &str) -> DraftAttr {
    DraftAttr { kind, payload: Payload::Bytes([text.as_bytes(), &[0]].concat()), len: None }
}

/// An attribute of a table.
pub(super) fn attr(rng: &mut Rng, world: &World, spec: &AttrSpec, family: u8, depth: u32) -> DraftAttr {
    let mut attr =
        DraftAttr { kind: spec.number, payload: payload(rng, world, spec, family, depth), len: None };
    if rng.chance(4)
        && let Payload::Bytes(bytes) = &mut attr.payload
    {
        bytes.resize(rng.below(bytes.len() + 4), 0);
    }
    if rng.chance(2) {
        attr.len = Some(u16::try_from(rng.below(40)).unwrap_or_default());
    }
    if rng.chance(1) {
        attr.kind |= rng.one(&[0x8000, 0x4000, 0x100]);
    }
    attr
}

fn payload(rng: &mut Rng, world: &World, spec: &AttrSpec, family: u8, depth: u32) -> Payload {
    let number = |rng: &mut Rng| words::number(rng).to_le_bytes().to_vec();
    Payload::Bytes(match spec.kind {
        AttrKind::U8 | AttrKind::OperState => rng.bytes(1),
        AttrKind::U16 | AttrKind::Be16 | AttrKind::EtherType => rng.bytes(2),
        AttrKind::U32 | AttrKind::I32 | AttrKind::IfaFlags | AttrKind::In6Flags => number(rng),
        AttrKind::U64 => rng.bytes(8),
        AttrKind::Flag => Vec::new(),
        AttrKind::Str => {
            let text = match spec.name {
                "ifname" | "label" | "alt_ifname" | "orig_ifname" => words::name(rng, &world.there),
                "kind" | "slave_kind" if rng.chance(90) => words::kind(rng),
                _ => words::text(rng),
            };
            let end: &[u8] = if rng.chance(95) { &[0] } else { &[] };
            [text.as_bytes(), end].concat()
        }
        AttrKind::HwAddr => words::hwaddr(rng),
        AttrKind::IpAddr => match (family, rng.chance(92)) {
            (AF_INET, true) | (AF_INET6, false) => words::inet(rng),
            _ => words::inet6(rng),
        },
        AttrKind::IfIndex => match rng.maybe(&world.there) {
            Some(name) if rng.chance(75) => return Payload::Index(name.clone()),
            _ => rng.one(&[0_u32, NO_INDEX, 0x7fff_ffff, u32::MAX]).to_le_bytes().to_vec(),
        },
        AttrKind::CacheInfo => {
            let preferred = words::number(rng);
            let valid = words::number(rng);
            IfaCacheInfo { preferred, valid, ..IfaCacheInfo::default() }.to_bytes().to_vec()
        }
        AttrKind::Nested(table) => return Payload::Nest(nest(rng, world, table, family, depth)),
        // Of whatever kind the list has: what does not fit is worth asking, too.
        AttrKind::ByKind(by) => match rng.maybe(by.tables) {
            Some((_, table)) => return Payload::Nest(nest(rng, world, table, family, depth)),
            None => Vec::new(),
        },
        AttrKind::Stats64 | AttrKind::BitWords | AttrKind::Binary => {
            let len = rng.one(&[0, 1, 4, 8, 16, 64]);
            rng.bytes(len)
        }
    })
}

fn nest(rng: &mut Rng, world: &World, table: &'static AttrTable, family: u8, depth: u32) -> Vec<DraftAttr> {
    if depth == 0 {
        return Vec::new();
    }
    let mut attrs = Vec::new();
    for _ in 0..rng.below(4) {
        if let Some(spec) = rng.maybe(table.attrs) {
            attrs.push(attr(rng, world, spec, family, depth - 1));
        }
    }
    attrs
}
