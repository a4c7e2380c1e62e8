// SPDX-License-Identifier: BSD-2-Clause
//! What becomes of a case: its result file and its exit status together, as kyua(1) reads them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a process of a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// The program was ended because its time was over.
    TimedOut,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", content = "reason", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// The case passed.
    Passed,
    /// The case failed, and says why.
    Failed(String),
    /// The case looked around and did not want to run, for this reason.
    Skipped(String),
    /// The case failed as it expects to.
    ExpectedFailure(String),
    /// The case did not keep to its protocol: it died, took too long, or its cleanup failed.
    Broken(String),
    /// The case was not started, for this reason.
    NotRun(String),
    /// The guest was lost while it ran.
    GuestLost(String),
}

impl Outcome {
    /// All words, in the order of reports.
    pub const WORDS: [&str; 7] =
        ["passed", "failed", "skipped", "expected-failure", "broken", "not-run", "guest-lost"];

    /// The outcome in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Skipped(_) => "skipped",
            Outcome::ExpectedFailure(_) => "expected-failure",
            Outcome::Broken(_) => "broken",
            Outcome::NotRun(_) => "not-run",
            Outcome::GuestLost(_) => "guest-lost",
        }
    }

    /// The reason; empty for one that passed.
    pub fn reason(&self) -> &str {
        match self {
            Outcome::Passed => "",
            Outcome::Failed(reason)
            | Outcome::Skipped(reason)
            | Outcome::ExpectedFailure(reason)
            | Outcome::Broken(reason)
            | Outcome::NotRun(reason)
            | Outcome::GuestLost(reason) => reason,
        }
    }

    /// Whether something is wrong with what was tested, or with the test.
    pub fn is_bad(&self) -> bool {
        matches!(self, Outcome::Failed(_) | Outcome::Broken(_) | Outcome::GuestLost(_))
    }

    /// The outcome of a case of an ATF program by its result file.
    pub fn of_atf(result: &str, ended: Ended) -> Self {
        let line = result.lines().next().unwrap_or_default().trim();
        let (head, reason) = line.split_once(": ").unwrap_or((line, ""));
        let (kind, number) = match head.split_once('(') {
            Some((kind, rest)) => (kind, rest.trim_end_matches(')').parse::<i32>().ok()),
            None => (head, None),
        };
        let reason = reason.to_owned();
        let but = |what: &str| Outcome::Broken(format!("it says `{line}`, and {what}"));
        match (kind, ended) {
            ("expected_timeout", Ended::TimedOut) => Outcome::ExpectedFailure(reason),
            (_, Ended::TimedOut) => Outcome::Broken("its time was over".to_owned()),
            ("expected_death", _) => Outcome::ExpectedFailure(reason),
            ("expected_exit", Ended::Exit(status)) if number.is_none_or(|number| number == status) => {
                Outcome::ExpectedFailure(reason)
            }
            ("expected_signal", Ended::Signal(signal)) if number.is_none_or(|number| number == signal) => {
                Outcome::ExpectedFailure(reason)
            }
            ("expected_exit" | "expected_signal", ended) => {
                Outcome::Failed(format!("it was to end otherwise ({reason}): {}", ended.words()))
            }
            ("expected_timeout", _) => {
                Outcome::Failed(format!("it was to take too long ({reason}), and did not"))
            }
            ("", ended) => Outcome::Broken(format!("it left no result: {}", ended.words())),
            ("passed", Ended::Exit(0)) => Outcome::Passed,
            ("skipped", Ended::Exit(0)) => Outcome::Skipped(reason),
            ("expected_failure", Ended::Exit(0)) => Outcome::ExpectedFailure(reason),
            ("failed", Ended::Exit(1)) => Outcome::Failed(reason),
            ("passed" | "skipped" | "expected_failure" | "failed", ended) => but(&ended.words()),
            _ => Outcome::Broken(format!("its result is not understood: `{line}`")),
        }
    }

    /// The outcome of a plain program.
    pub fn of_plain(ended: Ended) -> Self {
        match ended {
            Ended::Exit(0) => Outcome::Passed,
            Ended::Exit(status) => Outcome::Failed(format!("it ended with {status}")),
            Ended::Signal(_) => Outcome::Broken(ended.words()),
            Ended::TimedOut => Outcome::Broken("its time was over".to_owned()),
        }
    }

    /// The same, after a cleanup that ended so.
    #[must_use]
    pub fn after_cleanup(self, cleanup: Ended) -> Self {
        match cleanup {
            Ended::Exit(0) => self,
            _ if self.is_bad() => self,
            Ended::TimedOut => Outcome::Broken("the time of its cleanup was over".to_owned()),
            other => Outcome::Broken(format!("its cleanup failed: {}", other.words())),
        }
    }
}

impl Ended {
    fn words(self) -> String {
        match self {
            Ended::Exit(status) => format!("it ended with {status}"),
            Ended::Signal(signal) => format!("signal {signal} ended it"),
            Ended::TimedOut => "its time was over".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_and_an_exit_status_make_an_outcome() {
        use Ended::{Exit, Signal, TimedOut};
        for (result, ended, word, reason) in [
            ("passed\n", Exit(0), "passed", ""),
            ("passed\n", Exit(1), "broken", "it says `passed`, and it ended with 1"),
            ("failed: 3 != 4: no\n", Exit(1), "failed", "3 != 4: no"),
            ("failed: x\n", Exit(0), "broken", "it says `failed: x`, and it ended with 0"),
            ("skipped: no jail\n", Exit(0), "skipped", "no jail"),
            ("expected_failure: PR 1\n", Exit(0), "expected-failure", "PR 1"),
            ("expected_death: dies\n", Signal(11), "expected-failure", "dies"),
            ("expected_exit(3): e\n", Exit(3), "expected-failure", "e"),
            ("expected_exit: e\n", Exit(9), "expected-failure", "e"),
            ("expected_exit(3): e\n", Exit(4), "failed", "it was to end otherwise (e): it ended with 4"),
            ("expected_signal(6): s\n", Signal(6), "expected-failure", "s"),
            ("expected_signal(6): s\n", Exit(0), "failed", "it was to end otherwise (s): it ended with 0"),
            ("expected_timeout: t\n", TimedOut, "expected-failure", "t"),
            ("expected_timeout: t\n", Exit(0), "failed", "it was to take too long (t), and did not"),
            ("", Signal(11), "broken", "it left no result: signal 11 ended it"),
            ("passed\n", TimedOut, "broken", "its time was over"),
            ("won: x\n", Exit(0), "broken", "its result is not understood: `won: x`"),
        ] {
            let outcome = Outcome::of_atf(result, ended);
            assert_eq!((outcome.word(), outcome.reason()), (word, reason), "{result:?} {ended:?}");
        }
    }

    #[test]
    fn a_plain_program_is_its_exit_status() {
        assert_eq!(Outcome::of_plain(Ended::Exit(0)), Outcome::Passed);
        assert_eq!(Outcome::of_plain(Ended::Exit(2)).word(), "failed");
        assert_eq!(Outcome::of_plain(Ended::Signal(6)).word(), "broken");
        assert_eq!(Outcome::of_plain(Ended::TimedOut).word(), "broken");
    }

    #[test]
    fn a_cleanup_that_fails_breaks_a_case_and_hides_no_failure() {
        assert_eq!(Outcome::Passed.after_cleanup(Ended::Exit(0)), Outcome::Passed);
        assert_eq!(
            Outcome::Passed.after_cleanup(Ended::Exit(1)).reason(),
            "its cleanup failed: it ended with 1"
        );
        assert_eq!(Outcome::Failed("x".into()).after_cleanup(Ended::TimedOut), Outcome::Failed("x".into()));
    }

    #[test]
    fn every_word_is_listed() {
        let all = [
            Outcome::Passed,
            Outcome::Failed(String::new()),
            Outcome::Skipped(String::new()),
            Outcome::ExpectedFailure(String::new()),
            Outcome::Broken(String::new()),
            Outcome::NotRun(String::new()),
            Outcome::GuestLost(String::new()),
        ];
        assert_eq!(all.each_ref().map(Outcome::word), Outcome::WORDS);
        for outcome in &all {
            assert_eq!(serde_json::to_value(outcome).unwrap()["outcome"], outcome.word());
        }
    }
}
