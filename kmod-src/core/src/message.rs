// SPDX-License-Identifier: BSD-2-Clause
//! The six messages: who may send them and where they are handled.

use nlproof_wire::consts::{RTM_DELADDR, RTM_DELLINK, RTM_GETADDR, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK};

use crate::behaviour::{AddressChanges, Behaviours};
use crate::kernel::Privilege;

/// One message that is handled here: `struct rtnl_cmd_handler`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// `RTM_*`.
    pub kind: u16,
    /// The header's name for it.
    pub name: &'static str,
    /// What the sender must be allowed to do.
    pub privilege: Option<Privilege>,
    /// It is handled inside the network epoch (RTNL_F_NOEPOCH is not set): its handler must not sleep.
    pub in_epoch: bool,
    /// A jail without a network stack of its own may send it (RTNL_F_ALLOW_NONVNET_JAIL).
    pub jailed: bool,
    /// What answers it.
    pub(crate) handler: Handler,
}

/// What answers a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    GetLink,
    NewLink,
    DelLink,
    GetAddr,
    ChangeAddr,
}

impl Message {
    /// The six messages of a branch.
    #[must_use]
    pub const fn all(behaviours: &Behaviours) -> [Self; 6] {
        let jailed = behaviours.jailed_gets;
        let get_link = Self {
            kind: RTM_GETLINK,
            name: "RTM_GETLINK",
            privilege: None,
            in_epoch: false,
            jailed,
            handler: Handler::GetLink,
        };
        let get_addr = Self {
            kind: RTM_GETADDR,
            name: "RTM_GETADDR",
            in_epoch: true,
            handler: Handler::GetAddr,
            ..get_link
        };
        let delete_link = Self {
            kind: RTM_DELLINK,
            name: "RTM_DELLINK",
            privilege: Some(Privilege::IfDestroy),
            in_epoch: false,
            jailed: false,
            handler: Handler::DelLink,
        };
        let new_link = Self {
            kind: RTM_NEWLINK,
            name: "RTM_NEWLINK",
            privilege: Some(Privilege::IfCreate),
            handler: Handler::NewLink,
            ..delete_link
        };
        let (new_addr, delete_addr) = match behaviours.address_changes {
            AddressChanges::ListInstead => (get_addr, get_addr),
            AddressChanges::Change => {
                let change = Self { handler: Handler::ChangeAddr, ..delete_link };
                (
                    Self { privilege: Some(Privilege::AddIfAddr), ..change },
                    Self { privilege: Some(Privilege::DelIfAddr), ..change },
                )
            }
        };
        let new_addr = Self { kind: RTM_NEWADDR, name: "RTM_NEWADDR", ..new_addr };
        let delete_addr = Self { kind: RTM_DELADDR, name: "RTM_DELADDR", ..delete_addr };
        [get_link, delete_link, new_link, get_addr, new_addr, delete_addr]
    }

    /// The message of that type.
    #[must_use]
    pub fn of(behaviours: &Behaviours, kind: u16) -> Option<Self> {
        Self::all(behaviours).into_iter().find(|message| message.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn privileges_by_branch() {
        let of = |profile, kind| Message::of(&Behaviours::of(profile), kind).unwrap();
        assert_eq!(of(Profile::Seed, RTM_NEWADDR).privilege, None);
        assert_eq!(of(Profile::R14_0, RTM_NEWADDR).privilege, Some(Privilege::AddIfAddr));
        assert_eq!(of(Profile::R14_0, RTM_DELADDR).privilege, Some(Privilege::DelIfAddr));
        assert!(of(Profile::R14_0, RTM_GETADDR).jailed && !of(Profile::R13, RTM_GETADDR).jailed);
        assert!(of(Profile::R15, RTM_GETADDR).in_epoch && !of(Profile::R15, RTM_NEWADDR).in_epoch);
        assert_eq!(Message::of(&Behaviours::of(Profile::R15), 19), None);
    }
}
