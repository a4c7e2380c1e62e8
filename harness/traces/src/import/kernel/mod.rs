// SPDX-License-Identifier: BSD-2-Clause
//! The file that ktrace(2) writes: the netlink conversations of every process in it.
//!
//! [`KernelTrace`] takes the file in any pieces, while it grows. [`read`] reads a whole one. [`replica_of`] makes a vector of
//! what was followed, with the multicast events that were heard meanwhile.

mod follow;
mod processes;
mod record;
mod replica;
#[cfg(test)]
mod tests;

use nlproof_wire::Os;

use super::reading::{Direction, Format, Reading, Seen};

pub use follow::{Act, Deed, KernelTrace};
pub use record::Damage;
pub use replica::{Heard, Step, replica_of, request_name, steps_of};

/// Whether these bytes begin as such a file does.
pub(super) fn is(bytes: &[u8]) -> bool {
    record::Header::parse(bytes).is_ok_and(|header| header.is_some())
}

/// Reads the datagrams of all route sockets.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::new(Format::Ktrace, Some(Os::FreeBsd));
    let mut acts = Vec::new();
    let mut trace = KernelTrace::default();
    if let Err(damage) = trace.push(bytes, &mut |act| acts.push(act)) {
        reading.notes.push(format!("{damage}; the rest is left out"));
    }
    trace.finish(&mut |act| acts.push(act));
    for act in acts {
        let who = act.who();
        match act.deed {
            Deed::Moved { route: true, sent, data, whole } if data.len() == whole => {
                let direction = if sent { Direction::ToKernel } else { Direction::FromKernel };
                reading.seen.push(Seen { place: format!("byte {}, {who}", act.place), direction, data });
            }
            Deed::Option { number, route: true } => set_option(&mut reading.socket, number),
            deed => {
                if let Some(told) = deed.told() {
                    reading.notes.push(format!("byte {}, {who}: {told}", act.place));
                }
            }
        }
    }
    reading
}

/// Notes an option of level SOL_NETLINK (sys/netlink/netlink.h).
pub(super) fn set_option(socket: &mut nlproof_agent::SocketOptions, number: u32) {
    match number {
        10 => socket.cap_ack = true,
        11 => socket.ext_ack = true,
        12 => socket.strict = true,
        _ => {}
    }
}
