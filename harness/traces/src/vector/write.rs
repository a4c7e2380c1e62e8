// SPDX-License-Identifier: BSD-2-Clause
//! A vector as the YAML file that says it: the one place that writes vectors.
//!
//! What is read back is the same vector. Comments and the spelling of names (`IFLA_MTU` for `mtu`) are kept as they are only
//! as far as they stand in values.

use nlproof_agent::{Privilege, Setting, SocketOptions};
use nlproof_wire::Os;
use serde_saphyr::Spanned;

use super::format::{RawExec, RawMessage, RawRace, RawReply, RawStep, RawWait, default_exec_limit};
use super::load::Vector;
use super::loss::StatedLoss;
use crate::file::Value;
use crate::file::tree::{Entries, list, text, texts, yaml};

impl Vector {
    /// The vector as its file. The last line is complete.
    pub fn to_yaml(&self) -> String {
        yaml(&self.tree())
    }

    fn tree(&self) -> Value {
        let mut file = Entries::default();
        file.put("about", text(&self.about));
        file.put_some("needs", self.needs_tree());
        file.put_some("groups", texts(self.groups.iter().map(String::as_str)));
        file.put_some("socket", socket_tree(&self.socket));
        if self.ordered {
            file.put("ordered", Value::Bool(true));
        }
        file.put_some("malformed", texts(self.malformed.iter().map(|word| word.name())));
        file.put_some("loses", list(self.losses.iter().map(loss_tree)));
        file.put("steps", list(self.steps.iter().map(|step| step_tree(&step.value))));
        file.map()
    }

    fn needs_tree(&self) -> Value {
        let mut needs = Entries::default();
        put_privilege(&mut needs, self.needs.privilege);
        if self.needs.os != Os::ALL {
            needs.put_some("os", texts(self.needs.os.iter().map(|os| os.name())));
        }
        needs.put_some("modules", texts(self.needs.modules.iter().map(String::as_str)));
        let cards = self.needs.hardware.iter().zip(&self.cards).map(|(needed, card)| {
            let mut entries = Entries::default();
            entries.put("nic", text(needed.model.name));
            entries.put("as", text(&card.name));
            if !card.plugged {
                entries.put("plugged", Value::Bool(false));
            }
            entries.map()
        });
        needs.put_some("hardware", list(cards));
        if self.needs.processors > 1 {
            needs.put("processors", Value::Int(self.needs.processors.into()));
        }
        needs.put_some("sysctl", settings_tree(&self.needs.sysctl));
        needs.map()
    }
}

/// Settings of the kernel.
pub(crate) fn settings_tree(settings: &[Setting]) -> Value {
    let mut entries = Entries::default();
    for Setting { name, value } in settings {
        entries.put(name, Value::Int((*value).into()));
    }
    entries.map()
}

/// Puts who sends, unless that is root.
pub(crate) fn put_privilege(needs: &mut Entries, privilege: Privilege) {
    match privilege {
        // No file asks for a stack outside.
        Privilege::Root | Privilege::Outside => {}
        Privilege::Unprivileged => needs.put("privilege", text("unprivileged")),
        Privilege::Jailed => needs.put("privilege", text("jailed")),
    }
}

/// The options of the request socket.
pub(crate) fn socket_tree(options: &SocketOptions) -> Value {
    let mut socket = Entries::default();
    for (name, on) in [("ext-ack", options.ext_ack), ("cap-ack", options.cap_ack), ("strict", options.strict)]
    {
        if on {
            socket.put(name, Value::Bool(true));
        }
    }
    for (name, bytes) in [("receive-buffer", options.receive_buffer), ("event-buffer", options.event_buffer)]
    {
        if let Some(bytes) = bytes {
            socket.put(name, Value::Int(bytes.into()));
        }
    }
    socket.map()
}

fn loss_tree(loss: &StatedLoss) -> Value {
    let mut entries = Entries::default();
    entries.put("kernels", texts(loss.kernels.iter().map(String::as_str)));
    if let Some(code) = loss.code {
        entries.put("module", text(code.word()));
    }
    entries.put("kind", text(loss.kind.word()));
    if let Some(says) = &loss.says {
        entries.put("says", text(says));
    }
    entries.put("calls", texts(loss.calls.iter().map(String::as_str)));
    entries.put("because", text(&loss.because));
    entries.map()
}

fn step_tree(step: &RawStep) -> Value {
    let RawStep { send, datagram, exec, wait, race, hardware } = step;
    let mut entries = Entries::default();
    if let Some(message) = send {
        entries.put("send", message_tree(message));
    }
    if let Some(messages) = datagram {
        entries.put("datagram", list(messages.iter().map(message_tree)));
    }
    if let Some(RawExec { argv, limit_ms }) = exec {
        entries.put("exec", exec_tree(&argv.value, limit_ms.value));
    }
    if let Some(RawWait { quiet_ms, limit_ms }) = wait {
        entries.put("wait", wait_tree(quiet_ms.value, limit_ms.value));
    }
    if let Some(race) = race {
        entries.put("race", race_tree(race));
    }
    if let Some(deeds) = hardware {
        entries.put("hardware", deeds.value.clone());
    }
    entries.map()
}

/// A command, with its limit in milliseconds if it is not the usual one.
pub(crate) fn exec_tree(argv: &[String], limit_ms: u32) -> Value {
    let mut command = Entries::default();
    command.put("argv", texts(argv.iter().map(String::as_str)));
    if limit_ms != default_exec_limit().value {
        command.put("limit-ms", Value::Int(limit_ms.into()));
    }
    command.map()
}

/// A pause, in milliseconds.
pub(crate) fn wait_tree(quiet_ms: u32, limit_ms: u32) -> Value {
    let mut wait = Entries::default();
    wait.put("quiet-ms", Value::Int(quiet_ms.into()));
    wait.put("limit-ms", Value::Int(limit_ms.into()));
    wait.map()
}

fn race_tree(race: &RawRace) -> Value {
    let RawRace { rounds, seconds, hardware, before, sockets, after, permit } = race;
    let messages = |messages: &[RawMessage]| list(messages.iter().map(message_tree));
    let mut entries = Entries::default();
    for (name, given) in [("rounds", rounds), ("seconds", seconds)] {
        if let Some(given) = given {
            entries.put(name, Value::Int(given.value.into()));
        }
    }
    entries.put_some("hardware", list(hardware.iter().map(|deeds| deeds.value.clone())));
    entries.put_some("before", messages(before));
    entries.put("sockets", list(sockets.iter().map(|socket| messages(socket))));
    entries.put_some("after", messages(after));
    entries.put("permit", list(permit.iter().map(|permit| text(&permit.value))));
    entries.map()
}

fn message_tree(message: &RawMessage) -> Value {
    let RawMessage { message, flags, header, attrs, tail, len, cut, repeat, reply } = message;
    let number = |entries: &mut Entries, name, spanned: &Option<Spanned<u32>>| {
        if let Some(spanned) = spanned {
            entries.put(name, Value::Int(spanned.value.into()));
        }
    };
    let mut entries = Entries::default();
    entries.put("message", message.value.clone());
    entries.put_some("flags", texts(flags.iter().map(|flag| flag.value.as_str())));
    for (name, node) in [("header", header), ("attrs", attrs)] {
        if let Some(node) = node {
            entries.put(name, node.value.clone());
        }
    }
    if let Some(tail) = tail {
        entries.put("tail", text(&tail.value));
    }
    number(&mut entries, "len", len);
    number(&mut entries, "cut", cut);
    if let Some(repeat) = repeat {
        let mut copies = Entries::default();
        copies.put("count", Value::Int(repeat.value.count.into()));
        if repeat.value.from != 0 {
            copies.put("from", Value::Int(repeat.value.from.into()));
        }
        entries.put("repeat", copies.map());
    }
    if let Some(reply) = reply {
        entries.put("reply", text(reply_word(*reply)));
    }
    entries.map()
}

pub(super) fn reply_word(reply: RawReply) -> &'static str {
    match reply {
        RawReply::Message => "message",
        RawReply::Ack => "ack",
        RawReply::Done => "done",
        RawReply::Nothing => "nothing",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{compile, load_suite, parse_vector};
    use super::*;

    fn again(vector: &Vector) -> Vector {
        let text = vector.to_yaml();
        parse_vector(vector.id.clone(), &vector.path, &text)
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", vector.id))
    }

    #[test]
    fn every_vector_of_the_project_is_read_back_as_it_was() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
        let suite = load_suite(&root).unwrap();
        assert!(suite.vectors.len() > 700, "{}", suite.vectors.len());
        for vector in &suite.vectors {
            let read = again(vector);
            let said = |vector: &Vector| {
                let Vector { about, needs, groups, socket, ordered, malformed, losses, .. } = vector;
                format!("{about:?} {needs:?} {groups:?} {socket:?} {ordered} {malformed:?} {losses:?}")
            };
            assert_eq!(said(&read), said(vector), "{}", vector.id);
            for os in &vector.needs.os {
                assert_eq!(compile(&read, *os, 7), compile(vector, *os, 7), "{}", vector.id);
            }
            assert_eq!(read.to_yaml(), vector.to_yaml(), "{}", vector.id);
        }
    }

    #[test]
    fn a_vector_is_written_as_people_write_them() {
        let text = "about: a loopback clone\n\
            needs: {os: [freebsd]}\n\
            groups: [link]\n\
            socket: {ext-ack: true}\n\
            steps:\n  \
              - send:\n      \
                  message: newlink\n      \
                  flags: [request, ack, create, excl]\n      \
                  attrs:\n        \
                    - ifname: lo10\n        \
                    - linkinfo:\n            \
                        - kind: lo\n        \
                    - mtu: {hex: \"05\", len: 6}\n  \
              - send: {message: getlink, flags: [request], header: {index: $lo10}}\n  \
              - exec: {argv: [ifconfig, lo10, inet, 192.0.2.1/24]}\n";
        let vector = parse_vector("x/y", Path::new("x/y.yaml"), text).unwrap();
        assert_eq!(vector.to_yaml(), text);
    }
}
