// SPDX-License-Identifier: BSD-2-Clause
//! Report files that appear whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

/// Writes beside `path` and renames.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
