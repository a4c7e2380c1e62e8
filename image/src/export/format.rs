// SPDX-License-Identifier: BSD-2-Clause
//! The formats of an exported image. qemu-img(1) makes all but the raw one.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
    thread,
    time::Duration,
};

use nlproof_base::{Limit, read_from};

use super::{configure::NotAName, vagrant};
use tokio_util::sync::CancellationToken;

use crate::error::ImageError;

/// Between two looks at a running program.
const POLL: Duration = Duration::from_millis(50);

/// Format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The disk, byte for byte, with holes.
    Raw,
    /// QEMU, libvirt.
    Qcow2,
    /// VMware, VirtualBox.
    Vmdk,
    /// Hyper-V.
    Vhdx,
    /// Vagrant with libvirt.
    Box,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Qcow2, Self::Vmdk, Self::Vhdx, Self::Box];

    /// The usual ending of a file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhdx => "vhdx",
            Self::Box => "box",
        }
    }

    /// Whether the same disk gives the same file. qemu-img puts random identifiers into the others.
    #[must_use]
    pub fn is_reproducible(self) -> bool {
        matches!(self, Self::Raw | Self::Qcow2 | Self::Box)
    }

    /// qemu-img's name of it, and options.
    fn of_qemu(self) -> Option<(&'static str, Option<&'static str>)> {
        match self {
            Self::Raw => None,
            Self::Qcow2 | Self::Box => Some(("qcow2", Some("compat=1.1"))),
            Self::Vmdk => Some(("vmdk", Some("subformat=monolithicSparse"))),
            Self::Vhdx => Some(("vhdx", Some("subformat=dynamic"))),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::ALL.into_iter().find(|format| format.extension() == text).ok_or(NotAName::FORMAT)
    }
}

/// The program `qemu-img`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuImg {
    program: PathBuf,
}

impl QemuImg {
    /// The program, if this format needs it; looked for before anything is built.
    ///
    /// # Errors
    /// It is not there.
    pub fn for_format(format: Format, path: Option<&std::ffi::OsStr>) -> Result<Option<Self>, ImageError> {
        if format.of_qemu().is_none() {
            return Ok(None);
        }
        let mut found = std::env::split_paths(path.unwrap_or_default()).map(|dir| dir.join("qemu-img"));
        match found.find(|program| program.is_file()) {
            Some(program) => Ok(Some(Self { program })),
            None => Err(ImageError::FormatToolMissing { format: format.to_string() }),
        }
    }

    /// Makes an image in that format of a raw disk, as the new file `to`; `user` is who logs in to a box.
    ///
    /// # Errors
    /// qemu-img fails, or the user interrupts.
    pub fn convert(
        &self,
        disk: &Path,
        format: Format,
        user: &str,
        to: &Path,
        cancel: &CancellationToken,
    ) -> Result<(), ImageError> {
        let Some((name, options)) = format.of_qemu() else { return Ok(()) };
        let raw_bytes = fs::metadata(disk).map_err(|error| ImageError::io("read", disk, error))?.len();
        let converted = if format == Format::Box { to.with_extension("qcow2") } else { to.to_owned() };
        let mut command = Command::new(&self.program);
        command.args(["convert", "-q", "-f", "raw", "-O", name]);
        if let Some(options) = options {
            command.args(["-o", options]);
        }
        self.run(command.args([disk, converted.as_path()]), cancel)?;
        if format == Format::Box {
            vagrant::write(&converted, raw_bytes, user, to)
                .map_err(|error| ImageError::io("write", to, error))?;
            fs::remove_file(&converted).map_err(|error| ImageError::io("remove", &converted, error))?;
        }
        Ok(())
    }

    fn run(&self, command: &mut Command, cancel: &CancellationToken) -> Result<(), ImageError> {
        let program_error = |error| ImageError::io("run", &self.program, error);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(program_error)?;
        let status = loop {
            match child.try_wait().map_err(program_error)? {
                Some(status) => break status,
                None if cancel.is_cancelled() => {
                    // It is gone, or about to be; its half file goes with the directory.
                    child.kill().and_then(|()| child.wait()).ok();
                    return Err(ImageError::Cancelled);
                }
                None => thread::sleep(POLL),
            }
        };
        if status.success() {
            return Ok(());
        }
        let said = child.stderr.take().and_then(|stderr| read_from(stderr, Limit::LISTING).ok());
        let words = said.unwrap_or_default();
        let words = String::from_utf8_lossy(&words).trim().replace('\n', "; ");
        if words.contains("No space left on device") {
            return Err(program_error(io::Error::from(io::ErrorKind::StorageFull)));
        }
        Err(ImageError::QemuImg { status: status.to_string(), words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_whose_tool_is_missing_is_told_with_its_package() {
        assert_eq!(QemuImg::for_format(Format::Raw, None).unwrap(), None);
        for format in [Format::Qcow2, Format::Vmdk, Format::Vhdx, Format::Box] {
            let error = QemuImg::for_format(format, Some("/nonexistent".as_ref())).unwrap_err().to_string();
            assert!(error.contains(format.extension()) && error.contains("qemu-utils"), "{error}");
        }
    }

    #[test]
    fn each_format_has_its_name() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!("ova".parse::<Format>().unwrap_err().to_string().contains("vhdx"));
    }

    #[test]
    fn what_qemu_img_says_when_it_fails_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk");
        fs::write(&disk, [0; 512]).unwrap();
        let none = CancellationToken::new();
        let program = QemuImg { program: "/bin/false".into() };
        let error = program.convert(&disk, Format::Qcow2, "root", &dir.path().join("x"), &none).unwrap_err();
        assert!(matches!(error, ImageError::QemuImg { .. }), "{error}");
    }
}
