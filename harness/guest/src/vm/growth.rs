// SPDX-License-Identifier: BSD-2-Clause
//! When a file grows: by the kernel's word where it gives one (inotify(7)), by a look now and then where it does not.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

/// Between two looks at a file of which nobody tells.
const LOOK: Duration = Duration::from_millis(20);

/// Tells that a file has grown.
#[derive(Debug, Default)]
pub(super) struct Growth {
    #[cfg(target_os = "linux")]
    told: Option<told::Told>,
}

impl Growth {
    /// Waits until there may be more in the file, which need not exist yet. Whoever gives up waiting misses nothing.
    #[cfg(target_os = "linux")]
    pub(super) async fn grown(&mut self, path: &Path) {
        if let Some(told) = &self.told {
            if told.changed().await.is_ok() {
                return;
            }
            self.told = None;
        }
        match told::Told::of(path) {
            // What was written before it was made is not told.
            Ok(told) => self.told = Some(told),
            // There is no file yet, or the user has too many of these.
            Err(_) => sleep(LOOK).await,
        }
    }

    /// Waits until it is time to look.
    #[cfg(not(target_os = "linux"))]
    pub(super) async fn grown(&mut self, _path: &Path) {
        sleep(LOOK).await;
    }
}

#[cfg(target_os = "linux")]
mod told {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use tokio::net::unix::pipe::Receiver;
    use tokio::time::sleep;

    /// QEMU writes a console byte by byte: so much of it is read at once.
    const GATHER: Duration = Duration::from_millis(3);

    /// The kernel's word about one file. It is read as from a pipe.
    #[derive(Debug)]
    pub(super) struct Told(Receiver);

    impl Told {
        pub(super) fn of(path: &Path) -> io::Result<Self> {
            let told = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            add_watch(&told, path, WatchFlags::MODIFY)?;
            Receiver::from_owned_fd_unchecked(told).map(Self)
        }

        /// Waits for a change.
        pub(super) async fn changed(&self) -> io::Result<()> {
            loop {
                self.0.readable().await?;
                // Before the word is taken: who gives up here finds it again.
                sleep(GATHER).await;
                match self.0.try_read(&mut [0; 4096]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read.map(drop),
                }
            }
        }
    }
}
