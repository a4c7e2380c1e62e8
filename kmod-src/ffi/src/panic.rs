// SPDX-License-Identifier: BSD-2-Clause
//! A module that can panic does not load: the handler calls a function that does not exist, so that if anything
//! that panics is left after optimisation, the function is among the module's imports, and `kmod build` and the
//! kernel's linker refuse it.

use core::panic::PanicInfo;

unsafe extern "C" {
    fn nlproof_this_module_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: a module in which this call remains cannot be loaded, so it never happens.
    unsafe { nlproof_this_module_can_panic() }
}
