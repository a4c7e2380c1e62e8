// SPDX-License-Identifier: BSD-2-Clause
//! Owned messages and datagrams.

use alloc::vec::Vec;

use super::attr::{Attr, decode_list};
use crate::bytes::align;
use crate::consts::NLMSG_HDRLEN;
use crate::os::Os;
use crate::schema;
use crate::view::{MessageItem, NlMsgHdr, RawMessage, TrailingCause, messages};

/// What one `recv` gives or one `send` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Datagram {
    /// The messages that could be read.
    pub messages: Vec<Message>,
    /// Bytes behind them.
    pub trailing: Vec<u8>,
    /// Why `trailing` is not a message; nothing if it is empty or the tree was not decoded.
    pub cause: Option<TrailingCause>,
}

/// A message. On the wire its parts follow each other in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// `struct nlmsghdr` as it goes on the wire.
    pub header: NlMsgHdr,
    /// The fixed structure; shorter than it should be if the message was cut.
    pub fixed: Vec<u8>,
    /// In `NLMSG_ERROR`, what is echoed of the request after its header.
    pub echo: Vec<u8>,
    /// The attributes that could be read.
    pub attrs: Vec<Attr>,
    /// Bytes behind them; of a message whose type has no attribute table, all of them.
    pub rest: Vec<u8>,
    /// Padding behind the message.
    pub padding: Vec<u8>,
}

impl Datagram {
    /// Decodes any bytes.
    #[must_use]
    pub fn decode(os: Os, bytes: &[u8]) -> Self {
        let mut datagram = Self::default();
        for item in messages(bytes) {
            match item {
                MessageItem::Message(raw) => datagram.messages.push(Message::from_raw(os, &raw)),
                MessageItem::Trailing(rest) => {
                    datagram.trailing = rest.bytes.to_vec();
                    datagram.cause = Some(rest.cause);
                }
            }
        }
        datagram
    }

    /// The bytes: of a decoded tree exactly those it was decoded from.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.messages.iter().for_each(|message| message.encode_to(&mut out));
        out.extend(&self.trailing);
        out
    }

    /// Sets every length and padding to what the contents ask for.
    pub fn fix_lengths(&mut self) {
        self.messages.iter_mut().for_each(Message::fix_lengths);
    }
}

impl Message {
    /// A message with its true length and padding; `header.len` is ignored.
    #[must_use]
    pub fn new(header: NlMsgHdr, fixed: impl Into<Vec<u8>>, attrs: Vec<Attr>) -> Self {
        let mut message = Self { header, fixed: fixed.into(), attrs, ..Self::default() };
        message.fix_lengths();
        message
    }

    fn from_raw(os: Os, raw: &RawMessage<'_>) -> Self {
        let mut message = Self { header: raw.header, padding: raw.padding.to_vec(), ..Self::default() };
        let Some(spec) = schema::message(os, raw.header.kind) else {
            message.rest = raw.payload.to_vec();
            return message;
        };
        let layout = spec.layout(raw.header.flags, raw.payload);
        message.fixed = layout.fixed.to_vec();
        message.echo = layout.echo.to_vec();
        let rest = match spec.attrs {
            Some(table) => {
                let (attrs, rest) = decode_list(layout.rest, table);
                message.attrs = attrs;
                rest
            }
            None => layout.rest,
        };
        message.rest = rest.to_vec();
        message
    }

    /// What the tables say about the message's type.
    #[must_use]
    pub fn schema(&self, os: Os) -> Option<&'static schema::Message> {
        schema::message(os, self.header.kind)
    }

    /// The attribute with that number.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.number() == number)
    }

    /// A field of the fixed structure by its name.
    #[must_use]
    pub fn field(&self, os: Os, name: &str) -> Option<i64> {
        self.schema(os)?.header.by_name(name)?.read(&self.fixed)
    }

    /// Sets the lengths and paddings of the message and its attributes to what the contents ask for.
    pub fn fix_lengths(&mut self) {
        self.attrs.iter_mut().for_each(Attr::fix_lengths);
        let parts = [self.fixed.len(), self.echo.len(), self.rest.len(), NLMSG_HDRLEN];
        let attrs = self.attrs.iter().map(Attr::size);
        let size = parts.into_iter().chain(attrs).fold(0, usize::saturating_add);
        self.header.len = u32::try_from(size).unwrap_or(u32::MAX);
        self.padding.clear();
        self.padding.resize(align(size).saturating_sub(size), 0);
    }

    /// Appends the message as it goes on the wire.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend(self.header.to_bytes());
        out.extend(&self.fixed);
        out.extend(&self.echo);
        self.attrs.iter().for_each(|attr| attr.encode_to(out));
        out.extend(&self.rest);
        out.extend(&self.padding);
    }
}
