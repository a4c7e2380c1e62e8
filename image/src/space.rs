// SPDX-License-Identifier: BSD-2-Clause
//! Whether there is room for what is about to be written.

use std::path::Path;

use nlproof_files::{RoomError, free_bytes};

use crate::error::ImageError;

/// # Errors
/// [`ImageError::DiskFull`] when less than `needed` bytes are free.
pub(crate) fn require(dir: &Path, needed: u64) -> Result<(), ImageError> {
    nlproof_files::require(dir, needed, "").map_err(|error| match error {
        RoomError::TooSmall { path, needed, free, .. } => ImageError::DiskFull { path, needed, free },
        RoomError::Unknown { path, source } => ImageError::io("read", &path, source),
    })
}

/// Turns an error that comes from a full file system into [`ImageError::DiskFull`].
pub(crate) fn explain(error: ImageError, dir: &Path, needed: u64) -> ImageError {
    if !error.is_out_of_space() {
        return error;
    }
    // Should the file system not even answer, then it is at least not known to be roomy.
    let free = free_bytes(dir).unwrap_or(0);
    ImageError::DiskFull { path: dir.to_owned(), needed, free }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write as _};

    use super::*;

    #[test]
    fn a_need_beyond_what_is_free_is_an_error_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        assert!(require(dir.path(), 1).is_ok());
        let message = require(dir.path(), u64::MAX).unwrap_err().to_string();
        assert!(message.contains(&format!("about {} bytes needed", u64::MAX)), "{message}");
        assert!(message.contains("bytes free"), "{message}");
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
    fn running_out_of_space_half_way_is_recognised() {
        let full = Path::new("/dev/full");
        let Ok(mut device) = OpenOptions::new().write(true).open(full) else {
            let skipped = "skipped: running_out_of_space_half_way_is_recognised: no /dev/full\n";
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let error = ImageError::io("write", full, device.write_all(b"x").unwrap_err());
        let error = explain(error, dir.path(), 7);
        assert!(matches!(error, ImageError::DiskFull { needed: 7, .. }), "{error}");
        let log = "makefs: write: No space left on device".to_owned();
        let error = explain(ImageError::Makefs { status: "1".to_owned(), log }, dir.path(), 7);
        assert!(matches!(error, ImageError::DiskFull { .. }), "{error}");
        let error = explain(ImageError::Cancelled, dir.path(), 7);
        assert!(matches!(error, ImageError::Cancelled), "{error}");
    }
}
