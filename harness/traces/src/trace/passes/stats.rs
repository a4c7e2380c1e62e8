// SPDX-License-Identifier: BSD-2-Clause
//! Interface counters: within one vector no counter of an interface ever falls. If that holds they become
//! `<monotonic>`; a counter that fell is named with both values.

use std::collections::HashMap;

use nlproof_wire::view::STATS64_NAMES;

use super::super::item::Trace;
use super::super::node::{Node, Val};
use super::messages;

pub(super) fn check_and_redact(trace: &mut Trace) {
    let mut last: HashMap<(u32, String), [u64; 24]> = HashMap::new();
    for message in messages(trace) {
        let key = interface(message);
        message.walk_mut(&mut |node| {
            let Val::Stats(counters) = &node.value else { return };
            let before = key.as_ref().and_then(|key| last.insert(key.clone(), **counters));
            node.value = Val::Text(match before.and_then(|before| fallen(&before, counters)) {
                None => "<monotonic>".into(),
                Some(text) => text,
            });
        });
    }
}

/// Index and name: an index is given again after an interface is destroyed.
fn interface(message: &Node) -> Option<(u32, String)> {
    match (&message.child("index")?.value, &message.child("ifname")?.value) {
        (Val::IfIndex(index), Val::Str(name)) => Some((*index, name.clone())),
        _ => None,
    }
}

fn fallen(before: &[u64; 24], now: &[u64; 24]) -> Option<String> {
    let position = before.iter().zip(now).position(|(before, now)| now < before)?;
    Some(format!("{} fell from {} to {}", STATS64_NAMES[position], before[position], now[position]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{replies, values};
    use super::*;

    fn link(index: u32, rx_packets: u64) -> Node {
        let mut counters = [0; 24];
        counters[0] = rx_packets;
        let mut node = Node::new("newlink", Val::None);
        node.children.push(Node::inline("index", Val::IfIndex(index)));
        node.children.push(Node::new("ifname", Val::Str("lo0".into())));
        node.children.push(Node::new("stats64", Val::Stats(Box::new(counters))));
        node
    }

    #[test]
    fn counters_that_rise_are_redacted_and_one_that_fell_is_named() {
        let mut trace = replies(vec![link(1, 5), link(1, 6), link(2, 0), link(1, 4)]);
        check_and_redact(&mut trace);
        let good = Val::Text("<monotonic>".into());
        let bad = Val::Text("rx_packets fell from 6 to 4".into());
        assert_eq!(values(&trace, "stats64"), [good.clone(), good.clone(), good, bad]);
    }
}
