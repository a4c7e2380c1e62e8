// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a conversation with the simulated kernel of every profile.

use iface_sim::{Privilege, Profile, Sim, SocketId, SocketOptions};
use nlproof_traces::import::conversation;
use nlproof_wire::Os;
use nlproof_wire::consts::*;
use nlproof_wire::strict::{self, Options};
use nlproof_wire::tree::Message;
use nlproof_wire::view::{IfAddrMsg, IfInfoMsg, MessageItem, NlMsgHdr, RawMessage, messages};

/// Bytes of the receive buffer of the event socket that overflows.
const SMALL: usize = 512;

/// A conversation as bytes, in the form of [`conversation`].
///
/// `options`: bit 0 extended acks, 1 capped acks, 2 strict checks, 3 unbound, 4 unprivileged, 5 a small
/// receive buffer, 6 in a jail without a network stack of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Options of the requests' socket.
    pub options: SocketOptions,
    /// Who opened it.
    pub privilege: Privilege,
    /// The receive buffer is small.
    pub small: bool,
    /// The messages to send, one after the other.
    pub datagrams: Vec<Vec<u8>>,
}

impl Conversation {
    /// Any bytes are a conversation.
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        let (options, datagrams) = conversation(data);
        let bit = |number: u8| options & 1 << number != 0;
        let datagrams = datagrams.into_iter().map(<[u8]>::to_vec).collect();
        Self {
            options: SocketOptions { ext_ack: bit(0), cap_ack: bit(1), strict: bit(2), bound: !bit(3) },
            privilege: match (bit(4), bit(6)) {
                (true, _) => Privilege::Unprivileged,
                (false, true) => Privilege::Jailed,
                (false, false) => Privilege::Root,
            },
            small: bit(5),
            datagrams,
        }
    }

    /// The bytes of which this is the decoding. A datagram is cut at 65,535 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let SocketOptions { ext_ack, cap_ack, strict, bound } = self.options;
        let is = |privilege| self.privilege == privilege;
        let (unprivileged, jailed) = (is(Privilege::Unprivileged), is(Privilege::Jailed));
        let bits = [ext_ack, cap_ack, strict, !bound, unprivileged, self.small, jailed];
        let mut bytes = vec![(0..).zip(bits).map(|(number, bit)| u8::from(bit) << number).sum()];
        for datagram in &self.datagrams {
            let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_le_bytes());
            bytes.extend(&datagram[..usize::from(length)]);
        }
        bytes
    }
}

/// One conversation from arbitrary bytes with each profile.
///
/// # Panics
/// The kernel panics, answers with a malformed message, keeps a reference, or does not tell in a dump what
/// there is.
pub fn netlink(data: &[u8]) {
    let conversation = Conversation::decode(data);
    for profile in Profile::ALL {
        Kernel::new(profile, &conversation).converse(&conversation);
    }
}

struct Kernel {
    profile: Profile,
    sim: Sim,
    requests: SocketId,
    /// Sockets of the groups, the last one of which overflows.
    groups: Vec<SocketId>,
    /// Asks for dumps and may.
    onlooker: SocketId,
}

impl Kernel {
    fn new(profile: Profile, conversation: &Conversation) -> Self {
        let sim = Sim::new(profile);
        let privilege = match sim.may_open(conversation.privilege) {
            Ok(()) => conversation.privilege,
            Err(_) => Privilege::JailedWithSockets,
        };
        let requests = sim.socket(conversation.options, privilege);
        if conversation.small {
            sim.set_receive_buffer(requests, SMALL);
        }
        let mut groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK]
            .map(|group| sim.join(group))
            .to_vec();
        if let Some(&last) = groups.last() {
            sim.set_receive_buffer(last, SMALL);
        }
        let onlooker = sim.socket(SocketOptions::default(), Privilege::Unprivileged);
        groups.shrink_to_fit();
        Self { profile, sim, requests, groups, onlooker }
    }

    fn converse(&self, conversation: &Conversation) {
        for datagram in &conversation.datagrams {
            let sent = self.sim.send(self.requests, datagram);
            assert_eq!(sent.is_ok(), datagram.len() >= NLMSG_HDRLEN, "{}: {sent:?}", self.profile);
            assert_eq!(self.sim.held(), 0, "{}: a reference is held after a request", self.profile);
            let taken_up = self.sim.as_taken_up(datagram);
            while let Some(reply) = self.sim.recv(self.requests) {
                self.well_formed(&reply, Some(&taken_up));
            }
            for &group in &self.groups {
                while let Some(event) = self.sim.recv(group) {
                    self.well_formed(&event, None);
                }
            }
            self.sim.advance(1);
        }
        self.links();
        self.addresses();
        assert_eq!(self.sim.held(), 0, "{}: a reference is held after a dump", self.profile);
    }

    /// Every message is well-formed and known to the wire crate. `request` is what was sent; without one the
    /// datagram is an event.
    fn well_formed(&self, datagram: &[u8], request: Option<&[u8]>) {
        let shown = |what: &str| format!("{}: {what}: {datagram:02x?}", self.profile);
        assert!(!datagram.is_empty(), "{}", shown("an empty datagram"));
        for item in messages(datagram) {
            let MessageItem::Message(message) = item else { panic!("{}", shown("cut off")) };
            let bytes = &datagram[message.offset..message.offset + message.header.len as usize];
            match request {
                Some(sent) if message.header.kind == NLMSG_ERROR => quotes(&message, sent, &shown),
                Some(_) => {}
                None => {
                    let event = NlMsgHdr {
                        len: message.header.len,
                        kind: message.header.kind,
                        ..NlMsgHdr::default()
                    };
                    assert_eq!(message.header, event, "{}", shown("an event answers nobody"));
                }
            }
            // Attributes of a FreeBSD kernel that the tables do not have are a hole in the tables.
            let walked = strict::walk_with(Os::FreeBsd, bytes, Options { unknown: true });
            assert!(
                walked.is_ok(),
                "{}: {}",
                shown("malformed"),
                walked.err().map_or_else(String::new, |fault| fault.to_string())
            );
        }
    }

    /// A dump names every interface once.
    fn links(&self) {
        let mut dumped: Vec<u32> = self
            .dump(RTM_GETLINK, &IfInfoMsg::default().to_bytes(), RTM_NEWLINK)
            .iter()
            .filter_map(|payload| IfInfoMsg::parse(payload))
            .map(|info| info.index.cast_unsigned())
            .collect();
        let mut there: Vec<u32> = self.sim.interfaces().map(|(_, index)| index).collect();
        let mut names: Vec<String> = self.sim.interfaces().map(|(name, _)| name).collect();
        dumped.sort_unstable();
        there.sort_unstable();
        assert_eq!(dumped, there, "{}: the dump and the interfaces", self.profile);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), there.len(), "{}: two interfaces of one name", self.profile);
        there.dedup();
        assert_eq!(names.len(), there.len(), "{}: two interfaces of one index", self.profile);
    }

    /// Every address is of an interface that is there.
    fn addresses(&self) {
        let there: Vec<u32> = self.sim.interfaces().map(|(_, index)| index).collect();
        for payload in self.dump(RTM_GETADDR, &IfAddrMsg::default().to_bytes(), RTM_NEWADDR) {
            let index = IfAddrMsg::parse(&payload).map(|info| info.index);
            assert!(
                index.is_some_and(|index| there.contains(&index)),
                "{}: an address of nothing",
                self.profile
            );
        }
    }

    /// The payloads of a dump's messages. The seed and 13 answer dumps of addresses as dumps, too.
    fn dump(&self, kind: u16, fixed: &[u8], answer: u16) -> Vec<Vec<u8>> {
        let header = NlMsgHdr { kind, flags: NLM_F_REQUEST | NLM_F_DUMP, seq: 1, ..NlMsgHdr::default() };
        let mut request = Vec::new();
        Message::new(header, fixed, Vec::new()).encode_to(&mut request);
        assert_eq!(self.sim.send(self.onlooker, &request), Ok(()));
        let (mut payloads, mut done) = (Vec::new(), 0);
        while let Some(reply) = self.sim.recv(self.onlooker) {
            self.well_formed(&reply, Some(&request));
            for item in messages(&reply) {
                let MessageItem::Message(message) = item else { continue };
                assert_eq!(done, 0, "{}: something comes after the end of a dump", self.profile);
                match message.header.kind {
                    kind if kind == answer => payloads.push(message.payload.to_vec()),
                    NLMSG_DONE => done += 1,
                    other => panic!("{}: message {other} in a dump of {kind}", self.profile),
                }
            }
        }
        assert_eq!(done, 1, "{}: a dump ends once", self.profile);
        payloads
    }
}

/// An acknowledgement quotes the header of a message that was sent; the kernel writes the port itself.
fn quotes(message: &RawMessage<'_>, sent: &[u8], shown: &dyn Fn(&str) -> String) {
    let quoted = message.payload.get(4..20).unwrap_or_default();
    let is_it = |item: MessageItem<'_>| match item {
        MessageItem::Message(found) => sent.get(found.offset..found.offset + 12) == quoted.get(..12),
        MessageItem::Trailing(_) => false,
    };
    assert!(messages(sent).any(is_it), "{}", shown("an acknowledgement of something else"));
}
