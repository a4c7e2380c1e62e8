// SPDX-License-Identifier: BSD-2-Clause
//! netlink's own cloners of seed and 13: `struct nl_cloner` of `netlink/route/route_var.h` and the list of them in
//! iface.c (`rtnl_iface_add_cloner`, `rtnl_iface_del_cloner`, `rtnl_iface_find_cloner_locked`).
//!
//! A cloner is chosen by IFLA_INFO_KIND. The kernel keeps pointers to functions in a list; here the cloners are a
//! closed set and the registry says which of them are there, so that no call goes through a pointer that a verifier
//! would have to trust.

/// A cloner. Of its three callbacks only `create_f` differs from one to the other: `modify_f` is `modify_generic` in
/// both, which is how every interface is changed, and `dump_f` writes nothing in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloner {
    /// `vlan_cloner` of `iface_drivers.c`.
    Vlan,
    /// `default_cloner`: for every kind that nobody has registered.
    Generic,
}

/// The cloners that are registered. The generic one always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cloners {
    vlan: bool,
}

impl Cloners {
    /// `rtnl_iface_drivers_register`: what the kernel itself registers.
    #[must_use]
    pub const fn of_the_kernel() -> Self {
        Self { vlan: true }
    }

    /// Registers a cloner; whether it was not there before.
    pub const fn add(&mut self, cloner: Cloner) -> bool {
        match cloner {
            Cloner::Vlan => !core::mem::replace(&mut self.vlan, true),
            Cloner::Generic => false,
        }
    }

    /// Takes a cloner out; whether it was there. The generic one stays.
    pub const fn delete(&mut self, cloner: Cloner) -> bool {
        match cloner {
            Cloner::Vlan => core::mem::replace(&mut self.vlan, false),
            Cloner::Generic => false,
        }
    }

    /// The cloner for an IFLA_INFO_KIND.
    #[must_use]
    pub fn find(&self, kind: &[u8]) -> Cloner {
        if self.vlan && kind == b"vlan" { Cloner::Vlan } else { Cloner::Generic }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_nobody_has_registered_is_the_generic_cloners() {
        let mut cloners = Cloners::of_the_kernel();
        assert_eq!(cloners.find(b"vlan"), Cloner::Vlan);
        assert_eq!((cloners.find(b"lo"), cloners.find(b"vlan7")), (Cloner::Generic, Cloner::Generic));
        assert!(!cloners.add(Cloner::Vlan), "it is there");
        assert!(cloners.delete(Cloner::Vlan));
        assert_eq!(cloners.find(b"vlan"), Cloner::Generic);
        assert!(!cloners.delete(Cloner::Vlan), "it is gone");
        assert!(cloners.add(Cloner::Vlan));
        assert_eq!(cloners, Cloners::of_the_kernel());
        assert!(!cloners.delete(Cloner::Generic) && !cloners.add(Cloner::Generic));
    }
}
