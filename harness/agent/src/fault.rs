// SPDX-License-Identifier: BSD-2-Clause
//! Faults of the driver without hardware (kmod-src/faultnic): each is a setting of the network stack that the interface is in.

use serde::{Deserialize, Serialize};

/// A fault of the driver, or the end of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// SIOCGIFMEDIA tells active media, which is no fault.
    MediaActive,
    /// SIOCGIFMEDIA tells inactive media.
    MediaInactive,
    /// SIOCGIFMEDIA is EINVAL, as of drivers that have no media.
    MediaNone,
    /// SIOCGIFMEDIA is ENXIO.
    MediaEnxio,
    /// SIOCGIFMEDIA sleeps for a tenth of a second and tells active media.
    MediaSleep,
    /// SIOCGIFMEDIA tells active media that are not Ethernet's.
    MediaForeign,
    /// SIOCGIFMEDIA sets every bit of every field.
    MediaNonsense,
    /// SIOCGIFMEDIA tells active and inactive media by turns.
    MediaTurns,
    /// Counters are zero, which is no fault.
    CountersZero,
    /// Counters have all bits and none by turns.
    CountersJump,
    /// Interfaces that come have an address of Ethernet, which is no fault.
    AddressEther,
    /// Interfaces that come have a link-level address without bytes.
    AddressNone,
    /// Interfaces that come have an address of a family that netlink does not know beside their own.
    AddressOther,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 13] = [
        Self::MediaActive,
        Self::MediaInactive,
        Self::MediaNone,
        Self::MediaEnxio,
        Self::MediaSleep,
        Self::MediaForeign,
        Self::MediaNonsense,
        Self::MediaTurns,
        Self::CountersZero,
        Self::CountersJump,
        Self::AddressEther,
        Self::AddressNone,
        Self::AddressOther,
    ];

    /// The word in vectors and traces: the last word of the setting's name, `-`, and its value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MediaActive => "media-active",
            Self::MediaInactive => "media-inactive",
            Self::MediaNone => "media-none",
            Self::MediaEnxio => "media-enxio",
            Self::MediaSleep => "media-sleep",
            Self::MediaForeign => "media-foreign",
            Self::MediaNonsense => "media-nonsense",
            Self::MediaTurns => "media-turns",
            Self::CountersZero => "counters-zero",
            Self::CountersJump => "counters-jump",
            Self::AddressEther => "address-ether",
            Self::AddressNone => "address-none",
            Self::AddressOther => "address-other",
        }
    }

    /// The setting's name in sysctl(8) without `net.link.faultnic.`, and its value.
    #[must_use]
    pub fn setting(self) -> (&'static str, &'static str) {
        self.name().split_once('-').unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_setting_of_the_driver() {
        assert_eq!(Fault::MediaEnxio.setting(), ("media", "enxio"));
        let settings = Fault::ALL.map(|fault| fault.setting().0);
        assert!(settings.iter().all(|name| ["media", "counters", "address"].contains(name)), "{settings:?}");
    }
}
