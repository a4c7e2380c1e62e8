// SPDX-License-Identifier: BSD-2-Clause
//! Captures of Linux' nlmon interfaces, link type 253: a cooked header of 16 bytes in network order, then the datagram.
//!
//! ```text
//!  0      2       4              14       16
//!  | type | 824   | zeroes       | proto  | messages
//! ```

use std::path::Path;

use nlproof_wire::Os;
use nlproof_wire::bytes::u16_at;
use nlproof_wire::consts::NLM_F_REQUEST;
use nlproof_wire::view::NlMsgHdr;
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::reading::{Direction, Format, Reading, Seen};
use crate::file::FileError;

/// LINKTYPE_NETLINK.
const NETLINK: Linktype = Linktype(253);
/// Bytes before the datagram.
const COOKED: usize = 16;
/// Where the protocol stands, and that of routes and links.
const PROTOCOL_AT: usize = 14;
const NETLINK_ROUTE: u16 = 0;
/// PACKET_USER and PACKET_KERNEL of Linux: to whom the packet goes.
const TO_USER: u16 = 6;
const TO_KERNEL: u16 = 7;
/// The reader's buffer, in bytes: the longest packet that is read.
const BUFFER: usize = 1 << 20;

/// Which kind of capture the file begins as.
pub(super) fn format_of(bytes: &[u8]) -> Option<Format> {
    match bytes.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0xc3, 0xd4]
        | [0x4d, 0x3c, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0x3c, 0x4d] => Some(Format::Pcap),
        [0x0a, 0x0d, 0x0d, 0x0a] => Some(Format::Pcapng),
        _ => None,
    }
}

/// Reads the packets.
///
/// # Errors
/// The file is damaged.
pub(super) fn read(path: &Path, format: Format, bytes: &[u8]) -> Result<Reading, FileError> {
    let wrong = |what: String| FileError::whole(path, format!("is no whole {format}: {what}"));
    let mut reading = Reading::new(format, Some(Os::Linux));
    let mut reader = create_reader(BUFFER, bytes).map_err(|error| wrong(error.to_string()))?;
    // The interfaces of a section, and how much of a packet is kept.
    let mut links: Vec<Linktype> = Vec::new();
    let mut number = 0_u64;
    let mut before = (usize::MAX, 0);
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                let packet = match &block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        links = vec![header.network];
                        None
                    }
                    PcapBlockOwned::Legacy(packet) => Some((0, packet.data, packet.origlen)),
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                        links.clear();
                        None
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype);
                        None
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        Some((packet.if_id as usize, packet.packet_data(), packet.origlen))
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                        Some((0, packet.packet_data(), packet.origlen))
                    }
                    PcapBlockOwned::NG(_) => None,
                };
                if let Some((link, data, whole)) = packet {
                    number += 1;
                    put(&mut reading, number, links.get(link).copied(), data, whole);
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return Ok(reading),
            Err(PcapError::Incomplete(_)) => {
                // The end of the file is an error of its own; what gets no further is one too.
                reader.refill().map_err(|error| wrong(error.to_string()))?;
                let here = (reader.consumed(), reader.data().len());
                if here == before {
                    return Err(wrong(format!("packet {} cannot be read", number + 1)));
                }
                before = here;
            }
            Err(PcapError::UnexpectedEof) => {
                reading.notes.push(format!("the file ends within packet {}", number + 1));
                return Ok(reading);
            }
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
}

fn put(reading: &mut Reading, number: u64, link: Option<Linktype>, data: &[u8], whole: u32) {
    let place = format!("packet {number}");
    let mut leave_out = |why: &str| reading.notes.push(format!("{place}: {why}, left out"));
    if link != Some(NETLINK) {
        return leave_out("not of an nlmon interface (link type 253)");
    }
    let Some((cooked, datagram)) = data.split_at_checked(COOKED) else {
        return leave_out("shorter than its header");
    };
    let field = |at| u16_at(cooked, at).map(u16::swap_bytes);
    if field(PROTOCOL_AT) != Some(NETLINK_ROUTE) {
        return leave_out("of another protocol than NETLINK_ROUTE");
    }
    if data.len() < whole as usize {
        return leave_out("only its beginning was captured (tcpdump -s 0 keeps all)");
    }
    let asks = NlMsgHdr::parse(datagram).is_some_and(|header| header.flags & NLM_F_REQUEST != 0);
    let direction = match field(0) {
        Some(TO_KERNEL) => Direction::ToKernel,
        Some(TO_USER) => Direction::FromKernel,
        _ if asks => Direction::ToKernel,
        _ => Direction::FromKernel,
    };
    reading.seen.push(Seen { place, direction, data: datagram.to_vec() });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u16, protocol: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = [kind.to_be_bytes(), 824_u16.to_be_bytes()].concat();
        bytes.extend([0; 10]);
        bytes.extend(protocol.to_be_bytes());
        bytes.extend(data);
        bytes
    }

    fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, link].map(u32::to_le_bytes).concat();
        for packet in packets {
            let len = packet.len() as u32;
            bytes.extend([0, 0, len, len].map(u32::to_le_bytes).concat());
            bytes.extend(packet);
        }
        bytes
    }

    fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
        let block = |kind: u32, body: &[u8]| {
            let len = (body.len().next_multiple_of(4) + 12) as u32;
            let mut bytes = [kind, len].map(u32::to_le_bytes).concat();
            bytes.extend(body);
            bytes.resize(len as usize - 4, 0);
            bytes.extend(len.to_le_bytes());
            bytes
        };
        let mut bytes =
            block(0x0a0d_0d0a, &[0x1a2b_3c4d_u32, 1, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat());
        bytes.extend(block(1, &[253_u32, 0].map(u32::to_le_bytes).concat()));
        for packet in packets {
            let len = packet.len() as u32;
            let head = [0, 0, 0, len, len].map(u32::to_le_bytes).concat();
            bytes.extend(block(6, &[head, packet.clone()].concat()));
        }
        bytes
    }

    #[test]
    fn packets_of_nlmon_to_and_from_the_kernel() {
        let request = [&[16, 0, 0, 0, 18, 0, 1, 3][..], &[0; 8]].concat();
        let packets =
            [packet(7, 0, &request), packet(6, 0, &request), packet(4, 0, &request), packet(7, 16, &request)];
        for (format, bytes) in [(Format::Pcap, pcap(253, &packets)), (Format::Pcapng, pcapng(&packets))] {
            assert_eq!(format_of(&bytes), Some(format));
            let reading = read(Path::new("t"), format, &bytes).unwrap();
            let seen: Vec<_> =
                reading.seen.iter().map(|seen| (seen.place.as_str(), seen.direction)).collect();
            let (to, from) = (Direction::ToKernel, Direction::FromKernel);
            assert_eq!(seen, [("packet 1", to), ("packet 2", from), ("packet 3", to)]);
            assert_eq!(reading.seen[0].data, request);
            assert_eq!(reading.notes, ["packet 4: of another protocol than NETLINK_ROUTE, left out"]);
        }
        let other = read(Path::new("t"), Format::Pcap, &pcap(1, &packets)).unwrap();
        assert_eq!((other.seen.len(), other.notes.len()), (0, 4));
    }

    #[test]
    fn a_file_that_ends_too_early_is_told() {
        let whole = pcap(253, &[packet(7, 0, &[16, 0, 0, 0])]);
        let reading = read(Path::new("t"), Format::Pcap, &whole[..whole.len() - 2]).unwrap();
        assert_eq!(reading.notes, ["the file ends within packet 1"]);
    }
}
