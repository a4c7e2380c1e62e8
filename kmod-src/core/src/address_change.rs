// SPDX-License-Identifier: BSD-2-Clause
//! Handlers of RTM_NEWADDR and RTM_DELADDR: requests are turned into the ioctls of `netinet/in.c` and
//! `netinet6/in6.c`.

use nlproof_wire::consts::freebsd::AF_INET6;
use nlproof_wire::consts::{
    AF_INET, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_NODAD, IFA_F_TEMPORARY, IFA_F_TENTATIVE, IFF_BROADCAST,
    IFF_POINTOPOINT, IFF_UP, RTM_NEWADDR,
};

use crate::address::{Inet6Alias, InetAlias, SocketAddress};
use crate::address_dump::in6_iff;
use crate::address_request::AddressRequest;
use crate::attributes::{Request, SOCKADDR_IN};
use crate::call::Call;
use crate::context::Sleepable;
use crate::errno::Errno;
use crate::kernel::{Interface, Kernel, Requester};
use crate::name::Name;
use crate::probe::{self, Change, Probe};
use crate::report::Report;

/// RTM_NEWADDR and RTM_DELADDR. Adding always creates or replaces; NLM_F_CREATE, NLM_F_EXCL and
/// NLM_F_REPLACE mean nothing.
pub(crate) fn change<K: Kernel, R: Requester>(
    call: &Call<'_, K, R>,
    thread: &mut Sleepable,
    request: &Request<'_>,
    report: &mut Report,
) -> Result<(), Errno> {
    let kernel = call.kernel;
    let wanted = AddressRequest::parse(request, call.behaviours, report)?;
    kernel.probe(Probe::RequestParsed {
        message: request.header.kind,
        index: wanted.index,
        name: Name::truncated(&[]),
    });
    let found = probe::by_index(kernel, thread, wanted.index);
    let ifp = found.ok_or_else(|| {
        report.say(|text| {
            text.str("Unable to find interface with index ").number(wanted.index);
        });
        Errno::ENOENT
    })?;
    let before = ifp.flags();
    match (wanted.family, request.header.kind == RTM_NEWADDR) {
        (AF_INET, true) => {
            let alias = inet_alias(&wanted, before, report)?;
            let value = u32::from(wanted.prefix_len);
            probe::change(kernel, Change::AddInet, &ifp, value, || kernel.add_inet(thread, &ifp, &alias))
        }
        (AF_INET, false) => {
            let address = inet(wanted.local.or(wanted.address));
            let address = present(address, "empty IFA_ADDRESS/IFA_LOCAL", report)?;
            let delete = || kernel.delete_inet(thread, &ifp, address);
            probe::change(kernel, Change::DeleteInet, &ifp, 0, delete)
        }
        (AF_INET6, true) => {
            let alias = inet6_alias(&wanted, report)?;
            let value = u32::from(wanted.prefix_len);
            probe::change(kernel, Change::AddInet6, &ifp, value, || kernel.add_inet6(thread, &ifp, &alias))
        }
        (AF_INET6, false) => {
            let address = inet6(wanted.local.or(wanted.address));
            let address = present(address, "Empty IFA_LOCAL/IFA_ADDRESS", report)?;
            let delete = || kernel.delete_inet6(thread, &ifp, address);
            probe::change(kernel, Change::DeleteInet6, &ifp, 0, delete)
        }
        _ => Err(Errno::EAFNOSUPPORT),
    }?;
    // The first address brings most interfaces up: the rest of the kernel has to hear of it.
    if before & IFF_UP == 0 && ifp.flags() & IFF_UP != 0 {
        probe::change(kernel, Change::Up, &ifp, 0, || {
            kernel.up(thread, &ifp);
            Ok(())
        })?;
    }
    Ok(())
}

fn inet(address: Option<SocketAddress>) -> Option<[u8; 4]> {
    match address {
        Some(SocketAddress::Inet(inet)) => Some(inet),
        _ => None,
    }
}

fn inet6(address: Option<SocketAddress>) -> Option<[u8; 16]> {
    match address {
        Some(SocketAddress::Inet6(inet6)) => Some(inet6),
        _ => None,
    }
}

fn present<T>(address: Option<T>, missing: &str, report: &mut Report) -> Result<T, Errno> {
    address.ok_or_else(|| {
        report.say(|text| {
            text.str(missing);
        });
        Errno::EINVAL
    })
}

fn check_prefix_len(wanted: &AddressRequest, longest: u8, report: &mut Report) -> Result<(), Errno> {
    if wanted.prefix_len <= longest {
        return Ok(());
    }
    report.say(|text| {
        text.str("invalid ifa_prefixlen");
    });
    Err(Errno::EINVAL)
}

const MISSING: &str = "Empty IFA_LOCAL/IFA_ADDRESS";

/// On a point-to-point interface IFA_ADDRESS is the peer and both addresses must be there. On others
/// IFA_LOCAL is the address, or else IFA_ADDRESS; a broadcast address is made up if none was given.
fn inet_alias(wanted: &AddressRequest, if_flags: u32, report: &mut Report) -> Result<InetAlias, Errno> {
    check_prefix_len(wanted, 32, report)?;
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(wanted.prefix_len))).unwrap_or(0);
    let (address, destination) = if if_flags & IFF_POINTOPOINT != 0 {
        let both = inet(wanted.local).zip(inet(wanted.address));
        let (local, peer) = present(both, MISSING, report)?;
        (local, Some(peer))
    } else {
        let address = present(inet(wanted.local.or(wanted.address)), MISSING, report)?;
        let broadcast = match inet(wanted.broadcast) {
            None if if_flags & IFF_BROADCAST != 0 => {
                report.take_scratch(SOCKADDR_IN, Errno::ENOMEM)?;
                // RFC 3021: a network of two has no broadcast address of its own.
                let broadcast =
                    if wanted.prefix_len == 31 { u32::MAX } else { u32::from_be_bytes(address) | !mask };
                Some(broadcast.to_be_bytes())
            }
            given => given,
        };
        (address, broadcast)
    };
    Ok(InetAlias { address, mask: mask.to_be_bytes(), destination, vhid: wanted.vhid })
}

/// IFA_LOCAL and IFA_ADDRESS that differ make a point-to-point address. Without IFA_CACHEINFO the lifetimes
/// are 0, not infinite.
fn inet6_alias(wanted: &AddressRequest, report: &mut Report) -> Result<Inet6Alias, Errno> {
    check_prefix_len(wanted, 128, report)?;
    let (local, address) = (inet6(wanted.local), inet6(wanted.address));
    let (address, destination) = match local {
        Some(local) => (Some(local), address.filter(|address| *address != local)),
        None => (address, None),
    };
    let address = present(address, MISSING, report)?;
    let (preferred, valid) = wanted.lifetimes.unwrap_or((0, 0));
    Ok(Inet6Alias {
        address,
        prefix_len: wanted.prefix_len,
        destination,
        flags: in6_flags(wanted.flags) | wanted.inet6_flags,
        preferred,
        valid,
        vhid: wanted.vhid,
    })
}

/// `nl_flags_to_in6`. No branch knows IFA_F_OPTIMISTIC.
fn in6_flags(flags: u32) -> u32 {
    [
        (IFA_F_TEMPORARY, in6_iff::TEMPORARY),
        (IFA_F_NODAD, in6_iff::NODAD),
        (IFA_F_DEPRECATED, in6_iff::DEPRECATED),
        (IFA_F_TENTATIVE, in6_iff::TENTATIVE),
        (IFA_F_DADFAILED, in6_iff::DUPLICATED),
    ]
    .into_iter()
    .filter(|&(netlink, _)| flags & netlink != 0)
    .fold(0, |flags, (_, kernel)| flags | kernel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nlproof_wire::consts::IFA_F_OPTIMISTIC;

    fn wanted(prefix_len: u8) -> AddressRequest {
        let address = Some(SocketAddress::Inet([192, 0, 2, 1]));
        AddressRequest { family: AF_INET, prefix_len, address, ..AddressRequest::default() }
    }

    fn alias(prefix_len: u8, if_flags: u32) -> InetAlias {
        inet_alias(&wanted(prefix_len), if_flags, &mut Report::default()).unwrap()
    }

    #[test]
    fn masks_and_broadcast_addresses() {
        for (prefix_len, mask, broadcast) in [
            (24, [255, 255, 255, 0], [192, 0, 2, 255]),
            (0, [0; 4], [255; 4]),
            (31, [255, 255, 255, 254], [255; 4]),
            (32, [255; 4], [192, 0, 2, 1]),
        ] {
            let alias = alias(prefix_len, IFF_BROADCAST);
            assert_eq!((alias.mask, alias.destination), (mask, Some(broadcast)), "/{prefix_len}");
        }
        assert_eq!(alias(24, 0).destination, None);
    }

    #[test]
    fn point_to_point_wants_both() {
        let mut report = Report::default();
        assert_eq!(inet_alias(&wanted(24), IFF_POINTOPOINT, &mut report), Err(Errno::EINVAL));
        assert_eq!(report.text(), Some(MISSING.as_bytes()));
        let both = AddressRequest { local: Some(SocketAddress::Inet([192, 0, 2, 9])), ..wanted(24) };
        let alias = inet_alias(&both, IFF_POINTOPOINT, &mut Report::default()).unwrap();
        assert_eq!((alias.address, alias.destination), ([192, 0, 2, 9], Some([192, 0, 2, 1])));
    }

    #[test]
    fn prefix_lengths_beyond_the_address() {
        let mut report = Report::default();
        assert_eq!(inet_alias(&wanted(33), 0, &mut report), Err(Errno::EINVAL));
        assert_eq!(report.text(), Some(&b"invalid ifa_prefixlen"[..]));
    }

    #[test]
    fn equal_addresses_are_no_peer() {
        let one = Some(SocketAddress::Inet6([1; 16]));
        let two = Some(SocketAddress::Inet6([2; 16]));
        let destination = |local, address| {
            let wanted = AddressRequest { local, address, ..AddressRequest::default() };
            inet6_alias(&wanted, &mut Report::default()).unwrap().destination
        };
        assert_eq!((destination(one, one), destination(None, one)), (None, None));
        assert_eq!(destination(one, two), Some([2; 16]));
    }

    #[test]
    fn optimistic_is_lost() {
        assert_eq!(in6_flags(IFA_F_OPTIMISTIC), 0);
        assert_eq!(in6_flags(IFA_F_TENTATIVE | IFA_F_TEMPORARY), 0x82);
    }
}
