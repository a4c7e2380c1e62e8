// SPDX-License-Identifier: BSD-2-Clause
//! Virtual machines with a guest of one sector, made here: no FreeBSD is needed, only QEMU.

mod accel;
mod boot;
mod cleanup;
mod support;
