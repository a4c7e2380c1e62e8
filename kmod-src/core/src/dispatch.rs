// SPDX-License-Identifier: BSD-2-Clause
//! From a request to its handler: `rtnl_handle_message` of `netlink/netlink_route.c`.

use core::cell::Cell;

use nlproof_wire::consts::NLMSG_HDRLEN;

use crate::address_change;
use crate::address_list;
use crate::attributes::Request;
use crate::behaviour::Behaviours;
use crate::call::Call;
use crate::context::{Sleepable, in_epoch};
use crate::errno::Errno;
use crate::kernel::{Kernel, Requester};
use crate::link;
use crate::message::{Handler, Message};
use crate::probe::{Probe, number};
use crate::report::Report;
use crate::writer::{MessageHeader, Writer};

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
    writer: &mut impl Writer<Stream = K::Stream>,
    report: &mut Report,
) -> Result<(), Errno> {
    let MessageHeader { kind: message, flags, seq, pid } = request.header;
    // Not this subsystem's: in the kernel such a message never comes here, and no probe fires.
    let Some(known) = Message::of(behaviours, message) else {
        report.say(|text| {
            text.str("unknown message type: ").number(message);
        });
        return Err(Errno::ENOTSUP);
    };
    let len = u32::try_from(request.payload.len().saturating_add(NLMSG_HDRLEN)).unwrap_or(u32::MAX);
    kernel.probe(Probe::RequestIn { message, flags, seq, pid, len });
    let call = Call { kernel, behaviours, requester, dump_ended: Cell::new(false) };
    let result = answer(&call, &known, thread, request, writer, report);
    let errno = number(&result);
    if errno != 0 && !call.dump_ended.get() {
        kernel.probe(Probe::Error { message, seq, errno });
    }
    kernel.probe(Probe::RequestOut { message, seq, errno });
    result
}

fn answer<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    message: &Message,
    thread: &mut Sleepable,
    request: &Request<'_>,
    writer: &mut impl Writer<Stream = K::Stream>,
    report: &mut Report,
) -> Result<(), Errno> {
    let Call { kernel, requester, .. } = *call;
    if message.privilege.is_some_and(|privilege| !requester.has_privilege(privilege)) {
        return Err(Errno::EPERM);
    }
    if !message.jailed && !requester.owns_network_stack() {
        return Err(Errno::EPERM);
    }
    match message.handler {
        Handler::GetLink => link::get(call, thread, request, writer, report),
        Handler::NewLink => link::new(call, thread, request, report),
        Handler::DelLink => link::delete(call, thread, request, report),
        Handler::GetAddr => {
            in_epoch(kernel, thread, |epoch| address_list::get(call, epoch, request, writer, report))
        }
        Handler::ChangeAddr => address_change::change(call, thread, request, report),
    }
}
