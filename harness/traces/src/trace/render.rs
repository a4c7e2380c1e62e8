// SPDX-License-Identifier: BSD-2-Clause
//! A trace as text: one line a message with its header fields, one line an attribute, two spaces a level.
//!
//! ```text
//! step 0
//!   > newlink request|ack|create seq=+0 pid=0 family=unspec type=0 index=0 flags=- change=-
//!       ifname "lo10"
//!       linkinfo
//!         kind "lo"
//!   < error ack seq=+0 pid=$self ...
//!   event link
//!     newlink ...
//! ```
//! Long runs of messages that only count are folded, see `fold`.

use super::console::console_text;
use super::fold::fold;
use super::item::{Item, Kind, Trace};
use super::node::{Node, Val};
use super::text::{ATTRIBUTES, hex, put, quoted};

impl Trace {
    /// The trace as text. Unless the trace is ordered, the events of each step stand behind its replies in
    /// lexical order: multicast is a multiset per step, and sorting makes equal multisets equal texts.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut step = None;
        let mut rest = &self.items[..];
        while let Some(first) = rest.first() {
            let length = rest.iter().take_while(|item| item.step == first.step).count();
            let (items, tail) = rest.split_at(length);
            rest = tail;
            if let Some(number) = first.step.filter(|_| first.step != step) {
                put(&mut text, 0, &format!("step {number}"));
            }
            step = first.step;
            self.step_to_text(items, &mut text);
        }
        text
    }

    /// The first line of each thing that was seen, with its step and time: for showing them among others.
    pub fn headlines(&self) -> Vec<(Option<u32>, u64, String)> {
        self.items.iter().filter_map(headline).collect()
    }

    /// What the kernel printed, a line each, with its step and time.
    pub fn console_lines(&self) -> Vec<(Option<u32>, u64, String)> {
        self.console.lines.iter().filter_map(headline).collect()
    }

    fn step_to_text(&self, items: &[Item], text: &mut String) {
        let (mut texts, mut events) = (Vec::new(), Vec::new());
        for item in items {
            match &item.kind {
                Kind::Resolved(..) => {}
                Kind::Event(..) if !self.ordered => events.push(item_to_text(item)),
                _ => texts.push(item_to_text(item)),
            }
        }
        events.sort();
        fold(&texts, text);
        fold(&events, text);
    }
}

/// One message as text, for showing it alone.
pub fn node_to_text(node: &Node) -> String {
    let mut text = String::new();
    message(&mut text, "", node);
    text
}

/// One message as text behind a mark, such as `> ` for what was sent.
pub fn marked_to_text(mark: &str, node: &Node) -> String {
    let mut text = String::new();
    message(&mut text, mark, node);
    text
}

fn headline(item: &Item) -> Option<(Option<u32>, u64, String)> {
    let line = item_to_text(item).lines().next()?.trim().to_owned();
    Some((item.step, item.t_ns, line))
}

fn item_to_text(item: &Item) -> String {
    let mut text = String::new();
    match &item.kind {
        Kind::Sent(node) => message(&mut text, "> ", node),
        Kind::Reply(node) => message(&mut text, "< ", node),
        Kind::Event(group, node) => message(&mut text, &format!("* {group}: "), node),
        Kind::Resolved(..) => {}
        Kind::Exec { status, stdout, stderr } => {
            put(&mut text, 1, &format!("exec status={status}"));
            for (name, output) in [("out", stdout), ("err", stderr)] {
                for line in output.lines() {
                    put(&mut text, 2, &format!("{name} {}", quoted(line)));
                }
            }
        }
        Kind::Console(line) => put(&mut text, 1, &console_text(line)),
        Kind::Note(note) => put(&mut text, 1, &format!("! {note}")),
        Kind::Lossy(lossy) => put(&mut text, 1, &format!("! inconclusive: {lossy}")),
    }
    text
}

fn message(text: &mut String, mark: &str, node: &Node) {
    put(text, 1, &format!("{mark}{}", line(node)));
    for child in node.children.iter().filter(|child| !child.inline) {
        attribute(text, ATTRIBUTES, child);
    }
}

fn attribute(text: &mut String, level: usize, node: &Node) {
    put(text, level, &line(node));
    for child in node.children.iter().filter(|child| !child.inline) {
        attribute(text, level + 1, child);
    }
}

/// A node with its inline children, on one line.
fn line(node: &Node) -> String {
    let mut line = node.name.clone();
    if node.value != Val::None {
        line.push(' ');
        line.push_str(&value(&node.value));
    }
    for child in node.children.iter().filter(|child| child.inline) {
        if child.name.is_empty() {
            line.push_str(&format!(" {}", value(&child.value)));
        } else {
            line.push_str(&format!(" {}={}", child.name, value(&child.value)));
        }
    }
    line
}

fn value(value: &Val) -> String {
    match value {
        Val::None => String::new(),
        Val::Text(text) => text.clone(),
        Val::Str(text) => quoted(text),
        Val::Num(number) => number.to_string(),
        Val::IfIndex(number) | Val::Seq(number) | Val::Pid(number) | Val::Stamp(number) => number.to_string(),
        Val::HwAddr(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        Val::Ip(address) => address.to_string(),
        Val::Stats(counters) => counters.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
        Val::Bytes(bytes) => hex(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(step: u32, name: &str) -> Item {
        Item { step: Some(step), t_ns: 0, kind: Kind::Event("link".into(), Node::new(name, Val::None)) }
    }

    #[test]
    fn events_of_a_step_are_a_multiset_unless_ordered() {
        let items = vec![event(0, "newlink"), event(0, "dellink"), event(1, "a")];
        let swapped = vec![event(0, "dellink"), event(0, "newlink"), event(1, "a")];
        let trace = |items: &Vec<Item>, ordered| {
            Trace { items: items.clone(), ordered, ..Trace::default() }.to_text()
        };
        assert_eq!(trace(&items, false), trace(&swapped, false));
        assert_ne!(trace(&items, true), trace(&swapped, true));
        assert_eq!(
            trace(&items, true),
            "step 0\n  * link: newlink\n  * link: dellink\nstep 1\n  * link: a\n"
        );
    }

    #[test]
    fn an_event_in_another_step_is_another_trace() {
        let a = Trace { items: vec![event(0, "x"), event(1, "y")], ..Trace::default() };
        let b = Trace { items: vec![event(0, "x"), event(0, "y")], ..Trace::default() };
        assert_ne!(a.to_text(), b.to_text());
    }

    #[test]
    fn attributes_and_header_fields_are_laid_out() {
        let mut node = Node::new("newlink", Val::None);
        node.children.push(Node::inline("seq", Val::Text("+0".into())));
        node.children.push(Node::new("ifname", Val::Str("lo\n\"10".into())));
        let mut nest = Node::new("linkinfo", Val::None);
        nest.children.push(Node::new("kind", Val::Str("lo".into())));
        node.children.push(nest);
        node.children.push(Node::new("99", Val::Bytes(vec![1, 0xab])));
        let trace = Trace {
            items: vec![Item { step: Some(0), t_ns: 0, kind: Kind::Reply(node) }],
            ..Trace::default()
        };
        assert_eq!(
            trace.to_text(),
            "step 0\n  < newlink seq=+0\n      ifname \"lo\\n\\\"10\"\n      linkinfo\n        kind \"lo\"\n      99 0x01ab\n"
        );
    }
}
