// SPDX-License-Identifier: BSD-2-Clause
//! The numbers that a vector's requests carry in `nlmsg_seq`: a range of its own for each step.

use std::ops::Range;

/// Where the first step's numbers begin.
const FIRST_SEQ: u32 = 0x1000;

/// How many numbers each step has, and so how many messages at most.
pub const SEQ_STEP: u32 = 1024;

/// The numbers of a step's messages.
#[must_use]
pub fn seqs_of(step: u32) -> Range<u32> {
    let first = FIRST_SEQ + step * SEQ_STEP;
    first..first + SEQ_STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_share_no_number() {
        assert_eq!(seqs_of(0), 0x1000..0x1400);
        assert_eq!(seqs_of(0).end, seqs_of(1).start);
        assert!(!seqs_of(1).contains(&seqs_of(0).start));
    }
}
