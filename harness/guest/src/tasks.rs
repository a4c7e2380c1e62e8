// SPDX-License-Identifier: BSD-2-Clause
//! The one runtime on which everything waits, and the token that ends all of it.
//!
//! Sockets, pipes, timers, signals and QEMU's end wake whoever waits for them. The work itself stays on the thread that
//! asked for it: a guest is used by one thread, which drives the guest's conversations one after the other.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio_util::sync::CancellationToken;

/// The runtime with its token. Copies are the same runtime and the same token; it ends with the last copy.
#[derive(Debug, Clone)]
pub struct Tasks {
    runtime: Arc<Runtime>,
    cancel: CancellationToken,
}

impl Tasks {
    /// Starts a runtime. A program has one.
    ///
    /// # Errors
    /// The system has no thread or no descriptor left.
    pub fn start() -> io::Result<Self> {
        // Tasks only pass on what has come: one thread is enough for all of them, and it never blocks.
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("tasks").enable_all().build()?;
        Ok(Self { runtime: Arc::new(runtime), cancel: CancellationToken::new() })
    }

    /// The token that ends every wait. Whoever cancels it interrupts the run.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether the user has interrupted.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Drives a future to its end on this thread. Not for use within a future: that one awaits.
    pub fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Makes this the runtime of what the calling thread starts, as long as the guard lives.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }
}
