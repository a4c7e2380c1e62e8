// SPDX-License-Identifier: BSD-2-Clause
//! The module's ring: which probes fired in this program's network stack.
//!
//! There is one ring for all stacks, and reading empties it. Programs run one after another, so what was there
//! before a program began belongs to none.

use alloc::vec;
use alloc::vec::Vec;

use nlproof_agent::ring::{Fired, RECORD_LEN, fired};

use crate::sys::{Errno, sysctl};

const TRACE: &str = "net.netlink.nlproof.trace";
const VNET: &str = "net.netlink.nlproof.vnet";
const RECORDS: &str = "net.netlink.nlproof.records";
const DROPPED: &str = "net.netlink.nlproof.dropped";

/// Records at a time.
const AT_ONCE: usize = 1024;

/// The ring, while a program runs.
pub(crate) struct Ring {
    vnet: u32,
    /// Records that had found no room before the program began.
    dropped: u64,
    buffer: Vec<u8>,
}

/// Has the module record. `false`: there is no module.
///
/// # Errors
/// The kernel's number.
pub(crate) fn switch_on() -> Result<bool, Errno> {
    match sysctl::set_int(TRACE, 1) {
        Ok(()) => Ok(true),
        Err(crate::sys::errno::ENOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

impl Ring {
    /// Begins: empties the ring. Called in the network stack whose records are wanted.
    ///
    /// # Errors
    /// The kernel's number.
    pub(crate) fn begin() -> Result<Self, Errno> {
        let vnet = sysctl::number(VNET)? as u32;
        let mut ring = Self { vnet, dropped: 0, buffer: vec![0; AT_ONCE * RECORD_LEN] };
        ring.read()?;
        ring.dropped = sysctl::number(DROPPED)?;
        Ok(ring)
    }

    /// What has fired in this stack since the last time.
    ///
    /// # Errors
    /// The kernel's number.
    pub(crate) fn read(&mut self) -> Result<Vec<Fired>, Errno> {
        let mut all = Vec::new();
        loop {
            let length = sysctl::read(RECORDS, &mut self.buffer)?;
            let bytes = self.buffer.get(..length).unwrap_or_default();
            all.extend(fired(bytes).filter(|fired| fired.vnet == self.vnet));
            // Less than there was room for: it is empty. What fires meanwhile is read the next time.
            if length + RECORD_LEN <= self.buffer.len() {
                return Ok(all);
            }
        }
    }

    /// How many found no room since the program began.
    ///
    /// # Errors
    /// The kernel's number.
    pub(crate) fn lost(&self) -> Result<u64, Errno> {
        Ok(sysctl::number(DROPPED)?.saturating_sub(self.dropped))
    }
}
