// SPDX-License-Identifier: BSD-2-Clause
//! Handler of RTM_GETADDR. It runs inside the network epoch and has no [`Sleepable`](crate::Sleepable), so
//! nothing that sleeps can be called from here.

use nlproof_wire::consts::freebsd::AF_LINK;
use nlproof_wire::consts::{NLM_F_MULTI, RTM_NEWADDR};

use crate::address::InterfaceAddress as _;
use crate::address_dump::{self, Owner};
use crate::address_request::AddressRequest;
use crate::attributes::Request;
use crate::behaviour::SharedStack;
use crate::call::Call;
use crate::context::Epoch;
use crate::errno::Errno;
use crate::kernel::{Kernel, Requester};
use crate::name::Name;
use crate::probe::{self, Probe, number};
use crate::report::Report;
use crate::writer::{MessageHeader, Writer};

/// RTM_GETADDR: always a dump, also for one interface. An unknown interface is an error inside NLMSG_DONE.
pub(crate) fn get<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    epoch: &Epoch<'_>,
    request: &Request<'_>,
    writer: &mut impl Writer<Stream = K::Stream>,
    report: &mut Report,
) -> Result<(), Errno> {
    let kernel = call.kernel;
    let wanted = AddressRequest::parse(request, call.behaviours, report)?;
    kernel.probe(Probe::RequestParsed {
        message: request.header.kind,
        index: wanted.index,
        name: Name::truncated(&[]),
    });
    let flags = request.header.flags | NLM_F_MULTI;
    let reply = MessageHeader { kind: RTM_NEWADDR, flags, ..request.header };
    kernel.probe(Probe::DumpBegin { message: reply.kind, seq: reply.seq });
    // `prison_if` asks this first: who is in no jail that shares its network stack sees every address.
    let sees_all =
        call.behaviours.shared_stack == SharedStack::Unknown || call.requester.owns_network_stack();
    let mut list = |ifp: &K::Ref| {
        let owner = Owner::of(ifp);
        kernel.for_each_address(epoch, ifp, |address| {
            let family = address.family();
            let asked = wanted.family == 0 || wanted.family == family;
            if !asked || family == AF_LINK || (!sees_all && !call.requester.may_see(&address.local())) {
                return Ok(());
            }
            address_dump::address(kernel, call.behaviours, writer, &reply, &owner, address)
        })
    };
    let listed = if wanted.index != 0 {
        probe::by_index_in(kernel, epoch, wanted.index).ok_or(Errno::ENOENT).and_then(|ifp| list(&ifp))
    } else {
        kernel.for_each_interface_in(epoch, list)
    };
    call.end_dump(writer, number(&listed), &reply)?;
    listed
}
