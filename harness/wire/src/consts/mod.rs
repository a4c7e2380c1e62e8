// SPDX-License-Identifier: BSD-2-Clause
//! The protocol's numbers under the kernel headers' own names.
//!
//! What both systems agree on stands here; what they number differently stands in [`freebsd`] and
//! [`linux`]. The sources are FreeBSD's `sys/netlink/netlink.h`, `sys/netlink/netlink_bitset.h`,
//! `sys/netlink/route/{common,interface,ifaddrs,route}.h`, `sys/net/{if,if_types}.h`, `sys/sys/errno.h`
//! (stable/14) and Linux's uapi headers (6.1).

/// Declares constants whose documentation is their origin.
macro_rules! numbers {
    ($header:literal, $ty:ty: $($name:ident = $value:expr),+ $(,)?) => {
        $(
            #[doc = concat!("`", stringify!($name), "` of `", $header, "`.")]
            pub const $name: $ty = $value;
        )+
    };
}

/// Declares error numbers and the table of their names; aliases follow, they are not in the table.
macro_rules! errnos {
    ($header:literal: $($name:ident = $value:literal),+ ; $($alias:ident = $of:ident),* $(,)?) => {
        $(
            #[doc = concat!("`", stringify!($name), "` of `", $header, "`.")]
            pub const $name: i32 = $value;
        )+
        $(
            #[doc = concat!("`", stringify!($alias), "` of `", $header, "`, another name of [`", stringify!($of), "`].")]
            pub const $alias: i32 = $of;
        )*
        /// Every error number once, under its first name.
        pub(crate) static ERRNO_NAMES: &[(i32, &str)] = &[$(($name, stringify!($name))),+];
        /// Second names of error numbers.
        pub(crate) static ERRNO_ALIASES: &[(i32, &str)] = &[$(($alias, stringify!($alias))),*];
    };
}

mod common;
pub mod freebsd;
mod freebsd_errno;
pub mod linux;
mod linux_errno;

pub use common::*;
