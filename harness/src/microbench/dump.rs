// SPDX-License-Identifier: BSD-2-Clause
//! A simulated kernel with many interfaces, asked for all of them.

use std::time::Instant;

use iface_sim::{Errno, Privilege, Profile, Sim, SocketId, SocketOptions};
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};
use nlproof_wire::view::{IfInfoMsg, MessageItem, NlMsgHdr, messages};

/// lo0 and clones of it, behind a request socket.
#[derive(Debug)]
pub struct Dump {
    sim: Sim,
    socket: SocketId,
    request: Vec<u8>,
}

impl Dump {
    /// A dump with that many interfaces, at least one.
    ///
    /// # Errors
    /// An errno of the request that makes an interface.
    pub fn new(profile: Profile, interfaces: u32) -> Result<Self, Errno> {
        let sim = Sim::new(profile);
        let socket = sim.socket(SocketOptions::default(), Privilege::Root);
        for number in 1..interfaces {
            sim.send(socket, &create(number))?;
            while sim.recv(socket).is_some() {}
        }
        let request = message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, Vec::new());
        Ok(Self { sim, socket, request })
    }

    /// Has the simulated kernel traced from now on, by this machine's clock.
    pub fn trace(&self) {
        let started = Instant::now();
        self.sim.trace(move || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    /// Asks once and takes the probes' records; returns how many interfaces the answer has, and how many probes fired.
    #[must_use]
    pub fn ask_traced(&self) -> (u64, u64) {
        let links = self.ask();
        (links, self.sim.kernel_records().len() as u64)
    }

    /// Asks once; the datagrams of the answer.
    pub fn answer(&self) -> impl Iterator<Item = Vec<u8>> {
        // The request is no shorter than a header and no longer than a buffer: it is always taken.
        let sent = self.sim.send(self.socket, &self.request);
        debug_assert!(sent.is_ok(), "{sent:?}");
        std::iter::from_fn(|| self.sim.recv(self.socket))
    }

    /// Asks once; how many interfaces the answer has.
    #[must_use]
    pub fn ask(&self) -> u64 {
        self.answer().map(|datagram| links(&datagram)).sum()
    }
}

fn links(datagram: &[u8]) -> u64 {
    let link = |item: &MessageItem<'_>| matches!(item, MessageItem::Message(found) if found.header.kind == RTM_NEWLINK);
    messages(datagram).filter(link).count() as u64
}

fn create(number: u32) -> Vec<u8> {
    let kind = Attr::nested(IFLA_LINKINFO, vec![Attr::string(IFLA_INFO_KIND, b"lo")]);
    let name = Attr::string(IFLA_IFNAME, format!("lo{number}").as_bytes());
    message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, vec![name, kind])
}

fn message(kind: u16, flags: u16, attrs: Vec<Attr>) -> Vec<u8> {
    let header = NlMsgHdr { kind, flags, seq: 1, ..NlMsgHdr::default() };
    let mut bytes = Vec::new();
    Message::new(header, IfInfoMsg::default().to_bytes(), attrs).encode_to(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traced_dump_says_so_for_every_interface() {
        let dump = Dump::new(Profile::R15, 7).unwrap();
        assert_eq!(dump.ask_traced(), (7, 0));
        dump.trace();
        // The request with its parsing, the dump, and each message.
        assert_eq!(dump.ask_traced(), (7, 5 + 7));
    }

    #[test]
    fn a_dump_has_every_interface_in_every_profile() {
        for profile in Profile::ALL {
            for interfaces in [1, 40] {
                let dump = Dump::new(profile, interfaces).unwrap();
                assert_eq!(dump.ask(), u64::from(interfaces), "{profile}");
                assert_eq!(dump.ask(), u64::from(interfaces), "{profile}, asked again");
            }
        }
    }
}
