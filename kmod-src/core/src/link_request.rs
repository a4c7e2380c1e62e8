// SPDX-License-Identifier: BSD-2-Clause
//! Requests about interfaces: RTM_GETLINK, RTM_NEWLINK, RTM_DELLINK.

use nlproof_wire::bytes::u8_at;
use nlproof_wire::consts::{
    IFLA_ADDRESS, IFLA_ALT_IFNAME, IFLA_EXT_MASK, IFLA_GROUP, IFLA_IFALIAS, IFLA_IFNAME, IFLA_INFO_DATA,
    IFLA_INFO_KIND, IFLA_LINK, IFLA_LINKINFO, IFLA_MTU,
};

use crate::attributes::{Attribute, AttributeSet, Request, header_u16, header_u32};
use crate::behaviour::{Behaviours, LinkAddressChange, LinkParent};
use crate::driver_data::DriverData;
use crate::errno::Errno;
use crate::report::Report;

/// Bytes of `struct ifinfomsg`.
const IFINFOMSG: usize = 16;

/// What a request says about an interface: `struct nl_parsed_link` of `netlink/route/route_var.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkRequest<'a> {
    /// `ifi_type`.
    pub kind: u16,
    /// `ifi_index`; 0: not given.
    pub index: u32,
    /// `ifi_flags`: the wanted values of the flags in `change`.
    pub flags: u32,
    /// `ifi_change`.
    pub change: u32,
    /// IFLA_IFNAME or IFLA_ALT_IFNAME, whichever comes last, without its NUL. Its length is not limited.
    pub name: Option<&'a [u8]>,
    /// IFLA_MTU in bytes; 0: not given.
    pub mtu: u32,
    /// IFLA_LINK, where the branch keeps it apart from `index`; 0: not given.
    pub parent: u32,
    /// IFLA_INFO_KIND up to its first NUL.
    pub driver: Option<&'a [u8]>,
    /// IFLA_INFO_DATA.
    pub driver_data: Option<DriverData<'a>>,
    /// IFLA_IFALIAS without its NUL.
    pub alias: Option<&'a [u8]>,
    /// Payload of IFLA_ADDRESS, where the branch looks at it.
    pub link_address: Option<&'a [u8]>,
}

struct Links<'t, 'a> {
    request: &'t mut LinkRequest<'a>,
    behaviours: &'t Behaviours,
}

struct LinkInfo<'t, 'a>(&'t mut LinkRequest<'a>);

impl<'a> AttributeSet<'a> for Links<'_, 'a> {
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
        match attribute.kind() {
            IFLA_ADDRESS if self.behaviours.link_modify.link_address != LinkAddressChange::Ignored => {
                self.request.link_address = Some(attribute.data);
            }
            IFLA_IFNAME | IFLA_ALT_IFNAME => self.request.name = Some(attribute.string(report)?),
            IFLA_MTU => self.request.mtu = attribute.u32(report)?,
            IFLA_LINK => {
                let parent = attribute.u32(report)?;
                match self.behaviours.link_parent {
                    LinkParent::OverIndex => self.request.index = parent,
                    LinkParent::Own => self.request.parent = parent,
                }
            }
            IFLA_LINKINFO => attribute.nested(&mut LinkInfo(self.request), report)?,
            IFLA_IFALIAS => self.request.alias = Some(attribute.string(report)?),
            // Read as a string although users send a number, and then not used.
            IFLA_GROUP => drop(attribute.string(report)?),
            // What it asks for (RTEXT_FILTER_VF) only drivers of SR-IOV have, and the others say nothing then.
            IFLA_EXT_MASK if self.behaviours.extended_mask => drop(attribute.u32(report)?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> AttributeSet<'a> for LinkInfo<'_, 'a> {
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
        match attribute.kind() {
            IFLA_INFO_KIND => self.0.driver = Some(attribute.string_unterminated(report)?),
            IFLA_INFO_DATA => self.0.driver_data = Some(DriverData::of(attribute)),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> LinkRequest<'a> {
    /// Reads a request.
    pub(crate) fn parse(
        request: &Request<'a>,
        behaviours: &Behaviours,
        report: &mut Report,
    ) -> Result<Self, Errno> {
        let parts = request.split::<IFINFOMSG>(report)?;
        let mut link = Self {
            kind: header_u16(&parts.header, 2),
            index: header_u32(&parts.header, 4),
            flags: header_u32(&parts.header, 8),
            change: header_u32(&parts.header, 12),
            ..Self::default()
        };
        let pad = u8_at(&parts.header, 1).unwrap_or(0);
        if request.strict && (pad != 0 || link.kind != 0 || link.flags != 0 || link.change != 0) {
            report.say(|text| {
                text.str("strict checking: non-zero values in ifinfomsg header");
            });
            return Err(Errno::EINVAL);
        }
        parts.read(&mut Links { request: &mut link, behaviours }, report)?;
        Ok(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::writer::MessageHeader;

    fn parse<'a>(
        profile: Profile,
        strict: bool,
        payload: &'a [u8],
    ) -> (Result<LinkRequest<'a>, Errno>, Report) {
        let request = Request { header: MessageHeader::default(), payload, strict, base: 0 };
        let mut report = Report::default();
        (LinkRequest::parse(&request, &Behaviours::of(profile), &mut report), report)
    }

    #[test]
    fn header_and_nest() {
        let payload = [
            0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, // ifinfomsg
            12, 0, 18, 0, 6, 0, 1, 0, b'l', b'o', 0,
            0, // IFLA_LINKINFO { IFLA_INFO_KIND without a NUL }
            8, 0, 5, 0, 9, 0, 0, 0, // IFLA_LINK
        ];
        let (link, _) = parse(Profile::R14_0, false, &payload);
        let link = link.unwrap();
        assert_eq!((link.index, link.flags, link.change, link.parent), (7, 1, 3, 9));
        assert_eq!(link.driver, Some(&b"lo"[..]));
        assert_eq!(parse(Profile::Seed, false, &payload).0.unwrap().index, 9);
    }

    #[test]
    fn a_strict_socket_wants_zeros() {
        let mut payload = [0; 16];
        assert!(parse(Profile::R14_0, true, &payload).0.is_ok());
        payload[12] = 1;
        let (link, report) = parse(Profile::R14_0, true, &payload);
        assert_eq!(link, Err(Errno::EINVAL));
        assert_eq!(report.text(), Some(&b"strict checking: non-zero values in ifinfomsg header"[..]));
    }

    #[test]
    fn a_long_kind_exhausts_the_scratch_memory() {
        let mut payload = std::vec![0; 16];
        payload.extend([8, 8, 18, 0, 4, 8, 1, 0]);
        payload.extend([b'x'; 2048]);
        assert_eq!(parse(Profile::R14_0, false, &payload).0, Err(Errno::ENOMEM));
    }

    #[test]
    fn the_extended_mask_is_read_from_16_on() {
        let mut payload = std::vec![0; 16];
        payload.extend([6, 0, 29, 0, 1, 0, 0, 0]);
        assert!(parse(Profile::R15, false, &payload).0.is_ok());
        let (link, report) = parse(Profile::R16, false, &payload);
        assert_eq!((link, report.offset()), (Err(Errno::EINVAL), Some(32)));
        assert_eq!(report.text(), Some(&b"nla type 29 size(2) is not uint32"[..]));
        payload[16] = 8;
        assert!(parse(Profile::R16, false, &payload).0.is_ok());
    }

    #[test]
    fn the_link_address_is_looked_at_from_15_on() {
        let mut payload = std::vec![0; 16];
        payload.extend([5, 0, 1, 0, 0xaa, 0, 0, 0]);
        assert_eq!(parse(Profile::R14_3, false, &payload).0.unwrap().link_address, None);
        assert_eq!(parse(Profile::R15, false, &payload).0.unwrap().link_address, Some(&[0xaa][..]));
    }
}
