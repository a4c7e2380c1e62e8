// SPDX-License-Identifier: BSD-2-Clause
//! Unknown names: what the user probably meant.

use super::args::VectorArgs;
use crate::file::nearest;
use crate::vector::Listing;

/// The message about an id that no vector has.
pub(super) fn unknown_vector(id: &str, listing: &Listing) -> String {
    let what = format!("no vector `{id}`");
    // What people type: without the suite, or the file's path.
    let bare = id.trim_end_matches(".yaml");
    let ends_so = |known: &&str| {
        let ends = |whole: &str, end: &str| whole.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
        ends(known, bare) || ends(bare, known) || bare == *known
    };
    let meant: Vec<_> = listing.ids().filter(ends_so).collect();
    match (meant.as_slice(), nearest(bare, listing.ids())) {
        (&[one], _) | (&[], Some(one)) => format!("{what}\n  help: did you mean `{one}`?"),
        ([], None) => {
            // A slip in the name alone, which the suite's name would make too small a part to be seen.
            let names = listing.ids().filter_map(|id| id.rsplit_once('/')).map(|(_, name)| name);
            let near = nearest(bare.rsplit('/').next().unwrap_or(bare), names);
            let near = near.and_then(|name| listing.ids().find(|id| id.ends_with(&format!("/{name}"))));
            match near {
                Some(near) => format!("{what}\n  help: did you mean `{near}`?"),
                None => format!("{what}\n  help: nlproof test-matrix --list shows them all"),
            }
        }
        (several, _) => format!("{what}\n  help: did you mean one of {}?", several.join(", ")),
    }
}

/// The message about a suite or a part of an id that selects nothing.
pub(super) fn unknown_selection(args: &VectorArgs, ids: &[&str]) -> Option<String> {
    let mut suites: Vec<_> = ids.iter().filter_map(|id| Some(id.split_once('/')?.0)).collect();
    suites.dedup();
    if let Some(suite) = args.suite.iter().find(|suite| !suites.contains(&suite.as_str())) {
        let help = match nearest(suite, suites.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the suites are: {}", suites.join(", ")),
        };
        return Some(format!("no suite `{suite}`\n  help: {help}"));
    }
    let filter = args.filter.iter().find(|filter| !ids.iter().any(|id| id.contains(filter.as_str())))?;
    let help = match nearest(filter, ids.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "nlproof test-matrix --list shows them all".into(),
    };
    Some(format!("no vector matches `{filter}`\n  help: {help}"))
}
