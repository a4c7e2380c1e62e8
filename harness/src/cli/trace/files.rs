// SPDX-License-Identifier: BSD-2-Clause
//! The files that a trace is written to.

use std::fs::Permissions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cli::exit::CliError;
use crate::matrix::Conversation;
use crate::trace::RawWriter;

/// Writes a trace for the Perfetto UI.
pub(super) fn write_perfetto(path: &Path, trace: &serde_json::Value) -> Result<(), CliError> {
    write(path, |file| Ok(serde_json::to_writer(file, trace)?))
}

/// Writes the raw trace, one record a line; packed if the file's name ends in `.zst`.
pub(super) fn write_raw(path: &Path, conversation: &Conversation<'_>) -> Result<(), CliError> {
    write(path, |file| {
        let mut raw = RawWriter::new(path, file)?;
        raw.append(conversation.raw_lines())?;
        raw.finish()
    })
}

/// Writes the file whole or not at all.
fn write(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut tempfile::NamedTempFile>) -> std::io::Result<()>,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Output { what: path.display().to_string(), error };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // With the mode that any new file of the user's would have: tempfile's own is 0600, for secrets.
    let mut new = tempfile::Builder::new();
    new.permissions(Permissions::from_mode(0o666));
    let mut file = new.tempfile_in(directory).map_err(failed)?;
    let mut buffered = BufWriter::new(&mut file);
    fill(&mut buffered).and_then(|()| buffered.flush()).map_err(failed)?;
    drop(buffered);
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_file_has_the_mode_of_any_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| directory.path().join(name));
        File::create(&plain).unwrap();
        write_perfetto(&ours, &serde_json::json!({})).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain), "{:o}", mode(&ours));
        assert_eq!(fs::read_to_string(&ours).unwrap(), "{}");
    }
}
