// SPDX-License-Identifier: BSD-2-Clause
//! A kernel of one's own in place of a release's, over the userland of one.

use std::path::PathBuf;

use nlproof_base::ReleaseName;
use nlproof_image::OwnKernel;

use crate::targets::fact::Fact;
use crate::targets::facts::OwnBuild;

/// A kernel of one's own, as a release without a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRelease {
    /// Name in its cells, such as `14.0-STABLE+mine`.
    pub name: ReleaseName,
    /// The kernel.
    pub kernel: OwnKernel,
    /// The release whose userland it runs with.
    pub base: String,
    /// The tree that it was built from, if it is at hand: a module for it is compiled against that tree's headers.
    pub tree: Option<PathBuf>,
    /// Further facts for reports.
    pub notes: Vec<(String, String)>,
}

impl OwnRelease {
    /// What is known of its build.
    pub(super) fn build(&self) -> OwnBuild {
        let OwnKernel { ident, revision, info, .. } = &self.kernel;
        OwnBuild { ident: ident.clone(), revision: revision.clone(), version: info.version.clone() }
    }

    /// For reports.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let line = |name: &str, value: String| Fact::line(name, value);
        let kernel = &self.kernel;
        let mut facts = vec![
            line("own kernel", kernel.path.display().to_string()),
            line("ident", kernel.ident.clone()),
            line(
                "git revision",
                kernel.revision.clone().unwrap_or_else(|| "none in the version string".into()),
            ),
            line("userland", self.base.clone()),
        ];
        facts.extend(self.notes.iter().map(|(name, value)| Fact::line(name, value.clone())));
        facts
    }
}
