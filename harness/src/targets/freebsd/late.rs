// SPDX-License-Identifier: BSD-2-Clause
//! Restores that take too long: on a busy machine a good state may, so a second one is tried, with nothing beside it.

use tokio::sync::RwLock;

use super::not_started::NotRestored;
use crate::vm::Patience;

/// What the time limits of the second try are multiplied with.
const MORE: f64 = 4.0;

/// Restores of this process. A second try has it alone.
static RESTORES: RwLock<()> = RwLock::const_new(());

/// Restores with these limits, and once more, alone and with longer ones, if that took too long; `on_late` hears why. Both
/// are given `to`.
///
/// # Errors
/// Why the state is of no use.
pub(super) async fn patiently<S, T>(
    to: &mut S,
    patience: &Patience,
    on_late: impl FnOnce(&mut S, &NotRestored),
    mut restore: impl AsyncFnMut(&mut S, &Patience) -> Result<T, NotRestored>,
) -> Result<T, NotRestored> {
    let first = {
        let _others = RESTORES.read().await;
        restore(to, patience).await
    };
    match first {
        Err(late) if late.is_late() => {
            on_late(to, &late);
            let _alone = RESTORES.write().await;
            restore(to, &patience.clone().times(MORE)).await
        }
        first => first,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::SshError;
    use crate::vm::{VmError, Wait, WaitError};

    type Answer = Result<u8, fn() -> NotRestored>;

    fn expired() -> WaitError {
        Wait::new("the restored agent", Duration::ZERO).begin(&Patience::default()).check().unwrap_err()
    }

    fn slow() -> NotRestored {
        VmError::Wait(expired()).into()
    }

    fn broken() -> NotRestored {
        VmError::State { reason: "cut".into() }.into()
    }

    #[test]
    fn a_limit_says_nothing_of_the_state_and_anything_else_does() {
        assert!(slow().is_late());
        assert!(NotRestored::from(SshError::Wait { error: expired(), last_error: None }).is_late());
        assert!(!broken().is_late());
        let lost = SshError::Lost { doing: "x".into(), cause: "y".into() };
        assert!(!NotRestored::from(lost).is_late());
        assert!(!NotRestored::Console(std::io::ErrorKind::NotFound.into()).is_late());
    }

    #[tokio::test]
    async fn what_takes_too_long_is_tried_once_more_with_more_time_and_what_is_broken_is_not() {
        let limit = Duration::from_secs(1);
        let tried = async |answers: &[Answer]| {
            let (mut told, patience) = ((Vec::new(), 0), Patience::default());
            let result = patiently(
                &mut told,
                &patience,
                |(_, late), reason| *late += u32::from(reason.is_late()),
                async |(limits, _), patience| {
                    limits.push(patience.stretch(limit).as_secs());
                    answers[limits.len() - 1].map_err(|error| error())
                },
            );
            let result = result.await.map_err(|error| error.is_late());
            (result, told.0, told.1)
        };
        assert_eq!(tried(&[Ok(1)]).await, (Ok(1), vec![1], 0));
        assert_eq!(tried(&[Err(slow), Ok(2)]).await, (Ok(2), vec![1, 4], 1));
        assert_eq!(tried(&[Err(slow), Err(slow)]).await, (Err(true), vec![1, 4], 1));
        assert_eq!(tried(&[Err(broken), Ok(2)]).await, (Err(false), vec![1], 0));
    }
}
