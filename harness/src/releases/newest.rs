// SPDX-License-Identifier: BSD-2-Clause
//! The newest release of a branch.

/// The release that `wanted` means, of those named: the one of that name, else the newest of which it is the
/// beginning up to a dot or dash. A release is newer than any snapshot: `15` is 15.1-RELEASE where there is a
/// 15.1-STABLE. Names with more behind them (`14.0-STABLE-DEBUG`) are only meant when they are written out.
pub fn newest_of<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(Age, &str)> = None;
    for name in names {
        if name == wanted {
            return Some(name);
        }
        let rest = name.strip_prefix(wanted).filter(|rest| rest.starts_with(['.', '-']));
        let Some(age) = rest.and_then(|_| Age::of(name)) else { continue };
        if best.as_ref().is_none_or(|(other, _)| age > *other) {
            best = Some((age, name));
        }
    }
    best.map(|(_, name)| name)
}

/// The age of a release: the kind first, then the version. What is greater is newer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    kind: u8,
    version: Vec<u32>,
}

impl Age {
    /// The age that a release's name tells. `None`: more stands behind it, or it is no name of FreeBSD's.
    pub fn of(name: &str) -> Option<Self> {
        let (version, kind) = name.split_once('-')?;
        let kind = ["CURRENT", "STABLE", "RELEASE"].iter().position(|known| *known == kind)?;
        let version = version.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some(Self { kind: u8::try_from(kind).ok()?, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = [
        "14.0-STABLE",
        "14.0-STABLE-DEBUG",
        "14.5-RELEASE",
        "14.10-RELEASE",
        "15.1-RELEASE",
        "15.1-STABLE",
        "15.0-RELEASE",
        "16.0-CURRENT",
    ];

    #[test]
    fn a_branch_is_its_newest_release_and_a_name_is_itself() {
        for (wanted, found) in [
            ("14", Some("14.10-RELEASE")),
            ("15", Some("15.1-RELEASE")),
            ("15.1", Some("15.1-RELEASE")),
            ("15.0", Some("15.0-RELEASE")),
            ("16", Some("16.0-CURRENT")),
            ("15.1-STABLE", Some("15.1-STABLE")),
            ("14.0-STABLE-DEBUG", Some("14.0-STABLE-DEBUG")),
            ("14.0", Some("14.0-STABLE")),
            ("1", None),
            ("14.5-REL", None),
            ("", None),
        ] {
            assert_eq!(newest_of(wanted, NAMES), found, "{wanted}");
        }
    }
}
