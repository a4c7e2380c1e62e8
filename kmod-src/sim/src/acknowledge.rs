// SPDX-License-Identifier: BSD-2-Clause
//! Acknowledgements: `nlmsg_ack` of `netlink/netlink_message_writer.c`.

use iface_core::{Errno, MessageHeader, Report, Writer};
use nlproof_wire::bytes::align;
use nlproof_wire::consts::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR, NLMSG_HDRLEN, NLMSGERR_ATTR_COOKIE, NLMSGERR_ATTR_MSG,
    NLMSGERR_ATTR_OFFS,
};

use crate::socket::Socket;
use crate::writer::NlWriter;

/// Answers `request` (a complete message, stamped with the sender's port) with NLMSG_ERROR.
///
/// An error brings the whole request back, unless the socket has NETLINK_CAP_ACK. Of several reports
/// the first that speaks is heard. Text and offset are for
/// sockets with NETLINK_EXT_ACK; a cookie is for everybody, and no flag tells of it.
pub(crate) fn acknowledge(
    writer: &mut NlWriter,
    socket: &Socket,
    request: &[u8],
    seq: u32,
    result: Result<(), Errno>,
    reports: [&Report; 2],
) {
    let text = reports.into_iter().find_map(Report::text);
    let offset = reports.into_iter().find_map(Report::offset);
    let cookie = reports.into_iter().find_map(Report::cookie);
    let capped = result.is_ok() || socket.options.cap_ack;
    let echoed = if capped { &request[..NLMSG_HDRLEN.min(request.len())] } else { request };
    let ext_ack = socket.options.ext_ack;
    let mut flags = if capped { NLM_F_CAPPED } else { 0 };
    if ext_ack && (text.is_some() || offset.is_some()) {
        flags |= NLM_F_ACK_TLVS;
    }
    let mut payload = result.map_or_else(Errno::number, |()| 0).to_le_bytes().to_vec();
    payload.extend(echoed);
    payload.resize(align(payload.len()), 0);

    writer.begin(&MessageHeader { kind: NLMSG_ERROR, flags, seq, pid: socket.port }, &payload);
    if let Some(text) = text.filter(|_| ext_ack) {
        writer.string(NLMSGERR_ATTR_MSG, text);
    }
    if let Some(offset) = offset.filter(|_| ext_ack) {
        writer.u32(NLMSGERR_ATTR_OFFS, offset);
    }
    if let Some(cookie) = cookie {
        writer.attribute(NLMSGERR_ATTR_COOKIE, cookie.as_bytes());
    }
    if !writer.end() {
        writer.abort();
    }
}
