// SPDX-License-Identifier: BSD-2-Clause
//! Types that say whether the running thread may sleep.
//!
//! FreeBSD's network stack is read inside the network epoch (`NET_EPOCH_ENTER`), and a thread inside it
//! must not sleep. Operations that may sleep ask for a [`Sleepable`]; those that need the epoch ask for
//! an [`Epoch`]. [`in_epoch`] borrows the `Sleepable` exclusively for as long as the epoch lasts, so
//! no operation that sleeps can be written inside it. This compiles:
//!
//! ```
//! use iface_core::{Kernel, Sleepable, in_epoch};
//! fn right<K: Kernel>(kernel: &K, thread: &mut Sleepable) {
//!     if let Some(ifp) = in_epoch(kernel, thread, |epoch| kernel.by_index(epoch, 1)) {
//!         kernel.up(thread, &ifp);
//!     }
//! }
//! ```
//!
//! and this does not, because `thread` is borrowed twice:
//!
//! ```compile_fail,E0501
//! use iface_core::{Kernel, Sleepable, in_epoch};
//! fn wrong<K: Kernel>(kernel: &K, thread: &mut Sleepable) {
//!     in_epoch(kernel, thread, |epoch| {
//!         if let Some(ifp) = kernel.by_index(epoch, 1) {
//!             kernel.up(thread, &ifp);
//!         }
//!     });
//! }
//! ```

use core::marker::PhantomData;

use crate::kernel::Kernel;

/// The thread holds no epoch and may sleep. One per thread at a time; it cannot be sent to another.
#[derive(Debug)]
pub struct Sleepable {
    not_send: PhantomData<*const ()>,
}

impl Sleepable {
    /// For entry points only (a message handler called without the epoch, an event handler that may
    /// sleep): the caller knows that this thread has not entered the epoch.
    #[must_use]
    pub const fn at_entry() -> Self {
        Self { not_send: PhantomData }
    }
}

/// The thread is inside the network epoch: pointers found there stay valid, and it must not sleep.
#[derive(Debug)]
pub struct Epoch<'e> {
    entered: PhantomData<(&'e (), *const ())>,
}

impl Epoch<'_> {
    /// For entry points only (a handler that the kernel's dispatcher calls inside the epoch): the caller
    /// knows that the epoch has been entered and is left after the call.
    #[must_use]
    pub const fn at_entry() -> Self {
        Self { entered: PhantomData }
    }
}

/// Runs `inside` within the network epoch.
pub fn in_epoch<K: Kernel, R>(
    kernel: &K,
    _thread: &mut Sleepable,
    inside: impl FnOnce(&Epoch<'_>) -> R,
) -> R {
    let tracker = kernel.epoch_enter();
    let result = inside(&Epoch { entered: PhantomData });
    drop(tracker);
    result
}
