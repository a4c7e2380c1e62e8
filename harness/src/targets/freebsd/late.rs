// SPDX-License-Identifier: BSD-2-Clause
//! Restores that take too long: on a busy machine a good state may, so a second one is tried, with nothing beside it.

use tokio::sync::RwLock;

use crate::guest::SshError;
use crate::vm::{GuestFailure, Patience, QmpError, VmError, WaitError};

/// What the time limits of the second try are multiplied with.
const MORE: f64 = 4.0;

/// Restores of this process. A second try has it alone.
static RESTORES: RwLock<()> = RwLock::const_new(());

/// Why a state was not restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unrestored {
    /// The restore took too long, which says nothing of the state.
    Late(String),
    /// The state is not as it should be, or this machine lacks something.
    Broken(String),
}

impl From<String> for Unrestored {
    fn from(reason: String) -> Self {
        Unrestored::Broken(reason)
    }
}

impl From<VmError> for Unrestored {
    fn from(error: VmError) -> Self {
        let text = error.to_string();
        match error {
            VmError::Wait(WaitError::Expired(_)) | VmError::Qmp(QmpError::Timeout { .. }) => {
                Unrestored::Late(text)
            }
            _ => Unrestored::Broken(text),
        }
    }
}

impl From<SshError> for Unrestored {
    fn from(error: SshError) -> Self {
        let text = error.to_string();
        match error {
            SshError::Wait { error: WaitError::Expired(_), .. }
            | SshError::Guest(GuestFailure::Hung(_) | GuestFailure::Busy(_)) => Unrestored::Late(text),
            _ => Unrestored::Broken(text),
        }
    }
}

/// Restores with these limits, and once more, alone and with longer ones, if that took too long; `on_late` hears why. Both
/// are given `to`.
///
/// # Errors
/// Why the state is of no use.
pub(super) async fn patiently<S, T>(
    to: &mut S,
    patience: &Patience,
    on_late: impl FnOnce(&mut S, &str),
    mut restore: impl AsyncFnMut(&mut S, &Patience) -> Result<T, Unrestored>,
) -> Result<T, String> {
    let first = {
        let _others = RESTORES.read().await;
        restore(to, patience).await
    };
    match first {
        Ok(restored) => Ok(restored),
        Err(Unrestored::Broken(reason)) => Err(reason),
        Err(Unrestored::Late(reason)) => {
            on_late(to, &reason);
            let _alone = RESTORES.write().await;
            restore(to, &patience.clone().times(MORE)).await.map_err(|second| match second {
                Unrestored::Late(reason) | Unrestored::Broken(reason) => reason,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::vm::Wait;

    fn expired() -> WaitError {
        Wait::new("the restored agent", Duration::ZERO).begin(&Patience::default()).check().unwrap_err()
    }

    #[test]
    fn a_limit_says_nothing_of_the_state_and_anything_else_does() {
        let late = |unrestored: Unrestored| matches!(unrestored, Unrestored::Late(_));
        assert!(late(VmError::Wait(expired()).into()));
        assert!(late(SshError::Wait { error: expired(), last_error: None }.into()));
        assert!(!late(VmError::State { reason: "cut".into() }.into()));
        assert!(!late(SshError::Lost { doing: "x".into(), cause: "y".into() }.into()));
        assert!(!late("a file is missing".to_owned().into()));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_tried_once_more_with_more_time_and_what_is_broken_is_not() {
        let limit = Duration::from_secs(1);
        let tried = async |answers: &[Result<u8, Unrestored>]| {
            let (mut told, patience) = ((Vec::new(), Vec::new()), Patience::default());
            let result = patiently(
                &mut told,
                &patience,
                |(_, late), reason| late.push(reason.to_owned()),
                async |(limits, _), patience| {
                    limits.push(patience.stretch(limit).as_secs());
                    answers[limits.len() - 1].clone()
                },
            );
            let result = result.await;
            (result, told.0, told.1)
        };
        let slow = || Err(Unrestored::Late("slow".into()));
        let broken = || Err(Unrestored::Broken("cut".into()));
        assert_eq!(tried(&[Ok(1)]).await, (Ok(1), vec![1], vec![]));
        assert_eq!(tried(&[slow(), Ok(2)]).await, (Ok(2), vec![1, 4], vec!["slow".into()]));
        assert_eq!(tried(&[slow(), slow()]).await, (Err("slow".into()), vec![1, 4], vec!["slow".into()]));
        assert_eq!(tried(&[broken(), Ok(2)]).await, (Err("cut".into()), vec![1], vec![]));
    }
}
