// SPDX-License-Identifier: BSD-2-Clause
//! Ready VM images: the CHECKSUM file of a directory of images, and one of them.

use std::path::Path;

use super::{
    checksum::{AnyDigest, BASIC_CI, CHECKSUM_FILES, Checksums},
    download::Fetcher,
    error::FetchError,
    pins::Pins,
    release_lock::{Fetched, Item, ReleaseLock, addresses, one_or_many},
};

/// A ready VM image that is wanted.
#[derive(Debug, Clone)]
pub struct VmImages<'a> {
    /// Name of the directory that is made, such as `15.1-RELEASE`.
    pub release: &'a str,
    /// Directories with a CHECKSUM file, the first one to be asked first.
    pub mirrors: &'a [String],
    /// What it must be.
    pub pins: &'a Pins,
    /// Ignore the pins of this release.
    pub repin: bool,
}

/// A CHECKSUM file and where it comes from.
struct Listing {
    /// Name of the format.
    name: &'static str,
    mirror: String,
    url: String,
    text: String,
    file: String,
    digest: AnyDigest,
}

impl VmImages<'_> {
    /// Fetches the BASIC-CI image into `<root>/<release>`.
    ///
    /// # Errors
    /// [`FetchError`]; what had come is kept for the next try, what was wrong is not.
    pub async fn fetch(&self, root: &Path, fetcher: &mut Fetcher<'_>) -> Result<Fetched, FetchError> {
        let lock = ReleaseLock::wait_for(root, self.release, fetcher).await?;
        let mut listing = self.listing(false, fetcher).await?;
        let mut fresh = false;
        loop {
            let error = match self.image(&lock, &listing, fetcher).await {
                Ok(file) => {
                    let pinned = self.pins.get(self.release, &listing.file).filter(|_| !self.repin);
                    if let Some(pin) = pinned.filter(|pin| pin.sha256 != file.sha256) {
                        let error = FetchError::PinDiffers {
                            url: listing.url.clone(),
                            release: self.release.to_owned(),
                            file: file.name.clone(),
                            lock: self.pins.path().to_owned(),
                            difference: format!("{} instead of {}", file.sha256, pin.sha256),
                        };
                        lock.discard(&file.name)?;
                        lock.abandon();
                        return Err(error);
                    }
                    return lock.finish((listing.name, &listing.text), vec![file]);
                }
                Err(error) => error,
            };
            // Snapshots are replaced, and caches between here and there may hold the CHECKSUM file of yesterday.
            let again = match !fresh && error.may_be_stale() {
                true => Some(self.listing(true, fetcher).await),
                false => None,
            };
            match again {
                Some(Ok(again)) if (&again.file, again.digest) != (&listing.file, listing.digest) => {
                    fetcher.note(format!("{} was an old one; once more with {}", listing.url, again.file));
                    (listing, fresh) = (again, true);
                }
                Some(Ok(again)) => {
                    fetcher.note(format!("{} still says the same: it or the image is stale", again.url));
                    lock.abandon();
                    return Err(error);
                }
                _ => {
                    lock.abandon();
                    return Err(error);
                }
            }
        }
    }

    async fn listing(&self, fresh: bool, fetcher: &mut Fetcher<'_>) -> Result<Listing, FetchError> {
        let mut errors = Vec::new();
        for mirror in self.mirrors {
            for name in CHECKSUM_FILES {
                let url = addresses(std::slice::from_ref(mirror), name).remove(0);
                match self.read(mirror, name, url, fresh, fetcher).await {
                    Ok(listing) => return Ok(listing),
                    Err(error) if error.is_the_mirrors() => errors.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(one_or_many(errors))
    }

    async fn read(
        &self,
        mirror: &str,
        name: &'static str,
        url: String,
        fresh: bool,
        fetcher: &mut Fetcher<'_>,
    ) -> Result<Listing, FetchError> {
        let text = fetcher.text(&url, fresh).await?;
        let sums = Checksums::parse(&text)
            .map_err(|error| FetchError::Checksum { url: url.clone(), reason: error.to_string() })?;
        let Some((file, digest)) = sums.image(BASIC_CI) else {
            let listed = sums.files.into_iter().map(|(name, _)| name).collect();
            return Err(FetchError::NoImage { url, listed });
        };
        let (file, digest) = (file.clone(), *digest);
        Ok(Listing { name, mirror: mirror.to_owned(), url, text, file, digest })
    }

    async fn image(
        &self,
        lock: &ReleaseLock,
        listing: &Listing,
        fetcher: &mut Fetcher<'_>,
    ) -> Result<super::FetchedFile, FetchError> {
        // Only where the CHECKSUM file stands: another mirror may hold another snapshot.
        let urls = addresses(std::slice::from_ref(&listing.mirror), &listing.file);
        let pin = self.pins.get(self.release, &listing.file).filter(|_| !self.repin);
        let item = Item {
            file: &listing.file,
            urls: &urls,
            digest: listing.digest,
            bytes: pin.map(|pin| pin.bytes),
            vouched_by: &listing.url,
        };
        lock.get(&item, fetcher).await
    }
}
