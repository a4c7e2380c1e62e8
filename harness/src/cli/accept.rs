// SPDX-License-Identifier: BSD-2-Clause
//! `accept`: reviewed recordings become goldens.

use nlproof_base::counted;

use super::args::{AcceptArgs, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::out::say;
use super::project::Project;

pub(super) fn main(project: &ProjectArgs, args: &AcceptArgs) -> Result<ExitCode, CliError> {
    let stores = Project::find(project)?.goldens().both();
    let mut pending = Vec::new();
    for store in &stores {
        pending.extend(store.pending()?.into_iter().map(|one| (store, one)));
    }
    let name = |one: &crate::golden::Pending| format!("{}/{}", one.layer, one.vector);
    for wanted in &args.goldens {
        if !pending.iter().any(|(_, one)| name(one).contains(wanted.as_str())) {
            return Err(CliError::Usage(format!(
                "nothing that awaits review matches `{wanted}`\n  help: nlproof review shows what does"
            )));
        }
    }
    let mut accepted = 0;
    for (store, one) in &pending {
        if args.all || args.goldens.iter().any(|wanted| name(one).contains(wanted.as_str())) {
            say!("accepted {}", store.accept(one)?.display());
            accepted += 1;
        }
    }
    let left = counted(pending.len() - accepted, "golden").verb("awaits", "await");
    say!("{accepted} accepted, {left} review");
    Ok(ExitCode::OK)
}
