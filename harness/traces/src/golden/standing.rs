// SPDX-License-Identifier: BSD-2-Clause
//! The standing of a golden: how its origins relate to the kernel that answers.

use std::fmt;

use super::origin::{Origin, short_digest};

/// How a golden's origins relate to the kernel that answers. The weakest comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Recorded from this very kernel: the digest of its file is one of those recorded.
    ThisKernel,
    /// Recorded from another build of this release: its name is one of those recorded, its digest is not.
    OtherBuild,
    /// Recorded from this release, or from the branch that a simulator plays, where no digest can be compared: the
    /// simulator has none, nor has a kernel that nobody has started yet.
    Observed,
    /// No kernel of this release is known to answer so: another release's kernel did, or the simulator.
    Predicted,
}

impl Standing {
    /// All of them, the strongest first.
    pub const ALL: [Standing; 4] =
        [Standing::ThisKernel, Standing::OtherBuild, Standing::Observed, Standing::Predicted];

    /// The word in machine-readable reports.
    pub fn word(self) -> &'static str {
        match self {
            Standing::ThisKernel => "this-kernel",
            Standing::OtherBuild => "other-build",
            Standing::Observed => "observed",
            Standing::Predicted => "predicted",
        }
    }

    /// The standing that has this word.
    pub fn from_word(word: &str) -> Option<Standing> {
        Self::ALL.into_iter().find(|standing| standing.word() == word)
    }

    /// Whether a kernel of the release, or of the branch, answered so.
    pub fn is_observed(self) -> bool {
        self != Standing::Predicted
    }

    /// In words, with the release that a simulator's golden comes from, or the kernel that was recorded in place of this
    /// one. `by` are the origins that vouch for it ([`Cell::standing`](crate::matrix::Cell::standing)), `own` the digest
    /// of the kernel that answers.
    pub fn told<'o>(self, by: impl IntoIterator<Item = &'o Origin>, own: Option<&str>) -> String {
        let observed = by.into_iter().filter_map(|origin| match origin {
            Origin::Observed { release, kernel_sha256, .. } => {
                Some((release.as_str(), kernel_sha256.as_str()))
            }
            Origin::Predicted { .. } => None,
        });
        let mut names: Vec<&str> = match self {
            Standing::OtherBuild => observed
                .filter(|(_, kernel)| Some(*kernel) != own)
                .map(|(_, kernel)| short_digest(kernel))
                .collect(),
            Standing::Observed => observed.map(|(release, _)| release).collect(),
            Standing::ThisKernel | Standing::Predicted => Vec::new(),
        };
        names.sort_unstable();
        names.dedup();
        match (self, names.join(", ")) {
            (_, names) if names.is_empty() => self.to_string(),
            (Standing::OtherBuild, kernels) => format!("{self} (kernel {kernels})"),
            (_, releases) => format!("{self} on {releases}"),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::ThisKernel => "recorded from this very kernel",
            Standing::OtherBuild => "from another build of this release",
            Standing::Observed => "observed",
            Standing::Predicted => "predicted",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_golden_it_is_is_told() {
        let kernel = |digit: &str| Origin::Observed {
            release: "14.0-STABLE".into(),
            osreldate: 1_400_507,
            kernel_sha256: digit.repeat(64),
            module: None,
            build: None,
        };
        let two = [kernel("b"), kernel("a"), Origin::predicted("14.0")];
        let [this, other, observed, predicted] = Standing::ALL;
        assert_eq!(this.told(&two, None), "recorded from this very kernel");
        let own = "a".repeat(64);
        assert_eq!(other.told(&two, Some(&own)), "from another build of this release (kernel bbbbbbbbbbbb)");
        assert_eq!(observed.told(&two, None), "observed on 14.0-STABLE");
        assert_eq!(observed.told([], None), "observed");
        assert_eq!(predicted.told(&two, None), "predicted");
    }

    #[test]
    fn words_are_read_back_and_the_weakest_is_the_greatest() {
        for standing in Standing::ALL {
            assert_eq!(Standing::from_word(standing.word()), Some(standing));
        }
        assert_eq!(Standing::from_word("seen"), None);
        assert_eq!(Standing::ALL.into_iter().max(), Some(Standing::Predicted));
        assert!(Standing::OtherBuild.is_observed() && !Standing::Predicted.is_observed());
    }
}
