// SPDX-License-Identifier: BSD-2-Clause
//! The walk that finds faults.

use core::ops::ControlFlow;

use super::{Fault, FaultKind};
use crate::bytes::align;
use crate::consts::{NLA_HDRLEN, NLM_F_CAPPED, NLMSG_ERROR, NLMSG_HDRLEN};
use crate::os::Os;
use crate::schema::{self, AttrKind, AttrTable};
use crate::view::{AttrItem, MessageItem, NlMsgErr, RawAttr, RawMessage, attrs_at, messages};

/// What else the walk objects to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Report message types and attributes that the tables do not have. Both kernels ignore unknown
    /// attributes, so by default they are no fault.
    pub unknown: bool,
}

/// Whether a datagram is well-formed.
///
/// # Errors
/// The first fault in the order of the bytes' items.
pub fn walk(os: Os, datagram: &[u8]) -> Result<(), Fault> {
    walk_with(os, datagram, Options::default())
}

/// Walks a datagram like [`walk`], with options.
///
/// # Errors
/// The first fault in the order of the bytes' items.
pub fn walk_with(os: Os, datagram: &[u8], options: Options) -> Result<(), Fault> {
    let mut first = None;
    faults(os, datagram, options, &mut |fault| {
        first = Some(fault);
        ControlFlow::Break(())
    });
    first.map_or(Ok(()), Err)
}

/// Calls `report` with every fault, item by item, until it breaks.
pub fn faults(os: Os, datagram: &[u8], options: Options, report: &mut dyn FnMut(Fault) -> ControlFlow<()>) {
    let mut walk = Walk { os, options, report, message: None };
    // A break has nothing to say beyond itself.
    match walk.datagram(datagram) {
        ControlFlow::Continue(()) | ControlFlow::Break(()) => {}
    }
}

struct Walk<'r> {
    os: Os,
    options: Options,
    report: &'r mut dyn FnMut(Fault) -> ControlFlow<()>,
    /// Name of the message being walked.
    message: Option<&'static str>,
}

impl Walk<'_> {
    fn fault(&mut self, offset: usize, what: FaultKind, attr: Option<&'static str>) -> ControlFlow<()> {
        (self.report)(Fault { offset, what, message: self.message, attr })
    }

    fn datagram(&mut self, datagram: &[u8]) -> ControlFlow<()> {
        for item in messages(datagram) {
            self.message = None;
            match item {
                MessageItem::Message(message) => self.message(&message)?,
                MessageItem::Trailing(rest) => {
                    self.fault(rest.offset, FaultKind::Message(rest.cause), None)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn message(&mut self, message: &RawMessage<'_>) -> ControlFlow<()> {
        let header = message.header;
        let payload_offset = message.offset.saturating_add(NLMSG_HDRLEN);
        match schema::message(self.os, header.kind) {
            Some(spec) => {
                self.message = Some(spec.name);
                self.body(spec, header.flags, message.payload, payload_offset)?;
            }
            None if self.options.unknown => {
                let what = FaultKind::UnknownMessage { number: header.kind };
                self.fault(message.offset.saturating_add(4), what, None)?;
            }
            None => {}
        }
        let end = payload_offset.saturating_add(message.payload.len());
        self.padding(message.payload.len(), message.padding, end, None)
    }

    fn body(
        &mut self,
        spec: &'static schema::Message,
        flags: u16,
        payload: &[u8],
        payload_offset: usize,
    ) -> ControlFlow<()> {
        let (need, got) = (spec.header.size, payload.len());
        if got < need {
            let what = FaultKind::ShortHeader { header: spec.header.name, need, got };
            return self.fault(payload_offset.saturating_add(got), what, None);
        }
        let layout = spec.layout(flags, payload);
        if spec.number == NLMSG_ERROR
            && flags & NLM_F_CAPPED == 0
            && let Some(err) = NlMsgErr::parse(payload)
        {
            let len = err.request.len;
            let left = got.saturating_sub(need).saturating_add(NLMSG_HDRLEN);
            let whole = usize::try_from(len).is_ok_and(|len| (NLMSG_HDRLEN..=left).contains(&len));
            if !whole {
                let what = FaultKind::ShortEcho { len, left };
                self.fault(payload_offset.saturating_add(4), what, None)?;
            }
        }
        match spec.attrs {
            Some(table) => {
                let offset = payload_offset.saturating_add(layout.rest_offset);
                self.attrs(table, layout.rest, offset, None)
            }
            // A message without attributes has nothing behind its structure; one that the tables only
            // name (its structure is empty) may have anything.
            None if need > 0 && !layout.rest.is_empty() => {
                let offset = payload_offset.saturating_add(layout.rest_offset);
                self.fault(offset, FaultKind::Surplus { got: layout.rest.len() }, None)
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn attrs(
        &mut self,
        table: &'static AttrTable,
        list: &[u8],
        offset: usize,
        within: Option<&'static str>,
    ) -> ControlFlow<()> {
        for item in attrs_at(list, offset) {
            match item {
                AttrItem::Attr(attr) => self.attr(table, list, &attr, within)?,
                AttrItem::Trailing(rest) => {
                    self.fault(rest.offset, FaultKind::Attr(rest.cause), within)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn attr(
        &mut self,
        table: &'static AttrTable,
        list: &[u8],
        attr: &RawAttr<'_>,
        within: Option<&'static str>,
    ) -> ControlFlow<()> {
        let payload_offset = attr.offset.saturating_add(NLA_HDRLEN);
        let end = payload_offset.saturating_add(attr.payload.len());
        let Some(spec) = table.by_number(attr.number()) else {
            if self.options.unknown {
                let what = FaultKind::UnknownAttr { number: attr.number(), table: table.name };
                self.fault(attr.offset.saturating_add(2), what, within)?;
            }
            return self.padding(attr.payload.len(), attr.padding, end, within);
        };
        let name = Some(spec.name);
        if !spec.kind.accepts(self.os, attr.payload.len()) {
            let what = FaultKind::AttrSize { kind: spec.kind, got: attr.payload.len() };
            self.fault(payload_offset, what, name)?;
        }
        match spec.kind.in_list(list) {
            AttrKind::Str if attr.as_str_bytes().is_none() => {
                self.fault(end, FaultKind::Unterminated, name)?;
            }
            AttrKind::Nested(inner) => self.attrs(inner, attr.payload, payload_offset, name)?,
            _ => {}
        }
        self.padding(attr.payload.len(), attr.padding, end, name)
    }

    /// Headers are aligned, so that the payload alone decides how much padding there should be.
    fn padding(
        &mut self,
        payload: usize,
        padding: &[u8],
        offset: usize,
        attr: Option<&'static str>,
    ) -> ControlFlow<()> {
        if let Some(at) = padding.iter().position(|&byte| byte != 0) {
            let value = padding.get(at).copied().unwrap_or_default();
            self.fault(offset.saturating_add(at), FaultKind::PaddingNotZero { value }, attr)?;
        }
        let (need, got) = (align(payload).saturating_sub(payload), padding.len());
        if got < need {
            let what = FaultKind::PaddingMissing { need, got };
            self.fault(offset.saturating_add(got), what, attr)?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consts::*;
    use crate::view::{IfInfoMsg, NlMsgHdr, TrailingCause};
    use crate::write::Writer;
    use std::string::ToString;
    use std::vec::Vec;

    const HEADER: NlMsgHdr = NlMsgHdr { len: 0, kind: RTM_NEWLINK, flags: 5, seq: 1, pid: 0 };

    /// NEWLINK at 0, ifinfomsg at 16, ifname at 32, linkinfo at 40, kind at 44, mtu at 52.
    fn sound() -> Vec<u8> {
        let mut w = Writer::growing();
        w.begin(HEADER);
        w.put(&IfInfoMsg::default().to_bytes());
        w.attr(IFLA_IFNAME, b"lo1\0");
        let nest = w.begin_nest(IFLA_LINKINFO);
        w.attr(IFLA_INFO_KIND, b"lo\0");
        w.end_nest(nest);
        w.attr(IFLA_MTU, &1400_u32.to_le_bytes());
        w.end().expect("grows");
        w.into_vec().expect("no failure")
    }

    /// The first fault after putting `byte` at `offset`.
    fn damaged(offset: usize, byte: u8) -> (usize, FaultKind) {
        let mut bytes = sound();
        bytes[offset] = byte;
        let fault = walk(Os::FreeBsd, &bytes).expect_err("damaged");
        (fault.offset, fault.what)
    }

    #[test]
    fn a_sound_message_passes() {
        assert_eq!(walk_with(Os::FreeBsd, &sound(), Options { unknown: true }), Ok(()));
        assert_eq!(walk(Os::Linux, &sound().repeat(3)), Ok(()));
        assert_eq!(walk(Os::Linux, &[]), Ok(()));
    }

    #[test]
    fn lengths_of_messages() {
        assert_eq!(
            damaged(0, 64),
            (0, FaultKind::Message(TrailingCause::LengthPastEnd { len: 64, left: 60 }))
        );
        assert_eq!(
            damaged(0, 15),
            (0, FaultKind::Message(TrailingCause::LengthBelowHeader { len: 15, need: 16 }))
        );
        let short = FaultKind::ShortHeader { header: "ifinfomsg", need: 16, got: 4 };
        assert_eq!(damaged(0, 20), (20, short));
    }

    #[test]
    fn lengths_of_attributes() {
        assert_eq!(damaged(52, 9), (52, FaultKind::Attr(TrailingCause::LengthPastEnd { len: 9, left: 8 })));
        assert_eq!(
            damaged(52, 3),
            (52, FaultKind::Attr(TrailingCause::LengthBelowHeader { len: 3, need: 4 }))
        );
        assert_eq!(damaged(52, 7), (56, FaultKind::AttrSize { kind: AttrKind::U32, got: 3 }));
        // The nest is right, what it holds is too long for it.
        assert_eq!(damaged(44, 9), (44, FaultKind::Attr(TrailingCause::LengthPastEnd { len: 9, left: 8 })));
    }

    #[test]
    fn strings_and_padding() {
        assert_eq!(damaged(39, b'x'), (40, FaultKind::Unterminated));
        assert_eq!(damaged(51, 1), (51, FaultKind::PaddingNotZero { value: 1 }));
        let mut cut = sound();
        cut.truncate(58);
        cut[0] = 58;
        cut[52] = 6;
        let mut found = Vec::new();
        faults(Os::FreeBsd, &cut, Options::default(), &mut |fault| {
            found.push((fault.offset, fault.what, fault.attr));
            ControlFlow::Continue(())
        });
        assert_eq!(
            found,
            [
                (56, FaultKind::AttrSize { kind: AttrKind::U32, got: 2 }, Some("mtu")),
                (58, FaultKind::PaddingMissing { need: 2, got: 0 }, Some("mtu")),
                (58, FaultKind::PaddingMissing { need: 2, got: 0 }, None),
            ]
        );
    }

    #[test]
    fn trailing_bytes() {
        let mut bytes = sound();
        bytes.extend([0, 0]);
        let fault = walk(Os::FreeBsd, &bytes).expect_err("two bytes too many");
        assert_eq!(fault.offset, 60);
        assert_eq!(fault.to_string(), "byte 60: message too short for a header of 16 bytes");
    }

    #[test]
    fn the_unknown_is_a_fault_on_request() {
        let mut bytes = sound();
        bytes[54] = 99;
        let strict = Options { unknown: true };
        assert_eq!(walk(Os::FreeBsd, &bytes), Ok(()));
        let fault = walk_with(Os::FreeBsd, &bytes, strict).expect_err("unknown");
        assert_eq!((fault.offset, fault.what), (54, FaultKind::UnknownAttr { number: 99, table: "ifla" }));
        bytes[4] = 200;
        let fault = walk_with(Os::FreeBsd, &bytes, strict).expect_err("unknown");
        assert_eq!((fault.offset, fault.what), (4, FaultKind::UnknownMessage { number: 200 }));
    }

    #[test]
    fn acknowledgements() {
        let ack = |flags, len, echo: &[u8]| {
            let request = NlMsgHdr { len, kind: RTM_NEWLINK, flags: 5, seq: 9, pid: 0 };
            let mut w = Writer::growing();
            w.begin(NlMsgHdr { kind: NLMSG_ERROR, flags, ..HEADER });
            w.put(&NlMsgErr { error: 22, request }.to_bytes());
            w.put(echo);
            w.attr(NLMSGERR_ATTR_MSG, b"bad\0");
            w.end().expect("grows");
            w.into_vec().expect("no failure")
        };
        assert_eq!(walk(Os::FreeBsd, &ack(0, 22, &[1; 6])), Ok(()));
        assert_eq!(walk(Os::FreeBsd, &ack(NLM_F_CAPPED, 400, &[])), Ok(()));
        let fault = walk(Os::FreeBsd, &ack(0, 400, &[1; 6])).expect_err("longer than it is");
        assert_eq!((fault.offset, fault.what), (20, FaultKind::ShortEcho { len: 400, left: 32 }));
        let fault = walk(Os::FreeBsd, &ack(NLM_F_CAPPED, 24, &[1; 4])).expect_err("an echo all the same");
        assert_eq!(fault.offset, 36);
    }

    #[test]
    fn the_end_of_a_dump() {
        let done = |rest: &[u8]| {
            let mut w = Writer::growing();
            w.begin(NlMsgHdr { kind: NLMSG_DONE, ..HEADER });
            w.put(&[0; 4]);
            w.put(rest);
            w.end().expect("grows");
            w.into_vec().expect("no failure")
        };
        assert_eq!(walk(Os::FreeBsd, &done(&[])), Ok(()));
        let fault = walk(Os::FreeBsd, &done(&[8, 0, 2, 0, 1, 0, 0, 0])).expect_err("more than a number");
        assert_eq!((fault.offset, fault.what), (20, FaultKind::Surplus { got: 8 }));
        assert_eq!(walk(Os::Linux, &done(&[8, 0, 2, 0, 1, 0, 0, 0])), Ok(()));
    }

    #[test]
    fn a_fault_reads_well() {
        let mut bytes = sound();
        bytes[52] = 7;
        let text = |bytes: &[u8]| walk(Os::FreeBsd, bytes).expect_err("damaged").to_string();
        assert_eq!(text(&bytes), "byte 56 in mtu of newlink: payload of 3 where a u32 takes 4");
        bytes = sound();
        bytes[44] = 9;
        assert_eq!(text(&bytes), "byte 44 in linkinfo of newlink: attribute length 9 where 8 bytes are left");
    }
}
