// SPDX-License-Identifier: BSD-2-Clause
//! The six messages: who may send them and where they are handled.

use nlproof_wire::consts::{RTM_DELADDR, RTM_DELLINK, RTM_GETADDR, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK};

use crate::behaviour::{AddressChanges, Behaviours, SharedStack};
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
    /// The message is handled inside the network epoch (RTNL_F_NOEPOCH is not set): its handler must not sleep.
    pub in_epoch: bool,
    /// A jail without a network stack of its own may send it (RTNL_F_ALLOW_NONVNET_JAIL, or nobody asks).
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
    pub fn all(behaviours: &Behaviours) -> [Self; 6] {
        KINDS.map(|(kind, name)| Self::named(behaviours, kind, name))
    }

    /// The message of that type.
    #[must_use]
    pub fn of(behaviours: &Behaviours, kind: u16) -> Option<Self> {
        let (kind, name) = KINDS.into_iter().find(|(known, _)| *known == kind)?;
        Some(Self::named(behaviours, kind, name))
    }

    /// Whether messages of that type are handled here, in every branch.
    #[must_use]
    pub const fn is_handled(kind: u16) -> bool {
        matches!(kind, RTM_GETLINK | RTM_NEWLINK | RTM_DELLINK | RTM_GETADDR | RTM_NEWADDR | RTM_DELADDR)
    }

    /// One of [`KINDS`].
    fn named(behaviours: &Behaviours, kind: u16, name: &'static str) -> Self {
        let change = Self {
            kind,
            name,
            privilege: None,
            in_epoch: false,
            jailed: behaviours.shared_stack == SharedStack::Unknown,
            handler: Handler::DelLink,
        };
        let get = Self { jailed: true, ..change };
        let get_addr = Self { in_epoch: true, handler: Handler::GetAddr, ..get };
        let changes_addresses = behaviours.address_changes == AddressChanges::Change;
        let change_addr =
            |privilege| Self { privilege: Some(privilege), handler: Handler::ChangeAddr, ..change };
        match kind {
            RTM_GETLINK => Self { handler: Handler::GetLink, ..get },
            RTM_NEWLINK => Self { privilege: Some(Privilege::IfCreate), handler: Handler::NewLink, ..change },
            RTM_DELLINK => Self { privilege: Some(Privilege::IfDestroy), ..change },
            RTM_NEWADDR if changes_addresses => change_addr(Privilege::AddIfAddr),
            RTM_DELADDR if changes_addresses => change_addr(Privilege::DelIfAddr),
            _ => get_addr,
        }
    }
}

/// The six messages by type, with their names.
const KINDS: [(u16, &str); 6] = [
    (RTM_GETLINK, "RTM_GETLINK"),
    (RTM_DELLINK, "RTM_DELLINK"),
    (RTM_NEWLINK, "RTM_NEWLINK"),
    (RTM_GETADDR, "RTM_GETADDR"),
    (RTM_NEWADDR, "RTM_NEWADDR"),
    (RTM_DELADDR, "RTM_DELADDR"),
];

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
        assert!(of(Profile::R14_0, RTM_GETADDR).jailed && !of(Profile::R14_0, RTM_NEWADDR).jailed);
        assert!(Message::all(&Behaviours::of(Profile::R13)).iter().all(|message| message.jailed));
        assert!(of(Profile::R15, RTM_GETADDR).in_epoch && !of(Profile::R15, RTM_NEWADDR).in_epoch);
        assert_eq!(Message::of(&Behaviours::of(Profile::R15), 19), None);
        for kind in 0..u16::MAX {
            let known = Message::of(&Behaviours::of(Profile::R15), kind);
            assert_eq!(known.is_some(), Message::is_handled(kind), "{kind}");
        }
    }
}
