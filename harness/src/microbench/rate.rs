// SPDX-License-Identifier: BSD-2-Clause
//! A rate: how often something happens in a second.

use std::time::{Duration, Instant};

/// A count, and the time that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In this time.
    pub duration: Duration,
}

impl Rate {
    /// The number in a second; 0 if no time passed.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.count as f64 / seconds } else { 0.0 }
    }

    /// Nanoseconds for one; 0 if there was none.
    #[must_use]
    pub fn nanoseconds(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.duration.as_secs_f64() * 1e9 / self.count as f64 }
    }
}

/// Calls `work`, which says how many it did, until `at_least` has passed. The first call is not counted: it
/// finds the caches cold.
pub fn measure(at_least: Duration, mut work: impl FnMut() -> u64) -> Rate {
    std::hint::black_box(work());
    let start = Instant::now();
    let mut count = 0;
    loop {
        count += std::hint::black_box(work());
        let duration = start.elapsed();
        if duration >= at_least {
            return Rate { count, duration };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_work_says_but_for_the_first_call() {
        let mut calls = 0;
        let rate = measure(Duration::ZERO, || {
            calls += 1;
            7
        });
        assert_eq!((rate.count, calls), (7, 2));
    }

    #[test]
    fn a_rate_of_nothing_is_zero() {
        let none = Rate { count: 0, duration: Duration::ZERO };
        assert_eq!((none.per_second(), none.nanoseconds()), (0.0, 0.0));
        let some = Rate { count: 4, duration: Duration::from_secs(2) };
        assert_eq!((some.per_second(), some.nanoseconds()), (2.0, 5e8));
    }
}
