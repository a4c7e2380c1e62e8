// SPDX-License-Identifier: BSD-2-Clause
//! The panic handler, which keeps a module that can panic from loading. It calls a function that does not
//! exist: if anything that panics is left after optimisation, the function is among the module's imports, and
//! `kmod build` and the kernel's linker reject the module.

use core::panic::PanicInfo;

unsafe extern "C" {
    fn nlproof_this_module_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: a module in which this call remains cannot be loaded, so it never happens.
    unsafe { nlproof_this_module_can_panic() }
}
