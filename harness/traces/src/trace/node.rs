// SPDX-License-Identifier: BSD-2-Clause
//! A decoded message as a tree of named values. Values that differ between two runs of one kernel keep
//! their type, so that the passes can check a value before they rename it.

use std::net::IpAddr;

/// A message, header field, or attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The kernel headers' name, in lower case without prefix.
    pub name: String,
    /// Value of the node; [`Val::None`] for nests.
    pub value: Val,
    /// Whether it stands on its parent's line (header fields) or on a line of its own (attributes).
    pub inline: bool,
    /// Header fields and nested attributes, in wire order.
    pub children: Vec<Node>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Val {
    /// No value of its own.
    None,
    /// Final text: rendered as it is.
    Text(String),
    /// Text from the wire, rendered quoted and escaped.
    Str(String),
    /// A number.
    Num(u64),
    /// An interface index.
    IfIndex(u32),
    /// `nlmsg_seq`.
    Seq(u32),
    /// `nlmsg_pid`.
    Pid(u32),
    /// A link-level address.
    HwAddr(Vec<u8>),
    /// An IP address.
    Ip(IpAddr),
    /// The 24 counters of `rtnl_link_stats64`, in wire order.
    Stats(Box<[u64; 24]>),
    /// Uptime in milliseconds (`ifa_cacheinfo` stamps).
    Stamp(u32),
    /// Bytes without known meaning.
    Bytes(Vec<u8>),
}

impl Node {
    /// A node on a line of its own.
    pub fn new(name: impl Into<String>, value: Val) -> Self {
        Self { name: name.into(), value, inline: false, children: Vec::new() }
    }

    /// A node on its parent's line.
    pub fn inline(name: impl Into<String>, value: Val) -> Self {
        Self { inline: true, ..Self::new(name, value) }
    }

    /// Applies `f` to this node and to all below it, parents first.
    pub fn walk_mut(&mut self, f: &mut impl FnMut(&mut Node)) {
        f(self);
        for child in &mut self.children {
            child.walk_mut(f);
        }
    }

    /// Applies `f` to this node and to all below it, parents first.
    pub fn walk<'a>(&'a self, f: &mut impl FnMut(&'a Node)) {
        f(self);
        for child in &self.children {
            child.walk(f);
        }
    }

    /// The first child with this name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }
}
