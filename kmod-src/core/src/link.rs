// SPDX-License-Identifier: BSD-2-Clause
//! Handlers of RTM_GETLINK, RTM_NEWLINK and RTM_DELLINK.

use nlproof_wire::consts::{NLM_F_CREATE, NLM_F_MULTI, RTM_NEWLINK};

use crate::attributes::Request;
use crate::behaviour::{DumpError, LinkCloner, TypeFilter};
use crate::call::Call;
use crate::context::Sleepable;
use crate::cookie::Cookie;
use crate::errno::Errno;
use crate::kernel::{Interface, Kernel, Requester};
use crate::link_dump::{self, Shown};
use crate::link_modify;
use crate::link_request::LinkRequest;
use crate::name::Name;
use crate::probe::{self, CloneOp, Probe};
use crate::report::Report;
use crate::writer::{MessageHeader, Writer};

/// RTM_GETLINK: one interface by index or name, or a dump of those that match.
pub(crate) fn get<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    request: &Request<'_>,
    writer: &mut impl Writer<Stream = K::Stream>,
    report: &mut Report,
) -> Result<(), Errno> {
    let (kernel, behaviours) = (call.kernel, call.behaviours);
    let wanted = parse(call, request, report)?;
    let mut reply = MessageHeader { kind: RTM_NEWLINK, ..request.header };

    if wanted.index != 0 || wanted.name.is_some() {
        let found = match wanted.name {
            Some(name) if wanted.index == 0 => probe::by_name(kernel, name),
            _ => probe::by_index(kernel, thread, wanted.index),
        };
        let ifp = found.filter(|ifp| matches(ifp, &wanted, behaviours.type_filter)).ok_or(Errno::ENODEV)?;
        return link_dump::link(kernel, behaviours, thread, writer, &reply, &ifp, Shown::default());
    }

    reply.flags |= NLM_F_MULTI;
    kernel.probe(Probe::DumpBegin { message: reply.kind, seq: reply.seq });
    let all = wanted.kind == 0;
    let dumped = kernel.for_each_interface(
        thread,
        |ifp| all || matches(ifp, &wanted, behaviours.type_filter),
        |thread, ifp| link_dump::link(kernel, behaviours, thread, writer, &reply, ifp, Shown::default()),
    );
    let dumped = match behaviours.dump_error {
        DumpError::Dropped => Ok(()),
        DumpError::Told => dumped,
    };
    call.end_dump(writer, probe::number(&dumped), &reply)?;
    dumped
}

/// Reads a request.
fn parse<'a, K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    request: &Request<'a>,
    report: &mut Report,
) -> Result<LinkRequest<'a>, Errno> {
    let wanted = LinkRequest::parse(request, call.behaviours, report)?;
    call.kernel.probe(Probe::RequestParsed {
        message: request.header.kind,
        index: wanted.index,
        name: Name::truncated(wanted.name.unwrap_or(&[])),
    });
    Ok(wanted)
}

/// `match_iface`.
#[cold]
fn matches(ifp: &impl Interface, wanted: &LinkRequest<'_>, filter: TypeFilter) -> bool {
    let compared = match filter {
        TypeFilter::AgainstIndex => wanted.index,
        TypeFilter::AgainstType => u32::from(wanted.kind),
    };
    (wanted.index == 0 || wanted.index == ifp.index())
        && (wanted.kind == 0 || compared == u32::from(ifp.kind()))
        && wanted.name.is_none_or(|name| name == ifp.name().as_bytes())
}

/// RTM_DELLINK: by index only.
pub(crate) fn delete<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    request: &Request<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let kernel = call.kernel;
    let wanted = parse(call, request, report)?;
    let ifp = probe::by_index(kernel, thread, wanted.index).ok_or(Errno::ENOENT)?;
    probe::cloner(kernel, CloneOp::Destroy, ifp.index(), ifp.name(), || kernel.destroy(thread, &ifp))
}

/// RTM_NEWLINK: NLM_F_CREATE tells creation from modification; NLM_F_EXCL and NLM_F_REPLACE mean nothing.
pub(crate) fn new<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    request: &Request<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let wanted = parse(call, request, report)?;
    if request.header.flags & NLM_F_CREATE != 0 {
        create(call, thread, &wanted, report)
    } else {
        modify(call, thread, &wanted, report)
    }
}

/// The new interface is changed as the request says before the kernel answers. If that fails, it stays.
fn create<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    wanted: &LinkRequest<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let name = given(wanted.name, "empty IFLA_IFNAME attribute", report)?;
    let driver = given(wanted.driver, "empty IFLA_INFO_KIND attribute", report)?;
    match call.behaviours.link_cloner {
        LinkCloner::ByKind(cloners) => cloners.find(driver).create(call, thread, name, wanted, report),
        LinkCloner::ByName => create_by_name(call, thread, name, wanted, report),
    }
}

/// The driver is found by the name.
pub(crate) fn create_by_name<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    name: &[u8],
    wanted: &LinkRequest<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let kernel = call.kernel;
    let ifp = probe::cloner(kernel, CloneOp::Create, 0, Name::truncated(name), || {
        kernel.create(thread, name, wanted)
    })?;
    change(call, thread, &ifp, wanted, report)?;
    if call.behaviours.cookie_on_create {
        report.set_cookie(Cookie::of(ifp.index(), ifp.name()));
    }
    Ok(())
}

fn given<'a>(value: Option<&'a [u8]>, missing: &str, report: &mut Report) -> Result<&'a [u8], Errno> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        report.say(|text| {
            text.str(missing);
        });
        Errno::EINVAL
    })
}

/// By index if there is one, else by name. With neither the answer is one that ip(8) takes for "this kernel
/// knows the message".
fn modify<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    wanted: &LinkRequest<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let kernel = call.kernel;
    let found = if wanted.index != 0 {
        probe::by_index(kernel, thread, wanted.index).ok_or_else(|| {
            report.say(|text| {
                text.str("unable to find interface #").number(wanted.index);
            });
            Errno::ENOENT
        })
    } else if let Some(name) = wanted.name {
        probe::by_name(kernel, name).ok_or_else(|| {
            report.say(|text| {
                text.str("unable to find interface ").bytes(name);
            });
            Errno::ENOENT
        })
    } else {
        report.say(|text| {
            text.str("empty ifi_index field");
        });
        Err(Errno::EPERM)
    };
    let ifp = found?;
    if call.behaviours.link_cloner == LinkCloner::ByName {
        probe::cloner(kernel, CloneOp::Modify, ifp.index(), ifp.name(), || {
            kernel.configure(thread, &ifp, wanted, report)
        })?;
    }
    change(call, thread, &ifp, wanted, report)
}

fn change<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    ifp: &K::Ref,
    wanted: &LinkRequest<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    link_modify::modify(call.kernel, call.behaviours.link_modify, thread, call.requester, ifp, wanted, report)
}
