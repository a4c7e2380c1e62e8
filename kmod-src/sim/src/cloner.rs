// SPDX-License-Identifier: BSD-2-Clause
//! Making and destroying interfaces by name (`net/if_clone.c`).

use std::cell::RefCell;
use std::collections::BTreeSet;

use iface_core::{Errno, LinkCloner, LinkRequest, Name, Sleepable};
use nlproof_wire::consts::IFNAMSIZ;

use crate::interface::{Driver, IfRef};
use crate::stack::Stack;

/// `IF_MAXUNIT` of `net/if.h`.
const LAST_UNIT: u32 = 0x7fff;

/// The units that each cloner has given out.
#[derive(Debug, Default)]
pub(crate) struct Cloners {
    units: [RefCell<BTreeSet<u32>>; Driver::ALL.len()],
}

impl Cloners {
    /// `ifc_find_cloner_match`: the driver's name and perhaps a number.
    fn matching(name: &[u8]) -> Option<Driver> {
        Driver::ALL.into_iter().find(|driver| {
            name.strip_prefix(driver.name().as_bytes())
                .is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
        })
    }

    fn units(&self, driver: Driver) -> &RefCell<BTreeSet<u32>> {
        &self.units[driver as usize]
    }

    fn free(&self, driver: Driver, unit: u32) {
        self.units(driver).borrow_mut().remove(&unit);
    }
}

/// `ifc_name2unit`: the number that ends a name; `None` if there is none.
fn unit_of(name: &[u8]) -> Result<Option<u32>, Errno> {
    let digits = name.iter().position(u8::is_ascii_digit).and_then(|first| name.get(first..));
    match digits {
        None => Ok(None),
        Some([b'0', _, ..]) => Err(Errno::EINVAL),
        Some(digits) => {
            let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i32>().ok());
            number.and_then(|number| u32::try_from(number).ok()).map(Some).ok_or(Errno::EINVAL)
        }
    }
}

impl Stack {
    /// `ifc_create_ifp`. The name is cut off at 15 bytes only after a cloner was found for it.
    ///
    /// A request is shown to the driver where there is one and the branch lets drivers see requests.
    pub(crate) fn clone_create(
        &self,
        thread: &mut Sleepable,
        name: &[u8],
        request: Option<&LinkRequest<'_>>,
    ) -> Result<IfRef, Errno> {
        let driver = Cloners::matching(name).or_else(|| self.names_a_vlan(name).then_some(Driver::Vlan));
        let driver = driver.ok_or(Errno::EINVAL)?;
        let request = request.filter(|_| self.behaviours.link_cloner == LinkCloner::ByName);
        let name = Name::truncated(name);
        if self.unit(name.as_bytes()).is_some() {
            return Err(Errno::EEXIST);
        }
        let ifp = match driver {
            Driver::Loopback => self.loopback_create(thread, name),
            Driver::Epair => self.epair_create(thread, name),
            Driver::Bridge => self.bridge_create(thread, name),
            Driver::Gif => self.gif_create(thread, name),
            Driver::Tun => self.tun_create(thread, name),
            Driver::Tap => self.tap_create(thread, name),
            Driver::Disc => self.discard_create(thread, name),
            Driver::Vlan => match request {
                Some(request) => self.vlan_create_requested(thread, name, request),
                None => self.vlan_create(thread, name, None),
            },
        }?;
        // `ifc_link_ifp`: when the driver has announced it.
        ifp.join(driver.name().as_bytes());
        Ok(ifp)
    }

    /// `ifc_alloc_unit`: the unit that the name asks for, or the first free one.
    pub(crate) fn allocate_unit(&self, driver: Driver, name: Name) -> Result<u32, Errno> {
        let mut units = self.cloners.units(driver).borrow_mut();
        let taken = |unit: u32, units: &BTreeSet<u32>| {
            units.contains(&unit) || self.unit(format!("{}{unit}", driver.name()).as_bytes()).is_some()
        };
        let unit = match unit_of(name.as_bytes())? {
            Some(unit) if unit > LAST_UNIT => return Err(Errno::ENOSPC),
            Some(unit) if taken(unit, &units) => return Err(Errno::EEXIST),
            Some(unit) => unit,
            None => (0..=LAST_UNIT).find(|&unit| !taken(unit, &units)).ok_or(Errno::ENOSPC)?,
        };
        units.insert(unit);
        Ok(unit)
    }

    /// `ifc_free_unit`.
    pub(crate) fn free_unit(&self, ifp: &IfRef) {
        if let Some(unit) = ifp.unit {
            self.cloners.free(ifp.driver, unit);
        }
    }

    /// `ifc_free_unit` of a unit for which no interface was made.
    pub(crate) fn give_unit_back(&self, driver: Driver, unit: u32) {
        self.cloners.free(driver, unit);
    }

    /// `if_clone_destroy`: by name, and by the cloner that made it. The interface leaves the cloner's group first, and
    /// joins it again if it stays.
    pub(crate) fn clone_destroy(&self, thread: &mut Sleepable, name: Name) -> Result<(), Errno> {
        let ifp = self.living().into_iter().find(|ifp| ifp.name.get() == name).ok_or(Errno::ENXIO)?;
        let group = ifp.driver.name().as_bytes();
        ifp.leave(group);
        self.driver_destroy(thread, &ifp).inspect_err(|_| {
            ifp.join(group);
        })
    }

    fn driver_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        match ifp.driver {
            Driver::Loopback => self.loopback_destroy(thread, ifp),
            Driver::Epair => self.epair_destroy(thread, ifp),
            Driver::Vlan => self.vlan_destroy(thread, ifp),
            Driver::Bridge => {
                self.bridge_destroy(thread, ifp);
                Ok(())
            }
            Driver::Gif => {
                self.gif_destroy(thread, ifp);
                Ok(())
            }
            Driver::Tun | Driver::Tap | Driver::Disc => {
                self.simple_destroy(thread, ifp);
                Ok(())
            }
        }
    }
}

const _: () = assert!(IFNAMSIZ == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloners_by_name() {
        assert_eq!(Cloners::matching(b"lo"), Some(Driver::Loopback));
        assert_eq!(Cloners::matching(b"lo10"), Some(Driver::Loopback));
        assert_eq!(Cloners::matching(b"epair7"), Some(Driver::Epair));
        assert_eq!(Cloners::matching(b"vlan7"), Some(Driver::Vlan));
        for name in ["", "l", "lo1x", "epair7a", "em0", "LO1", "vlan7.7"] {
            assert_eq!(Cloners::matching(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn units_in_names() {
        assert_eq!(unit_of(b"lo"), Ok(None));
        assert_eq!(unit_of(b"lo0"), Ok(Some(0)));
        assert_eq!(unit_of(b"lo32768"), Ok(Some(32768)));
        assert_eq!(unit_of(b"lo01"), Err(Errno::EINVAL));
        assert_eq!(unit_of(b"lo99999999999"), Err(Errno::EINVAL));
    }
}
