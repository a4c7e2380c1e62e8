// SPDX-License-Identifier: BSD-2-Clause
//! Which golden holds for a cell: the most specific one that exists.

use std::ops::Range;

use iface_core::Profile;

/// The directories below `golden/` in which a FreeBSD cell of this profile looks, most specific first. What a branch
/// does is what the one before it did until it is known to differ; seed came out of the same code as 13.
pub fn layers(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Seed => &["freebsd-seed", "freebsd-13", "common"],
        Profile::R13 => &["freebsd-13", "common"],
        Profile::R14_0 => &["freebsd-14.0", "freebsd-14", "common"],
        Profile::R14_3 => &["freebsd-14.3", "freebsd-14", "common"],
        Profile::R15 => &["freebsd-15", "common"],
        Profile::R16 => &["freebsd-16", "freebsd-15", "common"],
    }
}

/// The layers that hold where this layer has no golden.
pub fn layers_behind(layer: &str) -> Vec<&'static str> {
    let behind = |profile: &Profile| {
        let layers = layers(*profile);
        layers.iter().position(|other| *other == layer).map(|at| layers[at + 1..].to_vec())
    };
    Profile::ALL.iter().find_map(behind).unwrap_or_default()
}

/// The range of versions of each profile, by `kern.osreldate` (`__FreeBSD_version`; Porter's Handbook, chapter 18).
/// Kernels before the first have no netlink.
const VERSIONS: [(Range<u32>, Profile); 5] = [
    (1_302_001..1_400_000, Profile::R13),
    (1_400_000..1_403_000, Profile::R14_0),
    (1_403_000..1_500_000, Profile::R14_3),
    (1_500_000..1_600_000, Profile::R15),
    (1_600_000..1_700_000, Profile::R16),
];

/// The profile of a kernel by its `kern.osreldate`. `None`: a kernel without netlink, or of a branch that is not known yet.
pub fn profile_of(osreldate: u32) -> Option<Profile> {
    VERSIONS.iter().find(|(versions, _)| versions.contains(&osreldate)).map(|(_, profile)| *profile)
}

/// The nearest profile to a kernel for which [`profile_of`] knows none: a guess.
pub fn nearest_profile(osreldate: u32) -> Profile {
    let distance =
        |versions: &Range<u32>| osreldate.abs_diff(osreldate.clamp(versions.start, versions.end - 1));
    let nearest = VERSIONS.iter().min_by_key(|(versions, _)| distance(versions));
    nearest.map_or(Profile::R16, |(_, profile)| *profile)
}

/// The profile of a release by its name, such as `14.2-STABLE`: that of its branch, a hint for people who add a cell.
/// `None`: a branch that is not known, or no name of FreeBSD's.
pub fn profile_of_name(release: &str) -> Option<Profile> {
    let version = release.split('-').next()?;
    let (major, minor) = version.split_once('.')?;
    let osreldate = major
        .parse::<u32>()
        .ok()?
        .checked_mul(100_000)?
        .checked_add(minor.parse::<u32>().ok()?.checked_mul(1_000)?)?;
    // What matters of the third part is that branch 13 has netlink from 13.2 on only.
    profile_of(osreldate.checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_s_name_tells_its_profile() {
        for (name, profile) in [
            ("13.1-RELEASE", None),
            ("13.5-RELEASE", Some(Profile::R13)),
            ("14.2-STABLE", Some(Profile::R14_0)),
            ("14.5-RELEASE", Some(Profile::R14_3)),
            ("15.0-RELEASE", Some(Profile::R15)),
            ("16.0-CURRENT", Some(Profile::R16)),
            ("17.0-CURRENT", None),
            ("MYKERNEL", None),
            ("99999999.9", None),
        ] {
            assert_eq!(profile_of_name(name), profile, "{name}");
        }
    }

    #[test]
    fn a_kernel_has_the_profile_of_its_branch() {
        assert_eq!(profile_of(1_400_507), Some(Profile::R14_0));
        assert_eq!(profile_of(1_403_000), Some(Profile::R14_3));
        assert_eq!(profile_of(1_501_000), Some(Profile::R15));
        assert_eq!(profile_of(1_203_000), None);
    }

    #[test]
    fn beyond_the_table_the_nearest_profile_is_guessed_and_within_it_there_is_no_other() {
        assert_eq!(nearest_profile(1_203_000), Profile::R13);
        assert_eq!(nearest_profile(1_700_000), Profile::R16);
        assert_eq!(nearest_profile(u32::MAX), Profile::R16);
        for osreldate in (1_300_000..1_800_000).step_by(500) {
            if let Some(profile) = profile_of(osreldate) {
                assert_eq!(nearest_profile(osreldate), profile, "{osreldate}");
            }
        }
    }

    #[test]
    fn what_is_behind_a_layer_holds_where_it_has_nothing() {
        assert_eq!(layers_behind("freebsd-14.0"), ["freebsd-14", "common"]);
        assert_eq!(layers_behind("freebsd-15"), ["common"]);
        assert_eq!(layers_behind("common"), [""; 0]);
        assert_eq!(layers_behind("no-profile-has-it"), [""; 0]);
    }

    #[test]
    fn every_profile_ends_in_common_and_starts_with_a_layer_of_its_own() {
        let profiles =
            [Profile::Seed, Profile::R13, Profile::R14_0, Profile::R14_3, Profile::R15, Profile::R16];
        let firsts: std::collections::BTreeSet<_> =
            profiles.iter().map(|profile| layers(*profile)[0]).collect();
        assert_eq!(firsts.len(), profiles.len());
        assert!(profiles.iter().all(|profile| layers(*profile).last() == Some(&"common")));
    }
}
