// SPDX-License-Identifier: BSD-2-Clause
//! From a compressed archive to the root tree, in one pass: read, digest, decompress, unpack.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    sync::atomic::AtomicU64,
};

use liblzma::{bufread::XzDecoder, stream::MtStreamBuilder};
use tar::EntryType;

use tokio_util::sync::CancellationToken;

use crate::{
    digest::Sha256,
    error::ImageError,
    path::TreePath,
    sparse::{self, PaxSparse},
    stream::{Broken, DigestReader},
    tree::{Meta, Tree, TreeError},
    unpack::{UnpackError, UnpackLimits, each_entry},
};

/// Memory that one decoder may use for blocks that are decompressed side by side, in bytes. Beyond
/// it, liblzma goes on with fewer threads.
pub(crate) const DECODER_MEMORY: u64 = 512 << 20;

/// Memory without which one decoder gives up, in bytes: `xz -9` needs a tenth of it, and an archive that asks for more
/// would take it all.
pub(crate) const DECODER_MOST: u64 = 1 << 30;

/// An archive of a release.
pub(crate) struct Archive<'a> {
    pub(crate) path: &'a Path,
    /// What the `MANIFEST` says.
    pub(crate) expected: Sha256,
    /// What of it is unpacked.
    pub(crate) wanted: &'a (dyn Fn(&TreePath) -> bool + Sync),
}

/// Why unpacking ended early.
enum Failure {
    /// The stream could not be decoded; the digest will tell whether the file is to blame.
    Decode(io::Error),
    /// An entry was rejected, or could not be written.
    Entry { name: Vec<u8>, error: Box<TreeError> },
}

/// Unpacks what the guest gets of `archive` into `tree`, and checks the digest of all of it. `done`
/// counts compressed bytes.
///
/// # Errors
/// The digest goes first: an archive that is not the one in the `MANIFEST` is reported as that,
/// whatever else came of reading it.
pub(crate) fn extract(
    archive: &Archive<'_>,
    tree: &mut Tree,
    threads: u32,
    done: &AtomicU64,
    stop: &CancellationToken,
) -> Result<(), ImageError> {
    let cut_off = pass(archive, tree, None, threads, done, stop)?;
    if !cut_off.is_empty() {
        // A hard link to a file that was left out: fetch that file's contents under the link's name.
        pass(archive, tree, Some(&cut_off), threads, &AtomicU64::new(0), stop)?;
    }
    Ok(())
}

/// Hard links whose target was left out: (target, link).
type CutOff = BTreeSet<(TreePath, TreePath)>;

fn pass(
    archive: &Archive<'_>,
    tree: &mut Tree,
    only: Option<&CutOff>,
    threads: u32,
    done: &AtomicU64,
    stop: &CancellationToken,
) -> Result<CutOff, ImageError> {
    let mut reader = DigestReader::open(archive.path, done, stop)?;
    let outcome = unpack(&mut reader, tree, only, archive.wanted, threads);
    let (got, bytes) = match reader.finish() {
        Ok(found) => found,
        Err(Broken::Stopped) => return Err(ImageError::Cancelled),
        Err(Broken::Io(error)) => return Err(ImageError::io("read", archive.path, error)),
    };
    let (path, expected) = (archive.path.to_owned(), archive.expected);
    if got != expected {
        return Err(match outcome {
            Err(Failure::Decode(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                ImageError::CutShort { path, expected, got, bytes }
            }
            // The disk is full long before the digest is known: say so rather than blame the file.
            Err(Failure::Entry { error, .. }) if is_out_of_space(&error) => into_image(path, &[], *error),
            _ => ImageError::Digest { path, expected, got, bytes },
        });
    }
    match outcome {
        Ok(cut_off) => Ok(cut_off),
        Err(Failure::Decode(error)) => Err(ImageError::Archive { path, reason: error.to_string() }),
        Err(Failure::Entry { name, error }) => Err(into_image(path, &name, *error)),
    }
}

fn is_out_of_space(error: &TreeError) -> bool {
    matches!(error, TreeError::Image(error) if error.is_out_of_space())
}

fn into_image(path: PathBuf, name: &[u8], error: TreeError) -> ImageError {
    match error {
        TreeError::Image(error) => error,
        TreeError::Refused(reason) => {
            ImageError::Entry { path, entry: name.escape_ascii().to_string(), reason }
        }
    }
}

fn unpack(
    reader: &mut DigestReader<'_>,
    tree: &mut Tree,
    only: Option<&CutOff>,
    wanted: &dyn Fn(&TreePath) -> bool,
    threads: u32,
) -> Result<CutOff, Failure> {
    let decoder = MtStreamBuilder::new()
        .threads(threads.max(1))
        .memlimit_threading(DECODER_MEMORY)
        .memlimit_stop(DECODER_MOST)
        .decoder()
        .map_err(|error| Failure::Decode(error.into()))?;
    let buffered = BufReader::with_capacity(1 << 18, reader);
    let reader = BufReader::with_capacity(1 << 18, XzDecoder::new_stream(buffered, decoder));
    let mut cut_off = CutOff::new();
    let mut buffer = vec![0; 1 << 18];
    // What follows the archive's end mark is read too: it is checked by xz, and a missing end is noticed.
    each_entry(reader, UnpackLimits::RELEASE, |entry| {
        let name = entry.path_bytes().into_owned();
        unpack_entry(entry, &name, tree, only, wanted, &mut cut_off, &mut buffer)
    })
    .map_err(|error| match error {
        UnpackError::Read(error) => Failure::Decode(error),
        UnpackError::TooMuch { name, cause } => {
            Failure::Entry { name, error: Box::new(TreeError::Refused(cause.to_string())) }
        }
        UnpackError::Entry { error, .. } => error,
    })?;
    Ok(cut_off)
}

fn unpack_entry<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    name: &[u8],
    tree: &mut Tree,
    only: Option<&CutOff>,
    wanted: &dyn Fn(&TreePath) -> bool,
    cut_off: &mut CutOff,
    buffer: &mut [u8],
) -> Result<(), Failure> {
    let refuse = |reason: &str| Failure::Entry {
        name: name.to_vec(),
        error: Box::new(TreeError::Refused(reason.to_owned())),
    };
    let failed = |error| Failure::Entry { name: name.to_vec(), error: Box::new(error) };

    let pax = PaxSparse::of(entry).map_err(Failure::Decode)?;
    let real_name = pax.name.clone().unwrap_or_else(|| name.to_vec());
    let path = TreePath::from_archive(&real_name).map_err(refuse)?;
    let kind = entry.header().entry_type();
    let meta = meta(entry.header()).map_err(Failure::Decode)?;

    if let Some(only) = only {
        // The second pass: contents alone, under the first name that was cut off.
        let mut links = only.iter().filter(|(target, _)| *target == path).map(|(_, link)| link);
        if let Some(first) = links.next()
            && kind.is_file()
        {
            let mut file = tree.create_file(first.clone(), meta).map_err(failed)?;
            copy_contents(entry, &pax, &mut file, &first.on_host(tree.root()), buffer, failed)?;
            links.try_for_each(|link| tree.hard_link(link.clone(), first)).map_err(failed)?;
        }
        return Ok(());
    }
    if !wanted(&path) {
        return Ok(());
    }
    match kind {
        EntryType::Directory => tree.dir(path, meta).map_err(failed),
        EntryType::Symlink => {
            let target = entry.link_name_bytes().ok_or_else(|| refuse("it is a link without target"))?;
            tree.symlink(path, meta, &target).map_err(failed)
        }
        EntryType::Link => {
            let target = entry.link_name_bytes().ok_or_else(|| refuse("it is a link without target"))?;
            let target = TreePath::from_archive(&target).map_err(refuse)?;
            if tree.kind(&target).is_none() && !wanted(&target) {
                cut_off.insert((target, path));
                return Ok(());
            }
            tree.hard_link(path, &target).map_err(failed)
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let host = path.on_host(tree.root());
            let mut file = tree.create_file(path, meta).map_err(failed)?;
            copy_contents(entry, &pax, &mut file, &host, buffer, failed)
        }
        EntryType::XGlobalHeader => Ok(()),
        other => Err(refuse(&format!("its type `{}` has no place in a root tree", other.as_byte() as char))),
    }
}

fn meta(header: &tar::Header) -> io::Result<Meta> {
    Ok(Meta { mode: header.mode()? & 0o7777, uid: header.uid()?, gid: header.gid()?, mtime: header.mtime()? })
}

fn copy_contents<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    pax: &PaxSparse,
    file: &mut File,
    host: &Path,
    buffer: &mut [u8],
    failed: impl Fn(TreeError) -> Failure,
) -> Result<(), Failure> {
    let sparse = pax.is_sparse().map_err(|error| failed(TreeError::Refused(error.to_string())))?;
    let written = |error| failed(TreeError::Image(ImageError::io("write", host, error)));
    if !sparse {
        return copy(entry, None, file, buffer).map_err(|error| error.into_failure(written));
    }
    let map = sparse::read_map(entry).map_err(Failure::Decode)?;
    let mut inner = None;
    let expanded = sparse::expand(file, pax.real_size.unwrap_or(0), &map, |file, length| {
        copy(entry, Some(length), file, buffer).map_err(|error| {
            inner = Some(error);
            io::Error::other("copy")
        })
    });
    match (expanded, inner) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error.into_failure(written)),
        (Err(error), None) if error.kind() == io::ErrorKind::InvalidData => {
            Err(failed(TreeError::Refused(error.to_string())))
        }
        (Err(error), None) => Err(written(error)),
    }
}

/// Which side of a copy failed.
enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

impl CopyError {
    fn into_failure(self, written: impl Fn(io::Error) -> Failure) -> Failure {
        match self {
            Self::Read(error) => Failure::Decode(error),
            Self::Write(error) => written(error),
        }
    }
}

/// Copies `length` bytes, or all there are.
fn copy(
    from: &mut impl Read,
    length: Option<u64>,
    to: &mut File,
    buffer: &mut [u8],
) -> Result<(), CopyError> {
    let mut left = length.unwrap_or(u64::MAX);
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match from.read(&mut buffer[..room]) {
            Ok(0) if length.is_none() => break,
            Ok(0) => return Err(CopyError::Read(io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => {
                to.write_all(&buffer[..n]).map_err(CopyError::Write)?;
                left -= n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
    Ok(())
}
