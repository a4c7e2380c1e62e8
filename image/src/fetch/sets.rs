// SPDX-License-Identifier: BSD-2-Clause
//! Distribution sets: MANIFEST, base.txz, kernel.txz, src.txz of a release.

use std::path::Path;

use nlproof_base::{Limit, read_text};

use super::{
    checksum::AnyDigest,
    download::Fetcher,
    error::FetchError,
    pins::Pins,
    release_lock::{Fetched, Item, ReleaseLock, addresses, one_or_many},
};
use crate::{digest::Sha256, manifest::Manifest};

const MANIFEST: &str = "MANIFEST";

/// Distribution sets that are wanted.
#[derive(Debug, Clone)]
pub struct Sets<'a> {
    /// Name of the directory that is made, such as `14.5-RELEASE`.
    pub release: &'a str,
    /// Directories with a MANIFEST, the first one to be asked first.
    pub mirrors: &'a [String],
    /// Which files, such as `base.txz`.
    pub files: &'a [&'a str],
    /// What they must be.
    pub pins: &'a Pins,
    /// Ask the mirror for its MANIFEST even if one is there: a snapshot's changes.
    pub refresh: bool,
    /// Ignore the pins of this release.
    pub repin: bool,
}

/// A MANIFEST and where it comes from.
struct Listing {
    /// An address, or a path.
    from: String,
    text: String,
    manifest: Manifest,
    remote: bool,
}

impl Sets<'_> {
    /// Fetches them into `<root>/<release>`; files that are there and right are not fetched again.
    ///
    /// # Errors
    /// [`FetchError`]; what had come is kept for the next try, what was wrong is not.
    pub async fn fetch(&self, root: &Path, fetcher: &mut Fetcher<'_>) -> Result<Fetched, FetchError> {
        let lock = ReleaseLock::wait_for(root, self.release, fetcher).await?;
        let mut listing = self.listing(&lock, false, fetcher).await?;
        loop {
            match self.files(&lock, &listing, fetcher).await {
                Ok(files) => return lock.finish((MANIFEST, &listing.text), files),
                // A snapshot may have been replaced between its MANIFEST and its files, and caches may lag.
                Err(error) if listing.remote && error.may_be_stale() => {
                    let again = self.listing(&lock, true, fetcher).await;
                    match again {
                        Ok(again) if again.manifest != listing.manifest => {
                            fetcher.note(format!("{} has changed meanwhile; once more", again.from));
                            listing = Listing { remote: false, ..again };
                        }
                        _ => return Err(given_up(lock, error)),
                    }
                }
                Err(error) => return Err(given_up(lock, error)),
            }
        }
    }

    async fn listing(
        &self,
        lock: &ReleaseLock,
        fresh: bool,
        fetcher: &mut Fetcher<'_>,
    ) -> Result<Listing, FetchError> {
        let local = lock.whole.join(MANIFEST);
        if let (false, false, Ok(text)) = (self.refresh, fresh, read_text(&local, Limit::LISTING)) {
            let manifest = Manifest::parse(&local, &text).map_err(FetchError::Manifest)?;
            return Ok(Listing { from: local.display().to_string(), text, manifest, remote: false });
        }
        let mut errors = Vec::new();
        for url in addresses(self.mirrors, MANIFEST) {
            let read = fetcher.text(&url, fresh || self.refresh).await.and_then(|text| {
                let manifest = Manifest::parse(Path::new(&url), &text).map_err(FetchError::Manifest)?;
                Ok(Listing { from: url.clone(), text, manifest, remote: true })
            });
            match read {
                Ok(listing) => match self.demand_pinned(&listing) {
                    Ok(()) => return Ok(listing),
                    Err(error) => errors.push(error),
                },
                Err(error) if error.is_the_mirrors() => errors.push(error),
                Err(error) => return Err(error),
            }
        }
        Err(one_or_many(errors))
    }

    /// Checks the mirror's digests against the pinned ones.
    fn demand_pinned(&self, listing: &Listing) -> Result<(), FetchError> {
        for file in self.files.iter().filter(|_| !self.repin) {
            let (Some(pin), Some(entry)) = (self.pins.get(self.release, file), listing.manifest.entry(file))
            else {
                continue;
            };
            if pin.sha256 != entry.sha256 {
                return Err(FetchError::PinDiffers {
                    url: listing.from.clone(),
                    release: self.release.to_owned(),
                    file: (*file).to_owned(),
                    lock: self.pins.path().to_owned(),
                    difference: format!("{} instead of {}", entry.sha256, pin.sha256),
                });
            }
        }
        Ok(())
    }

    async fn files(
        &self,
        lock: &ReleaseLock,
        listing: &Listing,
        fetcher: &mut Fetcher<'_>,
    ) -> Result<Vec<super::FetchedFile>, FetchError> {
        // What is there already must be of the same release as what comes.
        let there = listing.manifest.entries.iter().map(|entry| entry.file.as_str());
        let there = there.filter(|file| !self.files.contains(file) && lock.whole.join(file).is_file());
        let mut files = Vec::new();
        for file in self.files.iter().copied().chain(there) {
            let entry = listing
                .manifest
                .entry(file)
                .ok_or_else(|| FetchError::NotListed { url: listing.from.clone(), file: file.to_owned() })?;
            let pin = self.pins.get(self.release, file).filter(|pin| pin.sha256 == entry.sha256);
            let urls = addresses(self.mirrors, file);
            let item = Item {
                file,
                urls: &urls,
                digest: AnyDigest::Sha256(entry.sha256),
                bytes: pin.map(|pin| pin.bytes),
                vouched_by: &listing.from,
            };
            files.push(lock.get(&item, fetcher).await?);
        }
        let (text, how) = (listing.text.as_bytes(), super::How::Downloaded);
        let (sha256, bytes) = (Sha256::of(text), text.len() as u64);
        files.push(super::FetchedFile { name: MANIFEST.to_owned(), sha256, bytes, how });
        Ok(files)
    }
}

fn given_up(lock: ReleaseLock, error: FetchError) -> FetchError {
    lock.abandon();
    error
}
