// SPDX-License-Identifier: BSD-2-Clause
//! Ctrl-C and SIGTERM: the first asks everything to stop and clean up, the second does not wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::exit::ExitCode;
use super::out::tell;

static CANCELLED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The flag that every wait looks at. The first call installs the handler.
pub(super) fn flag() -> &'static Arc<AtomicBool> {
    CANCELLED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        let handler = move || {
            if seen.swap(true, Ordering::SeqCst) {
                // Nothing is left behind all the same: the supervisor cleans up when this process is gone.
                std::process::exit(ExitCode::INTERRUPTED.number().into());
            }
            tell!("\ninterrupted: cleaning up (once more to leave at once)");
        };
        if let Err(error) = ctrlc::set_handler(handler) {
            tell!("warning: Ctrl-C will not clean up: {error}");
        }
        flag
    })
}
