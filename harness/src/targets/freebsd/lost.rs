// SPDX-License-Identifier: BSD-2-Clause
//! Files kept of a lost guest whose console nobody asked for beforehand: the log would go with QEMU.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::threads::SilentThreads;
use crate::targets::Loss;
use crate::vm::{GuestFailure, Vm};

/// Path at which the console of a lost guest is kept; each cell keeps the last one. What its kernel said as it died, or the
/// threads of one that fell silent, stands beside it, with the extension `textdump`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostConsole {
    /// The file: `DIRECTORY/CELL.console`.
    pub file: PathBuf,
    /// The command that shows it.
    pub shown_by: String,
}

impl LostConsole {
    /// Keeps the console of a guest, and last words, and returns a note about its path, or about why it was not kept.
    pub(super) fn keep(&self, vm: &Vm, last_words: &str) -> String {
        match keep(vm.serial_log(), last_words, &self.file) {
            Ok(()) => format!("\n  its console is kept: {}", self.shown_by),
            Err(error) => format!("\n  its console is not kept: {}: {error}", self.file.display()),
        }
    }
}

/// A guest that failed, as a loss, with its threads if they are known, and where its console is if that is not known already.
pub(super) fn loss(
    failure: GuestFailure,
    threads: Option<&SilentThreads>,
    vm: &Vm,
    console: Option<&LostConsole>,
) -> Loss {
    let mut loss = Loss::from(failure);
    let mut last_words = vm.last_words().to_owned();
    if let Some(SilentThreads { notable, all }) = threads {
        loss.text.push_str("\n  its threads, read from its memory:");
        for line in notable.lines() {
            loss.text.push_str("\n    ");
            loss.text.push_str(line);
        }
        last_words.push_str(all);
        // They stand in the message, the most important ones at least.
        drop(vm.keep_textdump(all));
    }
    if let Some(console) = console {
        loss.text.push_str(&console.keep(vm, &last_words));
    }
    loss
}

/// Copies a log, and writes the last words beside it. Each file is whole or not there; what an earlier guest left goes.
fn keep(log: &Path, last_words: &str, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let textdump = to.with_extension("textdump");
    if let Err(error) = fs::remove_file(&textdump)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let console = fs::read(log)?;
    for (path, bytes) in [(to, console.as_slice()), (&textdump, last_words.as_bytes())] {
        if path == to || !bytes.is_empty() {
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            io::Write::write_all(&mut file, bytes)?;
            file.persist(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_console_of_a_cell_is_there_with_its_own_last_words_alone() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("serial.log");
        let to = directory.path().join("lost/cell.console");
        let textdump = to.with_extension("textdump");
        fs::write(&log, "boot\npanic: x\n").unwrap();
        keep(&log, "panic: x\n", &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "boot\npanic: x\n");
        assert_eq!(fs::read_to_string(&textdump).unwrap(), "panic: x\n");
        fs::write(&log, "boot\n").unwrap();
        keep(&log, "", &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "boot\n");
        assert!(!textdump.exists(), "the words of another guest");
        assert!(keep(&directory.path().join("none"), "", &to).is_err());
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
    }
}
