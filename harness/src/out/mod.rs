// SPDX-License-Identifier: BSD-2-Clause
//! Standard output and standard error: the one place that writes to them.
//!
//! Standard output carries what a command was asked for. A failed write is remembered, because a command that printed
//! half of its answer must not succeed. A reader that has seen enough (`| head`) is no failure. Standard error carries
//! everything else; a failed write there changes nothing.

mod live;

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::OnceLock;

pub(crate) use live::progress_target;

/// Why nothing more is written to standard output.
static ENDED: OnceLock<ErrorKind> = OnceLock::new();

/// Writes text to standard output. After the first error nothing more is written.
pub(crate) fn write_stdout(text: fmt::Arguments<'_>) {
    // What becomes of it is remembered there.
    drop(Stdout.write_all(text.to_string().as_bytes()));
}

/// Prints the messages of the command line's parser: help on standard output, errors on standard error.
pub(crate) fn print_parser(said: &clap::Error) {
    let written = said.print();
    if !said.use_stderr() {
        note_end(&written.and_then(|()| stdout().flush()));
    }
}

/// Whether something was written to standard output that did not arrive, although somebody was there to read it.
pub(crate) fn is_cut_short() -> bool {
    ENDED.get().is_some_and(|kind| *kind != ErrorKind::BrokenPipe)
}

/// Writes text to standard error, at once and as well as can be.
pub(crate) fn write_stderr(text: fmt::Arguments<'_>) {
    drop(stderr().write_all(text.to_string().as_bytes()));
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    stderr().is_terminal()
}

/// Whether standard output is a person's terminal.
pub(crate) fn is_shown() -> bool {
    stdout().is_terminal()
}

/// Standard output as an unbuffered stream. After the first error nothing more is written, and that error comes
/// again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kind) = ENDED.get() {
            return Err((*kind).into());
        }
        let mut out = stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        drop(out);
        note_end(&written);
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error as a stream. Writing to it does not fail.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        drop(stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn note_end(written: &io::Result<()>) {
    let Err(error) = written else { return };
    if ENDED.set(error.kind()).is_ok() && error.kind() != ErrorKind::BrokenPipe {
        write_stderr(format_args!("error: standard output cannot be written: {error}\n"));
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the place that writes to it")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[allow(clippy::disallowed_methods, reason = "this is the place that writes to it")]
fn stderr() -> io::Stderr {
    io::stderr()
}

/// `println!` for what a command was asked for.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::out::write_stdout(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// `print!` for what a command was asked for.
macro_rules! say_text {
    ($text:expr) => {
        $crate::out::write_stdout(format_args!("{}", $text))
    };
}

/// `eprintln!` that does not fail.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::out::write_stderr(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// `eprint!` that does not fail.
macro_rules! tell_text {
    ($text:expr) => {
        $crate::out::write_stderr(format_args!("{}", $text))
    };
}

pub(crate) use {say, say_text, tell, tell_text};
