// SPDX-License-Identifier: BSD-2-Clause
//! What a request says about a VLAN: `nl_parsed_vlan` of `net/if_vlan.c` (seed and 13: of
//! `netlink/route/iface_drivers.c`).

use nlproof_wire::consts::{IFLA_VLAN_ID, IFLA_VLAN_PROTOCOL};

use crate::attributes::{Attribute, AttributeSet};
use crate::driver_data::DriverData;
use crate::errno::Errno;
use crate::report::Report;

/// `ETHERTYPE_VLAN` of `net/ethernet.h`: IEEE 802.1Q.
const VLAN: u16 = 0x8100;
/// `ETHERTYPE_QINQ` of `net/ethernet.h`: IEEE 802.1ad.
const QINQ: u16 = 0x88a8;
/// What stands for "no id", and is refused like any that is too large.
const NO_ID: u16 = 0xfefe;

/// A VLAN's id and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanRequest {
    /// IFLA_VLAN_ID.
    pub id: u16,
    /// IFLA_VLAN_PROTOCOL in host order, unlike Linux, which has it in network order.
    pub protocol: u16,
}

impl<'a> AttributeSet<'a> for VlanRequest {
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
        match attribute.kind() {
            IFLA_VLAN_ID => self.id = attribute.u16(report)?,
            IFLA_VLAN_PROTOCOL => self.protocol = attribute.u16(report)?,
            _ => {}
        }
        Ok(())
    }
}

impl VlanRequest {
    /// What a VLAN to be created is like.
    ///
    /// # Errors
    /// ENOTSUP without data or for a protocol that is neither 802.1Q nor 802.1ad, EINVAL for an id above
    /// `last_id` or data that cannot be read.
    pub fn for_create(
        data: Option<&DriverData<'_>>,
        last_id: u16,
        report: &mut Report,
    ) -> Result<Self, Errno> {
        let Some(data) = data else {
            report.say(|text| {
                text.str("vlan id is required, guessing not supported");
            });
            return Err(Errno::ENOTSUP);
        };
        let mut vlan = Self { id: NO_ID, protocol: VLAN };
        data.read(&mut vlan, report)?;
        if vlan.id > last_id {
            report.say(|text| {
                text.str("Invalid VID: ").number(vlan.id);
            });
            return Err(Errno::EINVAL);
        }
        if vlan.protocol != VLAN && vlan.protocol != QINQ {
            report.say(|text| {
                text.str("Unsupported ethertype: 0x").upper_hex16(vlan.protocol);
            });
            return Err(Errno::ENOTSUP);
        }
        Ok(vlan)
    }

    /// What a VLAN is to become. Without an id that is 0, which no VLAN can have.
    ///
    /// # Errors
    /// EINVAL for data that cannot be read.
    pub fn for_change(data: &DriverData<'_>, report: &mut Report) -> Result<Self, Errno> {
        let mut vlan = Self { id: 0, protocol: VLAN };
        data.read(&mut vlan, report)?;
        Ok(vlan)
    }

    /// Reports that there is no interface `index` for a VLAN to be on.
    pub fn no_parent(index: u32, report: &mut Report) -> Errno {
        report.say(|text| {
            text.str("unable to find parent interface ").number(index);
        });
        Errno::ENOENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(bytes: &[u8]) -> (Result<VlanRequest, Errno>, std::string::String) {
        let attribute = Attribute { raw_kind: 2, data: bytes, offset: 40, base: 0 };
        let mut report = Report::default();
        let vlan = VlanRequest::for_create(Some(&DriverData::of(&attribute)), 4095, &mut report);
        (vlan, std::string::String::from_utf8_lossy(report.text().unwrap_or_default()).into_owned())
    }

    #[test]
    fn id_and_protocol() {
        let both = [6, 0, 1, 0, 7, 0, 0, 0, 6, 0, 5, 0, 0xa8, 0x88, 0, 0];
        assert_eq!(create(&both).0, Ok(VlanRequest { id: 7, protocol: QINQ }));
        assert_eq!(create(&both[..8]).0, Ok(VlanRequest { id: 7, protocol: VLAN }));
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(create(&[]), (Err(Errno::EINVAL), "Invalid VID: 65278".into()));
        assert_eq!(create(&[6, 0, 1, 0, 0, 16, 0, 0]), (Err(Errno::EINVAL), "Invalid VID: 4096".into()));
        let swapped = [6, 0, 1, 0, 7, 0, 0, 0, 6, 0, 5, 0, 0x81, 0, 0, 0];
        assert_eq!(create(&swapped), (Err(Errno::ENOTSUP), "Unsupported ethertype: 0x0081".into()));
        assert_eq!(
            create(&[5, 0, 1, 0, 7, 0, 0, 0]),
            (Err(Errno::EINVAL), "nla type 1 size(1) is not uint16".into())
        );
        assert_eq!(VlanRequest::for_create(None, 4095, &mut Report::default()), Err(Errno::ENOTSUP));
    }
}
