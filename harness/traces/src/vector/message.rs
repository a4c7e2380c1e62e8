// SPDX-License-Identifier: BSD-2-Clause
//! One netlink message of a vector, as bytes.

use nlproof_agent::ReplyEnd;
use nlproof_base::counted;
use nlproof_wire::Os;
use nlproof_wire::consts::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use nlproof_wire::schema::{self, Message, flag_by_name, nlm_flags};
use nlproof_wire::view::NlMsgHdr;

use super::attrs::put_attrs;
use super::datagram::Datagram;
use super::format::{RawMessage, RawReply};
use super::header::put_header;
use super::place::{SourceFile, place};
use super::values::{hex, number};
use crate::file::{FileError, Value};

/// Appends a message and says what ends its reply.
pub(super) fn put_message(
    file: SourceFile<'_>,
    os: Os,
    raw: &RawMessage,
    seq: u32,
    out: &mut Datagram,
) -> Result<ReplyEnd, FileError> {
    let (kind, message) = message_type(file, os, raw)?;
    let flags = message_flags(file, os, kind, raw)?;
    let start = out.len();
    out.put(&NlMsgHdr { len: 0, kind, flags, seq, pid: 0 }.to_bytes());
    match message {
        Some(message) => put_header(file, os, message, raw.header.as_ref(), out)?,
        None => {
            if let Some(header) = &raw.header {
                return Err(file
                    .error(header.place, "the header of a message by number is not known")
                    .help("give its bytes as `tail`"));
            }
        }
    }
    if let Some(attrs) = &raw.attrs {
        put_attrs(file, os, message.and_then(|message| message.attrs), attrs, out)?;
    }
    if let Some(tail) = &raw.tail {
        let bytes = hex(&tail.value).map_err(|what| file.error(place(tail), what))?;
        out.put(&bytes);
    }
    // The length as it is given stands there before something is cut: what is left of it is part of the message.
    if let Some(len) = &raw.len {
        out.set_u32(start, len.value);
    }
    if let Some(cut) = &raw.cut {
        let left = out.len() - start;
        let kept = left.checked_sub(cut.value as usize).ok_or_else(|| {
            file.error(place(cut), format!("the message has only {} to cut from", counted(left, "byte")))
        })?;
        out.truncate(start + kept);
    }
    if raw.len.is_none() {
        out.set_u32(start, u32::try_from(out.len() - start).unwrap_or(u32::MAX));
    }
    Ok(reply_end(raw.reply, flags, message))
}

fn message_type(
    file: SourceFile<'_>,
    os: Os,
    raw: &RawMessage,
) -> Result<(u16, Option<&'static Message>), FileError> {
    match &raw.message.value {
        Value::Str(name) => {
            let message = schema::message_by_name(os, name).ok_or_else(|| {
                let known = schema::messages(os).iter().map(|message| message.name);
                file.unknown(raw.message.place, "message", name, known)
            })?;
            Ok((message.number, Some(message)))
        }
        _ => {
            let kind = number(file, &raw.message, 0, u16::MAX.into())? as u16;
            Ok((kind, schema::message(os, kind)))
        }
    }
}

fn message_flags(file: SourceFile<'_>, os: Os, kind: u16, raw: &RawMessage) -> Result<u16, FileError> {
    let table = nlm_flags(os, kind);
    raw.flags.iter().try_fold(0, |flags, name| {
        let bits = flag_by_name(table, &name.value).or_else(|| number_of(&name.value)).ok_or_else(|| {
            let known = table.iter().map(|flag| flag.name);
            file.unknown(place(name), "flag of this message", &name.value, known)
        })?;
        // nlmsg_flags has 16 bits, and so has every flag of the tables.
        Ok(flags | bits as u16)
    })
}

/// Bits that have no name: `0x8000`, or a decimal number; those of one message.
fn number_of(text: &str) -> Option<u32> {
    let bits = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse::<u16>(),
    };
    bits.ok().map(u32::from)
}

/// What ends the step: the vector's word, or what follows from the request's flags (RFC 3549 2.3.2).
fn reply_end(given: Option<RawReply>, flags: u16, message: Option<&Message>) -> ReplyEnd {
    match given {
        Some(RawReply::Message) => ReplyEnd::Message,
        Some(RawReply::Ack | RawReply::Done) => ReplyEnd::End,
        Some(RawReply::Nothing) => ReplyEnd::Nothing,
        None => end_of(flags, message),
    }
}

/// What ends the answer to a request with these flags of `nlmsg_flags` (RFC 3549 2.3.2).
pub fn end_of(flags: u16, message: Option<&Message>) -> ReplyEnd {
    let gets = message.is_some_and(|message| message.name.starts_with("get"));
    if flags & NLM_F_REQUEST == 0 && flags & NLM_F_ACK == 0 {
        ReplyEnd::Nothing
    } else if flags & NLM_F_ACK != 0 || (gets && flags & NLM_F_DUMP == NLM_F_DUMP) {
        ReplyEnd::End
    } else if gets {
        ReplyEnd::Message
    } else {
        ReplyEnd::Nothing
    }
}
