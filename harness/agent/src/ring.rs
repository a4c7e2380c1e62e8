// SPDX-License-Identifier: BSD-2-Clause
//! Records of the module's ring, as `net.netlink.nlproof.records` gives them (`struct nlproof_record`, kmod-src/shim/ring.h).

use crate::KernelEvent;

/// Bytes of a record.
pub const RECORD_LEN: usize = 64;

/// A probe that fired, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fired {
    /// CLOCK_MONOTONIC of the kernel, in nanoseconds.
    pub t_ns: u64,
    /// The network stack (`net.netlink.nlproof.vnet` of a process in it).
    pub vnet: u32,
    /// What fired.
    pub event: KernelEvent,
}

/// The records in bytes that were read; what is no whole record at the end is left out.
pub fn fired(bytes: &[u8]) -> impl Iterator<Item = Fired> {
    bytes.chunks_exact(RECORD_LEN).map(|record| {
        let word = |at: usize| {
            let bytes = record.get(at..).and_then(<[u8]>::first_chunk);
            u64::from_le_bytes(bytes.copied().unwrap_or_default())
        };
        let [threads, place] = [word(8), word(16)];
        Fired {
            t_ns: word(0),
            vnet: (threads >> 32) as u32,
            event: KernelEvent {
                cpu: place as u16,
                tid: threads as u32,
                probe: (place >> 16) as u16,
                args: [word(24), word(32), word(40), word(48), word(56)],
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn records_are_read_where_their_fields_are() {
        let mut bytes = Vec::new();
        bytes.extend(7_000_000_001_u64.to_le_bytes());
        bytes.extend(100_123_u32.to_le_bytes());
        bytes.extend(0xabcd_u32.to_le_bytes());
        bytes.extend(1_u16.to_le_bytes());
        bytes.extend(5_u16.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        for arg in [10_u64, 20, 30, 40, u64::MAX] {
            bytes.extend(arg.to_le_bytes());
        }
        assert_eq!(bytes.len(), RECORD_LEN);
        bytes.extend([1, 2, 3]);
        let event = KernelEvent { cpu: 1, tid: 100_123, probe: 5, args: [10, 20, 30, 40, u64::MAX] };
        assert_eq!(fired(&bytes).collect::<Vec<_>>(), [Fired { t_ns: 7_000_000_001, vnet: 0xabcd, event }]);
        assert_eq!(fired(&bytes[..RECORD_LEN - 1]).count(), 0);
    }
}
