// SPDX-License-Identifier: BSD-2-Clause
//! One file from one address: resumed, retried, verified, and removed when it is not what it should be.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use tokio::{
    sync::mpsc::Receiver,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    broken::Broken,
    checksum::{AnyDigest, Digests},
    error::FetchError,
    http::{Head, Http, Piece},
};
use crate::{error::ImageError, space};

/// The longest pause between two attempts, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How much patience there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts without a further byte before an address is given up.
    pub tries: u32,
    /// Pause before the second attempt; each further one is twice as long.
    pub pause: Duration,
    /// How long a server may say nothing.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tries: 6, pause: Duration::from_secs(1), silence: Duration::from_secs(30) }
    }
}

/// What a fetch is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent<'a> {
    /// Another process fetches the same release.
    Wait,
    /// Bytes of a file are there.
    Bytes {
        /// Name of the file.
        file: &'a str,
        /// Number of bytes.
        done: u64,
        /// Number of bytes in all, if the server tells.
        total: Option<u64>,
    },
    /// A file is there, and its digest is computed.
    Verify {
        /// Name of the file.
        file: &'a str,
    },
    /// A failure that is followed by another attempt, or a remark worth a line.
    Note(String),
}

/// Fetches files from mirrors.
pub struct Fetcher<'a> {
    pub(super) http: Http,
    limits: Limits,
    pub(super) cancel: &'a CancellationToken,
    pub(super) on_event: &'a mut dyn FnMut(FetchEvent<'_>),
}

/// One file that is wanted.
pub(super) struct Want<'a> {
    pub(super) url: &'a str,
    /// For people.
    pub(super) file: &'a str,
    /// Path of the file; a part of it may be there already.
    pub(super) part: &'a Path,
    /// Length in bytes, if it is known.
    pub(super) bytes: Option<u64>,
    pub(super) digest: AnyDigest,
    /// Which file says so.
    pub(super) vouched_by: &'a str,
}

/// Why an attempt ended without the whole file.
enum Stopped {
    /// Another one may do better.
    Again {
        cause: Broken,
        after: Option<Duration>,
    },
    Final(Box<FetchError>),
}

impl From<ImageError> for Stopped {
    fn from(error: ImageError) -> Self {
        Self::Final(Box::new(error.into()))
    }
}

impl<'a> Fetcher<'a> {
    /// When `cancel` is cancelled the fetch ends at once, and what has come so far stays for the next one.
    pub fn new(
        limits: Limits,
        cancel: &'a CancellationToken,
        on_event: &'a mut dyn FnMut(FetchEvent<'_>),
    ) -> Self {
        Self { http: Http::new(limits.silence), limits, cancel, on_event }
    }

    /// Downloads a file to `want.part` and verifies it.
    pub(super) async fn file(&mut self, want: &Want<'_>) -> Result<Digests, FetchError> {
        // Whether bytes of an earlier run or try are in it: then a wrong digest may be theirs.
        let mut mixed = length(want.part) > 0;
        loop {
            mixed |= self.all_of_it(want).await?;
            let digests = self.digests(want.part, Some(want.digest), want.file)?;
            if digests.like(want.digest) == want.digest {
                return Ok(digests);
            }
            remove(want.part)?;
            let wrong = FetchError::Digest {
                url: want.url.to_owned(),
                vouched_by: want.vouched_by.to_owned(),
                expected: want.digest.to_string(),
                got: digests.like(want.digest).to_string(),
                bytes: digests.bytes,
            };
            if !mixed {
                return Err(wrong);
            }
            self.note(format!(
                "{}: what was resumed has the wrong digest; fetched from its beginning",
                want.file
            ));
            mixed = false;
            // A second resumption would be one of the new beginning, which is judged as it is.
        }
    }

    /// The digests of a file that is there.
    pub(super) fn digests(
        &mut self,
        path: &Path,
        expected: Option<AnyDigest>,
        file: &str,
    ) -> Result<Digests, FetchError> {
        (self.on_event)(FetchEvent::Verify { file });
        let stop = || self.cancel.is_cancelled();
        Digests::of_file(path, expected, &stop)
            .map_err(|error| ImageError::io("read", path, error))?
            .ok_or_else(|| FetchError::Cancelled { part: path.to_owned(), bytes: length(path) })
    }

    pub(super) fn note(&mut self, text: String) {
        (self.on_event)(FetchEvent::Note(text));
    }

    /// Repeats requests until the server says that the file is whole. Whether it came in several pieces.
    async fn all_of_it(&mut self, want: &Want<'_>) -> Result<bool, FetchError> {
        let (mut most, mut tries, mut pieces) = (length(want.part), 0, 0);
        loop {
            pieces += 1;
            let (cause, after) = match self.attempt(want).await {
                Ok(()) => return Ok(pieces > 1),
                Err(Stopped::Final(error)) => return Err(*error),
                Err(Stopped::Again { cause, after }) => (cause, after),
            };
            let have = length(want.part);
            tries = if have > most { 1 } else { tries + 1 };
            most = most.max(have);
            if tries >= self.limits.tries {
                return Err(FetchError::GivenUp { url: want.url.to_owned(), tries, cause });
            }
            let pause =
                after.unwrap_or(self.limits.pause * 2_u32.saturating_pow(tries - 1)).min(LONGEST_PAUSE);
            self.note(format!("{}: {cause}; trying again in {:.1} s", want.file, pause.as_secs_f64()));
            self.pause(pause, want).await?;
        }
    }

    /// One request; what comes is appended to the part.
    async fn attempt(&mut self, want: &Want<'_>) -> Result<(), Stopped> {
        let mut have = length(want.part);
        if want.bytes.is_some_and(|bytes| have > bytes) {
            remove(want.part)?;
            have = 0;
        }
        if have > 0 && want.bytes == Some(have) {
            return Ok(());
        }
        let mut pieces = self.http.get(want.url, have, false);
        let mut file: Option<File> = None;
        let mut total = None;
        loop {
            match self.next(&mut pieces).await? {
                Some(Piece::Head(head)) => {
                    (have, total) = begin(want, head, have)?;
                    let needed = total.unwrap_or(0).saturating_sub(have);
                    space::require(want.part.parent().unwrap_or(want.part), needed)?;
                    file = Some(open(want.part, have)?);
                }
                Some(Piece::Data(bytes)) => {
                    let Some(file) = &mut file else { return Err(again(Broken::NoHead)) };
                    let needed = total.unwrap_or(0).saturating_sub(have);
                    file.write_all(&bytes).map_err(|error| full_or(want.part, error, needed))?;
                    have += bytes.len() as u64;
                    (self.on_event)(FetchEvent::Bytes { file: want.file, done: have, total });
                }
                Some(Piece::End) if total.is_none_or(|total| have == total) => return Ok(()),
                Some(Piece::End) => {
                    return Err(again(Broken::Short { have, total: total.unwrap_or(0) }));
                }
                None => return Err(Stopped::Final(Box::new(cancelled(want)))),
            }
        }
    }

    /// What the server sends next; `None`: the user has interrupted.
    async fn next(&self, pieces: &mut Receiver<Result<Piece, Broken>>) -> Result<Option<Piece>, Stopped> {
        let next = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Ok(None),
            // The thread that reads has limits of its own; this one holds whatever it waits for.
            next = timeout(self.limits.silence * 2, pieces.recv()) => next,
        };
        match next {
            Ok(Some(piece)) => piece.map(Some).map_err(again),
            Ok(None) => Err(again(Broken::Ended)),
            Err(_) => Err(again(Broken::Silent)),
        }
    }

    async fn pause(&self, pause: Duration, want: &Want<'_>) -> Result<(), FetchError> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(cancelled(want)),
            () = sleep(pause) => Ok(()),
        }
    }

    /// A small text, such as a MANIFEST: whole or not at all.
    pub(super) async fn text(&mut self, url: &str, fresh: bool) -> Result<String, FetchError> {
        /// The largest MANIFEST and CHECKSUM files have some thousand bytes.
        const LONGEST: usize = 1 << 20;
        let mut tries = 0;
        loop {
            let cause = match self.short(url, fresh, LONGEST).await {
                Ok(bytes) => {
                    return String::from_utf8(bytes).map_err(|_| FetchError::Checksum {
                        url: url.to_owned(),
                        reason: "it is not a text".into(),
                    });
                }
                Err(Stopped::Final(error)) => return Err(*error),
                Err(Stopped::Again { cause, after }) => (cause, after),
            };
            tries += 1;
            let (cause, after) = cause;
            if tries >= self.limits.tries {
                return Err(FetchError::GivenUp { url: url.to_owned(), tries, cause });
            }
            let pause =
                after.unwrap_or(self.limits.pause * 2_u32.saturating_pow(tries - 1)).min(LONGEST_PAUSE);
            self.note(format!("{url}: {cause}; trying again in {:.1} s", pause.as_secs_f64()));
            let nothing = Want {
                url,
                file: url,
                part: Path::new(url),
                bytes: None,
                digest: AnyDigest::Sha256(crate::Sha256([0; 32])),
                vouched_by: "",
            };
            self.pause(pause, &nothing).await?;
        }
    }

    async fn short(&mut self, url: &str, fresh: bool, longest: usize) -> Result<Vec<u8>, Stopped> {
        let mut pieces = self.http.get(url, 0, fresh);
        let (mut bytes, mut expected) = (Vec::new(), None);
        loop {
            match self.next(&mut pieces).await? {
                Some(Piece::Head(head)) => {
                    demand_ok(url, head)?;
                    expected = head.length;
                }
                Some(Piece::Data(data)) => bytes.extend_from_slice(&data),
                Some(Piece::End) if expected.is_none_or(|expected| expected == bytes.len() as u64) => {
                    return Ok(bytes);
                }
                Some(Piece::End) => {
                    return Err(again(Broken::ShortText(bytes.len())));
                }
                None => return Err(Stopped::Final(Box::new(FetchError::Image(ImageError::Cancelled)))),
            }
            if bytes.len() > longest {
                let reason = format!("it has more than {longest} bytes");
                return Err(Stopped::Final(Box::new(FetchError::Checksum { url: url.to_owned(), reason })));
            }
        }
    }
}

/// The user has interrupted; what has come stays.
fn cancelled(want: &Want<'_>) -> FetchError {
    FetchError::Cancelled { part: want.part.to_owned(), bytes: length(want.part) }
}

/// From where on the body's bytes are to be written, and the length of the whole file, if the server says.
fn begin(want: &Want<'_>, head: Head, have: u64) -> Result<(u64, Option<u64>), Stopped> {
    let (from, total) = match head.status {
        206 => match head.from {
            Some(from) if from == have => (have, head.of.or(head.length.map(|length| have + length))),
            from => {
                // Nothing of ours fits to it.
                remove(want.part)?;
                return Err(again(Broken::OtherRange { have, from }));
            }
        },
        // Nothing behind what is there: it is whole, or it is of another file.
        416 if have > 0 => {
            remove(want.part)?;
            return Err(again(Broken::NoByte(have)));
        }
        _ => {
            demand_ok(want.url, head)?;
            // A server that does not know ranges sends everything.
            (0, head.length)
        }
    };
    match (want.bytes, total) {
        (Some(expected), Some(got)) if expected != got => {
            remove(want.part)?;
            let (url, vouched_by) = (want.url.to_owned(), want.vouched_by.to_owned());
            Err(Stopped::Final(Box::new(FetchError::Size { url, vouched_by, expected, got })))
        }
        _ => Ok((from, total.or(want.bytes))),
    }
}

fn demand_ok(url: &str, head: Head) -> Result<(), Stopped> {
    let meaning = match head.status {
        200 => return Ok(()),
        401 | 403 => "forbidden",
        404 => "not found",
        408 => "it waited too long",
        410 => "gone",
        429 => "too many requests",
        503 => "not available now",
        500.. => "an error of its own",
        _ => "no file",
    };
    let status = format!("{} ({meaning})", head.status);
    match head.status {
        408 | 429 | 500.. => Err(Stopped::Again { cause: Broken::NotNow(status), after: head.retry_after }),
        _ => Err(Stopped::Final(Box::new(FetchError::Refused { url: url.to_owned(), status }))),
    }
}

fn again(cause: Broken) -> Stopped {
    Stopped::Again { cause, after: None }
}

/// The part, to be appended to behind its first `from` bytes.
fn open(part: &Path, from: u64) -> Result<File, Stopped> {
    let opened = OpenOptions::new().create(true).append(true).open(part);
    let file = opened.map_err(|error| ImageError::io("write", part, error))?;
    file.set_len(from).map_err(|error| ImageError::io("write", part, error))?;
    Ok(file)
}

fn full_or(part: &Path, error: io::Error, needed: u64) -> ImageError {
    space::explain(ImageError::io("write", part, error), part.parent().unwrap_or(part), needed)
}

pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

pub(super) fn remove(path: &Path) -> Result<(), ImageError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ImageError::io("remove", path, error)),
        _ => Ok(()),
    }
}
