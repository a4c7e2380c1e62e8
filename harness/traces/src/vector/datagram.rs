// SPDX-License-Identifier: BSD-2-Clause
//! The bytes of a datagram while it is put together, with the places that only the guest can fill.

use nlproof_agent::Patch;

/// A datagram under construction.
#[derive(Debug, Default)]
pub(super) struct Datagram {
    pub(super) data: Vec<u8>,
    pub(super) patches: Vec<Patch>,
}

impl Datagram {
    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// Appends bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Appends four bytes that the guest overwrites with the index of `ifname`.
    pub(super) fn put_ifindex(&mut self, ifname: &str) {
        self.patch(self.len(), ifname);
        self.put(&[0; 4]);
    }

    /// Notes that the guest overwrites the four bytes at `offset` with the index of `ifname`.
    pub(super) fn patch(&mut self, offset: usize, ifname: &str) {
        // A datagram is far below 4 GiB: the kernel takes no more than its send buffer.
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        self.patches.push(Patch { offset, ifname: ifname.to_owned() });
    }

    /// Pads with zeroes to a multiple of four.
    pub(super) fn align(&mut self) {
        self.data.resize(self.data.len().next_multiple_of(4), 0);
    }

    /// Overwrites two bytes at `offset`.
    pub(super) fn set_u16(&mut self, offset: usize, value: u16) {
        if let Some(place) = self.data.get_mut(offset..offset + 2) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Overwrites four bytes at `offset`.
    pub(super) fn set_u32(&mut self, offset: usize, value: u32) {
        if let Some(place) = self.data.get_mut(offset..offset + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Cuts the datagram at `len`; patches that no longer fit go with it.
    pub(super) fn truncate(&mut self, len: usize) {
        self.data.truncate(len);
        self.patches.retain(|patch| patch.offset as usize + 4 <= len);
    }
}
