// SPDX-License-Identifier: BSD-2-Clause
//! The fixed structures of link messages.

use crate::bytes::{i32_at, u8_at, u16_at, u32_at, u64_at};

/// `struct ifinfomsg` (`netlink/route/interface.h`).
///
/// ```text
///  0   1   2       4       8       12      16
///  |fam|pad| type  | index | flags | change|
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IfInfoMsg {
    /// `ifi_family`; FreeBSD ignores and zeroes it.
    pub family: u8,
    /// The pad byte, which a strict socket insists on being zero.
    pub pad: u8,
    /// `ifi_type`: `IFT_*` on FreeBSD, `ARPHRD_*` on Linux.
    pub kind: u16,
    /// `ifi_index`.
    pub index: i32,
    /// `ifi_flags`: `IFF_*`.
    pub flags: u32,
    /// `ifi_change`: which flags the message is about.
    pub change: u32,
}

impl IfInfoMsg {
    /// Bytes on the wire.
    pub const SIZE: usize = 16;

    /// Reads the structure that begins `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            family: u8_at(bytes, 0)?,
            pad: u8_at(bytes, 1)?,
            kind: u16_at(bytes, 2)?,
            index: i32_at(bytes, 4)?,
            flags: u32_at(bytes, 8)?,
            change: u32_at(bytes, 12)?,
        })
    }

    /// The structure as it goes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [t0, t1] = self.kind.to_le_bytes();
        let [i0, i1, i2, i3] = self.index.to_le_bytes();
        let [f0, f1, f2, f3] = self.flags.to_le_bytes();
        let [c0, c1, c2, c3] = self.change.to_le_bytes();
        [self.family, self.pad, t0, t1, i0, i1, i2, i3, f0, f1, f2, f3, c0, c1, c2, c3]
    }
}

/// `struct rtnl_link_stats64`: the counters in the order of [`STATS64_NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtnlLinkStats64 {
    /// The counters.
    pub counters: [u64; STATS64_NAMES.len()],
}

/// Names of the counters in `struct rtnl_link_stats64`, in their order there; each has eight bytes.
pub const STATS64_NAMES: [&str; 24] = [
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
    "multicast",
    "collisions",
    "rx_length_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_fifo_errors",
    "rx_missed_errors",
    "tx_aborted_errors",
    "tx_carrier_errors",
    "tx_fifo_errors",
    "tx_heartbeat_errors",
    "tx_window_errors",
    "rx_compressed",
    "tx_compressed",
    "rx_nohandler",
];

impl RtnlLinkStats64 {
    /// Bytes on the wire as FreeBSD sends it. Linux 6.1 appends `rx_otherhost_dropped`, see
    /// [`crate::schema::AttrKind::Stats64`].
    pub const SIZE: usize = 192;

    /// Reads the structure that begins `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut counters = [0; STATS64_NAMES.len()];
        for (index, counter) in counters.iter_mut().enumerate() {
            *counter = u64_at(bytes, index.saturating_mul(8))?;
        }
        Some(Self { counters })
    }

    /// The structure as it goes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let (places, _) = bytes.as_chunks_mut::<8>();
        for (place, counter) in places.iter_mut().zip(self.counters) {
            *place = counter.to_le_bytes();
        }
        bytes
    }

    /// Counters with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        STATS64_NAMES.into_iter().zip(self.counters)
    }

    /// The counter of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.named().find(|&(known, _)| known == name).map(|(_, counter)| counter)
    }

    /// Sets the counter of that name; false if there is none.
    pub fn set(&mut self, name: &str, value: u64) -> bool {
        let place = STATS64_NAMES.iter().zip(&mut self.counters).find(|&(known, _)| *known == name);
        match place {
            Some((_, counter)) => {
                *counter = value;
                true
            }
            None => false,
        }
    }
}

const _: () = assert!(STATS64_NAMES.len() * 8 == RtnlLinkStats64::SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ifinfomsg_round_trip() {
        let bytes: [u8; 16] = core::array::from_fn(|i| i as u8 + 1);
        let info = IfInfoMsg::parse(&bytes).expect("whole");
        assert_eq!((info.family, info.pad, info.kind, info.index), (1, 2, 0x0403, 0x0807_0605));
        assert_eq!((info.flags, info.change), (0x0c0b_0a09, 0x100f_0e0d));
        assert_eq!(info.to_bytes(), bytes);
        assert_eq!(IfInfoMsg::parse(&bytes[..15]), None);
    }

    #[test]
    fn every_counter_has_its_place() {
        let mut stats = RtnlLinkStats64::default();
        for (number, name) in STATS64_NAMES.iter().enumerate() {
            assert!(stats.set(name, number as u64 + 0xabcd_0000_0000));
        }
        assert!(!stats.set("rx_otherhost_dropped", 1));
        let bytes = stats.to_bytes();
        assert_eq!(RtnlLinkStats64::parse(&bytes), Some(stats));
        assert_eq!(stats.get("rx_nohandler"), Some(23 + 0xabcd_0000_0000));
        assert_eq!(bytes[184], 23);
        assert_eq!(RtnlLinkStats64::parse(&bytes[1..]), None);
    }
}
