// SPDX-License-Identifier: BSD-2-Clause
//! A kernel that is of another branch than its cell says.

use iface_core::Profile;

use super::cell::Cell;
use crate::golden::profile_of;

/// A cell's kernel is of another profile than the cell: its answers would be held to goldens of another branch, and
/// recorded among them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the kernel of {release} is of profile {kernel} (kern.osreldate {osreldate}), and its cell says profile {cell}\n  \
     help: where the release comes from tests/matrix.yaml, give its cells `profile: \"{kernel}\"`; where it is right, \
     the release directory holds another kernel than its name says"
)]
pub struct WrongProfile {
    /// The release, as the cell names it.
    pub release: String,
    /// `kern.osreldate` of the kernel that answers.
    pub osreldate: u32,
    /// The profile of that version.
    pub kernel: Profile,
    /// The profile that the cell states.
    pub cell: Profile,
}

impl Cell {
    /// Whether a kernel of this version is one that the cell's profile is about.
    ///
    /// A version that no profile is known for contradicts none, and `seed` none, because its versions are those of 14's
    /// beginning. Neither does a profile that the user named for this kernel.
    ///
    /// # Errors
    /// The version is of another profile.
    pub fn suits(&self, osreldate: u32) -> Result<(), WrongProfile> {
        match profile_of(osreldate) {
            Some(kernel)
                if kernel != self.profile && self.profile != Profile::Seed && !self.profile_is_meant =>
            {
                let release = self.release_or_profile();
                Err(WrongProfile { release, osreldate, kernel, cell: self.profile })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cell;
    use super::*;

    #[test]
    fn a_version_of_another_branch_is_told_and_no_other() {
        let own = |profile| cell(Some("15.1-RELEASE"), profile);
        for (profile, osreldate, wrong) in [
            (Profile::R15, 1_501_000, None),
            (Profile::R14_0, 1_501_000, Some(Profile::R15)),
            (Profile::R14_3, 1_402_501, Some(Profile::R14_0)),
            (Profile::R14_0, 1_402_501, None),
            (Profile::R15, 1_600_018, Some(Profile::R16)),
            (Profile::R16, 1_700_000, None),
            (Profile::Seed, 1_400_078, None),
        ] {
            let told = own(profile).suits(osreldate).map_err(|error| error.kernel).err();
            assert_eq!(told, wrong, "{profile} {osreldate}");
        }
        let meant = Cell { profile_is_meant: true, ..own(Profile::R14_0) };
        assert_eq!(meant.suits(1_501_000), Ok(()));
        let error = own(Profile::R14_0).suits(1_501_000).unwrap_err().to_string();
        let first = "the kernel of 15.1-RELEASE is of profile 15 (kern.osreldate 1501000), and its cell says profile 14.0";
        assert!(error.starts_with(first) && error.contains("`profile: \"15\"`"), "{error}");
    }
}
