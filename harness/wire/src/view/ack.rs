// SPDX-License-Identifier: BSD-2-Clause
//! `NLMSG_ERROR`: the error number, the echoed request and what follows it.

use crate::bytes::{align, i32_at, split};
use crate::consts::{NLM_F_CAPPED, NLMSG_HDRLEN};
use crate::os::Os;
use crate::view::NlMsgHdr;

/// `struct nlmsgerr` (`netlink/netlink.h`).
///
/// ```text
///  0       4                               20
///  | error | struct nlmsghdr of the request |
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NlMsgErr {
    /// `error` as it is on the wire: positive from FreeBSD, negative from Linux, 0 for an acknowledgement.
    pub error: i32,
    /// Header of the request that this answers.
    pub request: NlMsgHdr,
}

impl NlMsgErr {
    /// Bytes on the wire.
    pub const SIZE: usize = 20;

    /// Reads the structure that begins `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self { error: i32_at(bytes, 0)?, request: NlMsgHdr::parse(bytes.get(4..)?)? })
    }

    /// The structure as it goes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let parts = self.error.to_le_bytes().into_iter().chain(self.request.to_bytes());
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        bytes
    }

    /// The error number as a positive value of `errno.h`; 0 for an acknowledgement.
    #[must_use]
    pub const fn errno(&self, os: Os) -> i32 {
        os.wire_errno(self.error)
    }
}

/// An `NLMSG_ERROR` payload taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The fixed structure.
    pub err: NlMsgErr,
    /// The rest of the echoed request after its header, with padding; empty if `NLM_F_CAPPED`.
    pub echo: &'a [u8],
    /// Attributes after the echo (`NLMSGERR_ATTR_*`).
    pub tlvs: &'a [u8],
    /// Where `tlvs` begins in the payload.
    pub tlvs_offset: usize,
}

impl<'a> Ack<'a> {
    /// Takes the payload of an `NLMSG_ERROR` message apart; nothing if it is too short.
    ///
    /// Both kernels set `NLM_F_CAPPED` when they echo the header alone, which they also do for error 0.
    /// `NLM_F_ACK_TLVS` is not asked: FreeBSD sends the cookie without setting it
    /// (`nlmsg_ack()` of `netlink/netlink_message_writer.c`). An echo that claims to be longer than the
    /// payload takes all of it.
    #[must_use]
    pub fn parse(flags: u16, payload: &'a [u8]) -> Option<Self> {
        let err = NlMsgErr::parse(payload)?;
        let (_, rest) = split(payload, NlMsgErr::SIZE);
        let echoed = if flags & NLM_F_CAPPED != 0 {
            0
        } else {
            let len = usize::try_from(err.request.len).unwrap_or(usize::MAX);
            align(len.saturating_sub(NLMSG_HDRLEN)).min(rest.len())
        };
        let (echo, tlvs) = split(rest, echoed);
        Some(Self { err, echo, tlvs, tlvs_offset: NlMsgErr::SIZE.saturating_add(echoed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn payload(error: i32, len: u32, rest: &[u8]) -> Vec<u8> {
        let request = NlMsgHdr { len, kind: 16, flags: 5, seq: 1, pid: 2 };
        let mut bytes = Vec::from(NlMsgErr { error, request }.to_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn errno_is_positive_on_both() {
        let err = |error| NlMsgErr { error, ..NlMsgErr::default() };
        assert_eq!(err(2).errno(Os::FreeBsd), 2);
        assert_eq!(err(-2).errno(Os::Linux), 2);
    }

    #[test]
    fn tlvs_follow_the_padded_echo() {
        let bytes = payload(22, 18, &[1, 2, 0, 0, 8, 0, 2, 0, 4, 0, 0, 0]);
        let ack = Ack::parse(0, &bytes).expect("whole");
        assert_eq!((ack.echo, ack.tlvs, ack.tlvs_offset), (&bytes[20..24], &bytes[24..], 24));
    }

    #[test]
    fn a_capped_echo_is_empty_and_a_liar_takes_all() {
        let bytes = payload(0, 400, &[4, 0, 3, 0]);
        let capped = Ack::parse(NLM_F_CAPPED, &bytes).expect("whole");
        assert_eq!((capped.echo, capped.tlvs), (&[][..], &[4, 0, 3, 0][..]));
        let liar = Ack::parse(0, &bytes).expect("whole");
        assert_eq!((liar.echo, liar.tlvs, liar.tlvs_offset), (&[4, 0, 3, 0][..], &[][..], 24));
        assert_eq!(Ack::parse(0, &bytes[..19]), None);
    }
}
