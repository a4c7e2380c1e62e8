// SPDX-License-Identifier: BSD-2-Clause
//! The kernel's word about a file or a directory that changes: inotify(7), read as from a pipe.

use std::io;
use std::path::Path;
use std::time::Duration;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The file grows.
    Growth,
    /// Another file has a name in the directory, or one of its files was written to its end.
    Entries,
}

#[cfg(target_os = "linux")]
pub use linux::Told;
#[cfg(not(target_os = "linux"))]
pub use nowhere::Told;

/// Whoever writes byte by byte, as QEMU does a console, is heard once for so much.
#[cfg(target_os = "linux")]
const GATHER: Duration = Duration::from_millis(3);

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use tokio::net::unix::pipe::Receiver;
    use tokio::time::sleep;

    use super::{About, GATHER, Path, io};

    /// The kernel's word about one path.
    #[derive(Debug)]
    pub struct Told(Receiver);

    impl Told {
        /// Listens from now on. For use within the runtime.
        ///
        /// # Errors
        /// There is no such path, or the user has too many of these.
        pub fn of(path: &Path, about: About) -> io::Result<Self> {
            let told = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let flags = match about {
                About::Growth => WatchFlags::MODIFY,
                About::Entries => WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO,
            };
            add_watch(&told, path, flags)?;
            Receiver::from_owned_fd_unchecked(told).map(Self)
        }

        /// Waits for a change. Whoever gives up waiting misses nothing.
        ///
        /// # Errors
        /// The kernel tells nothing any more.
        pub async fn changed(&self) -> io::Result<()> {
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

#[cfg(not(target_os = "linux"))]
mod nowhere {
    use super::{About, Path, io};

    /// The kernel's word about one path, which only Linux gives.
    #[derive(Debug)]
    pub struct Told(());

    impl Told {
        /// Says that nothing is told here.
        ///
        /// # Errors
        /// Always.
        pub fn of(_path: &Path, _about: About) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Says that nothing is told here.
        ///
        /// # Errors
        /// Always.
        #[expect(clippy::unused_async, reason = "elsewhere it waits")]
        pub async fn changed(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
