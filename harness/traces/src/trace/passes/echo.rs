// SPDX-License-Identifier: BSD-2-Clause
//! The echo of a request in its acknowledgement: if it is exactly what was sent, one word says so; if not,
//! all of it stays to be read.

use super::super::decode::{ECHO, HEADER_FIELDS};
use super::super::item::{Kind, Trace};
use super::super::node::{Node, Val};

pub(super) fn shorten(trace: &mut Trace) {
    let mut sent: Vec<Node> = Vec::new();
    for item in &mut trace.items {
        match &mut item.kind {
            Kind::Sent(node) => sent.push(node.clone()),
            Kind::Reply(node) => {
                let quoted = node.children.iter_mut().filter(|child| child.name == "request");
                quoted.for_each(|quoted| shorten_one(quoted, &sent));
            }
            _ => {}
        }
    }
}

fn shorten_one(quoted: &mut Node, sent: &[Node]) {
    let seq = quoted.child("seq").map(|child| child.value.clone());
    let request = sent.iter().rev().find(|node| node.child("seq").map(|child| child.value.clone()) == seq);
    let Some(body) = request.and_then(|node| node.children.get(HEADER_FIELDS..)) else { return };
    for child in &mut quoted.children {
        if child.name == ECHO && !child.inline && child.children == body {
            *child = Node::inline(ECHO, Val::Text("exact".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use nlproof_wire::Os;
    use nlproof_wire::consts::{NLM_F_REQUEST, NLMSG_ERROR, RTM_GETLINK};
    use nlproof_wire::view::NlMsgHdr;

    use super::super::super::decode::{Role, decode_datagram};
    use super::super::super::item::Item;
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let len = 16 + payload.len() as u32;
        let header = NlMsgHdr { len, kind, flags: NLM_F_REQUEST, seq: 5, pid: 0 };
        [&header.to_bytes()[..], payload].concat()
    }

    fn trace(echoed_flags: u8) -> Trace {
        let request = message(RTM_GETLINK, &[0; 16]);
        let mut echoed = request.clone();
        echoed[24] = echoed_flags;
        let reply = message(NLMSG_ERROR, &[&19_u32.to_le_bytes()[..], &echoed].concat());
        let mut trace = Trace::default();
        for (bytes, kind) in [(request, Kind::Sent as fn(Node) -> Kind), (reply, Kind::Reply)] {
            for node in decode_datagram(Os::FreeBsd, Role::Request, &bytes) {
                trace.items.push(Item { step: Some(0), t_ns: 0, kind: kind(node) });
            }
        }
        shorten(&mut trace);
        trace
    }

    #[test]
    fn an_exact_echo_is_one_word_and_another_stays() {
        assert!(trace(0).to_text().contains(" echo=exact\n"), "{}", trace(0).to_text());
        let other = trace(1).to_text();
        assert!(other.contains("echo family=unspec type=0 index=0 flags=up change=-\n"), "{other}");
    }
}
