// SPDX-License-Identifier: BSD-2-Clause
//! The program that is watched: a command, or a script, and what it reads.

use std::io::IsTerminal as _;
use std::path::Path;

use nlproof_base::{Limit, read_any, read_from};

use crate::cli::args::WatchArgs;
use crate::cli::exit::CliError;
use crate::guest::script;

/// Where programs begin in the guest, and copies go.
pub(super) const DIRECTORY: &str = "/root";
/// The script's file in the guest.
pub(super) const SCRIPT: &str = "/tmp/nlproof.script";
/// What the program reads, in the guest.
pub(super) const INPUT: &str = "/tmp/nlproof.stdin";

/// A program that is ready to be taken to a guest.
pub(super) struct Prepared {
    /// The program and its arguments, as the agent starts them.
    pub(super) argv: Vec<String>,
    /// Text of the script.
    pub(super) script: Option<Vec<u8>>,
    /// What it reads.
    pub(super) input: Option<Vec<u8>>,
    shown: String,
}

impl Prepared {
    /// Reads what is needed before any guest is started.
    pub(super) fn of(args: &WatchArgs) -> Result<Self, CliError> {
        let usage = CliError::Usage;
        let input = match args.stdin {
            false => None,
            true if std::io::stdin().is_terminal() => {
                return Err(usage(
                    "--stdin: standard input is a terminal, and the program gets it as a whole\n  help: --stdin < FILE, or a \
                     pipe; nlproof shell runs a program on a terminal"
                        .into(),
                ));
            }
            true => Some(
                read_from(std::io::stdin(), Limit::REPORT)
                    .map_err(|error| usage(format!("standard input {error}")))?,
            ),
        };
        let Some(path) = &args.script else {
            let mut argv = args.command.clone();
            if argv.iter().any(|word| word.contains('\0')) {
                return Err(usage("a word of the command has a NUL byte".into()));
            }
            if let [line] = &argv[..]
                && line.contains(|c: char| c.is_whitespace() || "|&;<>()$`\\\"'*?[#~=%".contains(c))
            {
                // As `shell` takes it.
                argv = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
            }
            match argv.first_mut() {
                Some(program) if program.is_empty() => {
                    return Err(usage(
                        "the command is empty\n  help: nlproof watch -- ifconfig lo10 create".into(),
                    ));
                }
                // The agent takes names and absolute paths.
                Some(program) if program.contains('/') && !program.starts_with('/') => {
                    *program = format!("{DIRECTORY}/{program}");
                }
                _ => {}
            }
            return Ok(Self { argv, script: None, input, shown: script(&args.command) });
        };
        let text = read_any(path, Limit::YAML)
            .map_err(|error| usage(format!("--script: {} {error}", path.display())))?;
        let mut argv =
            interpreter(&text).map_err(|error| usage(format!("--script: {}: {error}", path.display())))?;
        argv.push(SCRIPT.to_owned());
        argv.extend(args.command.iter().cloned());
        let name = Path::new(path)
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Ok(Self { argv, script: Some(text), input, shown: name })
    }

    /// The program for people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// What runs a script: the interpreter of its first line with its argument (execve(2)), or sh(1).
fn interpreter(text: &[u8]) -> Result<Vec<String>, String> {
    let Some(rest) = text.strip_prefix(b"#!") else { return Ok(vec!["/bin/sh".to_owned()]) };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| "its first line is no text".to_owned())?.trim();
    let mut words = line.splitn(2, char::is_whitespace).map(str::trim).filter(|word| !word.is_empty());
    let program = words.next().filter(|program| program.starts_with('/'));
    let program = program.ok_or("its first line names no interpreter by an absolute path")?;
    Ok(std::iter::once(program).chain(words).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_run_by_what_its_first_line_names_or_sh() {
        let by = |text: &str| interpreter(text.as_bytes()).map(|words| words.join(","));
        assert_eq!(by("ifconfig lo10 create\n"), Ok("/bin/sh".into()));
        assert_eq!(by("#! /bin/sh -e -u\nx\n"), Ok("/bin/sh,-e -u".into()));
        assert_eq!(by("#!/usr/bin/awk"), Ok("/usr/bin/awk".into()));
        assert!(by("#!\n").is_err() && by("#!sh\n").is_err());
    }
}
