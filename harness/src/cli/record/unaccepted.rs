// SPDX-License-Identifier: BSD-2-Clause
//! Recordings of earlier runs that nobody has accepted yet: a run that cannot repeat one must not overwrite it.

use std::collections::BTreeSet;

use crate::file::FileError;
use crate::golden::{Golden, Origin, Store};
use crate::vector::Vector;

/// Rejects a run in which recordings of real kernels would be lost: those of `vectors` that await review and come from
/// releases other than `recorded`, the ones that this run asks itself. A prediction is no loss: the simulator makes it
/// again.
///
/// # Errors
/// Every such recording with the command that accepts it, or a file that cannot be read.
pub(super) fn keep_unaccepted<'s>(
    stores: impl IntoIterator<Item = &'s Store>,
    vectors: &[Vector],
    recorded: &BTreeSet<&str>,
) -> Result<(), Vec<FileError>> {
    let mut lost = Vec::new();
    for store in stores {
        for pending in store.pending().map_err(|error| vec![error])? {
            if !vectors.iter().any(|vector| vector.id == pending.vector) {
                continue;
            }
            let golden = store.read_new(&pending.layer, &pending.vector).map_err(|error| vec![error])?;
            let accepted = store.read(&pending.layer, &pending.vector).map_err(|error| vec![error])?;
            let releases = golden.iter().flat_map(|golden| unaccepted(golden, accepted.as_ref()));
            let others: Vec<_> = releases.filter(|release| !recorded.contains(release)).collect();
            if others.is_empty() {
                continue;
            }
            let what =
                format!("recorded from {} and not accepted: this run could overwrite it", others.join(", "));
            let id = format!("{}/{}", pending.layer, pending.vector);
            let path = store.new_path(&pending.layer, &pending.vector);
            let help = format!("review it and run `nlproof accept {id}`, or remove the file");
            lost.push(FileError::whole(&path, what).help(help));
        }
    }
    if lost.is_empty() { Ok(()) } else { Err(lost) }
}

/// The releases from which a golden was recorded, without those that the accepted one vouches for already with the same trace.
fn unaccepted<'g>(golden: &'g Golden, accepted: Option<&'g Golden>) -> impl Iterator<Item = &'g str> {
    let same = accepted.filter(|accepted| accepted.body == golden.body);
    let is_known = move |origin: &&Origin| same.is_some_and(|same| same.origins.contains(origin));
    golden.origins.iter().filter(move |origin| !is_known(origin)).filter_map(release)
}

/// The release of a real kernel's origin.
fn release(origin: &Origin) -> Option<&str> {
    match origin {
        Origin::Observed { release, .. } => Some(release),
        Origin::Predicted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(releases: &[&str], body: &str) -> Golden {
        let origins = releases.iter().map(|release| Origin::Observed {
            release: (*release).to_owned(),
            osreldate: 1_400_507,
            kernel_sha256: "a".repeat(64),
            module: None,
            build: None,
        });
        Golden { vector: "link/x".into(), origins: origins.collect(), body: body.into() }
    }

    #[test]
    fn what_is_accepted_with_the_same_trace_cannot_be_lost() {
        let again = golden(&["14.0-STABLE", "15.0-RELEASE"], "same\n");
        let left =
            |accepted: Option<&Golden>| unaccepted(&again, accepted).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(left(Some(&golden(&["14.0-STABLE"], "same\n"))), ["15.0-RELEASE"]);
        assert_eq!(left(Some(&golden(&["14.0-STABLE"], "other\n"))), ["14.0-STABLE", "15.0-RELEASE"]);
        assert_eq!(left(None), ["14.0-STABLE", "15.0-RELEASE"]);
    }
}
