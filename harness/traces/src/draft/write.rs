// SPDX-License-Identifier: BSD-2-Clause
//! A draft as a vector: the file that people keep, in the names of the tables where they have them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use nlproof_agent::Privilege;
use nlproof_wire::schema::{self, AttrKind, AttrTable, FieldKind, FlagPart, HeaderField, flag_parts};
use nlproof_wire::schema::{if_flags, ifa_flags, nlm_flags};
use nlproof_wire::view::IfaCacheInfo;
use nlproof_wire::{Os, family_name};
use serde_json::{Map, Value, json};

use super::model::{Draft, DraftAttr, DraftMessage, DraftStep, Payload, Reply};
use crate::file::FileError;
use crate::vector::{Malformation, Vector, malformations, parse_vector};

impl Draft {
    /// The vector of this id that asks the same.
    ///
    /// # Errors
    /// The draft has no steps, or a part that does not fit into a message: an attribute above 65,535 bytes, say.
    pub fn vector(&self, os: Os, id: &str) -> Result<Vector, FileError> {
        parse_vector(id, Path::new(id), &self.text(os, "generated", &BTreeSet::new(), &[])?)
    }

    /// The file of the vector: `about` is its sentence, `story` lines of a comment above. What is malformed is declared.
    ///
    /// # Errors
    /// As [`Draft::vector`].
    pub fn to_yaml(&self, os: Os, about: &str, story: &[String]) -> Result<String, FileError> {
        let malformed = malformations(&self.vector(os, "draft")?)?;
        self.text(os, about, &malformed, story)
    }

    fn text(
        &self,
        os: Os,
        about: &str,
        malformed: &BTreeSet<Malformation>,
        story: &[String],
    ) -> Result<String, FileError> {
        let mut file = Map::new();
        file.insert("about".into(), about.into());
        let mut needs = Map::new();
        match self.privilege {
            Privilege::Unprivileged => drop(needs.insert("privilege".into(), "unprivileged".into())),
            Privilege::Jailed => drop(needs.insert("privilege".into(), "jailed".into())),
            Privilege::Root | Privilege::Outside => {}
        }
        needs.insert("os".into(), json!([os.name()]));
        put_list(&mut needs, "modules", &self.modules);
        file.insert("needs".into(), needs.into());
        put_list(&mut file, "groups", &self.groups);
        let socket = self.socket();
        if !socket.is_empty() {
            file.insert("socket".into(), socket.into());
        }
        put_list(&mut file, "malformed", &malformed.iter().map(ToString::to_string).collect::<Vec<_>>());
        file.insert("steps".into(), self.steps.iter().map(|step| step_value(os, step)).collect());
        let mut text = String::from("# SPDX-License-Identifier: BSD-2-Clause\n");
        for line in story.iter().flat_map(|line| line.lines()) {
            // A write to a String does not fail.
            writeln!(text, "{}", format!("# {line}").trim_end()).ok();
        }
        let body = serde_saphyr::to_string(&Value::Object(file));
        text.push_str(&body.map_err(|error| FileError::whole(Path::new("draft"), error.to_string()))?);
        Ok(text)
    }

    fn socket(&self) -> Map<String, Value> {
        let mut socket = Map::new();
        let flags = [
            ("ext-ack", self.socket.ext_ack),
            ("cap-ack", self.socket.cap_ack),
            ("strict", self.socket.strict),
        ];
        for (name, _) in flags.iter().filter(|(_, set)| *set) {
            socket.insert((*name).to_owned(), true.into());
        }
        let sizes =
            [("receive-buffer", self.socket.receive_buffer), ("event-buffer", self.socket.event_buffer)];
        for (name, size) in sizes {
            if let Some(size) = size {
                socket.insert(name.to_owned(), size.into());
            }
        }
        socket
    }
}

fn put_list(map: &mut Map<String, Value>, key: &str, list: &[String]) {
    if !list.is_empty() {
        map.insert(key.to_owned(), json!(list));
    }
}

fn step_value(os: Os, step: &DraftStep) -> Value {
    match step {
        DraftStep::Datagram(messages) => match messages.as_slice() {
            [message] => json!({ "send": message_value(os, message) }),
            messages => {
                let messages: Vec<_> = messages.iter().map(|message| message_value(os, message)).collect();
                json!({ "datagram": messages })
            }
        },
        DraftStep::Exec { argv, limit_ms } => json!({"exec": {"argv": argv, "limit-ms": limit_ms}}),
        DraftStep::Wait { quiet_ms, limit_ms } => {
            json!({"wait": {"quiet-ms": quiet_ms, "limit-ms": limit_ms}})
        }
    }
}

fn message_value(os: Os, draft: &DraftMessage) -> Value {
    let mut map = Map::new();
    let message = schema::message(os, draft.kind);
    map.insert("message".into(), message.map_or(json!(draft.kind), |message| message.name.into()));
    let flags = named(flag_parts(nlm_flags(os, draft.kind), draft.flags.into()));
    put_list(&mut map, "flags", &flags.0);
    if let Some(message) = message {
        let fields = message.header.fields.iter();
        let header: Map<_, _> = fields.filter_map(|field| field_value(os, field, draft)).collect();
        if !header.is_empty() {
            map.insert("header".into(), header.into());
        }
    }
    let table = message.and_then(|message| message.attrs);
    if !draft.attrs.is_empty() {
        map.insert("attrs".into(), attrs_value(table, &draft.attrs));
    }
    if !draft.tail.is_empty() {
        map.insert("tail".into(), hex(&draft.tail).into());
    }
    if let Some(len) = draft.len {
        map.insert("len".into(), len.into());
    }
    if draft.cut > 0 {
        map.insert("cut".into(), draft.cut.into());
    }
    if let Some(reply) = draft.reply {
        let word = match reply {
            Reply::Message => "message",
            Reply::End => "ack",
            Reply::Nothing => "nothing",
        };
        map.insert("reply".into(), word.into());
    }
    map.into()
}

/// The names of flags, and the bits that have none.
fn named(parts: impl Iterator<Item = FlagPart>) -> (Vec<String>, u32) {
    let mut names = Vec::new();
    let mut unnamed = 0;
    for part in parts {
        match part {
            FlagPart::Named(flag) => names.push(flag.name.to_owned()),
            FlagPart::Unnamed(bits) => unnamed = bits,
        }
    }
    (names, unnamed)
}

fn field_value(os: Os, field: &HeaderField, draft: &DraftMessage) -> Option<(String, Value)> {
    let name = field.name.to_owned();
    if let (FieldKind::IfIndex, Some(index)) = (field.kind, &draft.index) {
        return Some((name, format!("${index}").into()));
    }
    let number = field.read(&draft.header).filter(|number| *number != 0)?;
    let bits = || u32::try_from(number).unwrap_or_default();
    let flags = |table| match named(flag_parts(table, bits())) {
        (names, 0) => json!(names),
        _ => number.into(),
    };
    let value = match field.kind {
        FieldKind::IfFlags => flags(if_flags(os)),
        FieldKind::IfaFlags => flags(ifa_flags(os)),
        FieldKind::Family => match family_name(os, bits().try_into().unwrap_or_default()) {
            Some(family) => family.into(),
            None => number.into(),
        },
        _ => number.into(),
    };
    Some((name, value))
}

fn attrs_value(table: Option<&'static AttrTable>, attrs: &[DraftAttr]) -> Value {
    attrs.iter().map(|attr| attr_value(table, attr)).collect()
}

fn attr_value(table: Option<&'static AttrTable>, attr: &DraftAttr) -> Value {
    let spec = table.and_then(|table| table.by_number(attr.kind));
    let key = spec.map_or_else(|| format!("#{}", attr.kind), |spec| spec.name.to_owned());
    let kind = spec.map_or(AttrKind::Binary, |spec| spec.kind);
    let value = match (&attr.payload, kind) {
        (Payload::Index(name), AttrKind::IfIndex) => Some(json!(format!("${name}"))),
        // Only an index can be asked of the guest.
        (Payload::Index(_), _) => None,
        (Payload::Nest(inner), AttrKind::Nested(table)) => Some(attrs_value(Some(table), inner)),
        (Payload::Nest(_), _) => None,
        (Payload::Bytes(bytes), kind) => plain(kind, bytes),
    };
    let value = match (value, attr.len) {
        (Some(value), None) => value,
        (Some(value), Some(len)) => json!({"value": value, "len": len}),
        (None, len) => {
            let bytes = match &attr.payload {
                Payload::Bytes(bytes) => bytes.clone(),
                Payload::Index(_) => vec![0; 4],
                Payload::Nest(inner) => laid_out(inner),
            };
            match len {
                Some(len) => json!({"hex": hex(&bytes), "len": len}),
                None => json!({"hex": hex(&bytes)}),
            }
        }
    };
    json!({ key: value })
}

/// Attributes as bytes, where no table says that there are any.
fn laid_out(attrs: &[DraftAttr]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for attr in attrs {
        let payload = match &attr.payload {
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::Index(_) => vec![0; 4],
            Payload::Nest(inner) => laid_out(inner),
        };
        let len = attr.len.unwrap_or_else(|| u16::try_from(payload.len() + 4).unwrap_or(u16::MAX));
        bytes.extend(len.to_le_bytes());
        bytes.extend(attr.kind.to_le_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// The value in a vector's words, if they say these very bytes.
fn plain(kind: AttrKind, bytes: &[u8]) -> Option<Value> {
    Some(match kind {
        AttrKind::U8 | AttrKind::OperState => json!(u8::from_le_bytes(bytes.try_into().ok()?)),
        AttrKind::U16 => json!(u16::from_le_bytes(bytes.try_into().ok()?)),
        AttrKind::Be16 => json!(u16::from_be_bytes(bytes.try_into().ok()?)),
        AttrKind::U32 | AttrKind::IfIndex | AttrKind::IfaFlags | AttrKind::In6Flags => {
            json!(u32::from_le_bytes(bytes.try_into().ok()?))
        }
        AttrKind::I32 => json!(i32::from_le_bytes(bytes.try_into().ok()?)),
        AttrKind::U64 => json!(u64::from_le_bytes(bytes.try_into().ok()?)),
        AttrKind::Flag => bytes.is_empty().then_some(Value::Null)?,
        AttrKind::Str => {
            let text = std::str::from_utf8(bytes.strip_suffix(&[0])?).ok()?;
            // A text that only hex can hold safely, or in which `repeat` would see a number of its own.
            let odd = |c: char| !matches!(c, ' '..='~');
            (!text.contains(odd) && !text.contains("{n}")).then(|| text.into())?
        }
        AttrKind::HwAddr => {
            let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            (!pairs.is_empty()).then(|| pairs.join(":").into())?
        }
        AttrKind::IpAddr => match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(inet), _) => Ipv4Addr::from(inet).to_string().into(),
            (_, Ok(inet6)) => Ipv6Addr::from(inet6).to_string().into(),
            _ => return None,
        },
        AttrKind::CacheInfo => {
            let info = (bytes.len() == IfaCacheInfo::SIZE).then(|| IfaCacheInfo::parse(bytes))??;
            json!({
                "preferred": info.preferred,
                "valid": info.valid,
                "created": info.created,
                "updated": info.updated,
            })
        }
        AttrKind::Stats64
        | AttrKind::BitWords
        | AttrKind::Binary
        | AttrKind::Nested(_)
        | AttrKind::ByKind(_)
        | AttrKind::EtherType => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
