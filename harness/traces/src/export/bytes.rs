// SPDX-License-Identifier: BSD-2-Clause
//! A datagram as an array of C, a line for each part, with its name.

use std::fmt::Write as _;

use nlproof_wire::Os;
use nlproof_wire::schema::{self, AttrTable};
use nlproof_wire::view::{AttrItem, MessageItem, attrs, messages};

/// Bytes on one line.
const LINE: usize = 12;

/// The lines between the braces.
pub(super) fn array(os: Os, datagram: &[u8]) -> String {
    let mut out = Array { text: String::new(), data: datagram, at: 0 };
    for item in messages(datagram) {
        let MessageItem::Message(message) = item else { break };
        let known = schema::message(os, message.header.kind);
        let name =
            known.map_or_else(|| format!("message {}", message.header.kind), |known| known.name.to_owned());
        out.put(16, &format!("nlmsghdr: {name}"));
        if let Some(known) = known {
            let fixed = known.header.size.min(message.payload.len());
            out.put(fixed, known.header.name);
            let layout = known.layout(message.header.flags, message.payload);
            if let Some(table) = known.attrs.filter(|_| layout.echo.is_empty()) {
                out.attrs(table, layout.rest, 0);
            }
        }
        let end = message.offset + 16 + message.payload.len() + message.padding.len();
        out.put(end.saturating_sub(out.at), "");
    }
    out.put(datagram.len() - out.at, "");
    out.text
}

struct Array<'a> {
    text: String,
    data: &'a [u8],
    at: usize,
}

impl Array<'_> {
    fn attrs(&mut self, table: &AttrTable, list: &[u8], depth: usize) {
        for item in attrs(list) {
            let AttrItem::Attr(attr) = item else { return };
            let spec = table.by_number(attr.number());
            let name =
                spec.map_or_else(|| format!("attribute {}", attr.number()), |spec| spec.name.to_owned());
            let name = format!("{}{name}", "  ".repeat(depth));
            let rest = attr.payload.len() + attr.padding.len();
            match spec.and_then(|spec| spec.kind.table()) {
                Some(inner) => {
                    let end = self.at + 4 + rest;
                    self.put(4, &name);
                    self.attrs(inner, attr.payload, depth + 1);
                    self.put(end.saturating_sub(self.at), "");
                }
                None => self.put(4 + rest, &name),
            }
        }
    }

    /// Puts the next bytes; the first line has the comment.
    fn put(&mut self, len: usize, comment: &str) {
        let bytes = &self.data[self.at..(self.at + len).min(self.data.len())];
        self.at += bytes.len();
        for (number, line) in bytes.chunks(LINE).enumerate() {
            self.text.push('\t');
            for (index, byte) in line.iter().enumerate() {
                let space = if index == 0 { "" } else { " " };
                // Writing to a String cannot fail.
                write!(self.text, "{space}0x{byte:02x},").unwrap_or_default();
            }
            if number == 0 && !comment.is_empty() {
                write!(self.text, "\t/* {comment} */").unwrap_or_default();
            }
            self.text.push('\n');
        }
    }
}
