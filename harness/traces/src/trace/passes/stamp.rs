// SPDX-License-Identifier: BSD-2-Clause
//! `ifa_cacheinfo` stamps are uptimes in milliseconds: they become `<uptime>` when a message's update stamp is
//! not before its creation stamp and neither is zero; otherwise they stay as they are.

use super::super::item::Trace;
use super::super::node::Val;
use super::messages;

pub(super) fn redact(trace: &mut Trace) {
    for message in messages(trace) {
        message.walk_mut(&mut |node| {
            let stamp = |name: &str| match node.child(name).map(|child| &child.value) {
                Some(Val::Stamp(stamp)) => Some(*stamp),
                _ => None,
            };
            let plausible = match (stamp("cstamp"), stamp("tstamp")) {
                (Some(created), Some(updated)) => created > 0 && updated >= created,
                _ => return,
            };
            for child in node.children.iter_mut() {
                if let Val::Stamp(stamp) = child.value {
                    child.value =
                        if plausible { Val::Text("<uptime>".into()) } else { Val::Num(stamp.into()) };
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::node::Node;
    use super::super::testing::{replies, values};
    use super::*;

    fn cacheinfo(created: u32, updated: u32) -> Node {
        let mut node = Node::new("cacheinfo", Val::None);
        node.children.push(Node::inline("cstamp", Val::Stamp(created)));
        node.children.push(Node::inline("tstamp", Val::Stamp(updated)));
        node
    }

    #[test]
    fn plausible_stamps_are_redacted_and_others_stay() {
        let mut trace = replies(vec![cacheinfo(5, 7), cacheinfo(9, 7), cacheinfo(0, 0)]);
        redact(&mut trace);
        let redacted = Val::Text("<uptime>".into());
        assert_eq!(values(&trace, "tstamp"), [redacted.clone(), Val::Num(7), Val::Num(0)]);
        assert_eq!(values(&trace, "cstamp"), [redacted, Val::Num(9), Val::Num(0)]);
    }
}
