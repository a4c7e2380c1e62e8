// SPDX-License-Identifier: BSD-2-Clause
//! A few files of a further distribution set, read into memory.

use std::{
    collections::BTreeMap,
    io::{self, BufReader},
    path::PathBuf,
    sync::atomic::AtomicU64,
};

use liblzma::bufread::XzDecoder;
use nlproof_base::{Limit, read_from};
use tokio_util::sync::CancellationToken;

use crate::{
    digest::Sha256,
    error::ImageError,
    path::TreePath,
    release::ReleaseDir,
    stream::{Broken, DigestReader},
    unpack::{UnpackError, UnpackLimits, each_entry},
};

/// Most bytes of one file that are read into memory.
const MOST: u64 = 1 << 20;

/// A distribution set that was looked through.
#[derive(Debug)]
pub struct SetFiles {
    /// The archive.
    pub archive: PathBuf,
    /// The digest, which is that of the `MANIFEST`.
    pub sha256: Sha256,
    /// Bytes of everything in it, unpacked.
    pub bytes: u64,
    /// The wanted files by their paths from the root, without a leading `/`.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl ReleaseDir {
    /// Looks through a further set of the release, such as `tests.txz`, and reads the files whose paths are wanted.
    /// `None`: the release directory does not have it.
    ///
    /// # Errors
    /// The `MANIFEST` does not list it, its digest is another one, it is no archive, or a wanted file has more than
    /// 1 MiB.
    pub fn set_files(
        &self,
        set: &'static str,
        wanted: impl Fn(&str) -> bool,
        stop: &CancellationToken,
    ) -> Result<Option<SetFiles>, ImageError> {
        let archive = self.path.join(set);
        if !archive.is_file() {
            return Ok(None);
        }
        let expected = self.entry(set)?.sha256;
        let done = AtomicU64::new(0);
        let mut reader = DigestReader::open(&archive, &done, stop)?;
        let (mut files, mut bytes) = (BTreeMap::new(), 0);
        let buffered = BufReader::with_capacity(1 << 18, &mut reader);
        let unpacked = each_entry(XzDecoder::new(buffered), UnpackLimits::RELEASE, |entry| {
            bytes += entry.size();
            let name = entry.path_bytes().into_owned();
            let refused = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
            let path = TreePath::from_archive(&name).map_err(refused)?.to_string();
            if !wanted(&path) || !entry.header().entry_type().is_file() {
                return Ok(());
            }
            if entry.size() > MOST {
                return Err(refused("it has more than 1 MiB"));
            }
            let contents = read_from(&mut *entry, Limit::bytes(MOST)).map_err(io::Error::from)?;
            files.insert(path, contents);
            Ok::<_, io::Error>(())
        });
        let (sha256, length) = match reader.finish() {
            Ok(found) => found,
            Err(Broken::Stopped) => return Err(ImageError::Cancelled),
            Err(Broken::Io(error)) => return Err(ImageError::io("read", &archive, error)),
        };
        if sha256 != expected {
            return Err(ImageError::Digest { path: archive, expected, got: sha256, bytes: length });
        }
        let entry = |name: &[u8], reason: String| ImageError::Entry {
            path: archive.clone(),
            entry: name.escape_ascii().to_string(),
            reason,
        };
        match unpacked {
            Ok(()) => Ok(Some(SetFiles { archive, sha256, bytes, files })),
            Err(UnpackError::Read(error)) => {
                Err(ImageError::Archive { path: archive.clone(), reason: error.to_string() })
            }
            Err(UnpackError::TooMuch { name, cause }) => Err(entry(&name, cause.to_string())),
            Err(UnpackError::Entry { name, error }) => Err(entry(&name, error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, path::Path};

    use liblzma::write::XzEncoder;

    use super::*;

    /// A release directory whose `tests.txz` has these files.
    fn release(directory: &Path, files: &[(&str, &[u8])], listed: bool) -> ReleaseDir {
        let mut archive = tar::Builder::new(XzEncoder::new(Vec::new(), 0));
        for (name, contents) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, *contents).unwrap();
        }
        let bytes = archive.into_inner().unwrap().finish().unwrap();
        let line = |file: &str, bytes: &[u8]| format!("{file}\t{}\t1\tx\t\"x\"\toff\n", Sha256::of(bytes));
        let mut manifest = line("base.txz", b"") + &line("kernel.txz", b"");
        if listed {
            manifest += &line("tests.txz", &bytes);
        }
        for (name, contents) in [
            ("base.txz", &[][..]),
            ("kernel.txz", &[]),
            ("tests.txz", &bytes),
            ("MANIFEST", manifest.as_bytes()),
        ] {
            fs::write(directory.join(name), contents).unwrap();
        }
        ReleaseDir::open(directory).unwrap()
    }

    fn read(release: &ReleaseDir) -> Result<Option<SetFiles>, ImageError> {
        release.set_files("tests.txz", |path| path.ends_with("/Kyuafile"), &CancellationToken::new())
    }

    #[test]
    fn wanted_files_are_read_and_all_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 2] = [("./usr/tests/Kyuafile", b"syntax(2)"), ("./usr/tests/a", b"1234")];
        let set = read(&release(directory.path(), &files, true)).unwrap().unwrap();
        assert_eq!(set.bytes, 13);
        assert_eq!(
            set.files.into_iter().collect::<Vec<_>>(),
            [("usr/tests/Kyuafile".to_owned(), b"syntax(2)".to_vec())]
        );
    }

    #[test]
    fn a_release_need_not_have_the_set() {
        let directory = tempfile::tempdir().unwrap();
        let release = release(directory.path(), &[], true);
        fs::remove_file(directory.path().join("tests.txz")).unwrap();
        assert!(read(&release).unwrap().is_none());
    }

    #[test]
    fn what_nobody_vouches_for_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 1] = [("usr/tests/Kyuafile", b"x")];
        let error = |release: &ReleaseDir| read(release).unwrap_err().to_string();
        assert!(error(&release(directory.path(), &files, false)).contains("has no line for tests.txz"));
        let good = release(directory.path(), &files, true);
        let mut file = fs::OpenOptions::new().append(true).open(directory.path().join("tests.txz")).unwrap();
        file.write_all(b"x").unwrap();
        assert!(error(&good).contains("sha256 differs from MANIFEST"));
        let large = vec![0; 2 << 20];
        let files: [(&str, &[u8]); 1] = [("usr/tests/Kyuafile", &large)];
        assert!(error(&release(directory.path(), &files, true)).contains("it has more than 1 MiB"));
    }
}
