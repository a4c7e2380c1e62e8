// SPDX-License-Identifier: BSD-2-Clause
//! `tests/releases.yaml`: releases, their support, and their mirrors.

use std::fmt;
use std::path::Path;

use nlproof_base::ReleaseName;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::file::{FileError, Position, load_yaml, schema_of};

/// Releases that can be downloaded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawReleases {
    /// The releases, the one that `doctor` recommends first.
    #[schemars(with = "Vec<RawRelease>")]
    releases: Vec<Spanned<RawRelease>>,
}

/// One release; it has `sets`, `images` or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("anyOf" = [{ "required": ["sets"] }, { "required": ["images"] }]))]
struct RawRelease {
    /// The name, which is the directory's, such as 14.5-RELEASE.
    #[schemars(regex(pattern = "^[^./][^/]*$"))]
    release: String,
    /// The branch, such as 14.
    branch: String,
    /// The level of support.
    support: Support,
    /// Addresses of directories with a MANIFEST, the first one to be asked first.
    #[serde(default)]
    #[schemars(with = "Vec<String>", inner(regex(pattern = "^https?://[^/]")))]
    sets: Vec<Spanned<String>>,
    /// Addresses of directories of images with a CHECKSUM file, likewise.
    #[serde(default)]
    #[schemars(with = "Vec<String>", inner(regex(pattern = "^https?://[^/]")))]
    images: Vec<Spanned<String>>,
}

/// The schema of `releases.yaml`.
pub fn releases_schema() -> Schema {
    schema_of::<RawReleases>("The releases that nlproof can download")
}

/// The level of support of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// Supported by FreeBSD and by us.
    Default,
    /// Run, but failures in its cells do not fail the run.
    Soft,
    /// No longer supported by FreeBSD.
    Archive,
}

/// A release and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Name of the release and of its directory, such as `14.5-RELEASE`.
    pub name: String,
    /// Branch of the release, such as `14`.
    pub branch: String,
    /// What can be expected of it.
    pub support: Support,
    /// Directories with a MANIFEST, the first one to be asked first.
    pub sets: Vec<String>,
    /// Directories of images with a CHECKSUM file, likewise.
    pub images: Vec<String>,
}

/// The releases that are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Releases {
    /// In the file's order.
    pub releases: Vec<Release>,
}

impl Releases {
    /// The release of that name.
    pub fn get(&self, name: &str) -> Option<&Release> {
        self.releases.iter().find(|release| release.name == name)
    }

    /// Whether failures in a cell of that release do not fail a run.
    pub fn is_soft(&self, name: &str) -> bool {
        self.get(name).is_some_and(|release| release.support == Support::Soft)
    }

    /// All names, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.releases.iter().map(|release| release.name.as_str())
    }
}

/// Loads `releases.yaml`; a project without one knows no release.
///
/// # Errors
/// It is no YAML, has an unknown key, a release twice, one that can be had nowhere, or an address that is none.
pub fn load_releases(path: &Path) -> Result<Releases, FileError> {
    if !path.exists() {
        return Ok(Releases::default());
    }
    let raw: RawReleases = load_yaml(path)?;
    let mut releases: Vec<Release> = Vec::new();
    for Spanned { value: raw, referenced, .. } in raw.releases {
        let fail = |what: String| FileError::at(path, Position::from(referenced), what);
        if let Err(error) = raw.release.parse::<ReleaseName>() {
            return Err(fail(error.to_string()));
        }
        let of_branch = raw.release.strip_prefix(&raw.branch);
        if !of_branch.is_some_and(|rest| rest.starts_with(['.', '-'])) {
            return Err(fail(format!("{} is not of branch `{}`", raw.release, raw.branch)));
        }
        if releases.iter().any(|other| other.name == raw.release) {
            return Err(fail(format!("the release {} is there twice", raw.release)));
        }
        if raw.sets.is_empty() && raw.images.is_empty() {
            return Err(fail(format!("{} can be had nowhere", raw.release)).help("give `sets` or `images`"));
        }
        let urls = |urls: Vec<Spanned<String>>| -> Result<Vec<String>, FileError> {
            urls.into_iter().map(|url| address(path, url)).collect()
        };
        releases.push(Release {
            name: raw.release,
            branch: raw.branch,
            support: raw.support,
            sets: urls(raw.sets)?,
            images: urls(raw.images)?,
        });
    }
    Ok(Releases { releases })
}

fn address(path: &Path, url: Spanned<String>) -> Result<String, FileError> {
    let place = Position::from(url.referenced);
    let host = ["http://", "https://"].iter().find_map(|scheme| url.value.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(url.value),
        _ => Err(FileError::at(path, place, format!("`{}` is no address", url.value))
            .help("it begins with https:// or http:// and a host")),
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Support::Default => "default",
            Support::Soft => "soft",
            Support::Archive => "archive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Releases, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("releases.yaml");
        std::fs::write(&path, text).unwrap();
        load_releases(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_projects_own_file_has_what_it_promises() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/releases.yaml");
        let releases = load_releases(&own).unwrap();
        let of = |support| {
            let of = releases.releases.iter().filter(|release| release.support == support);
            of.map(|release| release.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(Support::Default), ["14.5-RELEASE", "15.1-RELEASE"]);
        assert_eq!(of(Support::Soft), ["14.4-RELEASE", "15.1-STABLE", "16.0-CURRENT"]);
        assert_eq!(of(Support::Archive), ["13.5-RELEASE", "14.0-RELEASE", "15.0-RELEASE"]);
        assert!(releases.is_soft("16.0-CURRENT") && !releases.is_soft("14.0-RELEASE"));
        // Names of images are read from the CHECKSUM file: none is written here.
        let text = std::fs::read_to_string(own).unwrap();
        assert!(!text.contains("BASIC-CI") && !text.contains(".xz"), "an image's name was written down");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        let entry = |rest: &str| format!("releases:\n- {{release: 14.5-RELEASE, {rest}}}\n");
        for (text, expected) in [
            (entry("branch: '14', support: default"), ":2:3: 14.5-RELEASE can be had nowhere"),
            (entry("branch: '15', support: default, sets: [http://a]"), "is not of branch `15`"),
            (entry("branch: '14', support: sfot, sets: [http://a]"), "did you mean `soft`?"),
            (entry("branch: '14', support: soft, sets: [ftp://a]"), "`ftp://a` is no address"),
            (entry("branch: '14', support: soft, sets: ['http:///a']"), "is no address"),
            (entry("branch: '14', support: soft, images: [x], set: []"), "did you mean `sets`?"),
            ("releases:\n- {release: ../x, branch: '14', support: soft}\n".into(), "cannot be the name"),
        ] {
            let error = load(&text).unwrap_err();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
        let one = "- {release: 14.5-RELEASE, branch: '14', support: soft, sets: ['http://a']}\n";
        assert!(load(&format!("releases:\n{one}{one}")).unwrap_err().contains("is there twice"));
    }

    #[test]
    fn a_project_without_the_file_knows_no_release() {
        assert_eq!(load_releases(Path::new("no/such/releases.yaml")), Ok(Releases::default()));
    }
}
