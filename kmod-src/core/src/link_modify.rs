// SPDX-License-Identifier: BSD-2-Clause
//! Changing an interface: `_nl_modify_ifp_generic` of `netlink/route/iface_drivers.c`.

use nlproof_wire::consts::{IFF_PROMISC, IFF_UP};

use crate::behaviour::{LinkAddressChange, LinkModify, MtuError, Promiscuity, UpDown};
use crate::context::Sleepable;
use crate::errno::Errno;
use crate::kernel::{Kernel, Privilege, Requester};
use crate::link_request::LinkRequest;
use crate::probe::{self, Change};
use crate::report::Report;

/// Does what the request asks for, in the kernel's order. What was done before a failure stays done.
pub(crate) fn modify<K: Kernel>(
    kernel: &K,
    how: LinkModify,
    thread: &mut Sleepable,
    requester: &impl Requester,
    ifp: &K::Ref,
    request: &LinkRequest<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    if let Some(alias) = request.alias {
        need(requester, Privilege::SetIfDescr, "Not enough privileges to set descr", report)?;
        probe::change(kernel, Change::Description, ifp, 0, || {
            kernel.set_description(thread, ifp, alias);
            Ok(())
        })?;
    }
    up_or_down(kernel, how.up_down, thread, ifp, request)?;
    if request.mtu > 0 {
        need(requester, Privilege::SetIfMtu, "Not enough privileges to set mtu", report)?;
        let set =
            probe::change(kernel, Change::Mtu, ifp, request.mtu, || kernel.set_mtu(thread, ifp, request.mtu));
        if how.mtu_error == MtuError::Returned {
            set.inspect_err(|_| say(report, "Failed to set mtu"))?;
        }
    }
    promiscuity(kernel, how.promiscuity, thread, ifp, request, report)?;
    if how.link_address != LinkAddressChange::Ignored
        && let Some(address) = request.link_address
    {
        need(requester, Privilege::SetIfMac, "Not enough privileges to set IFLA_ADDRESS", report)?;
        let set = || kernel.set_link_address(thread, ifp, address);
        probe::change(kernel, Change::LinkAddress, ifp, 0, set).inspect_err(|error| {
            report.say(|text| {
                if how.link_address == LinkAddressChange::SetOrTellErrno {
                    text.str("setting IFLA_ADDRESS failed with error code: ");
                    text.number(error.number().unsigned_abs());
                } else {
                    text.str("unable to set IFLA_ADDRESS");
                }
            });
        })?;
    }
    Ok(())
}

fn up_or_down<K: Kernel>(
    kernel: &K,
    rule: UpDown,
    thread: &mut Sleepable,
    ifp: &K::Ref,
    request: &LinkRequest<'_>,
) -> Result<(), Errno> {
    let wanted_up = request.flags & IFF_UP != 0;
    let asked = request.change & IFF_UP != 0;
    let change = match rule {
        UpDown::DownOnly if asked && !wanted_up => Change::Down,
        UpDown::DownOnly => return Ok(()),
        UpDown::Both if !asked && request.change != 0 => return Ok(()),
        UpDown::Both if wanted_up => Change::Up,
        UpDown::Both => Change::Down,
    };
    probe::change(kernel, change, ifp, 0, || {
        match change {
            Change::Up => kernel.up(thread, ifp),
            _ => kernel.down(thread, ifp),
        }
        Ok(())
    })
}

fn promiscuity<K: Kernel>(
    kernel: &K,
    rule: Promiscuity,
    thread: &mut Sleepable,
    ifp: &K::Ref,
    request: &LinkRequest<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let on = request.flags & IFF_PROMISC != 0;
    let asked = request.change & IFF_PROMISC != 0;
    let asked_or_all = asked || request.change == 0;
    match rule {
        Promiscuity::Counted if !asked => Ok(()),
        Promiscuity::CountedOrAll | Promiscuity::Permanent if !asked_or_all => Ok(()),
        Promiscuity::Counted | Promiscuity::CountedOrAll => {
            let count = || kernel.count_promiscuous(thread, ifp, on);
            probe::change(kernel, Change::CountPromiscuous, ifp, u32::from(on), count)
                .inspect_err(|_| say(report, "unable to set promisc"))
        }
        Promiscuity::Permanent => probe::change(kernel, Change::Promiscuous, ifp, u32::from(on), || {
            kernel.set_promiscuous(thread, ifp, on);
            Ok(())
        }),
    }
}

fn need(
    requester: &impl Requester,
    privilege: Privilege,
    refusal: &str,
    report: &mut Report,
) -> Result<(), Errno> {
    if requester.has_privilege(privilege) {
        return Ok(());
    }
    say(report, refusal);
    Err(Errno::EPERM)
}

fn say(report: &mut Report, what: &str) {
    report.say(|text| {
        text.str(what);
    });
}
