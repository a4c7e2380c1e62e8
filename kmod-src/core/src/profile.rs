// SPDX-License-Identifier: BSD-2-Clause
//! The branches of FreeBSD.

use core::fmt;
use core::str::FromStr;

/// The behaviour of one FreeBSD branch. What it means stands in [`Behaviours`](crate::Behaviours).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// main in early 2023, git revision 927358dd98: the file this project started from.
    Seed,
    /// 13.2 and later of stable/13.
    R13,
    /// 14.0 to 14.2.
    R14_0,
    /// 14.3 and later of stable/14.
    R14_3,
    /// 15.0 and 15.1.
    R15,
    /// 16-CURRENT: main in summer 2026, git revision 2019f3d86f78.
    R16,
}

impl Profile {
    /// Every profile, oldest first.
    pub const ALL: [Self; 6] = [Self::Seed, Self::R13, Self::R14_0, Self::R14_3, Self::R15, Self::R16];

    /// The name used in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::R13 => "13",
            Self::R14_0 => "14.0",
            Self::R14_3 => "14.3",
            Self::R15 => "15",
            Self::R16 => "16",
        }
    }

    /// The git revision of freebsd-src whose iface.c was read for a branch that moves on; `None` for those of releases.
    #[must_use]
    pub const fn revision(self) -> Option<&'static str> {
        match self {
            Self::R16 => Some("2019f3d86f78"),
            Self::Seed | Self::R13 | Self::R14_0 | Self::R14_3 | Self::R15 => None,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProfile;

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such profile: known are seed, 13, 14.0, 14.3, 15 and 16")
    }
}

impl core::error::Error for UnknownProfile {}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or(UnknownProfile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_both_ways() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert_eq!("14.1".parse::<Profile>(), Err(UnknownProfile));
    }
}
