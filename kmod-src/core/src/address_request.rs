// SPDX-License-Identifier: BSD-2-Clause
//! Requests about addresses: RTM_GETADDR, RTM_NEWADDR, RTM_DELADDR.

use nlproof_wire::consts::freebsd::{IFA_FREEBSD, IFAF_FLAGS, IFAF_VHID};
use nlproof_wire::consts::{IFA_ADDRESS, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS, IFA_LOCAL};

use crate::address::{SocketAddress, is_link_local};
use crate::attributes::{Attribute, AttributeSet, Request, header_u32};
use crate::behaviour::{AddressChanges, Behaviours};
use crate::errno::Errno;
use crate::report::Report;

/// Bytes of `struct ifaddrmsg`.
const IFADDRMSG: usize = 8;

/// What a request says about an address: `struct nl_parsed_ifa` of iface.c. The scope in the header is not
/// kept, because nothing uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressRequest {
    /// `ifa_family`: AF_*.
    pub family: u8,
    /// `ifa_prefixlen`.
    pub prefix_len: u8,
    /// `ifa_index`.
    pub index: u32,
    /// IFA_FLAGS, or `ifa_flags` without it: IFA_F_*.
    pub flags: u32,
    /// IFA_ADDRESS.
    pub address: Option<SocketAddress>,
    /// IFA_LOCAL.
    pub local: Option<SocketAddress>,
    /// IFA_BROADCAST.
    pub broadcast: Option<SocketAddress>,
    /// IFA_CACHEINFO: preferred and valid lifetime in seconds.
    pub lifetimes: Option<(u32, u32)>,
    /// IFAF_VHID; 0: not given.
    pub vhid: u32,
    /// IFAF_FLAGS: IN6_IFF_*.
    pub inet6_flags: u32,
}

struct Addresses<'t> {
    request: &'t mut AddressRequest,
    full: bool,
}

struct FreeBsd<'t>(&'t mut AddressRequest);

impl<'a> AttributeSet<'a> for Addresses<'_> {
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
        match attribute.kind() {
            IFA_ADDRESS => self.request.address = Some(attribute.ip(report)?),
            IFA_LOCAL => self.request.local = Some(attribute.ip(report)?),
            IFA_FLAGS => self.request.flags = attribute.u32(report)?,
            IFA_BROADCAST if self.full => self.request.broadcast = Some(attribute.ip(report)?),
            IFA_CACHEINFO if self.full => {
                let cache = attribute.cache_info(report)?;
                self.request.lifetimes = Some((header_u32(&cache, 0), header_u32(&cache, 4)));
            }
            IFA_FREEBSD if self.full => attribute.nested(&mut FreeBsd(self.request), report)?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> AttributeSet<'a> for FreeBsd<'_> {
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
        match attribute.kind() {
            IFAF_VHID => self.0.vhid = attribute.u32(report)?,
            IFAF_FLAGS => self.0.inet6_flags = attribute.u32(report)?,
            _ => {}
        }
        Ok(())
    }
}

impl AddressRequest {
    /// Reads a request.
    pub(crate) fn parse(
        request: &Request<'_>,
        behaviours: &Behaviours,
        report: &mut Report,
    ) -> Result<Self, Errno> {
        let parts = request.split::<IFADDRMSG>(report)?;
        let [family, prefix_len, flags, _scope, ..] = parts.header;
        let mut request = Self {
            family,
            prefix_len,
            flags: u32::from(flags),
            index: header_u32(&parts.header, 4),
            ..Self::default()
        };
        // Where addresses cannot be changed, their attributes are hardly looked at.
        let full = behaviours.address_changes == AddressChanges::Change;
        parts.read(&mut Addresses { request: &mut request, full }, report)?;
        if full {
            request.check_families(report)?;
            request.set_scopes();
        }
        Ok(request)
    }

    fn check_families(&self, report: &mut Report) -> Result<(), Errno> {
        // The third name is the kernel's own slip for IFA_BROADCAST.
        for (name, address) in
            [("IFA_ADDRESS", self.address), ("IFA_LOCAL", self.local), ("IFA_BROADADDR", self.broadcast)]
        {
            if let Some(family) =
                address.map(|address| address.family()).filter(|&family| family != self.family)
            {
                report.say(|text| {
                    text.str("wrong family for ").str(name).str(" attribute: ");
                    text.number(self.family).str(" != ").number(family);
                });
                return Err(Errno::EINVAL);
            }
        }
        Ok(())
    }

    /// `in6_set_unicast_scopeid`: link-local addresses get the interface's index inside them.
    fn set_scopes(&mut self) {
        let [_, _, high, low] = self.index.to_be_bytes();
        for address in [&mut self.address, &mut self.local] {
            if let Some(SocketAddress::Inet6(inet6)) = address
                && is_link_local(inet6)
            {
                let [_, _, third, fourth, ..] = inet6;
                *third = high;
                *fourth = low;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::writer::MessageHeader;

    fn parse(profile: Profile, payload: &[u8]) -> (Result<AddressRequest, Errno>, Report) {
        let request = Request { header: MessageHeader::default(), payload, strict: false, base: 0 };
        let mut report = Report::default();
        (AddressRequest::parse(&request, &Behaviours::of(profile), &mut report), report)
    }

    #[test]
    fn the_family_of_every_address_is_checked() {
        let payload = [28, 64, 0, 0, 1, 0, 0, 0, 8, 0, 4, 0, 10, 0, 0, 1];
        let (result, report) = parse(Profile::R14_0, &payload);
        assert_eq!(result, Err(Errno::EINVAL));
        assert_eq!(report.text(), Some(&b"wrong family for IFA_BROADADDR attribute: 28 != 2"[..]));
        assert_eq!(report.offset(), None);
        assert!(parse(Profile::Seed, &payload).0.is_ok());
    }

    #[test]
    fn link_local_addresses_get_the_index() {
        let mut payload = std::vec![28, 64, 0, 0, 7, 0, 0, 0, 20, 0, 2, 0, 0xfe, 0x80];
        payload.extend([0; 13]);
        payload.push(1);
        let Some(SocketAddress::Inet6(local)) = parse(Profile::R14_0, &payload).0.unwrap().local else {
            panic!()
        };
        assert_eq!(local[..4], [0xfe, 0x80, 0, 7]);
    }

    #[test]
    fn sizes() {
        let (result, report) = parse(Profile::R14_0, &[2, 0, 0, 0, 0, 0, 0, 0, 8, 0, 6, 0, 0, 0, 0, 0]);
        assert_eq!(result, Err(Errno::EINVAL));
        assert_eq!(report.text(), Some(&b"nla type 6 size(4) is not ifa_cacheinfo"[..]));
        let nested = [2, 0, 0, 0, 0, 0, 0, 0, 12, 0, 11, 0, 8, 0, 1, 0, 5, 0, 0, 0];
        assert_eq!(parse(Profile::R14_0, &nested).0.map(|request| request.vhid), Ok(5));
    }
}
