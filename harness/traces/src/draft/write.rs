// SPDX-License-Identifier: BSD-2-Clause
//! A draft as a vector: the file that people keep, in the names of the tables where they have them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use nlproof_wire::Os;
use nlproof_wire::schema::{self, AttrKind, AttrTable};
use nlproof_wire::view::RawAttr;

use super::model::{Draft, DraftAttr, DraftMessage, DraftRace, DraftStep, Payload, RaceLength, Reply};
use crate::file::tree::{Entries, hex_text, list, pair, text, texts, yaml};
use crate::file::{FileError, Value};
use crate::vector::{
    Interfaces, Malformation, Vector, exec_tree, flags_tree, header_tree, malformations, parse_vector,
    payload_tree, put_privilege, settings_tree, socket_tree, wait_tree,
};

impl Draft {
    /// The vector of this id that asks the same.
    ///
    /// # Errors
    /// The draft has no steps, or a part that does not fit into a message: an attribute above 65,535 bytes, say.
    pub fn vector(&self, os: Os, id: &str) -> Result<Vector, FileError> {
        parse_vector(id, Path::new(id), &self.text(os, "generated", &BTreeSet::new(), &[]))
    }

    /// The file of the vector: `about` is its sentence, `story` lines of a comment above. What is malformed is declared.
    ///
    /// # Errors
    /// As [`Draft::vector`].
    pub fn to_yaml(&self, os: Os, about: &str, story: &[String]) -> Result<String, FileError> {
        let malformed = malformations(&self.vector(os, "draft")?)?;
        Ok(self.text(os, about, &malformed, story))
    }

    fn text(&self, os: Os, about: &str, malformed: &BTreeSet<Malformation>, story: &[String]) -> String {
        let mut needs = Entries::default();
        put_privilege(&mut needs, self.privilege);
        needs.put("os", texts([os.name()]));
        needs.put_some("modules", texts(self.modules.iter().map(String::as_str)));
        needs.put_some("sysctl", settings_tree(&self.sysctl));
        let mut file = Entries::default();
        file.put("about", text(about));
        file.put("needs", needs.map());
        file.put_some("groups", texts(self.groups.iter().map(String::as_str)));
        file.put_some("socket", socket_tree(&self.socket));
        file.put_some("malformed", texts(malformed.iter().map(|word| word.name())));
        file.put("steps", list(self.steps.iter().map(|step| step_tree(os, step))));
        let mut said = String::from("# SPDX-License-Identifier: BSD-2-Clause\n");
        for line in story.iter().flat_map(|line| line.lines()) {
            // A write to a String does not fail.
            writeln!(said, "{}", format!("# {line}").trim_end()).ok();
        }
        said + &yaml(&file.map())
    }
}

fn step_tree(os: Os, step: &DraftStep) -> Value {
    match step {
        DraftStep::Datagram(messages) => match messages.as_slice() {
            [message] => pair("send", message_tree(os, message)),
            messages => pair("datagram", list(messages.iter().map(|message| message_tree(os, message)))),
        },
        DraftStep::Exec { argv, limit_ms } => pair("exec", exec_tree(argv, *limit_ms)),
        DraftStep::Wait { quiet_ms, limit_ms } => pair("wait", wait_tree(*quiet_ms, *limit_ms)),
        DraftStep::Race(race) => pair("race", race_tree(os, race)),
    }
}

fn race_tree(os: Os, race: &DraftRace) -> Value {
    let messages = |messages: &[DraftMessage]| list(messages.iter().map(|message| message_tree(os, message)));
    let mut entries = Entries::default();
    let (unit, count) = match race.length {
        RaceLength::Rounds(rounds) => ("rounds", rounds),
        RaceLength::Seconds(seconds) => ("seconds", seconds),
    };
    entries.put(unit, Value::Int(count.into()));
    entries.put_some("before", messages(&race.before));
    let sockets = race
        .sockets
        .iter()
        .map(|requests| list(requests.iter().map(|request| message_tree(os, &request.message))));
    entries.put("sockets", list(sockets));
    entries.put_some("after", messages(&race.after));
    let requests = || race.sockets.iter().flatten();
    let lines = requests().map(|request| request.outcomes.len()).max().unwrap_or_default();
    let mut permits: Vec<String> = Vec::new();
    for line in 0..lines {
        let words: Vec<_> =
            requests().filter_map(|request| request.outcomes.get(line)).map(String::as_str).collect();
        let words = words.join(" ");
        // Lines that differed in what has gone are one.
        if !permits.contains(&words) {
            permits.push(words);
        }
    }
    entries.put("permit", texts(permits.iter().map(String::as_str)));
    entries.map()
}

fn message_tree(os: Os, draft: &DraftMessage) -> Value {
    let mut entries = Entries::default();
    let message = schema::message(os, draft.kind);
    entries.put("message", message.map_or(Value::Int(draft.kind.into()), |message| text(message.name)));
    entries.put_some("flags", flags_tree(os, draft.kind, draft.flags));
    if let Some(message) = message {
        let known = |_, _| draft.index.as_deref();
        entries.put_some("header", header_tree(os, message, &draft.header, known));
    }
    let table = message.and_then(|message| message.attrs);
    entries.put_some("attrs", attrs_tree(os, table, &draft.attrs));
    if !draft.tail.is_empty() {
        entries.put("tail", hex_text(&draft.tail));
    }
    if let Some(len) = draft.len {
        entries.put("len", Value::Int(len.into()));
    }
    if draft.cut > 0 {
        entries.put("cut", Value::Int(draft.cut.into()));
    }
    if let Some(reply) = draft.reply {
        let word = match reply {
            Reply::Message => "message",
            Reply::End => "ack",
            Reply::Nothing => "nothing",
        };
        entries.put("reply", text(word));
    }
    entries.map()
}

fn attrs_tree(os: Os, table: Option<&'static AttrTable>, attrs: &[DraftAttr]) -> Value {
    list(attrs.iter().map(|attr| attr_tree(os, table, attrs, attr)))
}

/// What an attribute is in this list: what [`AttrKind::ByKind`] stands for there, else itself.
fn kind_in(attrs: &[DraftAttr], kind: AttrKind) -> AttrKind {
    let AttrKind::ByKind(by) = kind else { return kind };
    let name = |attr: &DraftAttr| match &attr.payload {
        Payload::Bytes(bytes) if attr.kind == by.number && attr.len.is_none() => {
            bytes.strip_suffix(&[0]).map(<[u8]>::to_vec)
        }
        _ => None,
    };
    let chosen = attrs.iter().rev().find_map(name).and_then(|name| by.table(&name));
    chosen.map_or(kind, AttrKind::Nested)
}

fn attr_tree(os: Os, table: Option<&'static AttrTable>, attrs: &[DraftAttr], attr: &DraftAttr) -> Value {
    let spec = table.and_then(|table| table.by_number(attr.kind));
    let key = spec.map_or_else(|| format!("#{}", attr.kind), |spec| spec.name.to_owned());
    let kind = spec.map_or(AttrKind::Binary, |spec| kind_in(attrs, spec.kind));
    let named = match (&attr.payload, kind) {
        (Payload::Index(name), AttrKind::IfIndex) => Some(text(&format!("${name}"))),
        (Payload::Nest(inner), AttrKind::Nested(table)) => Some(attrs_tree(os, Some(table), inner)),
        // Only an index can be asked of the guest, and only where a table says so are there attributes.
        (Payload::Index(_) | Payload::Nest(_), _) | (Payload::Bytes(_), AttrKind::Nested(_)) => None,
        (Payload::Bytes(bytes), kind) => {
            let raw = RawAttr { offset: 0, type_field: attr.kind, payload: bytes, padding: &[] };
            payload_tree(os, kind, &raw, &Interfaces::new())
        }
    };
    let (word, value) = match named {
        Some(value) => ("value", value),
        None => ("hex", hex_text(&payload_of(attr))),
    };
    pair(
        &key,
        match attr.len {
            None if word == "value" => value,
            len => {
                let mut exact = Entries::default();
                exact.put(word, value);
                if let Some(len) = len {
                    exact.put("len", Value::Int(len.into()));
                }
                exact.map()
            }
        },
    )
}

/// What an attribute holds, in bytes; an index is not known here.
fn payload_of(attr: &DraftAttr) -> Vec<u8> {
    match &attr.payload {
        Payload::Bytes(bytes) => bytes.clone(),
        Payload::Index(_) => vec![0; 4],
        Payload::Nest(inner) => laid_out(inner),
    }
}

/// Attributes as bytes, where no table says that there are any.
fn laid_out(attrs: &[DraftAttr]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for attr in attrs {
        let payload = payload_of(attr);
        let len = attr.len.unwrap_or_else(|| u16::try_from(payload.len() + 4).unwrap_or(u16::MAX));
        bytes.extend(len.to_le_bytes());
        bytes.extend(attr.kind.to_le_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
