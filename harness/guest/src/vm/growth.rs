// SPDX-License-Identifier: BSD-2-Clause
//! When a file grows: by the kernel's word where it gives one (inotify(7)), by a look now and then where it does not.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::{About, Told};

/// Between two looks at a file of which nobody tells.
const LOOK: Duration = Duration::from_millis(20);

/// Tells that a file has grown.
#[derive(Debug, Default)]
pub(super) struct Growth {
    told: Option<Told>,
}

impl Growth {
    /// Waits until there may be more in the file, which need not exist yet. Whoever gives up waiting misses nothing.
    pub(super) async fn grown(&mut self, path: &Path) {
        if let Some(told) = &self.told {
            if told.changed().await.is_ok() {
                return;
            }
            self.told = None;
        }
        match Told::of(path, About::Growth) {
            // What was written before it was made is not told.
            Ok(told) => self.told = Some(told),
            // There is no file yet, the user has too many of these, or nothing is told here.
            Err(_) => sleep(LOOK).await,
        }
    }
}
