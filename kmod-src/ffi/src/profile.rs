// SPDX-License-Identifier: BSD-2-Clause
//! The branch of the running kernel.

use iface_core::{Behaviours, Profile};

static R14_0: Behaviours = Behaviours::of(Profile::R14_0);
static R14_3: Behaviours = Behaviours::of(Profile::R14_3);
static R15: Behaviours = Behaviours::of(Profile::R15);
static R16: Behaviours = Behaviours::of(Profile::R16);

/// The behaviour of a kernel with that `osreldate`. One module serves all minors of a major, and 14 changed its
/// answers in between.
pub(crate) fn behaviours(osreldate: i32) -> &'static Behaviours {
    match osreldate {
        ..1_403_000 => &R14_0,
        1_403_000..1_500_000 => &R14_3,
        1_500_000..1_600_000 => &R15,
        _ => &R16,
    }
}
