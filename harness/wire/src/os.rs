// SPDX-License-Identifier: BSD-2-Clause
//! Which system's ABI the bytes follow.

use core::fmt;

use crate::consts::{self, freebsd, linux};
use crate::schema::spells;

/// The system whose numbers a message uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Os {
    /// FreeBSD 13.2 and later.
    FreeBsd,
    /// Linux.
    Linux,
}

impl Os {
    /// Both systems.
    pub const ALL: [Self; 2] = [Self::FreeBsd, Self::Linux];

    /// The name used in files and on the command line: `freebsd` or `linux`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FreeBsd => "freebsd",
            Self::Linux => "linux",
        }
    }

    /// The system of that name, in upper or lower case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|os| os.name().eq_ignore_ascii_case(name))
    }

    /// The value of `nlmsgerr.error` for a positive error number: FreeBSD sends it as it is, Linux
    /// negated. The same function reads it back.
    #[must_use]
    pub const fn wire_errno(self, errno: i32) -> i32 {
        match self {
            Self::FreeBsd => errno,
            Self::Linux => errno.wrapping_neg(),
        }
    }

    fn errno_tables(self) -> [&'static [(i32, &'static str)]; 2] {
        match self {
            Self::FreeBsd => [freebsd::ERRNO_NAMES, freebsd::ERRNO_ALIASES],
            Self::Linux => [linux::ERRNO_NAMES, linux::ERRNO_ALIASES],
        }
    }

    fn families(self) -> &'static [(u8, &'static str)] {
        match self {
            Self::FreeBsd => FREEBSD_FAMILIES,
            Self::Linux => LINUX_FAMILIES,
        }
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FreeBsd => "FreeBSD",
            Self::Linux => "Linux",
        })
    }
}

static FREEBSD_FAMILIES: &[(u8, &str)] = &[
    (consts::AF_UNSPEC, "unspec"),
    (consts::AF_LOCAL, "local"),
    (consts::AF_INET, "inet"),
    (freebsd::AF_ROUTE, "route"),
    (freebsd::AF_LINK, "link"),
    (freebsd::AF_INET6, "inet6"),
    (freebsd::AF_NETLINK, "netlink"),
];

static LINUX_FAMILIES: &[(u8, &str)] = &[
    (consts::AF_UNSPEC, "unspec"),
    (consts::AF_LOCAL, "local"),
    (consts::AF_INET, "inet"),
    (linux::AF_BRIDGE, "bridge"),
    (linux::AF_INET6, "inet6"),
    (linux::AF_NETLINK, "netlink"),
    (linux::AF_PACKET, "packet"),
    (linux::AF_MPLS, "mpls"),
];

/// The name of a positive error number, as in `errno.h`: `ENODEV`.
#[must_use]
pub fn errno_name(os: Os, errno: i32) -> Option<&'static str> {
    let [names, _] = os.errno_tables();
    names.iter().find(|&&(number, _)| number == errno).map(|&(_, name)| name)
}

/// The positive number of an error name; second names (`EWOULDBLOCK`, `ENOTSUP`) are known too.
#[must_use]
pub fn errno_number(os: Os, name: &str) -> Option<i32> {
    os.errno_tables()
        .into_iter()
        .flatten()
        .find(|&&(_, known)| known.eq_ignore_ascii_case(name))
        .map(|&(number, _)| number)
}

/// Every error name of a system, second names last: for "did you mean" suggestions.
pub fn errno_names(os: Os) -> impl Iterator<Item = &'static str> {
    os.errno_tables().into_iter().flatten().map(|&(_, name)| name)
}

/// The name of an address family without `AF_`, in lower case.
#[must_use]
pub fn family_name(os: Os, family: u8) -> Option<&'static str> {
    os.families().iter().find(|&&(number, _)| number == family).map(|&(_, name)| name)
}

/// The number of an address family by its name, which may be the header's own: `AF_INET`.
#[must_use]
pub fn family_number(os: Os, name: &str) -> Option<u8> {
    os.families().iter().find(|&&(_, known)| spells(name, known, &["af_", "pf_"])).map(|&(number, _)| number)
}

/// The known families of a system.
#[must_use]
pub fn families(os: Os) -> &'static [(u8, &'static str)] {
    os.families()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ() {
        assert_eq!((Os::FreeBsd.wire_errno(2), Os::Linux.wire_errno(2)), (2, -2));
        assert_eq!(Os::Linux.wire_errno(Os::Linux.wire_errno(22)), 22);
    }

    #[test]
    fn errno_both_ways() {
        for os in Os::ALL {
            for &(number, name) in os.errno_tables()[0] {
                assert_eq!(errno_name(os, number), Some(name));
                assert_eq!(errno_number(os, name), Some(number), "{os} {name}");
            }
        }
        assert_eq!(errno_number(Os::FreeBsd, "ENOTSUP"), Some(45));
        assert_eq!(errno_number(Os::Linux, "EOPNOTSUPP"), Some(95));
        assert_eq!(errno_name(Os::FreeBsd, 45), Some("EOPNOTSUPP"));
        assert_eq!(errno_number(Os::FreeBsd, "ENODATA"), None);
        assert_eq!(errno_name(Os::Linux, 0), None);
    }

    #[test]
    fn families_both_ways() {
        for os in Os::ALL {
            for &(number, name) in families(os) {
                assert_eq!(family_name(os, number), Some(name));
                assert_eq!(family_number(os, name), Some(number));
            }
        }
        assert_eq!(family_name(Os::Linux, 28), Some("mpls"));
        assert_eq!(family_number(Os::FreeBsd, "packet"), None);
    }

    #[test]
    fn by_name() {
        assert_eq!(Os::by_name("linux"), Some(Os::Linux));
        assert_eq!(Os::by_name("FreeBSD"), Some(Os::FreeBsd));
        assert_eq!(Os::by_name("netbsd"), None);
    }
}
