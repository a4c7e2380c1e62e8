// SPDX-License-Identifier: BSD-2-Clause
//! Releases that differ from their branch only in the kernel around iface.c.

use core::ops::Range;

use iface_core::Profile;

/// A release that can be played beside the one that stands for its profile. Every other release of the profile is
/// played as that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// 14.2, of profile 14.0.
    R14_2,
    /// 15.0, of profile 15.
    R15_0,
}

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Self; 2] = [Self::R14_2, Self::R15_0];

    /// The name in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::R14_2 => "14.2",
            Self::R15_0 => "15.0",
        }
    }

    /// The profile of its iface.c.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self {
            Self::R14_2 => Profile::R14_0,
            Self::R15_0 => Profile::R15,
        }
    }

    /// The `kern.osreldate` of its kernels.
    #[must_use]
    pub const fn osreldates(self) -> Range<u32> {
        match self {
            Self::R14_2 => 1_402_000..1_403_000,
            Self::R15_0 => 1_500_000..1_501_000,
        }
    }

    /// The release of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|release| release.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_a_name_that_no_profile_has() {
        for release in Release::ALL {
            assert_eq!(Release::named(release.name()), Some(release));
            assert!(release.name().parse::<Profile>().is_err());
        }
        assert_eq!(Release::named("15.1"), None);
    }
}
