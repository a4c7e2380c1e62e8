// SPDX-License-Identifier: BSD-2-Clause
//! A hang that is known beforehand: the calls in which the guest's kernel will stay.

use std::ops::Range;

/// The calls in which a kernel stays when it hangs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedHang {
    /// For each call, innermost first, the addresses of the functions of that name. Empty: where it stays is not known.
    pub calls: Vec<Vec<Range<u64>>>,
}

impl StatedHang {
    /// Whether most of these stacks, each with the innermost address first, are in those calls. Others are of interrupts, and of
    /// what they wake.
    pub(super) fn holds_most(&self, stacks: &[Vec<u64>]) -> bool {
        if self.calls.is_empty() {
            return false;
        }
        let held = stacks.iter().filter(|stack| self.holds(stack)).count();
        held * 2 > stacks.len()
    }

    fn holds(&self, stack: &[u64]) -> bool {
        let within = |(address, functions): (&u64, &Vec<Range<u64>>)| {
            functions.iter().any(|function| function.contains(address))
        };
        stack.windows(self.calls.len()).any(|stack| stack.iter().zip(&self.calls).all(within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_stays_in_the_stated_calls_is_told_from_one_on_its_way_there() {
        let hang = StatedHang { calls: vec![vec![0x100..0x110, 0x900..0x910], vec![0x200..0x240]] };
        let stays = |inside: u64| vec![inside, 0x105, 0x23f, 0x300];
        let copy = vec![0x90f, 0x200, 0x300];
        let interrupt = vec![0xe3, 0xe2];
        assert!(hang.holds_most(&[stays(1), stays(2), copy, interrupt.clone(), Vec::new()]));
        assert!(!hang.holds_most(&[stays(1), interrupt.clone()]), "no more than half");
        let on_its_way = vec![0x500, 0x23f, 0x300];
        assert!(!hang.holds_most(&[on_its_way.clone(), on_its_way, stays(1)]));
        let between = vec![0x105, 0x500, 0x23f];
        assert!(!hang.holds_most(&[between]), "another call is between the two");
        assert!(!hang.holds_most(&[]));
        assert!(!StatedHang::default().holds_most(&[stays(1)]), "nobody knows where");
    }
}
