// SPDX-License-Identifier: BSD-2-Clause
//! Why a guest was not started from a saved state, or none was saved of it. Each is told as a reason for a boot.

use std::io;
use std::path::PathBuf;

use super::snapshot::BadSnapshot;
use crate::guest::SshError;
use crate::targets::{Cause, OpenError};
use crate::vm::{GuestFailure, QmpError, VmError, WaitError};

/// Why there is no place for the state of a guest.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSlot {
    /// States have keys that are texts.
    #[error("the cache's name is not UTF-8")]
    Name,
    /// States lie beside images.
    #[error("the image is in no cache")]
    NoCache,
    /// Nobody can tell which QEMU it is.
    #[error("{}: {cause}", path.display())]
    Qemu {
        /// The program.
        path: PathBuf,
        /// Why its file cannot be looked at.
        #[source]
        cause: io::Error,
    },
}

/// Why a saved state was not gone on from.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRestored {
    /// The snapshot is not whole.
    #[error(transparent)]
    Snapshot(#[from] BadSnapshot),
    /// The console of the boot that it comes from cannot be read.
    #[error("its console: {0}")]
    Console(#[source] io::Error),
    /// QEMU did not load it.
    #[error(transparent)]
    Machine(#[from] VmError),
    /// There is no way into the machine.
    #[error(transparent)]
    Way(#[from] OpenError),
    /// The agent in it does not answer.
    #[error(transparent)]
    Agent(#[from] SshError),
}

impl NotRestored {
    /// The first line of what it says: the guest's console may follow.
    pub(super) fn first_line(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// Whether the restore took too long, which says nothing of the state.
    pub(super) fn is_late(&self) -> bool {
        matches!(
            self,
            Self::Machine(VmError::Wait(WaitError::Expired(_)) | VmError::Qmp(QmpError::Timeout { .. }))
                | Self::Agent(
                    SshError::Wait { error: WaitError::Expired(_), .. }
                        | SshError::Guest(GuestFailure::Hung(_) | GuestFailure::Busy(_))
                )
        )
    }
}

/// Why there is no new state.
pub(super) enum NotMade {
    /// The guest does not come up either way.
    Guest(OpenError),
    /// The state could not be saved.
    Snapshot(Cause),
}

impl NotMade {
    /// The state was not saved for this reason.
    pub(super) fn because(cause: impl Into<Cause>) -> Self {
        Self::Snapshot(cause.into())
    }
}

impl From<OpenError> for NotMade {
    fn from(error: OpenError) -> Self {
        Self::Guest(error)
    }
}
