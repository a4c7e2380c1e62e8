// SPDX-License-Identifier: BSD-2-Clause
//! Files among the goldens that nothing is ever compared with.

use std::collections::BTreeSet;
use std::path::Path;

use iface_core::Profile;

use super::cascade::layers;
use super::store::SUFFIXES;
use crate::file::{FileError, files_below, nearest};

/// The files below a project's `golden` directory that belong to no vector, or stand where no cell looks: a vector was
/// renamed or removed, or a name is misspelt. `ids` are those of all vectors, `own` the layers that releases have beside
/// those of their profiles.
///
/// # Errors
/// A directory cannot be listed.
pub fn strays(root: &Path, ids: &[&str], own: &[&str]) -> Result<Vec<FileError>, Vec<FileError>> {
    if !root.exists() {
        return Ok(Vec::new());
    }
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    let of_profiles = Profile::ALL.into_iter().flat_map(|profile| layers(profile).iter().copied());
    let looked_in: BTreeSet<&str> = of_profiles.chain(own.iter().copied()).collect();
    let stray = |path: &Path| {
        let error = |what: String, help: String| Some(FileError::whole(path, what).help(help));
        let relative = path.strip_prefix(root).ok()?.to_str();
        let Some((layer, name)) = relative.and_then(|relative| relative.split_once('/')) else {
            return error("is in no layer".into(), "goldens stand in golden/LAYER/SUITE".into());
        };
        let Some(vector) = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) else {
            return error(
                format!("is no golden: its name ends in none of {}", SUFFIXES.join(", ")),
                "remove it".into(),
            );
        };
        if !looked_in.contains(layer) {
            let all = || looked_in.iter().copied();
            let help = match nearest(layer, all()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the layers are: {}", all().collect::<Vec<_>>().join(", ")),
            };
            return error(format!("is in layer `{layer}`, where no cell looks"), help);
        }
        if !known.contains(vector) {
            let remove = format!("remove it, or bring back vectors/{vector}.yaml");
            let help = match nearest(vector, ids.iter().copied()) {
                Some(near) => format!("was it renamed to `{near}`? {remove}"),
                None => remove,
            };
            return error(format!("is a golden of `{vector}`, and there is no such vector"), help);
        }
        None
    };
    Ok(files_below(root)?.iter().filter_map(|path| stray(path)).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_belongs_to_a_vector_and_a_layer_is_none_and_the_rest_is_told() {
        let place = tempfile::tempdir().unwrap();
        for file in [
            "common/link/a.trace",
            "common/link/a.ktrace",
            "freebsd-14.3/link/a.trace.new",
            "freebsd-15/link/a.ktrace.new",
            "freebsd-15.0/link/a.trace",
            "common/link/gone.trace",
            "freebsd-14_3/link/a.trace",
            "common/link/a.trace.orig",
            "loose.trace",
        ] {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let told = strays(place.path(), &["link/a", "link/gore"], &["freebsd-15.0"]).unwrap();
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:#?}");
        for (line, expected) in told.iter().zip([
            "a.trace.orig: is no golden",
            "gone.trace: is a golden of `link/gone`, and there is no such vector\n  help: was it renamed to `link/gore`?",
            "is in layer `freebsd-14_3`, where no cell looks\n  help: did you mean `freebsd-14.3`?",
            "loose.trace: is in no layer",
        ]) {
            assert!(line.contains(expected), "{line}");
        }
        assert!(strays(&place.path().join("none"), &[], &[]).unwrap().is_empty());
    }
}
