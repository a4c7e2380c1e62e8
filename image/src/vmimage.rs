// SPDX-License-Identifier: BSD-2-Clause
//! Ready VM images: FreeBSD's own BASIC-CI disks, raw or qcow2, as they are or packed with xz or zstd.
//!
//! A release directory may hold one instead of distribution sets: `<dists>/<release>/{CHECKSUM.SHA512,IMAGE}`. Such an
//! image has users, keys and a start-up of its own; it becomes a guest when it is booted once (see
//! [`provision`](crate::provision)).

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use liblzma::{bufread::XzDecoder, stream::MtStreamBuilder};
use nlproof_base::counted;
use nlproof_base::{Limit, read_text};

use tokio_util::sync::CancellationToken;

use crate::{
    disk::{self, CopyError},
    error::ImageError,
    extract::{DECODER_MEMORY, DECODER_MOST},
    fetch::{AnyDigest, BASIC_CI, CHECKSUM_FILES, Checksums, Digests},
    space,
};

/// Largest disk image of a guest, unpacked, in bytes.
const LARGEST: Limit = Limit::bytes(64 << 30);
/// Where a BIOS looks for the mark of a disk that it can boot, and the mark.
const BOOT_MARK: (u64, [u8; 2]) = (510, [0x55, 0xaa]);
/// The first bytes of a qcow2 file (QEMU's docs/interop/qcow2.txt).
const QCOW2: &[u8] = b"QFI\xfb";

/// A release directory with a ready VM image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmImageDir {
    /// Name of the directory, for instance `15.1-RELEASE`.
    pub name: String,
    /// The directory.
    pub path: PathBuf,
    /// The image's file name.
    pub file: String,
    /// What its CHECKSUM file says.
    pub digest: AnyDigest,
}

impl VmImageDir {
    /// Reads the CHECKSUM file of the directory `path`; `None` when it has none.
    ///
    /// # Errors
    /// [`ImageError::VmImage`] when the file lists no BASIC-CI image on UFS, or the image is not there.
    pub fn open(path: &Path) -> Result<Option<Self>, ImageError> {
        for sums in CHECKSUM_FILES.map(|name| path.join(name)) {
            let text = match read_text(&sums, Limit::LISTING) {
                Ok(text) => text,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(ImageError::read(&sums, error)),
            };
            let unusable = |reason: String| ImageError::VmImage { path: sums.clone(), reason };
            let sums = Checksums::parse(&text).map_err(|error| unusable(error.to_string()))?;
            let Some((file, digest)) = sums.image(BASIC_CI) else {
                return Err(unusable("it lists no BASIC-CI image on UFS".into()));
            };
            if !path.join(file).is_file() {
                return Err(unusable(format!("it lists {file}, which is not there")));
            }
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            return Ok(Some(Self { name, path: path.to_owned(), file: file.clone(), digest: *digest }));
        }
        Ok(None)
    }

    /// The image.
    pub(crate) fn image(&self) -> PathBuf {
        self.path.join(&self.file)
    }

    /// Length of the image as it is kept, in bytes.
    pub(crate) fn bytes(&self) -> Result<u64, ImageError> {
        let image = self.image();
        fs::metadata(&image).map(|data| data.len()).map_err(|error| ImageError::io("read", &image, error))
    }

    /// The digests of the image; it is the one that the CHECKSUM file describes.
    pub(crate) fn verify(&self, stop: &CancellationToken) -> Result<Digests, ImageError> {
        let image = self.image();
        let digests = Digests::of_file(&image, Some(self.digest), &|| stop.is_cancelled())
            .map_err(|error| ImageError::io("read", &image, error))?
            .ok_or(ImageError::Cancelled)?;
        if digests.like(self.digest) == self.digest {
            return Ok(digests);
        }
        let reason = format!(
            "its digest is {}, the CHECKSUM file says {}; fetch it again",
            digests.like(self.digest),
            self.digest
        );
        Err(ImageError::VmImage { path: image, reason })
    }

    /// Writes the disk as a raw file `to`, with holes where it is zero. `progress` is told compressed bytes.
    pub(crate) fn unpack(
        &self,
        to: &Path,
        stop: &CancellationToken,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ImageError> {
        let from = self.image();
        let done = AtomicU64::new(0);
        let read = |error| ImageError::io("read", &from, error);
        let file = Counted { file: File::open(&from).map_err(read)?, done: &done };
        let file = BufReader::with_capacity(1 << 18, file);
        let mut reader: Box<dyn Read + '_> = if self.file.ends_with(".xz") {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let decoder = MtStreamBuilder::new()
                .threads(u32::try_from(cores).unwrap_or(1))
                .memlimit_threading(DECODER_MEMORY)
                .memlimit_stop(DECODER_MOST)
                .decoder()
                .map_err(|error| read(error.into()))?;
            Box::new(XzDecoder::new_stream(file, decoder))
        } else if self.file.ends_with(".zst") {
            Box::new(zstd::Decoder::with_buffer(file).map_err(read)?)
        } else {
            Box::new(file)
        };
        let disk = File::options().read(true).write(true).create_new(true).open(to);
        let disk = disk.map_err(|error| ImageError::io("write", to, error))?;
        let mut limited = (&mut reader).take(LARGEST.get() + 1);
        let length =
            disk::copy_sparse(&mut limited, &disk, 0, stop, |_| progress(done.load(Ordering::Relaxed)))
                .map_err(|error| match error {
                    CopyError::Stopped => ImageError::Cancelled,
                    CopyError::Read(error) => self.damaged(&error.to_string()),
                    CopyError::Write(error) => {
                        space::explain(ImageError::io("write", to, error), to, 1 << 30)
                    }
                })?;
        if length > LARGEST.get() {
            return Err(self.damaged(&format!("it has more than {LARGEST}")));
        }
        disk.set_len(length).map_err(|error| ImageError::io("write", to, error))?;
        drop(reader);
        if starts_with(&disk, QCOW2) {
            self.demand_alone(&disk)?;
            to_raw(to, stop)?;
        }
        self.demand_bootable(to)
    }

    fn damaged(&self, reason: &str) -> ImageError {
        let reason = format!("cannot be unpacked although its digest is right: {reason}");
        ImageError::VmImage { path: self.image(), reason }
    }

    /// A qcow2 file may name files of this machine as parts of it; one from elsewhere has no business with them.
    fn demand_alone(&self, disk: &File) -> Result<(), ImageError> {
        let number = |at: u64| {
            let mut bytes = [0; 8];
            disk.read_exact_at(&mut bytes, at).map(|()| u64::from_be_bytes(bytes))
        };
        /// Of the incompatible features: the data is in a file of its own.
        const EXTERNAL_DATA: u64 = 1 << 2;
        let version = number(0).unwrap_or(0) & 0xffff_ffff;
        let external = version >= 3 && number(72).unwrap_or(EXTERNAL_DATA) & EXTERNAL_DATA != 0;
        if number(8).unwrap_or(1) == 0 && !external {
            return Ok(());
        }
        let reason = "it refers to another file, which an image from elsewhere must not".to_owned();
        Err(ImageError::VmImage { path: self.image(), reason })
    }

    /// Archives hold stubs of some images: a digest can be right and the file no disk.
    fn demand_bootable(&self, disk: &Path) -> Result<(), ImageError> {
        let file = File::open(disk).map_err(|error| ImageError::io("read", disk, error))?;
        let mut mark = [0; 2];
        if file.read_exact_at(&mut mark, BOOT_MARK.0).is_ok() && mark == BOOT_MARK.1 {
            return Ok(());
        }
        let bytes = file.metadata().map_or(0, |data| data.len());
        let reason = format!(
            "the {} in it {} no disk that a BIOS boots",
            counted(bytes, "byte"),
            if bytes == 1 { "is" } else { "are" }
        );
        Err(ImageError::VmImage { path: self.image(), reason })
    }
}

fn starts_with(file: &File, magic: &[u8]) -> bool {
    let mut bytes = vec![0; magic.len()];
    file.read_exact_at(&mut bytes, 0).is_ok() && bytes == magic
}

/// Makes a raw disk of a qcow2 file, in its place.
fn to_raw(disk: &Path, stop: &CancellationToken) -> Result<(), ImageError> {
    let raw = disk.with_extension("converted");
    let mut child = Command::new("qemu-img")
        .args(["convert", "-q", "-f", "qcow2", "-O", "raw"])
        .args([disk, raw.as_path()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ImageError::QemuImgMissing,
            _ => ImageError::io("run", Path::new("qemu-img"), error),
        })?;
    let status = loop {
        match child.try_wait().map_err(|error| ImageError::io("run", Path::new("qemu-img"), error))? {
            Some(status) => break status,
            None if stop.is_cancelled() => {
                // It is gone, or about to be; its half file goes with the directory.
                child.kill().and_then(|()| child.wait()).ok();
                return Err(ImageError::Cancelled);
            }
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    if !status.success() {
        let mut words = String::new();
        child.stderr.take().and_then(|mut stderr| stderr.read_to_string(&mut words).ok());
        let reason = format!("qemu-img convert ended with {status}: {}", words.trim_end());
        return Err(ImageError::VmImage { path: disk.to_owned(), reason });
    }
    fs::rename(&raw, disk).map_err(|error| ImageError::io("rename", &raw, error))
}

/// Counts what is read.
struct Counted<'a> {
    file: File,
    done: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.done.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::digest::Sha256;

    const NAME: &str = "FreeBSD-15.1-RELEASE-amd64-BASIC-CI-ufs.raw";

    /// A disk of 3 MiB, mostly holes.
    fn disk() -> Vec<u8> {
        let mut disk = vec![0; 3 << 20];
        disk[510..512].copy_from_slice(&BOOT_MARK.1);
        disk[2 << 20] = 7;
        disk
    }

    fn directory(ending: &str, contents: &[u8]) -> (tempfile::TempDir, VmImageDir) {
        let dir = tempfile::tempdir().unwrap();
        let file = format!("{NAME}{ending}");
        fs::write(dir.path().join(&file), contents).unwrap();
        let line = format!("SHA256 ({file}) = {}\n", Sha256::of(contents));
        fs::write(dir.path().join("CHECKSUM.SHA256"), line).unwrap();
        let image = VmImageDir::open(dir.path()).unwrap().unwrap();
        (dir, image)
    }

    fn unpack(image: &VmImageDir) -> Result<(Vec<u8>, u64), ImageError> {
        let stop = &CancellationToken::new();
        image.verify(stop)?;
        let to = image.path.join("disk.raw");
        image.unpack(&to, stop, &mut |_| ())?;
        let blocks = fs::metadata(&to).unwrap().blocks() * 512;
        Ok((fs::read(to).unwrap(), blocks))
    }

    fn packed(program: &str) -> Option<Vec<u8>> {
        let mut child =
            Command::new(program).arg("-cq").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut stdin = child.stdin.take()?;
        let writer = thread::spawn(move || io::Write::write_all(&mut stdin, &disk()));
        let output = child.wait_with_output().ok()?;
        writer.join().ok()?.ok()?;
        Some(output.stdout)
    }

    #[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
    fn skipped(test: &str, reason: &str) {
        io::Write::write_all(&mut io::stderr(), format!("skipped: {test}: {reason}\n").as_bytes()).unwrap();
    }

    #[test]
    fn a_disk_is_the_same_however_it_is_packed_and_keeps_its_holes() {
        for (ending, program) in [("", None), (".xz", Some("xz")), (".zst", Some("zstd"))] {
            let contents = match program {
                None => disk(),
                Some(program) => match packed(program) {
                    Some(contents) => contents,
                    None => {
                        skipped("a_disk_is_the_same_however_it_is_packed", &format!("no {program}"));
                        continue;
                    }
                },
            };
            let (_dir, image) = directory(ending, &contents);
            let (unpacked, blocks) = unpack(&image).unwrap();
            assert_eq!(unpacked, disk(), "{ending}");
            assert!(blocks < 1 << 20, "zeros were written out: {blocks}");
        }
    }

    #[test]
    fn what_is_no_disk_or_was_changed_is_refused() {
        let (_dir, image) = directory("", &[0; 32]);
        let error = unpack(&image).unwrap_err().to_string();
        assert!(error.contains("the 32 bytes in it are no disk"), "{error}");
        let (_dir, image) = directory(".xz", b"no xz");
        let error = unpack(&image).unwrap_err().to_string();
        assert!(error.contains("cannot be unpacked although its digest is right"), "{error}");
        let (_dir, image) = directory(".zst", b"no zstd");
        assert!(unpack(&image).unwrap_err().to_string().contains("cannot be unpacked"));
        let (_dir, image) = directory("", &disk());
        fs::write(image.image(), "another").unwrap();
        let error = unpack(&image).unwrap_err().to_string();
        assert!(error.contains("fetch it again"), "{error}");
    }

    #[test]
    fn a_qcow2_that_names_another_file_is_refused() {
        let mut header = vec![0; 512];
        header[..4].copy_from_slice(QCOW2);
        header[7] = 2;
        header[15] = 200;
        let (_dir, image) = directory("", &header);
        let error = unpack(&image).unwrap_err().to_string();
        assert!(error.contains("refers to another file"), "{error}");
        (header[7], header[15], header[79]) = (3, 0, 4);
        let (_dir, image) = directory("", &header);
        let error = unpack(&image).unwrap_err().to_string();
        assert!(error.contains("refers to another file"), "{error}");
    }

    #[test]
    fn a_qcow2_becomes_raw() {
        let dir = tempfile::tempdir().unwrap();
        let (raw, qcow2) = (dir.path().join("raw"), dir.path().join("qcow2"));
        fs::write(&raw, disk()).unwrap();
        let convert = Command::new("qemu-img").args(["convert", "-O", "qcow2"]).args([&raw, &qcow2]).status();
        if !convert.is_ok_and(|status| status.success()) {
            return skipped("a_qcow2_becomes_raw", "no qemu-img");
        }
        let (_dir, image) = directory("", &fs::read(qcow2).unwrap());
        assert_eq!(unpack(&image).unwrap().0, disk());
    }

    #[test]
    fn a_directory_without_the_image_that_is_listed_says_so() {
        let (dir, image) = directory("", &disk());
        fs::remove_file(image.image()).unwrap();
        let error = VmImageDir::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("which is not there"), "{error}");
        fs::write(dir.path().join("CHECKSUM.SHA256"), "").unwrap();
        let error = VmImageDir::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("lists no BASIC-CI image"), "{error}");
        fs::remove_file(dir.path().join("CHECKSUM.SHA256")).unwrap();
        assert_eq!(VmImageDir::open(dir.path()).unwrap(), None);
    }
}
