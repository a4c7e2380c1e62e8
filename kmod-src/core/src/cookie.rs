// SPDX-License-Identifier: BSD-2-Clause
//! The cookie that a successful create adds to its acknowledgement.

use nlproof_wire::bytes::{align, put_at};
use nlproof_wire::consts::{IFLA_IFNAME, IFLA_NEW_IFINDEX, IFNAMSIZ, NLA_HDRLEN};

use crate::name::Name;

const INDEX: usize = NLA_HDRLEN.saturating_add(4);
const CAPACITY: usize = INDEX.saturating_add(NLA_HDRLEN).saturating_add(IFNAMSIZ);

/// The payload of NLMSGERR_ATTR_COOKIE: IFLA_NEW_IFINDEX (u32) and IFLA_IFNAME (string).
///
/// ```text
///  0   2   4       8   10  12
///  | 8 |49 | index |len| 3 | name, NUL, padding to a multiple of four
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Cookie {
    /// The cookie of the interface with that index and name.
    #[must_use]
    pub fn of(index: u32, name: Name) -> Self {
        let mut bytes = [0; CAPACITY];
        let string = name.as_bytes().len().saturating_add(1);
        put_at(&mut bytes, 0, &8_u16.to_le_bytes());
        put_at(&mut bytes, 2, &IFLA_NEW_IFINDEX.to_le_bytes());
        put_at(&mut bytes, NLA_HDRLEN, &index.to_le_bytes());
        let name_len = u16::try_from(NLA_HDRLEN.saturating_add(string)).unwrap_or(0);
        put_at(&mut bytes, INDEX, &name_len.to_le_bytes());
        put_at(&mut bytes, INDEX.saturating_add(2), &IFLA_IFNAME.to_le_bytes());
        put_at(&mut bytes, INDEX.saturating_add(NLA_HDRLEN), name.as_bytes());
        Self { bytes, len: INDEX.saturating_add(NLA_HDRLEN).saturating_add(align(string)) }
    }

    /// The nested attributes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Bytes of scratch memory that the kernel takes for it: with the header of the outer attribute.
    #[must_use]
    pub(crate) fn scratch(&self) -> usize {
        self.len.saturating_add(NLA_HDRLEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let cookie = Cookie::of(0x1234, Name::truncated(b"lo10"));
        let expected = [8, 0, 49, 0, 0x34, 0x12, 0, 0, 9, 0, 3, 0, b'l', b'o', b'1', b'0', 0, 0, 0, 0];
        assert_eq!(cookie.as_bytes(), expected);
        assert_eq!(Cookie::of(1, Name::truncated(&[b'x'; 15])).as_bytes().len(), 28);
    }
}
