// SPDX-License-Identifier: BSD-2-Clause
//! Requests that a load asks very often, and waits in scripts.

use nlproof_agent::{Count, Patch, ReplyEnd, Send, Step, Until};
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};
use nlproof_wire::view::{IfAddrMsg, IfInfoMsg, NlMsgHdr};

/// nlmsg_seq of every request: a socket has one at a time.
const SEQ: u32 = 1;
/// Limit for an answer, after which it counts as lost. In the guest's time.
const ANSWER_MS: u32 = 60_000;
/// Where `ifi_index` and `ifa_index` stand in a message.
const INDEX: u32 = 20;

/// Lines of a script that wait while a condition holds, at most this many tenths of a second, and its commands when the
/// time is over.
pub(super) fn wait_while(condition: &str, tenths: u32, otherwise: &str) -> String {
    format!(
        "tries=0; while {condition} && [ $tries -lt {tenths} ]; do sleep 0.1; tries=$((tries + 1)); done
[ $tries -lt {tenths} ] || {otherwise}"
    )
}

/// Several sockets that ask again and again.
pub(super) fn count(lanes: Vec<Vec<Send>>, until: Until, command: Vec<String>, rest_ms: u32) -> Step {
    Step::Count(Count { lanes, until, command, rest_ms, limit_ms: ANSWER_MS })
}

/// A dump of all interfaces.
pub(super) fn dump_links() -> Send {
    send(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, link(0, 0), Vec::new()), None)
}

/// A dump of the IPv4 addresses of all interfaces.
pub(super) fn dump_addresses() -> Send {
    send(message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, address(0), Vec::new()), None)
}

/// One interface, by its name.
pub(super) fn get_link(name: &str) -> Send {
    let attrs = vec![Attr::string(IFLA_IFNAME, name.as_bytes())];
    Send { end: ReplyEnd::Message, ..send(message(RTM_GETLINK, NLM_F_REQUEST, link(0, 0), attrs), None) }
}

/// A new `lo` clone.
pub(super) fn create(name: &str) -> Send {
    let kind = Attr::nested(IFLA_LINKINFO, vec![Attr::string(IFLA_INFO_KIND, b"lo")]);
    let attrs = vec![Attr::string(IFLA_IFNAME, name.as_bytes()), kind];
    send(message(RTM_NEWLINK, REQUEST | NLM_F_CREATE | NLM_F_EXCL, link(0, 0), attrs), None)
}

/// The destruction of an interface.
pub(super) fn destroy(name: &str) -> Send {
    send(message(RTM_DELLINK, REQUEST, link(0, 0), Vec::new()), Some(name))
}

/// Up or down, with another mtu.
pub(super) fn set_link(name: &str, up: bool, mtu: u32) -> Send {
    let attrs = vec![Attr::bytes(IFLA_MTU, mtu.to_ne_bytes())];
    let flags = if up { IFF_UP } else { 0 };
    send(message(RTM_NEWLINK, REQUEST, link(flags, IFF_UP), attrs), Some(name))
}

/// A description.
pub(super) fn set_description(name: &str, text: &str) -> Send {
    let attrs = vec![Attr::string(IFLA_IFALIAS, text.as_bytes())];
    send(message(RTM_NEWLINK, REQUEST, link(0, 0), attrs), Some(name))
}

/// An IPv4 address is added.
pub(super) fn add_address(name: &str, inet: [u8; 4]) -> Send {
    change_address(RTM_NEWADDR, name, inet)
}

/// An IPv4 address is taken away.
pub(super) fn delete_address(name: &str, inet: [u8; 4]) -> Send {
    change_address(RTM_DELADDR, name, inet)
}

const REQUEST: u16 = NLM_F_REQUEST | NLM_F_ACK;

fn change_address(kind: u16, name: &str, inet: [u8; 4]) -> Send {
    send(message(kind, REQUEST, address(32), vec![Attr::bytes(IFA_LOCAL, inet)]), Some(name))
}

fn link(flags: u32, change: u32) -> Vec<u8> {
    IfInfoMsg { flags, change, ..IfInfoMsg::default() }.to_bytes().to_vec()
}

fn address(prefixlen: u8) -> Vec<u8> {
    IfAddrMsg { family: AF_INET, prefixlen, ..IfAddrMsg::default() }.to_bytes().to_vec()
}

fn message(kind: u16, flags: u16, head: Vec<u8>, attrs: Vec<Attr>) -> Vec<u8> {
    let header = NlMsgHdr { kind, flags, seq: SEQ, ..NlMsgHdr::default() };
    let mut bytes = Vec::new();
    Message::new(header, head, attrs).encode_to(&mut bytes);
    bytes
}

fn send(data: Vec<u8>, interface: Option<&str>) -> Send {
    let patches =
        interface.map(|name| Patch { offset: INDEX, ifname: name.to_owned() }).into_iter().collect();
    Send { data, patches, seq: SEQ, end: ReplyEnd::End, limit_ms: ANSWER_MS, settle_ms: 0 }
}

#[cfg(test)]
mod tests {
    use nlproof_agent::{NO_LIMIT_MS, Privilege, Program, SocketOptions};
    use nlproof_wire::Os;

    use super::*;
    use crate::targets::freebsd::host_stack::shell;

    #[test]
    fn requests_are_well_formed_and_the_agent_takes_them() {
        let requests = vec![
            dump_links(),
            dump_addresses(),
            get_link("lo0"),
            create("lo7"),
            destroy("lo7"),
            set_link("lo7", true, 9000),
            set_description("lo7", "busy"),
            add_address("lo7", [10, 0, 0, 1]),
            delete_address("lo7", [10, 0, 0, 1]),
        ];
        for request in &requests {
            assert_eq!(nlproof_wire::strict::walk(Os::FreeBsd, &request.data), Ok(()), "{request:?}");
        }
        let program = Program {
            id: 0,
            name: "requests".into(),
            privilege: Privilege::Outside,
            socket: SocketOptions::default(),
            groups: vec![],
            cards: vec![],
            settings: vec![],
            steps: vec![count(vec![requests], Until::Requests(9), shell("true"), 0)],
            limit_ms: NO_LIMIT_MS,
            kernel_trace: false,
        };
        assert_eq!(program.check(), Ok(()));
    }
}
