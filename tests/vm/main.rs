// SPDX-License-Identifier: BSD-2-Clause
//! Virtual machines: with a guest of one sector, made here, which needs only QEMU; and with FreeBSD.

mod accel;
mod boot;
mod cleanup;
#[path = "../support/disk.rs"]
mod disk;
mod freebsd;
mod full_disk;
mod support;
