// SPDX-License-Identifier: BSD-2-Clause
//! A part of a datagram as a message of a vector: by names where there is a name, raw where there is none.

use nlproof_wire::Os;
use nlproof_wire::consts::NLMSG_HDRLEN;
use nlproof_wire::schema::{self, Message};
use nlproof_wire::view::{MessageItem, NlMsgHdr, messages};

use crate::file::Value;
use crate::file::tree::{Entries, hex_text, list, text};
use crate::vector::named::{Interfaces, attrs_tree, flags_tree, header_tree};
use crate::vector::numbering::SEQ_STEP;

/// A part of a datagram that one message of a vector sends: a message with what stands between it and the next one.
#[derive(Debug, Clone)]
pub(super) struct Segment<'a> {
    /// Where the segment begins in the datagram.
    pub(super) offset: usize,
    /// The message as a vector has it.
    pub(super) tree: Value,
    os: Os,
    bytes: &'a [u8],
    /// The datagram ends with it, so that nothing is padded behind it.
    last: bool,
}

/// The datagram in segments; there is at least one.
pub(super) fn segments<'a>(os: Os, datagram: &'a [u8], interfaces: &Interfaces) -> Vec<Segment<'a>> {
    let mut starts: Vec<usize> = messages(datagram)
        .filter_map(|item| match item {
            MessageItem::Message(message) => Some(message.offset),
            MessageItem::Trailing(_) => None,
        })
        .take(SEQ_STEP as usize)
        .collect();
    // Bytes before which there is no message are a message all the same, whose length is wrong.
    if starts.is_empty() {
        starts.push(0);
    }
    let ends = starts.iter().skip(1).copied().chain([datagram.len()]);
    let of = |(start, end): (&usize, usize)| {
        let (bytes, last) = (&datagram[*start..end], end == datagram.len());
        let tree = Parts::of(os, bytes, last).tree(os, interfaces);
        Segment { offset: *start, tree, os, bytes, last }
    };
    starts.iter().zip(ends).map(of).collect()
}

impl Segment<'_> {
    /// The bytes with the numbers that a vector's messages have.
    pub(super) fn numbered(&self, seq: u32) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let numbers = [seq.to_le_bytes(), [0; 4]].concat();
        bytes.iter_mut().skip(SEQ_AT).zip(numbers).for_each(|(byte, number)| *byte = number);
        bytes
    }

    /// Gives up the names of all but the message's type.
    pub(super) fn make_raw(&mut self) {
        self.tree = Parts::of(self.os, self.bytes, self.last).raw();
    }

    /// What is sent otherwise than it was, if `seq` is the message's number.
    pub(super) fn replaced(&self, seq: u32, interfaces: &Interfaces) -> Vec<String> {
        let header = Parts::of(self.os, self.bytes, self.last).header;
        let mut told = Vec::new();
        if header.seq != seq && self.bytes.len() > SEQ_AT {
            told.push(format!("nlmsg_seq {} is numbered by the run", header.seq));
        }
        if header.pid != 0 && self.bytes.len() > PID_AT {
            told.push(format!("nlmsg_pid {} is 0", header.pid));
        }
        for (index, name) in interfaces {
            if names(&self.tree, &format!("${name}")) {
                told.push(format!("index {index} is that of {name} in the guest"));
            }
        }
        told
    }
}

/// Where `nlmsg_seq` and `nlmsg_pid` stand in a message.
const SEQ_AT: usize = 8;
const PID_AT: usize = 12;

/// Whether a text stands anywhere in a value, but as a key.
fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::Str(text) => text == name,
        Value::List(items) => items.iter().any(|item| names(&item.value, name)),
        Value::Map(entries) => entries.iter().any(|(_, value)| names(&value.value, name)),
        _ => false,
    }
}

/// The parts of a segment.
struct Parts<'a> {
    header: NlMsgHdr,
    spec: Option<&'static Message>,
    /// What follows the header and is sent.
    content: &'a [u8],
    /// Bytes of it that can be read as attributes: those of the message with its padding.
    readable: usize,
    /// Bytes of the segment.
    size: usize,
    /// `nlmsg_len` is not what the length of the message makes it.
    odd_len: bool,
}

impl<'a> Parts<'a> {
    fn of(os: Os, bytes: &'a [u8], last: bool) -> Self {
        // Bytes that are missing of the header are sent as if they were there, and cut.
        let mut start = [0; NLMSG_HDRLEN];
        start.iter_mut().zip(bytes).for_each(|(byte, given)| *byte = *given);
        let header = NlMsgHdr::parse(&start).unwrap_or_default();
        let after = bytes.get(NLMSG_HDRLEN..).unwrap_or_default();
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let size = bytes.len();
        // A header that is cut holds no message, even if its length says that it is one without content.
        let whole = len.checked_sub(NLMSG_HDRLEN).filter(|_| size >= NLMSG_HDRLEN);
        let message = whole.and_then(|len| after.split_at_checked(len));
        let spec = schema::message(os, header.kind);
        match message {
            // The padding between two messages of a datagram is added by whoever compiles it.
            Some((content, padding))
                if padding.is_empty()
                    || (!last && padding.len() < 4 && padding.iter().all(|byte| *byte == 0)) =>
            {
                let size = NLMSG_HDRLEN + content.len();
                Self { header, spec, content, readable: content.len(), size, odd_len: false }
            }
            Some((content, padding)) => {
                let readable = content.len().next_multiple_of(4).min(content.len() + padding.len());
                Self { header, spec, content: after, readable, size, odd_len: true }
            }
            None => Self { header, spec, content: after, readable: after.len(), size, odd_len: true },
        }
    }

    /// The message by names.
    fn tree(&self, os: Os, interfaces: &Interfaces) -> Value {
        let mut message = self.start(os);
        let mut sent = NLMSG_HDRLEN;
        let mut rest = self.content;
        if let Some(spec) = self.spec {
            let (fixed, after) = rest.split_at(spec.header.size.min(rest.len()));
            let known = |index: u32, whole| interfaces.get(&index).filter(|_| whole).map(String::as_str);
            message.put_some("header", header_tree(os, spec, fixed, known));
            sent += spec.header.size;
            rest = after;
            let echo = spec.layout(self.header.flags, self.content).echo;
            if let Some(table) = spec.attrs.filter(|_| echo.is_empty()) {
                let readable = self.readable.saturating_sub(fixed.len()).min(rest.len());
                let list = attrs_tree(os, table, &rest[..readable], interfaces);
                message.put_some("attrs", Value::List(list.attrs));
                sent += list.sent;
                rest = rest.get(list.read..).unwrap_or_default();
            }
        }
        self.end(message, sent, rest)
    }

    /// The message by its bytes.
    fn raw(&self) -> Value {
        let mut message = Entries::default();
        message.put("message", Value::Int(self.header.kind.into()));
        message.put_some("flags", number_flags(self.header.flags));
        // A type that the tables know has a header all the same: the first bytes.
        let mut sent = NLMSG_HDRLEN;
        let mut rest = self.content;
        if let Some(spec) = self.spec {
            let (fixed, after) = rest.split_at(spec.header.size.min(rest.len()));
            let mut fields = Entries::default();
            let mut whole = vec![0; spec.header.size];
            whole.iter_mut().zip(fixed).for_each(|(byte, given)| *byte = *given);
            for field in spec.header.fields {
                fields.put(field.name, Value::Int(field.read(&whole).unwrap_or_default().into()));
            }
            message.put_some("header", fields.map());
            sent += spec.header.size;
            rest = after;
        }
        self.end(message, sent, rest)
    }

    fn start(&self, os: Os) -> Entries {
        let mut message = Entries::default();
        match self.spec {
            Some(spec) => message.put("message", text(spec.name)),
            None => message.put("message", Value::Int(self.header.kind.into())),
        }
        message.put_some("flags", flags_tree(os, self.header.kind, self.header.flags));
        message
    }

    /// Puts what stands behind the attributes, and the lengths. `sent` bytes are there already, the last four of which may be
    /// padding.
    fn end(&self, mut message: Entries, sent: usize, rest: &[u8]) -> Value {
        if !rest.is_empty() {
            message.put("tail", hex_text(rest));
        }
        if self.odd_len {
            message.put("len", Value::Int(self.header.len.into()));
        }
        let surplus = (sent + rest.len()).saturating_sub(self.size);
        if surplus > 0 {
            message.put("cut", Value::Int(surplus as i128));
        }
        message.map()
    }
}

fn number_flags(flags: u16) -> Value {
    match flags {
        0 => list([]),
        flags => list([text(&format!("{flags:#x}"))]),
    }
}
