// SPDX-License-Identifier: BSD-2-Clause
//! Message buffers: `struct nl_writer` (`netlink/netlink_message_writer.{h,c}`), modelled for the places
//! where the kernel cuts datagrams.

use std::rc::Rc;

use iface_core::{GroupWriter, MessageHeader, Nest, Writer};
use nlproof_wire::bytes::{align, put_at};
use nlproof_wire::consts::{NLA_HDRLEN, NLMSG_DONE, NLMSG_HDRLEN};
use nlproof_wire::view::NlMsgHdr;

use crate::socket::Socket;

/// `NLMBUFSIZE`: bytes of every buffer after the first.
pub(crate) const BUFFER_SIZE: usize = 2048;

/// A stream of messages to one socket, or to all members of a group.
#[derive(Debug)]
pub(crate) struct NlWriter {
    targets: Vec<Rc<Socket>>,
    limited: bool,
    data: Vec<u8>,
    capacity: usize,
    /// Where the unfinished message begins.
    unfinished: Option<usize>,
    /// The unfinished message cannot be finished.
    failing: bool,
    /// The request was answered by a dump, which needs no acknowledgement.
    pub(crate) suppress_ack: bool,
}

impl NlWriter {
    /// Replies to a request, the first in a buffer of `capacity` bytes.
    pub(crate) fn unicast(socket: Rc<Socket>, capacity: usize) -> Self {
        Self::new(vec![socket], false, capacity)
    }

    /// Events to the members of a group.
    pub(crate) fn group(members: Vec<Rc<Socket>>) -> Self {
        Self::new(members, true, BUFFER_SIZE)
    }

    fn new(targets: Vec<Rc<Socket>>, limited: bool, capacity: usize) -> Self {
        Self {
            targets,
            limited,
            data: Vec::new(),
            capacity,
            unfinished: None,
            failing: false,
            suppress_ack: false,
        }
    }

    /// `nlmsg_refill_buffer`: sends the finished messages and moves the unfinished one to a buffer of the
    /// usual size, or if it was alone to one twice as large.
    ///
    /// The kernel does not ask whether the unfinished message and what is to be added fit the new buffer
    /// together, and writes beyond its end if they do not; here the buffer just grows.
    fn refill(&mut self, required: usize) {
        let finished = self.unfinished.unwrap_or(self.data.len());
        self.capacity = if finished > 0 && required < BUFFER_SIZE {
            self.capacity.max(BUFFER_SIZE)
        } else {
            let mut capacity = if self.capacity < BUFFER_SIZE { BUFFER_SIZE } else { self.capacity * 2 };
            while capacity < required {
                capacity *= 2;
            }
            capacity
        };
        let rest = self.data.split_off(finished);
        let datagram = std::mem::replace(&mut self.data, rest);
        self.unfinished = self.unfinished.map(|_| 0);
        self.send(datagram);
    }

    fn send(&self, datagram: Vec<u8>) {
        if datagram.is_empty() {
            return;
        }
        for target in &self.targets {
            target.deliver(datagram.clone(), self.limited);
        }
    }

    /// The unfinished message is not to be finished.
    pub(crate) fn fail(&mut self) {
        self.failing = true;
    }

    fn room(&mut self, required: usize) {
        if self.data.len() + required > self.capacity {
            self.refill(required);
        }
    }

    /// `nlmsg_add`: begins a message of which `payload` bytes are known to follow.
    pub(crate) fn add(&mut self, header: &MessageHeader, payload: usize) {
        self.room(align(payload + NLMSG_HDRLEN));
        self.unfinished = Some(self.data.len());
        let MessageHeader { kind, flags, seq, pid } = *header;
        let len = u32::try_from(payload).unwrap_or(u32::MAX);
        self.data.extend(NlMsgHdr { len, kind, flags, seq, pid }.to_bytes());
    }

    /// `nlmsg_reserve_data`, filled.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.room(align(bytes.len()));
        self.pad_to_alignment(bytes);
    }

    fn pad_to_alignment(&mut self, bytes: &[u8]) {
        self.data.extend(bytes);
        self.data.resize(align(self.data.len()), 0);
    }

    /// Sends what is finished (`nlmsg_flush`).
    pub(crate) fn flush_finished(&mut self) {
        self.abort();
        let datagram = std::mem::take(&mut self.data);
        self.send(datagram);
    }
}

impl Writer for NlWriter {
    type Stream = Self;

    fn stream(&mut self) -> &mut Self {
        self
    }

    fn begin(&mut self, header: &MessageHeader, payload: &[u8]) -> bool {
        self.add(header, payload.len());
        self.put(payload);
        true
    }

    fn attribute(&mut self, kind: u16, data: &[u8]) {
        self.room(align(data.len() + NLA_HDRLEN));
        // The kernel's field has 16 bits too, and no attribute it sends comes near them.
        let len = (data.len() + NLA_HDRLEN) as u16;
        self.data.extend(len.to_le_bytes());
        self.data.extend(kind.to_le_bytes());
        self.pad_to_alignment(data);
    }

    fn nest(&mut self, kind: u16) -> Option<Nest> {
        self.room(NLA_HDRLEN);
        let offset = self.data.len() - self.unfinished?;
        self.data.extend([0, 0]);
        self.data.extend(kind.to_le_bytes());
        u32::try_from(offset).ok().map(Nest::at)
    }

    fn end_nest(&mut self, nest: Nest) {
        if let Some(message) = self.unfinished {
            let begin = message + nest.offset() as usize;
            let len = (self.data.len() - begin) as u16;
            put_at(&mut self.data, begin, &len.to_le_bytes());
        }
    }

    fn end(&mut self) -> bool {
        if std::mem::take(&mut self.failing) {
            return false;
        }
        if let Some(begin) = self.unfinished.take() {
            let len = u32::try_from(self.data.len() - begin).unwrap_or(u32::MAX);
            put_at(&mut self.data, begin, &len.to_le_bytes());
        }
        true
    }

    fn abort(&mut self) {
        if let Some(begin) = self.unfinished.take() {
            self.data.truncate(begin);
        }
    }

    fn end_dump(&mut self, error: i32, header: &MessageHeader) -> bool {
        let done = MessageHeader { kind: NLMSG_DONE, flags: 0, ..*header };
        self.suppress_ack = true;
        self.begin(&done, &error.to_le_bytes()) && self.end()
    }

    fn words<const N: usize>(&mut self, words: &[u32; N]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.put(&bytes);
    }

    fn string(&mut self, kind: u16, value: &[u8]) {
        let mut terminated = value.to_vec();
        terminated.push(0);
        self.attribute(kind, &terminated);
    }
}

impl GroupWriter for NlWriter {
    fn flush(mut self) {
        self.flush_finished();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Privilege, SocketOptions};

    fn socket() -> Rc<Socket> {
        Rc::new(Socket::new(SocketOptions::default(), Privilege::Root, 1, None))
    }

    fn lengths(socket: &Socket) -> Vec<usize> {
        std::iter::from_fn(|| socket.receive()).map(|datagram| datagram.len()).collect()
    }

    fn message(writer: &mut NlWriter, len: usize) {
        assert!(writer.begin(&MessageHeader::default(), &[]));
        writer.attribute(1, &vec![7; len - NLMSG_HDRLEN - NLA_HDRLEN]);
        assert!(writer.end());
    }

    #[test]
    fn messages_share_a_datagram_of_at_most_2048_bytes() {
        let socket = socket();
        let mut writer = NlWriter::unicast(socket.clone(), 160);
        for _ in 0..7 {
            message(&mut writer, 340);
        }
        writer.flush();
        assert_eq!(lengths(&socket), [6 * 340, 340]);
    }

    #[test]
    fn a_first_buffer_that_holds_something_is_sent_by_itself() {
        let socket = socket();
        let mut writer = NlWriter::unicast(socket.clone(), 160);
        message(&mut writer, 100);
        message(&mut writer, 100);
        writer.flush();
        assert_eq!(lengths(&socket), [100, 100]);
    }

    #[test]
    fn a_large_message_gets_a_larger_buffer() {
        let socket = socket();
        let mut writer = NlWriter::unicast(socket.clone(), 160);
        message(&mut writer, 340);
        message(&mut writer, 5000);
        message(&mut writer, 340);
        writer.flush();
        assert_eq!(lengths(&socket), [340, 5340]);
    }

    #[test]
    fn nothing_remains_of_an_aborted_message() {
        let socket = socket();
        let mut writer = NlWriter::group(vec![socket.clone()]);
        message(&mut writer, 40);
        assert!(writer.begin(&MessageHeader::default(), &[1, 2, 3, 4]));
        writer.flush();
        assert_eq!(lengths(&socket), [40]);
    }
}
