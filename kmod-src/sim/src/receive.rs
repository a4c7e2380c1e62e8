// SPDX-License-Identifier: BSD-2-Clause
//! From a datagram to its messages: `nl_process_mbuf` and `nl_receive_message` of `netlink/netlink_io.c`.

use std::rc::Rc;

use iface_core::{MessageHeader, Report, Request, Sleepable, handle};
use nlproof_wire::bytes::{align, put_at};
use nlproof_wire::consts::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_HDRLEN, NLMSG_MIN_TYPE};
use nlproof_wire::view::NlMsgHdr;

use crate::acknowledge::acknowledge;
use crate::socket::Socket;
use crate::stack::Stack;
use crate::writer::NlWriter;

/// Where requests stand in memory, for the one error text that shows it.
const BUFFER_ADDRESS: u64 = 0xffff_f800_0314_2000;

/// MJUMPAGESIZE of `sys/param.h`: what one mbuf of a long datagram holds (`m_getm2` of `kern/kern_mbuf.c`).
const MBUF_PAGE: usize = 4096;
/// `max_hdr`: what `sosend` leaves free at the beginning of the first (`kern.ipc.max_hdr` of 14.0 GENERIC).
const MAX_HDR: usize = 76;

/// The bytes of a datagram as its mbufs follow each other, last first.
fn pages_reversed(datagram: &[u8]) -> Vec<u8> {
    let (first, rest) = datagram.split_at(datagram.len().min(MBUF_PAGE - MAX_HDR));
    rest.chunks(MBUF_PAGE).rev().chain([first]).flatten().copied().collect()
}

impl Stack {
    /// A datagram as the kernel takes it up.
    pub(crate) fn as_taken_up(&self, datagram: &[u8]) -> Vec<u8> {
        if self.variant.pages_reversed { pages_reversed(datagram) } else { datagram.to_vec() }
    }

    /// Answers every message of a datagram. One whose length is below its header's or beyond the datagram
    /// ends the processing without any answer; what came before it stays done.
    pub(crate) fn receive(&self, socket: &Rc<Socket>, datagram: &[u8]) {
        let mut thread = Sleepable::at_entry();
        let mut writer = NlWriter::unicast(socket.clone(), self.variant.first_buffer);
        let mut datagram = self.as_taken_up(datagram);
        let mut offset = 0;
        while let Some(header) = datagram.get(offset..).and_then(NlMsgHdr::parse) {
            let len = header.len as usize;
            let Some(message) = datagram.get_mut(offset..).and_then(|rest| rest.get_mut(..len)) else {
                break;
            };
            if len < NLMSG_HDRLEN {
                break;
            }
            // The sender does not choose its port.
            put_at(message, 12, &socket.port.to_le_bytes());
            self.receive_message(&mut thread, socket, message, offset, &mut writer);
            offset += align(len);
        }
        writer.flush_finished();
    }

    fn receive_message(
        &self,
        thread: &mut Sleepable,
        socket: &Rc<Socket>,
        message: &[u8],
        offset: usize,
        writer: &mut NlWriter,
    ) {
        let Some(NlMsgHdr { kind, flags, seq, pid, .. }) = NlMsgHdr::parse(message) else { return };
        let mut report = Report::default();
        *self.driver_report.borrow_mut() = Report::default();
        writer.suppress_ack = false;
        let result = if flags & NLM_F_REQUEST != 0 && kind >= NLMSG_MIN_TYPE {
            let request = Request {
                header: MessageHeader { kind, flags, seq, pid },
                payload: message.get(NLMSG_HDRLEN..).unwrap_or(&[]),
                strict: socket.options.strict,
                base: BUFFER_ADDRESS + offset as u64,
            };
            handle(self, &self.behaviours, thread, &**socket, &request, writer, &mut report)
        } else {
            Ok(())
        };
        if (flags & NLM_F_ACK != 0 || result.is_err()) && !writer.suppress_ack {
            let driver = self.driver_report.borrow();
            acknowledge(writer, socket, message, seq, result, [&report, &driver]);
        }
    }
}
