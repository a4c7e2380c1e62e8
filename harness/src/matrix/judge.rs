// SPDX-License-Identifier: BSD-2-Clause
//! What becomes of a vector that has run.

use super::cell::Cell;
use super::conversation::Conversation;
use super::outcome::{Outcome, VectorResult};
use crate::golden::{Compared, Found, compare};
use crate::ktrace::{comparable, has_golden};
use crate::target::Loss;
use crate::vector::{LossKind, StatedLoss};

/// Whether a guest was lost in the way that its vector states. Where a kernel hangs cannot be told without its file, which a
/// ready image does not come with: then it is enough that it hangs.
pub fn is_stated(stated: &StatedLoss, loss: &Loss) -> bool {
    let said = loss.fingerprint.split(" | ").next();
    let untold = stated.kind == LossKind::Hung && loss.calls.is_empty();
    stated.kind.word() == loss.kind
        && stated.says.as_deref().is_none_or(|says| Some(says) == said)
        && (untold || loss.calls.windows(stated.calls.len()).any(|calls| calls == stated.calls))
}

/// What a vector has come to that ran to its end where a loss is stated; `said` is what it would have come to otherwise.
fn survived(stated: &StatedLoss, said: &Outcome) -> Outcome {
    let said = match said {
        Outcome::Passed => "equals its golden".to_owned(),
        Outcome::Failed(divergence) => format!("differs from its golden\n  {divergence}"),
        other => format!("is {}", other.word()),
    };
    Outcome::Survived(format!(
        "the guest was to be lost in it ({stated}), and lives; what was said {said}\n  \
         if the kernel was mended: take the release out of `loses` in the vector"
    ))
}

/// Compares a vector's trace with the golden that holds for it, and the kernel's part, where there is one, with its own:
/// if that is stock code's (its major), as far as both can tell it.
pub(super) fn judge(
    cell: &Cell,
    conversation: &Conversation<'_>,
    golden: Option<Found>,
    kernel: Option<Found>,
    stock: Option<u32>,
) -> VectorResult {
    let mut result = VectorResult {
        id: conversation.vector.id.clone(),
        outcome: Outcome::NoGolden,
        duration: conversation.duration,
        observed: None,
        golden_layer: None,
    };
    if let Some((step, lossy)) = conversation.trace.loss() {
        let place = step.map_or(String::new(), |step| format!("step {step}: "));
        result.outcome = Outcome::Inconclusive(format!("{place}{lossy}"));
    } else if conversation.kernel.lost > 0 {
        let lost = conversation.kernel.lost;
        result.outcome = Outcome::Inconclusive(format!("{lost} records of the kernel trace were lost"));
    } else if let Some(found) = golden {
        let seen = conversation.trace.to_text();
        result.outcome = match compare(Compared::Wire, &found.golden.body, &seen) {
            None => Outcome::Passed,
            Some(divergence) => Outcome::Failed(divergence),
        };
        result.observed = Some(cell.observed(&found.golden.origins));
        result.golden_layer = Some(found.layer);
    }
    if matches!(result.outcome, Outcome::Passed | Outcome::NoGolden) && conversation.kernel.present {
        judge_kernel(conversation, kernel, stock, &mut result);
    }
    if let Some(stated) = cell.loses(conversation.vector) {
        result.outcome = survived(stated, &result.outcome);
    }
    result
}

/// Looks at the kernel's part of a vector that said what it should.
fn judge_kernel(
    conversation: &Conversation<'_>,
    golden: Option<Found>,
    stock: Option<u32>,
    result: &mut VectorResult,
) {
    if let Some(violation) = conversation.violations.first() {
        let others = match conversation.violations.len() - 1 {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        result.outcome = Outcome::Violated(format!("{violation}{others}"));
    } else if result.outcome == Outcome::Passed && has_golden(&conversation.vector.id) {
        let Some(found) = golden else {
            result.outcome = Outcome::NoGolden;
            return;
        };
        let seen = conversation.kernel.to_text();
        let divergence = match stock {
            None => compare(Compared::Kernel, &found.golden.body, &seen),
            Some(major) => {
                let [golden, seen] = [&found.golden.body, &seen].map(|text| comparable(text, major));
                compare(Compared::Kernel, &golden, &seen)
            }
        };
        if let Some(divergence) = divergence {
            result.outcome = Outcome::Failed(divergence);
            result.golden_layer = Some(found.layer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_the_stated_one_by_kind_words_and_calls() {
        let words = |words: &str| -> Vec<String> { words.split_whitespace().map(str::to_owned).collect() };
        let stated = |kind, says: Option<&str>| StatedLoss {
            kernels: words("14.0-STABLE"),
            code: None,
            kind,
            says: says.map(str::to_owned),
            calls: words("b c"),
            because: "x".into(),
        };
        let loss = |kind: &str, says: &str, calls: &str| Loss {
            kind: kind.into(),
            fingerprint: format!("{says} | a"),
            calls: words(calls),
            text: String::new(),
        };
        let panics = stated(LossKind::Panicked, Some("page fault"));
        assert!(is_stated(&panics, &loss("panicked", "page fault", "a b c d")));
        assert!(is_stated(&stated(LossKind::Panicked, None), &loss("panicked", "other", "b c")));
        for other in [
            loss("hung", "page fault", "a b c"),
            loss("panicked", "double fault", "a b c"),
            loss("panicked", "page fault", "b a c"),
            loss("panicked", "page fault", ""),
        ] {
            assert!(!is_stated(&panics, &other), "{other:?}");
        }
        let hangs = stated(LossKind::Hung, None);
        assert!(is_stated(&hangs, &loss("hung", "busy", "b c")));
        assert!(is_stated(&hangs, &loss("hung", "busy", "")), "nobody can tell where");
        assert!(!is_stated(&hangs, &loss("hung", "busy", "c d")));
    }
}
