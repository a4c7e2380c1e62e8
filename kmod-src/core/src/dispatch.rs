// SPDX-License-Identifier: BSD-2-Clause
//! From a request to its handler: `rtnl_handle_message` of `netlink/netlink_route.c`.

use crate::address_change;
use crate::address_list;
use crate::attributes::Request;
use crate::behaviour::Behaviours;
use crate::context::{Sleepable, in_epoch};
use crate::errno::Errno;
use crate::kernel::{Kernel, Requester};
use crate::link;
use crate::message::{Handler, Message};
use crate::report::Report;
use crate::writer::Writer;

/// What every handler needs to know of its surroundings.
pub(crate) struct Call<'c, K, R> {
    pub(crate) kernel: &'c K,
    pub(crate) behaviours: &'c Behaviours,
    pub(crate) requester: &'c R,
}

/// Answers one request: replies go to `writer`, and what the acknowledgement has to carry to `report`.
/// Whether there is an acknowledgement is the caller's business, with the result as its error number.
///
/// # Errors
/// ENOTSUP for a message of another subsystem or none, EPERM for a sender without privilege or in a jail
/// that shares its network stack, else what the handler found wrong.
pub fn handle<K: Kernel, R: Requester>(
    kernel: &K,
    behaviours: &Behaviours,
    thread: &mut Sleepable,
    requester: &R,
    request: &Request<'_>,
    writer: &mut impl Writer,
    report: &mut Report,
) -> Result<(), Errno> {
    let message = Message::of(behaviours, request.header.kind).ok_or_else(|| {
        report.say(|text| {
            text.str("unknown message type: ").number(request.header.kind);
        });
        Errno::ENOTSUP
    })?;
    if message.privilege.is_some_and(|privilege| !requester.has_privilege(privilege)) {
        return Err(Errno::EPERM);
    }
    if !message.jailed && !requester.owns_network_stack() {
        return Err(Errno::EPERM);
    }
    let call = Call { kernel, behaviours, requester };
    match message.handler {
        Handler::GetLink => link::get(&call, thread, request, writer, report),
        Handler::NewLink => link::new(&call, thread, request, report),
        Handler::DelLink => link::delete(&call, thread, request, report),
        Handler::GetAddr => {
            in_epoch(kernel, thread, |epoch| address_list::get(&call, epoch, request, writer, report))
        }
        Handler::ChangeAddr => address_change::change(&call, thread, request, report),
    }
}
