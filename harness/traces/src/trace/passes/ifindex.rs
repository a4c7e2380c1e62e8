// SPDX-License-Identifier: BSD-2-Clause
//! Interface indexes become the interface's name: `$lo10`. Which index is whose is learnt from the trace
//! itself: from what the guest resolved, and from every message that carries an index and an IFLA_IFNAME.
//! An index that the trace never names stays a number, as does 0.

use std::collections::HashMap;

use super::super::item::{Kind, Trace};
use super::super::node::{Node, Val};

pub(super) fn rename(trace: &mut Trace) {
    // The first name that each index ever has, for messages that come before any that names it.
    let mut first: HashMap<u32, String> = HashMap::new();
    for item in &trace.items {
        for (index, name) in named(&item.kind) {
            first.entry(index).or_insert(name);
        }
    }
    // The name that it has now: an index may be given again, and an interface may be renamed.
    let mut current: HashMap<u32, String> = HashMap::new();
    for item in &mut trace.items {
        current.extend(named(&item.kind));
        let (Kind::Sent(node) | Kind::Reply(node) | Kind::Event(_, node)) = &mut item.kind else { continue };
        node.walk_mut(&mut |node| {
            if let Val::IfIndex(index) = node.value {
                node.value = match current.get(&index).or_else(|| first.get(&index)) {
                    Some(name) if index != 0 => Val::Text(format!("${name}")),
                    _ => Val::Num(index.into()),
                };
            }
        });
    }
}

/// The indexes that an item names.
fn named(kind: &Kind) -> Vec<(u32, String)> {
    match kind {
        Kind::Resolved(name, index) => vec![(*index, name.clone())],
        Kind::Reply(node) | Kind::Event(_, node) => {
            let mut found = Vec::new();
            node.walk(&mut |node| found.extend(index_and_name(node)));
            found
        }
        _ => Vec::new(),
    }
}

/// A link message (`index` and `ifname`) or an acknowledgement's cookie (`new_ifindex` and `ifname`).
fn index_and_name(node: &Node) -> Option<(u32, String)> {
    let index = node.child("index").or_else(|| node.child("new_ifindex"))?;
    match (&index.value, &node.child("ifname")?.value) {
        (Val::IfIndex(index), Val::Str(name)) => Some((*index, name.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::item::Item;
    use super::super::testing::{replies, values, with};
    use super::*;

    fn link(index: u32, name: &str) -> Node {
        let mut node = with("ifname", Val::Str(name.into()));
        node.children.push(Node::inline("index", Val::IfIndex(index)));
        node
    }

    #[test]
    fn an_index_takes_the_name_it_has_at_that_time() {
        let mut trace = replies(vec![
            with("index", Val::IfIndex(3)),
            link(3, "lo10"),
            with("index", Val::IfIndex(3)),
            link(3, "epair0a"),
            with("index", Val::IfIndex(3)),
            with("index", Val::IfIndex(9999)),
            with("index", Val::IfIndex(0)),
        ]);
        rename(&mut trace);
        let text = |text: &str| Val::Text(text.into());
        assert_eq!(
            values(&trace, "index"),
            [
                text("$lo10"),
                text("$lo10"),
                text("$lo10"),
                text("$epair0a"),
                text("$epair0a"),
                Val::Num(9999),
                Val::Num(0)
            ]
        );
    }

    #[test]
    fn what_the_guest_resolved_counts() {
        let mut trace = replies(vec![with("index", Val::IfIndex(4))]);
        trace.items.push(Item { step: None, t_ns: 0, kind: Kind::Resolved("lo0".into(), 4) });
        rename(&mut trace);
        assert_eq!(values(&trace, "index"), [Val::Text("$lo0".into())]);
    }
}
