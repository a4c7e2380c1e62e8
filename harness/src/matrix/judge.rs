// SPDX-License-Identifier: BSD-2-Clause
//! What becomes of a vector that has run.

use super::cell::Cell;
use super::conversation::Conversation;
use super::outcome::{Outcome, VectorResult};
use crate::golden::{Compared, Found, Origin, compare};
use crate::ktrace::{comparable, has_golden};
use crate::targets::Loss;
use crate::vector::StatedLoss;

/// Whether a guest was lost in the way that its vector states.
pub fn is_stated(stated: &StatedLoss, loss: &Loss) -> bool {
    stated.kind.word() == loss.kind && loss.fingerprint.starts_with(&stated.fingerprint)
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

/// Who answers.
pub(super) struct Answerer<'a> {
    /// In which cell.
    pub(super) cell: &'a Cell,
    /// SHA-256 of the kernel that runs, in hex, if one does.
    pub(super) kernel: Option<&'a str>,
    /// The major of the stock code whose kernel trace dtrace(1) told, if it did.
    pub(super) stock: Option<u32>,
}

/// What became of a vector, and the kernels that vouch for the goldens that it was compared with.
pub(super) struct Judged {
    pub(super) result: VectorResult,
    pub(super) recorded: Vec<Origin>,
}

/// Compares a vector's trace with the golden that holds for it, and the kernel's part, where there is one, with its own:
/// if that is stock code's, as far as both can tell it.
pub(super) fn judge(
    answerer: &Answerer<'_>,
    conversation: &Conversation<'_>,
    golden: Option<Found>,
    kernel: Option<Found>,
) -> Judged {
    let result = VectorResult {
        id: conversation.vector.id.clone(),
        outcome: Outcome::NoGolden,
        duration: conversation.duration,
        standing: None,
        golden_layer: None,
    };
    let mut judged = Judged { result, recorded: Vec::new() };
    let result = &mut judged.result;
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
        result.golden_layer = Some(found.layer);
        judged.vouched(answerer, &found.golden.origins);
    }
    if matches!(judged.result.outcome, Outcome::Passed | Outcome::NoGolden) && conversation.kernel.present {
        judge_kernel(answerer, conversation, kernel, &mut judged);
    }
    if let Some(stated) = answerer.cell.loses(conversation.vector) {
        judged.result.outcome = survived(stated, &judged.result.outcome);
    }
    judged
}

impl Judged {
    /// A golden of these origins was compared with.
    fn vouched(&mut self, answerer: &Answerer<'_>, origins: &[Origin]) {
        let (standing, by) = answerer.cell.standing(origins, answerer.kernel);
        self.result.standing = self.result.standing.max(Some(standing));
        self.recorded.extend(by.into_iter().cloned());
    }
}

/// Looks at the kernel's part of a vector that said what it should.
fn judge_kernel(
    answerer: &Answerer<'_>,
    conversation: &Conversation<'_>,
    golden: Option<Found>,
    judged: &mut Judged,
) {
    let result = &mut judged.result;
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
        let divergence = match answerer.stock {
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
        judged.vouched(answerer, &found.golden.origins);
    }
}
