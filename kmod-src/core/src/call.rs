// SPDX-License-Identifier: BSD-2-Clause
//! The surroundings of a request: kernel, behaviours and requester.

use core::cell::Cell;

use crate::behaviour::Behaviours;
use crate::errno::Errno;
use crate::kernel::Kernel;
use crate::probe::Probe;
use crate::writer::{MessageHeader, Writer};

/// The surroundings that every handler needs to know.
pub(crate) struct Call<'c, K, R> {
    pub(crate) kernel: &'c K,
    pub(crate) behaviours: &'c Behaviours,
    pub(crate) requester: &'c R,
    /// NLMSG_DONE was written: the request has its answer, and no acknowledgement will carry its error.
    pub(crate) dump_ended: Cell<bool>,
}

impl<K: Kernel, R> Call<'_, K, R> {
    /// Ends a dump whose messages had `reply`.
    pub(crate) fn end_dump(
        &self,
        writer: &mut impl Writer<Stream = K::Stream>,
        error: i32,
        reply: &MessageHeader,
    ) -> Result<(), Errno> {
        if !writer.end_dump(error, reply) {
            return Err(Errno::ENOMEM);
        }
        self.dump_ended.set(true);
        self.kernel.probe(Probe::DumpEnd { message: reply.kind, seq: reply.seq, errno: error });
        Ok(())
    }
}
