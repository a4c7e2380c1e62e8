// SPDX-License-Identifier: BSD-2-Clause
//! What the tests share: requests by name, answers in short.

use iface_sim::{Privilege, Profile, Sim, SocketId, SocketOptions};
use nlproof_wire::Os;
use nlproof_wire::consts::freebsd::{AF_INET6, IFA_FREEBSD};
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Datagram, Message};
use nlproof_wire::view::{IfAddrMsg, IfInfoMsg, IfaCacheInfo, NlMsgHdr};

pub(crate) const ACK: u16 = NLM_F_REQUEST | NLM_F_ACK;
pub(crate) const CREATE: u16 = ACK | NLM_F_CREATE | NLM_F_EXCL;
pub(crate) const DUMP: u16 = NLM_F_REQUEST | NLM_F_DUMP;

/// A vnet with a request socket.
pub(crate) struct Vnet {
    pub(crate) sim: Sim,
    pub(crate) socket: SocketId,
}

/// What an acknowledgement says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) error: i32,
    pub(crate) text: String,
    pub(crate) offset: Option<u32>,
    /// Index and name.
    pub(crate) cookie: Option<(u32, String)>,
    pub(crate) flags: u16,
}

impl Ack {
    /// Error and text alone.
    pub(crate) fn brief(&self) -> (i32, &str) {
        (self.error, &self.text)
    }
}

impl Vnet {
    /// With a socket that asks for texts.
    pub(crate) fn new(profile: Profile) -> Self {
        Self::with(profile, SocketOptions { ext_ack: true, ..SocketOptions::default() }, Privilege::Root)
    }

    pub(crate) fn with(profile: Profile, options: SocketOptions, privilege: Privilege) -> Self {
        let sim = Sim::new(profile);
        let socket = sim.socket(options, privilege);
        Self { sim, socket }
    }

    /// The messages that wait in a socket, all datagrams together.
    pub(crate) fn drain(&self, socket: SocketId) -> Vec<Message> {
        let datagrams = std::iter::from_fn(|| self.sim.recv(socket));
        datagrams.flat_map(|bytes| Datagram::decode(Os::FreeBsd, &bytes).messages).collect()
    }

    /// Sends one message and takes all answers.
    pub(crate) fn ask(&self, message: &Message) -> Vec<Message> {
        let mut bytes = Vec::new();
        message.encode_to(&mut bytes);
        self.sim.send(self.socket, &bytes).expect("a whole message");
        self.drain(self.socket)
    }

    /// Sends one message whose only answer is an acknowledgement.
    pub(crate) fn ack(&self, message: &Message) -> Ack {
        match &self.ask(message)[..] {
            [answer] if answer.header.kind == NLMSG_ERROR => ack(answer),
            other => panic!("one acknowledgement expected: {other:?}"),
        }
    }

    pub(crate) fn index(&self, name: &str) -> u32 {
        self.sim.interfaces().find(|(known, _)| known == name).map_or(0, |(_, index)| index)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.sim.interfaces().map(|(name, _)| name).collect()
    }

    /// Creates an interface and expects that to work. An epair is asked for without its letter.
    pub(crate) fn create(&self, name: &str, kind: &str) -> u32 {
        let ack = self.ack(&create(name.trim_end_matches('a'), kind, &[]));
        assert_eq!(ack.error, 0, "{ack:?}");
        self.index(name)
    }

    /// The one interface of that name, as RTM_GETLINK shows it.
    pub(crate) fn link(&self, name: &str) -> Message {
        match &self.ask(&link(
            RTM_GETLINK,
            NLM_F_REQUEST,
            0,
            vec![Attr::string(IFLA_IFNAME, name.as_bytes())],
        ))[..]
        {
            [answer] => answer.clone(),
            other => panic!("one interface expected: {other:?}"),
        }
    }

    /// All addresses of an interface.
    pub(crate) fn addresses(&self, index: u32) -> Vec<Message> {
        let mut answers = self.ask(&address(RTM_GETADDR, DUMP, 0, 0, index, vec![]));
        assert_eq!(answers.pop().map(|done| done.header.kind), Some(NLMSG_DONE));
        answers
    }
}

/// The header of a message about an interface.
pub(crate) fn info(message: &Message) -> IfInfoMsg {
    IfInfoMsg::parse(&message.fixed).expect("a whole header")
}

pub(crate) fn number(attr: Option<&Attr>) -> Option<u32> {
    let bytes = attr?.as_bytes()?;
    bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(crate) fn text(attr: Option<&Attr>) -> Option<String> {
    let bytes = attr?.as_bytes()?;
    Some(String::from_utf8_lossy(bytes.strip_suffix(&[0])?).into_owned())
}

pub(crate) fn ack(answer: &Message) -> Ack {
    let error = answer.fixed.first_chunk().map_or(-1, |error| i32::from_le_bytes(*error));
    let cookie = answer.get(NLMSGERR_ATTR_COOKIE).map(|cookie| {
        (number(cookie.get(IFLA_NEW_IFINDEX)).unwrap_or(0), text(cookie.get(IFLA_IFNAME)).unwrap_or_default())
    });
    Ack {
        error,
        text: text(answer.get(NLMSGERR_ATTR_MSG)).unwrap_or_default(),
        offset: number(answer.get(NLMSGERR_ATTR_OFFS)),
        cookie,
        flags: answer.header.flags,
    }
}

pub(crate) fn header(kind: u16, flags: u16) -> NlMsgHdr {
    NlMsgHdr { len: 0, kind, flags, seq: 7, pid: 99 }
}

pub(crate) fn link(kind: u16, flags: u16, index: u32, attrs: Vec<Attr>) -> Message {
    flagged(kind, flags, index, 0, 0, attrs)
}

pub(crate) fn flagged(
    kind: u16,
    flags: u16,
    index: u32,
    if_flags: u32,
    change: u32,
    attrs: Vec<Attr>,
) -> Message {
    let info = IfInfoMsg { index: index.cast_signed(), flags: if_flags, change, ..IfInfoMsg::default() };
    Message::new(header(kind, flags), info.to_bytes(), attrs)
}

pub(crate) fn create(name: &str, kind: &str, more: &[Attr]) -> Message {
    let mut attrs = vec![
        Attr::string(IFLA_IFNAME, name.as_bytes()),
        Attr::nested(IFLA_LINKINFO, vec![Attr::string(IFLA_INFO_KIND, kind.as_bytes())]),
    ];
    attrs.extend_from_slice(more);
    link(RTM_NEWLINK, CREATE, 0, attrs)
}

pub(crate) fn mtu(mtu: u32) -> Attr {
    Attr::bytes(IFLA_MTU, mtu.to_le_bytes())
}

pub(crate) fn alias(alias: &str) -> Attr {
    Attr::string(IFLA_IFALIAS, alias.as_bytes())
}

pub(crate) fn address(
    kind: u16,
    flags: u16,
    family: u8,
    prefixlen: u8,
    index: u32,
    attrs: Vec<Attr>,
) -> Message {
    let info = IfAddrMsg { family, prefixlen, index, ..IfAddrMsg::default() };
    Message::new(header(kind, flags), info.to_bytes(), attrs)
}

pub(crate) fn inet(kind: u16, index: u32, prefixlen: u8, local: [u8; 4]) -> Message {
    address(kind, ACK, AF_INET, prefixlen, index, vec![Attr::bytes(IFA_LOCAL, local)])
}

/// An IPv6 address that never expires.
pub(crate) fn inet6(kind: u16, index: u32, prefixlen: u8, local: &str) -> Message {
    let for_ever = IfaCacheInfo { preferred: u32::MAX, valid: u32::MAX, ..IfaCacheInfo::default() };
    let attrs = vec![Attr::bytes(IFA_LOCAL, v6(local)), Attr::bytes(IFA_CACHEINFO, for_ever.to_bytes())];
    address(kind, ACK, AF_INET6, prefixlen, index, attrs)
}

pub(crate) fn v6(text: &str) -> [u8; 16] {
    text.parse::<std::net::Ipv6Addr>().expect("an IPv6 address").octets()
}

/// An event in short: what happened, to which interface or address, flags, change.
pub(crate) fn brief(event: &Message) -> String {
    assert_eq!((event.header.flags, event.header.seq, event.header.pid), (0, 0, 0), "{event:?}");
    match event.header.kind {
        RTM_NEWLINK | RTM_DELLINK => {
            let info = IfInfoMsg::parse(&event.fixed).expect("a whole header");
            let verb = if event.header.kind == RTM_NEWLINK { "new" } else { "del" };
            let name = text(event.get(IFLA_IFNAME)).unwrap_or_default();
            format!("{verb} {name} flags {:#x} change {:#x}", info.flags, info.change)
        }
        RTM_NEWADDR | RTM_DELADDR => {
            let info = IfAddrMsg::parse(&event.fixed).expect("a whole header");
            let verb = if event.header.kind == RTM_NEWADDR { "new" } else { "del" };
            let label = text(event.get(IFA_LABEL)).unwrap_or_default();
            let address = match event.get(IFA_ADDRESS).and_then(Attr::as_bytes) {
                Some(&[a, b, c, d]) => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
                Some(bytes) => {
                    <[u8; 16]>::try_from(bytes).map(std::net::Ipv6Addr::from).expect("16 bytes").to_string()
                }
                None => String::from("nothing"),
            };
            format!("{verb} {label} {address}/{}", info.prefixlen)
        }
        kind => format!("message {kind}"),
    }
}

/// Numbers of the attributes of a message.
pub(crate) fn kinds(message: &Message) -> Vec<u16> {
    message.attrs.iter().map(Attr::number).collect()
}

/// The nest of an address message that is FreeBSD's own.
pub(crate) const FREEBSD_NEST: u16 = IFA_FREEBSD;
