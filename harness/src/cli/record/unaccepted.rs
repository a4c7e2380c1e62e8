// SPDX-License-Identifier: BSD-2-Clause
//! Recordings of earlier runs that nobody has accepted yet: a run that cannot repeat one must not overwrite it.

use std::collections::BTreeSet;

use crate::file::FileError;
use crate::golden::{Origin, Store};
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
            let releases = golden.iter().flat_map(|golden| &golden.origins).filter_map(release);
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

/// The release of a real kernel's origin.
fn release(origin: &Origin) -> Option<&str> {
    match origin {
        Origin::Observed { release, .. } => Some(release),
        Origin::Predicted { .. } => None,
    }
}
