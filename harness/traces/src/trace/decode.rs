// SPDX-License-Identifier: BSD-2-Clause
//! Messages to trees of named values, by the wire's tables. Nothing is lost: what the tables do not know
//! is shown as bytes.

use std::net::IpAddr;

use nlproof_wire::consts::{INFINITE_LIFETIME, NLMSG_ERROR, NLMSG_MIN_TYPE};
use nlproof_wire::schema::{
    self, AttrKind, AttrTable, FieldKind, Flag, FlagPart, HeaderField, Message, flag_parts, if_flags,
    ifa_flags, in6_flags, link_type_name, nlm_flags, operstate_name, scope_name,
};
use nlproof_wire::view::{
    AttrItem, IfaCacheInfo, MessageItem, NlMsgErr, RawAttr, RawMessage, RtnlLinkStats64, attrs, messages,
};
use nlproof_wire::{Os, errno_name, family_name};

use super::node::{Node, Val};
use super::text::hex;

/// Name of the node with the part of the request that an acknowledgement echoes.
pub(super) const ECHO: &str = "echo";
/// Inline fields of the netlink header that [`decode_message`] puts before everything else.
pub(super) const HEADER_FIELDS: usize = 3;

/// Who sent a message: the flags of a reply to a GET are the request's (FreeBSD's iface.c copies them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A request.
    Request,
    /// The kernel's answer to one.
    Reply,
    /// The kernel, of its own accord.
    Event,
}

impl Role {
    /// The message type whose flag names hold.
    fn flags_of(self, kind: u16) -> u16 {
        // rtnetlink numbers its types in fours: NEW, DEL, GET, SET.
        match (self, kind & 3) {
            (Role::Reply, 0) if kind >= NLMSG_MIN_TYPE => kind + 2,
            _ => kind,
        }
    }
}

/// Decodes every message of a datagram; bytes that are no message come last.
pub fn decode_datagram(os: Os, role: Role, datagram: &[u8]) -> Vec<Node> {
    messages(datagram)
        .map(|item| match item {
            MessageItem::Message(message) => decode_message(os, role, &message),
            MessageItem::Trailing(trailing) => {
                // What was sent stands in the vector, but for interface indexes, which no pass finds in bytes
                // without a form.
                let value = match role {
                    Role::Request => Val::Text(format!("<{} bytes>", trailing.bytes.len())),
                    Role::Reply | Role::Event => Val::Bytes(trailing.bytes.to_vec()),
                };
                let mut node = Node::new("not-a-message", value);
                node.children.push(Node::inline("cause", Val::Str(trailing.cause.to_string())));
                node
            }
        })
        .collect()
}

/// Decodes one message.
pub fn decode_message(os: Os, role: Role, message: &RawMessage<'_>) -> Node {
    let header = message.header;
    let known = schema::message(os, header.kind);
    let name = known.map_or_else(|| format!("message#{}", header.kind), |known| known.name.to_owned());
    let mut node = Node::new(name, Val::None);
    let table = nlm_flags(os, role.flags_of(header.kind));
    node.children.push(Node::inline("", flags(table, header.flags.into())));
    node.children.push(Node::inline("seq", Val::Seq(header.seq)));
    node.children.push(Node::inline("pid", Val::Pid(header.pid)));
    let Some(known) = known else {
        if !message.payload.is_empty() {
            node.children.push(Node::new("payload", Val::Bytes(message.payload.to_vec())));
        }
        return node;
    };
    let layout = known.layout(header.flags, message.payload);
    if header.kind == NLMSG_ERROR {
        push_ack(os, layout.fixed, layout.echo, &mut node);
        if let Some(table) = known.attrs {
            push_attrs(os, table, layout.rest, &mut node);
        }
    } else {
        push_body(os, known, layout.fixed, layout.rest, &mut node);
    }
    if message.padding.iter().any(|byte| *byte != 0) {
        node.children.push(Node::new("padding", Val::Bytes(message.padding.to_vec())));
    }
    node
}

/// The family header's fields and the attributes.
fn push_body(os: Os, known: &Message, fixed: &[u8], rest: &[u8], node: &mut Node) {
    for field in known.header.fields {
        push_field(os, field, fixed, node);
    }
    match known.attrs {
        Some(table) => push_attrs(os, table, rest, node),
        None if rest.is_empty() => {}
        None => node.children.push(Node::new("payload", Val::Bytes(rest.to_vec()))),
    }
}

fn push_field(os: Os, field: &HeaderField, fixed: &[u8], node: &mut Node) {
    let Some(number) = field.read(fixed) else {
        node.children.push(Node::inline(field.name, Val::Text("<absent>".into())));
        return;
    };
    // Padding that is zero, as it should be, is no news.
    if field.kind == FieldKind::Pad && number == 0 {
        return;
    }
    node.children.push(Node::inline(field.name, field_value(os, field.kind, number)));
}

fn field_value(os: Os, kind: FieldKind, number: i64) -> Val {
    let word = number as u32;
    let named = |name: Option<&'static str>| match name {
        Some(name) => Val::Text(name.to_owned()),
        None => Val::Text(number.to_string()),
    };
    match kind {
        FieldKind::Family => named(family_name(os, number as u8)),
        FieldKind::IfIndex => Val::IfIndex(word),
        FieldKind::IfFlags => flags(if_flags(os), word),
        FieldKind::IfaFlags => flags(ifa_flags(os), word),
        FieldKind::Scope => named(scope_name(number as u8)),
        FieldKind::LinkType => named(link_type_name(os, number as u16)),
        FieldKind::Errno => errno(os, number as i32),
        FieldKind::MsgType => named(schema::message(os, number as u16).map(|message| message.name)),
        _ => Val::Text(number.to_string()),
    }
}

/// An acknowledgement: the error, then the request that it answers with as much as it echoes of it. The
/// `echo` pass shortens an echo that is exactly what was sent.
fn push_ack(os: Os, fixed: &[u8], echo: &[u8], node: &mut Node) {
    let Some(err) = NlMsgErr::parse(fixed) else {
        node.children.push(Node::new("payload", Val::Bytes(fixed.to_vec())));
        return;
    };
    let request = err.request;
    node.children.push(Node::inline("error", errno(os, err.error)));
    let mut quoted = Node::new("request", Val::None);
    quoted.children.push(Node::inline("type", field_value(os, FieldKind::MsgType, request.kind.into())));
    quoted.children.push(Node::inline("len", Val::Num(request.len.into())));
    quoted.children.push(Node::inline("flags", flags(nlm_flags(os, request.kind), request.flags.into())));
    quoted.children.push(Node::inline("seq", Val::Seq(request.seq)));
    quoted.children.push(Node::inline("pid", Val::Pid(request.pid)));
    if !echo.is_empty() {
        let mut echoed = Node::new(ECHO, Val::None);
        match schema::message(os, request.kind) {
            Some(known) => {
                let layout = known.layout(request.flags, echo);
                push_body(os, known, layout.fixed, layout.rest, &mut echoed);
            }
            None => echoed.children.push(Node::new("payload", Val::Bytes(echo.to_vec()))),
        }
        quoted.children.push(echoed);
    }
    node.children.push(quoted);
}

/// The error by name, with a sign that this system does not use shown as it is.
fn errno(os: Os, wire: i32) -> Val {
    let errno = os.wire_errno(wire);
    match errno_name(os, errno) {
        _ if errno == 0 => Val::Text("0".into()),
        Some(name) => Val::Text(name.to_owned()),
        None => Val::Text(wire.to_string()),
    }
}

fn flags(table: &'static [Flag], value: u32) -> Val {
    let parts: Vec<String> = flag_parts(table, value)
        .map(|part| match part {
            FlagPart::Named(flag) => flag.name.to_owned(),
            FlagPart::Unnamed(bits) => format!("{bits:#x}"),
        })
        .collect();
    Val::Text(if parts.is_empty() { "-".into() } else { parts.join("|") })
}

fn push_attrs(os: Os, table: &AttrTable, list: &[u8], node: &mut Node) {
    for item in attrs(list) {
        node.children.push(match item {
            AttrItem::Attr(attr) => attribute(os, table, list, &attr),
            AttrItem::Trailing(trailing) => {
                let mut rest = Node::new("not-an-attribute", Val::Bytes(trailing.bytes.to_vec()));
                rest.children.push(Node::inline("cause", Val::Str(trailing.cause.to_string())));
                rest
            }
        });
    }
}

fn attribute(os: Os, table: &AttrTable, list: &[u8], attr: &RawAttr<'_>) -> Node {
    let spec = table.by_number(attr.number());
    let name = spec.map_or_else(|| format!("{}#{}", table.name, attr.number()), |spec| spec.name.to_owned());
    let mut node = Node::new(name, Val::None);
    if attr.nested_flag() {
        node.children.push(Node::inline("", Val::Text("(nested)".into())));
    }
    if attr.net_byteorder_flag() {
        node.children.push(Node::inline("", Val::Text("(net-byteorder)".into())));
    }
    let kind = spec.map_or(AttrKind::Binary, |spec| spec.kind.in_list(list));
    match kind {
        // The cookie of a FreeBSD acknowledgement is a list of link attributes (nl_store_ifp_cookie).
        AttrKind::Binary if spec.is_some_and(|spec| spec.name == "cookie") && os == Os::FreeBsd => {
            match schema::message_by_name(os, "newlink").and_then(|message| message.attrs) {
                Some(table) => push_attrs(os, table, attr.payload, &mut node),
                None => node.value = Val::Bytes(attr.payload.to_vec()),
            }
        }
        AttrKind::Nested(inner) => push_attrs(os, inner, attr.payload, &mut node),
        AttrKind::CacheInfo => match IfaCacheInfo::parse(attr.payload) {
            Some(info) if attr.payload.len() == IfaCacheInfo::SIZE => {
                let seconds = |seconds| match seconds {
                    INFINITE_LIFETIME => Val::Text("infinite".into()),
                    seconds => Val::Num(seconds.into()),
                };
                node.children.push(Node::inline("preferred", seconds(info.preferred)));
                node.children.push(Node::inline("valid", seconds(info.valid)));
                node.children.push(Node::inline("cstamp", Val::Stamp(info.created)));
                node.children.push(Node::inline("tstamp", Val::Stamp(info.updated)));
            }
            _ => node.value = odd(attr.payload),
        },
        _ => node.value = scalar(os, kind, attr).unwrap_or_else(|| odd(attr.payload)),
    }
    if attr.padding.iter().any(|byte| *byte != 0) {
        node.children.push(Node::inline("padding", Val::Bytes(attr.padding.to_vec())));
    }
    node
}

/// A payload of a size that its kind does not have.
fn odd(payload: &[u8]) -> Val {
    Val::Text(format!("<{} bytes: {}>", payload.len(), hex(payload)))
}

fn scalar(os: Os, kind: AttrKind, attr: &RawAttr<'_>) -> Option<Val> {
    let payload = attr.payload;
    if !kind.accepts(os, payload.len()) {
        return None;
    }
    Some(match kind {
        AttrKind::U8 => Val::Num(attr.as_u8()?.into()),
        AttrKind::OperState => {
            let state = attr.as_u8()?;
            operstate_name(state).map_or(Val::Num(state.into()), |name| Val::Text(name.into()))
        }
        AttrKind::U16 => Val::Num(attr.as_u16()?.into()),
        AttrKind::Be16 => Val::Num(attr.as_u16()?.swap_bytes().into()),
        AttrKind::EtherType => Val::Text(format!("{:#06x}", attr.as_u16()?)),
        AttrKind::U32 => Val::Num(attr.as_u32()?.into()),
        AttrKind::I32 => Val::Text(attr.as_u32()?.cast_signed().to_string()),
        AttrKind::U64 => Val::Num(attr.as_u64()?),
        AttrKind::IfIndex => Val::IfIndex(attr.as_u32()?),
        AttrKind::IfaFlags => flags(ifa_flags(os), attr.as_u32()?),
        AttrKind::In6Flags => flags(in6_flags(), attr.as_u32()?),
        AttrKind::Str => Val::Str(text(payload)?),
        AttrKind::Flag => Val::None,
        AttrKind::HwAddr => Val::HwAddr(payload.to_vec()),
        AttrKind::IpAddr => Val::Ip(match <[u8; 4]>::try_from(payload) {
            Ok(octets) => IpAddr::from(octets),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(payload).ok()?),
        }),
        // Linux appends counters that FreeBSD does not have: those are shown as bytes.
        AttrKind::Stats64 if payload.len() == RtnlLinkStats64::SIZE => {
            Val::Stats(Box::new(RtnlLinkStats64::parse(payload)?.counters))
        }
        AttrKind::BitWords | AttrKind::Binary | AttrKind::Stats64 => Val::Bytes(payload.to_vec()),
        AttrKind::CacheInfo | AttrKind::Nested(_) | AttrKind::ByKind(_) => return None,
    })
}

/// A string attribute's text, if it is terminated exactly once, at its end.
fn text(payload: &[u8]) -> Option<String> {
    let (last, text) = payload.split_last()?;
    (*last == 0 && !text.contains(&0)).then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use nlproof_wire::consts::{IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, NLM_F_REQUEST, RTM_NEWLINK};
    use nlproof_wire::tree::{Attr, Message};
    use nlproof_wire::view::{IfInfoMsg, NlMsgHdr};

    use super::*;
    use crate::trace::node_to_text;

    /// What stands below `linkinfo`.
    fn link_info(os: Os, attrs: Vec<Attr>) -> String {
        let header = NlMsgHdr { len: 0, kind: RTM_NEWLINK, flags: NLM_F_REQUEST, seq: 1, pid: 0 };
        let info = Attr::nested(IFLA_LINKINFO, attrs);
        let mut bytes = Vec::new();
        Message::new(header, IfInfoMsg::default().to_bytes().to_vec(), vec![info]).encode_to(&mut bytes);
        let text: Vec<_> = decode_datagram(os, Role::Request, &bytes).iter().map(node_to_text).collect();
        text.concat()
            .split_once("linkinfo\n")
            .map_or(String::new(), |(_, inner)| inner.replace("        ", ""))
    }

    fn kind(name: &[u8]) -> Attr {
        Attr::string(IFLA_INFO_KIND, name)
    }

    fn data(bytes: &[u8]) -> Attr {
        Attr::bytes(IFLA_INFO_DATA, bytes.to_vec())
    }

    #[test]
    fn data_is_shown_by_its_kind() {
        let vlan = [6, 0, 1, 0, 22, 0, 0, 0, 6, 0, 5, 0, 0xa8, 0x88, 0, 0];
        let bytes = "data 0x060001001600000006000500a8880000\n";
        let freebsd = |attrs| link_info(Os::FreeBsd, attrs);
        let named = "data\n  id 22\n  protocol 0x88a8\n";
        assert_eq!(freebsd(vec![kind(b"vlan"), data(&vlan)]), format!("kind \"vlan\"\n{named}"));
        assert_eq!(freebsd(vec![data(&vlan), kind(b"vlan")]), format!("{named}kind \"vlan\"\n"));
        assert_eq!(freebsd(vec![data(&vlan)]), bytes, "no kind");
        assert_eq!(freebsd(vec![kind(b"lo"), data(&vlan)]), format!("kind \"lo\"\n{bytes}"));
        let linux = link_info(Os::Linux, vec![kind(b"vlan"), data(&vlan)]);
        assert!(linux.ends_with("protocol 43144\n"), "{linux}");
        let gif = [8, 0, 1, 0, 192, 0, 2, 1, 6, 0, 3, 0, 1, 0, 0, 0, 4, 0, 9, 0];
        let gif = freebsd(vec![kind(b"gif"), data(&gif)]);
        let shown = "data\n  local 192.0.2.1\n  flags <2 bytes: 0x0100>\n  ifla_iptun#9 0x\n";
        assert_eq!(gif, format!("kind \"gif\"\n{shown}"));
    }
}
