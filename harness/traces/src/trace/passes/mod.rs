// SPDX-License-Identifier: BSD-2-Clause
//! Normalising passes: each renames one kind of value that differs between two runs of the same kernel.
//! A pass checks the shape of a value before it renames it, and leaves alone what does not fit, so that a
//! kernel that answers nonsense still differs from its golden.

mod console;
mod echo;
mod hwaddr;
mod ifindex;
mod output;
mod pointer;
mod portid;
mod seq;
mod stamp;
mod stats;

use super::item::{Kind, Trace};
use super::node::Node;

/// All passes, in order. `base` gives the first `nlmsg_seq` of each step.
pub fn normalise(trace: &mut Trace, base: impl Fn(u32) -> u32) {
    // What stays is what is compared.
    console::set_apart(trace);
    // Before anything is renamed: an echo is compared with what was sent.
    echo::shorten(trace);
    // Interface indexes first: the counters of an interface are told apart by its index.
    stats::check_and_redact(trace);
    ifindex::rename(trace);
    seq::relative(trace, base);
    portid::rename(trace);
    hwaddr::rename(trace);
    stamp::redact(trace);
    pointer::rename(trace);
    output::rename(trace);
}

/// Every message of the trace, in order.
fn messages(trace: &mut Trace) -> impl Iterator<Item = &mut Node> {
    trace.items.iter_mut().filter_map(|item| match &mut item.kind {
        Kind::Sent(node) | Kind::Reply(node) | Kind::Event(_, node) => Some(node),
        _ => None,
    })
}

#[cfg(test)]
mod testing {
    //! Short hands for the passes' tests.

    use super::super::item::{Item, Kind, Trace};
    use super::super::node::{Node, Val};

    /// A trace of replies in step 0.
    pub(super) fn replies(nodes: Vec<Node>) -> Trace {
        let items =
            nodes.into_iter().map(|node| Item { step: Some(0), t_ns: 0, kind: Kind::Reply(node) }).collect();
        Trace { items, pid: 77, ..Trace::default() }
    }

    /// A message with one value.
    pub(super) fn with(name: &str, value: Val) -> Node {
        let mut node = Node::new("newlink", Val::None);
        node.children.push(Node::new(name, value));
        node
    }

    /// The values of all nodes with this name.
    pub(super) fn values(trace: &Trace, name: &str) -> Vec<Val> {
        let mut found = Vec::new();
        for item in &trace.items {
            if let Kind::Reply(node) | Kind::Sent(node) | Kind::Event(_, node) = &item.kind {
                node.walk(&mut |node| {
                    if node.name == name {
                        found.push(node.value.clone());
                    }
                });
            }
        }
        found
    }
}
