// SPDX-License-Identifier: BSD-2-Clause
//! `review`: what awaits acceptance, as differences to what holds.

use nlproof_base::counted;
use similar::TextDiff;

use super::args::{ProjectArgs, ReviewArgs};
use super::exit::{CliError, ExitCode};
use super::out::say;
use super::project::Project;
use crate::golden::Store;

pub(super) fn main(project: &ProjectArgs, args: &ReviewArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let mut count = 0;
    for store in project.goldens().both() {
        count += show(&store)?;
    }
    let strays = project.strays()?;
    for stray in &strays {
        say!("{stray}");
    }
    match count {
        0 => say!("nothing awaits review"),
        number => {
            let all = counted(number, "golden").verb("awaits", "await");
            say!("{all} review; to accept: nlproof accept LAYER/VECTOR, or --all");
        }
    }
    Ok(if args.check && (count > 0 || !strays.is_empty()) { ExitCode::COMPARISON } else { ExitCode::OK })
}

/// Shows what awaits review in one store, and says how much that is.
fn show(store: &Store) -> Result<usize, CliError> {
    let pending = store.pending()?;
    for one in &pending {
        let new = store.read_new(&one.layer, &one.vector)?.map(|golden| golden.to_text()).unwrap_or_default();
        let old = store.read(&one.layer, &one.vector)?.map(|golden| golden.to_text()).unwrap_or_default();
        let kind = store.kind();
        say!("{}/{}{kind}{}", one.layer, one.vector, if old.is_empty() { " (new)" } else { "" });
        let diff = TextDiff::from_lines(&old, &new);
        say!("{}", diff.unified_diff().context_radius(3));
    }
    Ok(pending.len())
}
