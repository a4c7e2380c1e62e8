// SPDX-License-Identifier: BSD-2-Clause
//! Bounded, named waits.
//!
//! Limits are written for a guest with hardware virtualisation and scaled by [`Patience`] where the guest
//! is slower.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::accelerator_kind::AcceleratorKind;

/// How much slower than hardware virtualisation an emulated guest is taken to be. A cold boot
/// of FreeBSD 14 with its own rc takes 35 s under TCG (measured); others report 8 s on hardware.
const TCG_FACTOR: f64 = 6.0;

/// What all waits of one run have in common: how far limits are stretched, and whether the user has had
/// enough.
#[derive(Debug, Clone)]
pub struct Patience {
    scale: f64,
    cancel: CancellationToken,
}

impl Default for Patience {
    fn default() -> Self {
        Self { scale: 1.0, cancel: CancellationToken::new() }
    }
}

impl Patience {
    /// Limits for a guest under this accelerator, times `multiplier` (the user's; values that are not
    /// positive and finite count as 1).
    pub fn new(accelerator: AcceleratorKind, multiplier: f64) -> Self {
        let factor = match accelerator {
            AcceleratorKind::Tcg => TCG_FACTOR,
            AcceleratorKind::Kvm => 1.0,
        };
        let multiplier = if multiplier.is_finite() && multiplier > 0.0 { multiplier } else { 1.0 };
        Self { scale: factor * multiplier, ..Self::default() }
    }

    /// Every wait ends with [`WaitError::Interrupted`] once the token is cancelled.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Limits that are so many times as long again.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        self.scale *= factor;
        self
    }

    /// A limit, stretched.
    pub fn stretch(&self, limit: Duration) -> Duration {
        Duration::try_from_secs_f64(limit.as_secs_f64() * self.scale).unwrap_or(Duration::MAX)
    }
}

/// Something to wait for, and for how long at most.
#[derive(Debug, Clone)]
pub struct Wait {
    name: Cow<'static, str>,
    limit: Duration,
}

impl Wait {
    /// `name` completes the sentence "waited for …"; `limit` is for hardware virtualisation.
    pub fn new(name: impl Into<Cow<'static, str>>, limit: Duration) -> Self {
        Self { name: name.into(), limit }
    }

    /// Starts the clock.
    pub fn begin(&self, patience: &Patience) -> Deadline {
        Deadline {
            name: self.name.clone(),
            limit: patience.stretch(self.limit),
            started: Instant::now(),
            cancel: patience.cancel.clone(),
        }
    }
}

/// A wait whose clock runs.
#[derive(Debug, Clone)]
pub struct Deadline {
    name: Cow<'static, str>,
    limit: Duration,
    started: Instant,
    cancel: CancellationToken,
}

impl Deadline {
    /// The time that is left.
    ///
    /// # Errors
    /// None is left, or the user has interrupted the run.
    pub fn check(&self) -> Result<Duration, WaitError> {
        if self.cancel.is_cancelled() {
            return Err(WaitError::Interrupted { name: self.name.clone().into_owned() });
        }
        let elapsed = self.started.elapsed();
        match self.limit.checked_sub(elapsed) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(WaitError::Expired(Expired {
                name: self.name.clone().into_owned(),
                limit: self.limit,
                elapsed,
                console: Vec::new(),
            })),
        }
    }

    /// Ends with the wait: because no time is left, or because the user has interrupted the run.
    pub async fn over(&self) -> WaitError {
        loop {
            let left = match self.check() {
                Ok(left) => left,
                Err(error) => return error,
            };
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = sleep(left) => {}
            }
        }
    }

    /// Waits for something that has no limit of its own.
    ///
    /// # Errors
    /// Same as [`check`](Self::check); the future is dropped then.
    pub async fn bound<T>(&self, future: impl Future<Output = T>) -> Result<T, WaitError> {
        tokio::select! {
            biased;
            error = self.over() => Err(error),
            value = future => Ok(value),
        }
    }

    /// A wait inside this one: ends after `limit` or with this one.
    pub fn nested(&self, name: impl Into<Cow<'static, str>>, limit: Duration) -> Deadline {
        let left = self.limit.saturating_sub(self.started.elapsed());
        Deadline {
            name: name.into(),
            limit: limit.min(left),
            started: Instant::now(),
            cancel: self.cancel.clone(),
        }
    }

    /// Time since the clock was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What is waited for.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why a wait ended without what it waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The limit was reached.
    #[error(transparent)]
    Expired(Expired),
    /// The user interrupted the run.
    #[error("interrupted while waiting for {name}")]
    Interrupted {
        /// What was waited for.
        name: String,
    },
}

impl WaitError {
    /// Adds the last lines of the console to the message.
    #[must_use]
    pub fn with_console(mut self, lines: Vec<String>) -> Self {
        if let Self::Expired(expired) = &mut self {
            expired.console = lines;
        }
        self
    }
}

/// A wait that reached its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// What was waited for.
    pub name: String,
    /// For how long at most, after scaling.
    pub limit: Duration,
    /// How long it was.
    pub elapsed: Duration,
    /// The last lines on the guest's console; empty where there is no console.
    pub console: Vec<String>,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "waited {:.1} s for {} (limit {:.1} s)",
            self.elapsed.as_secs_f64(),
            self.name,
            self.limit.as_secs_f64()
        )?;
        write_console(f, &self.console)
    }
}

impl std::error::Error for Expired {}

/// Appends console lines to a message, one per line, marked as the guest's words.
pub(super) fn write_console(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    write!(f, "; last on the console:")?;
    for line in lines {
        write!(f, "\n  | {line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_wait_says_its_name_limit_and_console() {
        let error = Wait::new("ssh banner", Duration::ZERO).begin(&Patience::default()).check().unwrap_err();
        let text = error.with_console(vec!["mountroot> ".into()]).to_string();
        assert!(text.contains("for ssh banner (limit 0.0 s)"), "{text}");
        assert!(text.ends_with("\n  | mountroot> "), "{text}");
    }

    #[test]
    fn limits_scale_with_accelerator_and_multiplier() {
        let second = Duration::from_secs(1);
        assert_eq!(Patience::new(AcceleratorKind::Kvm, 1.0).stretch(second), second);
        assert_eq!(Patience::new(AcceleratorKind::Tcg, 2.0).stretch(second), Duration::from_secs(12));
        assert_eq!(Patience::new(AcceleratorKind::Kvm, f64::NAN).stretch(second), second);
        assert_eq!(Patience::new(AcceleratorKind::Kvm, 1e300).stretch(second), Duration::MAX);
    }

    #[test]
    fn a_running_wait_tells_what_is_left_and_can_be_interrupted() {
        let token = CancellationToken::new();
        let patience = Patience::default().with_cancel(token.clone());
        let deadline = Wait::new("login", Duration::from_secs(60)).begin(&patience);
        assert!(deadline.check().unwrap() > Duration::from_secs(50));
        let inner = deadline.nested("banner", Duration::from_secs(600));
        assert!(inner.check().unwrap() <= Duration::from_secs(60));
        token.cancel();
        assert_eq!(deadline.check(), Err(WaitError::Interrupted { name: "login".into() }));
        assert!(matches!(inner.check(), Err(WaitError::Interrupted { .. })));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_the_limit_the_user_and_what_is_waited_for() {
        let token = CancellationToken::new();
        let patience = Patience::default().with_cancel(token.clone());
        let short = Wait::new("login", Duration::from_millis(5)).begin(&patience);
        let WaitError::Expired(expired) = short.bound(std::future::pending::<()>()).await.unwrap_err() else {
            panic!()
        };
        assert!(expired.name == "login" && expired.elapsed >= expired.limit, "{expired}");
        let long = Wait::new("banner", Duration::MAX).begin(&patience);
        assert_eq!(long.bound(async { 7 }).await, Ok(7));
        let interrupted = tokio::join!(long.over(), async { token.cancel() }).0;
        assert_eq!(interrupted, WaitError::Interrupted { name: "banner".into() });
        assert_eq!(long.bound(async { 7 }).await, Err(interrupted), "whatever is there already");
    }
}
