// SPDX-License-Identifier: BSD-2-Clause
//! The files of a qualification, and the bundle that is made of them.

use std::io;
use std::path::{Path, PathBuf};

use nlproof_files::write_whole;

use super::bundle::{UNLISTED, pack};
use super::finding::Qualification;
use super::inputs::{Inputs, digest_of};
use super::manifest::{MANIFEST, manifest};
use super::page::page;
use super::sign::{SIGNATURE, SignError, Signer};
use super::statement::{STATEMENT, Statement};
use crate::file::{FileError, files_below};

/// The page.
pub(super) const PAGE: &str = "index.html";
/// What was found.
pub(super) const FINDING: &str = "qualification.json";
/// What went into it.
pub(super) const INPUTS: &str = "inputs.json";
/// What `nlproof bench kmod` printed, if it was given.
pub const BENCH: &str = "bench.txt";
/// The runs of FreeBSD's own tests, if they were given.
pub const ATF: &str = "atf.json";
/// Directory of the baseline's report.
pub const BASELINE: &str = "baseline";
/// Directory of the candidate's report.
pub const CANDIDATE: &str = "candidate";

/// Why a qualification could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// A file could not be read.
    #[error("{0}")]
    Input(#[from] FileError),
    /// The key did not sign.
    #[error("{0}")]
    Sign(#[from] SignError),
}

/// The bytes of every file that is made from the evidence, by name.
///
/// # Errors
/// The page's template does not fit: a bug.
pub(super) fn made(found: &Qualification, inputs: &Inputs) -> io::Result<[(&'static str, Vec<u8>); 2]> {
    let page = page(found, inputs).map_err(io::Error::other)?;
    Ok([(PAGE, page.into_bytes()), (FINDING, found.to_json()?)])
}

/// Writes everything beside the reports that `directory` has already, signs it, and packs it as `archive`.
///
/// # Errors
/// A file cannot be written, or the key does not sign.
pub fn write(
    directory: &Path,
    archive: &Path,
    found: &Qualification,
    inputs: &Inputs,
    signer: &Signer,
) -> Result<(), WriteError> {
    let put = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        write_whole(&path, bytes).map_err(|error| WriteError::Output { path, error })
    };
    let failed = |name: &str| {
        let path = directory.join(name);
        move |error: io::Error| WriteError::Output { path, error }
    };
    for (name, bytes) in made(found, inputs).map_err(failed(PAGE))? {
        put(name, &bytes)?;
    }
    put(INPUTS, &inputs.to_json().map_err(|error| failed(INPUTS)(error.into()))?)?;
    let listed = names(directory)?;
    put(MANIFEST, manifest(directory, &listed).map_err(failed(MANIFEST))?.as_bytes())?;
    let digest = digest_of(&directory.join(MANIFEST)).map_err(failed(MANIFEST))?;
    let statement = Statement::about(found, inputs, &digest);
    put(STATEMENT, &statement.to_json().map_err(|error| failed(STATEMENT)(error.into()))?)?;
    let signature = signer.sign(&directory.join(STATEMENT))?;
    put(SIGNATURE, signature.as_bytes())?;
    let mut all = listed;
    all.extend(UNLISTED.map(str::to_owned));
    pack(directory, &all, archive).map_err(|error| WriteError::Output { path: archive.to_owned(), error })
}

/// The names of the files below a directory that a manifest lists.
fn names(directory: &Path) -> Result<Vec<String>, FileError> {
    let files = files_below(directory).map_err(|mut errors| errors.remove(0))?;
    let name = |path: PathBuf| {
        let inside = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
        (!UNLISTED.contains(&inside.as_str())).then_some(inside)
    };
    Ok(files.into_iter().filter_map(name).collect())
}
