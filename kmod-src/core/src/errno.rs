// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's error numbers as a type.

use core::num::NonZeroI32;

use nlproof_wire::consts::freebsd;

/// A positive error number of FreeBSD's `sys/errno.h`. Success is `Ok`, never a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(NonZeroI32);

impl Errno {
    /// The error of that number; `None` for 0.
    #[must_use]
    pub const fn new(number: i32) -> Option<Self> {
        match NonZeroI32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The positive number, as it is sent on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0.get()
    }

    const fn of(number: i32) -> Self {
        match NonZeroI32::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroI32::MAX),
        }
    }
}

macro_rules! errors {
    ($($name:ident),+ $(,)?) => {
        impl Errno {
            $(
                #[doc = concat!("`", stringify!($name), "`.")]
                pub const $name: Self = Self::of(freebsd::$name);
            )+
        }
    };
}

errors!(
    EPERM,
    ENOENT,
    ENXIO,
    ENOMEM,
    EBUSY,
    EEXIST,
    ENODEV,
    EINVAL,
    ENOSPC,
    EDESTADDRREQ,
    EMSGSIZE,
    ENOPROTOOPT,
    EPROTONOSUPPORT,
    EOPNOTSUPP,
    ENOTSUP,
    EAFNOSUPPORT,
    EADDRNOTAVAIL,
    ENOBUFS,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_freebsds() {
        assert_eq!(Errno::EADDRNOTAVAIL.number(), 49);
        assert_eq!(Errno::ENOTSUP, Errno::EOPNOTSUPP);
        assert_eq!(Errno::new(19), Some(Errno::ENODEV));
        assert_eq!(Errno::new(0), None);
    }
}
