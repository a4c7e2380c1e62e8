// SPDX-License-Identifier: BSD-2-Clause
//! `nlmsg_seq` relative to its step: `+0` answers the step's first message. 0, which events carry, stays;
//! a number that no message of the step bears is shown as it is.

use super::super::item::{Kind, Trace};
use super::super::node::Val;

/// A step numbers its messages from its base on; there are never more than this.
const MOST_IN_A_STEP: u32 = crate::vector::SEQ_STEP;

pub(super) fn relative(trace: &mut Trace, base: impl Fn(u32) -> u32) {
    for item in &mut trace.items {
        let Some(base) = item.step.map(&base) else { continue };
        if let Kind::Sent(node) | Kind::Reply(node) | Kind::Event(_, node) = &mut item.kind {
            node.walk_mut(&mut |node| {
                if let Val::Seq(seq) = node.value {
                    node.value = match seq.checked_sub(base).filter(|offset| *offset < MOST_IN_A_STEP) {
                        Some(offset) => Val::Text(format!("+{offset}")),
                        None => Val::Num(seq.into()),
                    };
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{replies, values, with};
    use super::*;

    #[test]
    fn the_steps_own_seqs_are_relative_and_others_stay() {
        let mut trace = replies([100, 101, 0, 5000].map(|seq| with("seq", Val::Seq(seq))).into());
        relative(&mut trace, |_| 100);
        let expected = [Val::Text("+0".into()), Val::Text("+1".into()), Val::Num(0), Val::Num(5000)];
        assert_eq!(values(&trace, "seq"), expected);
    }
}
