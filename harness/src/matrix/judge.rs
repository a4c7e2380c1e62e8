// SPDX-License-Identifier: BSD-2-Clause
//! What becomes of a vector that has run.

use nlproof_base::counted;

use super::cell::Cell;
use super::conversation::Conversation;
use super::outcome::{Outcome, VectorResult};
use crate::golden::{Compared, Found, compare, compare_part};
use crate::ktrace::{comparable, comparable_places, has_golden};

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
        result.outcome = Outcome::Inconclusive(format!(
            "{} lost of the kernel trace",
            counted(lost, "record").verb("was", "were")
        ));
    } else if let Some(found) = golden {
        let seen = conversation.trace.to_text();
        result.outcome = match compare(Compared::Wire, &found.golden, &seen) {
            None => Outcome::Passed,
            Some(divergence) => Outcome::Failed(divergence),
        };
        result.observed = Some(cell.observed(&found.golden.origins));
        result.golden_layer = Some(found.layer);
    }
    if matches!(result.outcome, Outcome::Passed | Outcome::NoGolden) && conversation.kernel.present {
        judge_kernel(conversation, kernel, stock, &mut result);
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
            None => compare(Compared::Kernel, &found.golden, &seen),
            Some(major) => {
                let places = comparable_places(&found.golden.body, major);
                let [part, seen] = [&found.golden.body, &seen].map(|text| comparable(text, major));
                compare_part(Compared::Kernel, &found.golden, &part, &places, &seen)
            }
        };
        if let Some(divergence) = divergence {
            result.outcome = Outcome::Failed(divergence);
            result.golden_layer = Some(found.layer);
        }
    }
}
