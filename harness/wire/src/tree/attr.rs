// SPDX-License-Identifier: BSD-2-Clause
//! Owned attributes.

use alloc::vec::Vec;

use crate::bytes::align;
use crate::consts::{NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK};
use crate::schema::AttrTable;
use crate::view::{AttrItem, RawAttr, attrs};

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attr {
    /// `nla_len` as it goes on the wire.
    pub len: u16,
    /// `nla_type` with its flag bits.
    pub type_field: u16,
    /// The payload.
    pub value: Value,
    /// The padding as it goes on the wire.
    pub padding: Vec<u8>,
}

/// The payload of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes that are no nest.
    Bytes(Vec<u8>),
    /// Attributes. Decoding makes a nest only where the tables say so and all of the payload is readable.
    Nested(Vec<Attr>),
}

impl Attr {
    /// An attribute of bytes with its true length and padding. The length saturates at 65535.
    #[must_use]
    pub fn bytes(type_field: u16, payload: impl Into<Vec<u8>>) -> Self {
        Self::with_value(type_field, Value::Bytes(payload.into()))
    }

    /// A string attribute: the bytes and a NUL.
    #[must_use]
    pub fn string(type_field: u16, text: &[u8]) -> Self {
        let mut payload = text.to_vec();
        payload.push(0);
        Self::bytes(type_field, payload)
    }

    /// A nest with its true length.
    #[must_use]
    pub fn nested(type_field: u16, attrs: Vec<Self>) -> Self {
        Self::with_value(type_field, Value::Nested(attrs))
    }

    fn with_value(type_field: u16, value: Value) -> Self {
        let mut attr = Self { len: 0, type_field, value, padding: Vec::new() };
        attr.fix_lengths();
        attr
    }

    /// The number without the flag bits.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.type_field & NLA_TYPE_MASK
    }

    /// Whether `NLA_F_NESTED` is set.
    #[must_use]
    pub const fn nested_flag(&self) -> bool {
        self.type_field & NLA_F_NESTED != 0
    }

    /// The payload, if it was kept as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Nested(_) => None,
        }
    }

    /// The attributes inside, if it was taken apart.
    #[must_use]
    pub fn as_nested(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Bytes(_) => None,
            Value::Nested(attrs) => Some(attrs),
        }
    }

    /// The attribute with that number inside.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<&Self> {
        self.as_nested()?.iter().find(|attr| attr.number() == number)
    }

    /// Sets the length and the padding, here and inside, to what the payload asks for. A length beyond
    /// 65535 saturates.
    pub fn fix_lengths(&mut self) {
        let size = match &mut self.value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Nested(attrs) => {
                attrs.iter_mut().for_each(Self::fix_lengths);
                attrs.iter().map(Self::size).fold(0, usize::saturating_add)
            }
        };
        self.len = u16::try_from(size.saturating_add(NLA_HDRLEN)).unwrap_or(u16::MAX);
        self.padding.clear();
        self.padding.resize(align(size).saturating_sub(size), 0);
    }

    /// Bytes on the wire, with padding.
    #[must_use]
    pub fn size(&self) -> usize {
        let payload = match &self.value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Nested(attrs) => attrs.iter().map(Self::size).fold(0, usize::saturating_add),
        };
        payload.saturating_add(NLA_HDRLEN).saturating_add(self.padding.len())
    }

    /// Appends the attribute as it goes on the wire.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend(self.len.to_le_bytes());
        out.extend(self.type_field.to_le_bytes());
        match &self.value {
            Value::Bytes(bytes) => out.extend(bytes),
            Value::Nested(attrs) => attrs.iter().for_each(|attr| attr.encode_to(out)),
        }
        out.extend(&self.padding);
    }

    fn from_raw(raw: &RawAttr<'_>, table: Option<&'static AttrTable>) -> Self {
        let inner = table.and_then(|table| table.by_number(raw.number())).and_then(|spec| spec.kind.table());
        let nested = inner.map(|inner| decode_list(raw.payload, inner));
        let value = match nested {
            Some((attrs, [])) => Value::Nested(attrs),
            // Something inside cannot be read: the nest stays whole, as bytes.
            _ => Value::Bytes(raw.payload.to_vec()),
        };
        // `attrs()` cuts a payload out of 16 bits of length, so that the sum fits.
        let len = u16::try_from(raw.payload.len().saturating_add(NLA_HDRLEN)).unwrap_or(u16::MAX);
        Self { len, type_field: raw.type_field, value, padding: raw.padding.to_vec() }
    }
}

/// The readable attributes of a list and the bytes behind them.
pub(super) fn decode_list<'a>(list: &'a [u8], table: &'static AttrTable) -> (Vec<Attr>, &'a [u8]) {
    let mut decoded = Vec::new();
    for item in attrs(list) {
        match item {
            AttrItem::Attr(raw) => decoded.push(Attr::from_raw(&raw, Some(table))),
            AttrItem::Trailing(rest) => return (decoded, rest.bytes),
        }
    }
    (decoded, &[])
}
