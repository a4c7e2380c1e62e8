// SPDX-License-Identifier: BSD-2-Clause
//! The numbers that a vector's requests carry in `nlmsg_seq`, a range of its own for each step, and the time that the
//! replies to them may take.

use std::ops::Range;

/// First number of the first step.
const FIRST_SEQ: u32 = 0x1000;

/// Numbers of a step, which limit its messages.
pub const SEQ_STEP: u32 = 1024;

/// A reply that has not come after this is not coming. The destruction of an interface takes 300 ms under TCG,
/// but after many vectors more than 10 s were seen on 14.0, while the jails of the earlier ones were removed.
pub(super) const REPLY_LIMIT_MS: u32 = 45_000;

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
