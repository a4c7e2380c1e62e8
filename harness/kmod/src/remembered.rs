// SPDX-License-Identifier: BSD-2-Clause
//! What compilers said of themselves. Every start of a guest needs that of two, and to ask them takes as long as to load
//! the guest's state.
//!
//! An answer is kept in a file of the cache, under a digest of the question and of the program's file: where it is, its
//! size, its times. A program that runs another one, such as ccache or rustup's rustc, is asked each time, because its
//! file does not tell which.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nlproof_base::Limit;
use nlproof_files::write_whole;

use crate::key::Key;
use crate::tool::Tool;

/// Version of what is kept; part of every key.
const FORMAT: &str = "nlproof tool 1";
const DIRECTORY: &str = "tools";
const ELF: [u8; 4] = *b"\x7fELF";

/// What programs say, and where it is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    directory: Option<PathBuf>,
}

impl Answers {
    /// Answers that are kept below this directory of the cache.
    pub(crate) fn kept_in(cache: &Path) -> Self {
        Self { directory: Some(cache.join(DIRECTORY)) }
    }

    /// Output of a program for these arguments, if it runs and succeeds.
    pub(crate) fn of(&self, tool: Tool, program: &Path, arguments: &[&str]) -> Option<String> {
        let kept = self.directory.as_ref().zip(identity(tool, program)).map(|(directory, identity)| {
            let mut key = Key::default();
            [FORMAT, &identity].iter().chain(arguments).for_each(|part| key.text(part));
            directory.join(key.finish())
        });
        let known = kept.as_ref().and_then(|path| nlproof_base::read_text(path, Limit::LISTING).ok());
        if known.is_some() {
            return known;
        }
        let answer = ask(program, arguments)?;
        if let Some(path) = kept {
            // A cache that cannot be written to only costs the time.
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            drop(made.and_then(|()| write_whole(&path, answer.as_bytes())));
        }
        Some(answer)
    }
}

fn ask(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What tells this program from every other one; `None`: its file does not.
fn identity(tool: Tool, program: &Path) -> Option<String> {
    let file = fs::canonicalize(program).ok()?;
    let name = file.file_name()?.to_str()?;
    let itself = match tool {
        Tool::Clang => name.starts_with("clang"),
        Tool::Lld => name.starts_with("lld") || name.starts_with("ld.lld"),
        // rustup's has no library beside it.
        Tool::Rustc => name.starts_with("rustc") && file.parent()?.parent()?.join("lib/rustlib").is_dir(),
    };
    let mut head = [0; ELF.len()];
    fs::File::open(&file).and_then(|mut opened| opened.read_exact(&mut head)).ok()?;
    if !itself || head != ELF {
        return None;
    }
    let meta = fs::metadata(&file).ok()?;
    // By the other name it may be another program: lld links for other systems as `lld-link`.
    let (asked, file) = (program.display(), file.display());
    let times = format!("{}.{} {}.{}", meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
    Some(format!("{asked} {file} {} {} {times}", meta.len(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that counts how often it runs: a shell with the shell's own name, and a script for it.
    fn counting(directory: &Path, name: &str) -> PathBuf {
        let program = directory.join(name);
        // By another process: a test beside this one that starts a program while the file is written here hands it the
        // descriptor, and a file that is open for writing cannot be run (ETXTBSY).
        let copied = Command::new("install").args(["-m", "755", "/bin/sh"]).arg(&program).status().unwrap();
        assert!(copied.success());
        program
    }

    fn runs(directory: &Path) -> usize {
        fs::read_to_string(directory.join("runs")).map_or(0, |text| text.lines().count())
    }

    fn ask_through(answers: &Answers, tool: Tool, program: &Path, directory: &Path) -> Option<String> {
        let script = format!("echo run >> {}; echo version 16", directory.join("runs").display());
        answers.of(tool, program, &["-c", &script])
    }

    #[test]
    fn a_program_is_asked_once_and_another_one_in_its_place_again() {
        let directory = tempfile::tempdir().unwrap();
        let answers = Answers::kept_in(&directory.path().join("cache"));
        let clang = counting(directory.path(), "clang-16");
        for _ in 0..3 {
            let said = ask_through(&answers, Tool::Clang, &clang, directory.path());
            assert_eq!(said.as_deref(), Some("version 16"));
        }
        assert_eq!(runs(directory.path()), 1);
        fs::remove_file(&clang).unwrap();
        counting(directory.path(), "clang-16");
        ask_through(&answers, Tool::Clang, &clang, directory.path()).unwrap();
        assert_eq!(runs(directory.path()), 2);
    }

    #[test]
    fn a_program_that_may_run_another_one_is_asked_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let answers = Answers::kept_in(directory.path());
        let ccache = counting(directory.path(), "ccache");
        let link = directory.path().join("clang");
        std::os::unix::fs::symlink(&ccache, &link).unwrap();
        let rustc = counting(directory.path(), "rustc");
        for _ in 0..2 {
            ask_through(&answers, Tool::Clang, &link, directory.path()).unwrap();
            ask_through(&answers, Tool::Rustc, &rustc, directory.path()).unwrap();
        }
        assert_eq!(runs(directory.path()), 4);
    }

    #[test]
    fn without_a_place_each_is_asked_and_what_fails_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let lld = counting(directory.path(), "ld.lld");
        for _ in 0..2 {
            ask_through(&Answers::default(), Tool::Lld, &lld, directory.path()).unwrap();
        }
        assert_eq!(runs(directory.path()), 2);
        let answers = Answers::kept_in(directory.path());
        assert_eq!(answers.of(Tool::Lld, &lld, &["-c", "exit 1"]), None);
        assert!(!directory.path().join(DIRECTORY).exists());
    }
}
