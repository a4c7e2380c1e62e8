// SPDX-License-Identifier: BSD-2-Clause
//! Standard error as the terminal that live progress is drawn on. indicatif panics where its own cannot be written to:
//! a terminal that hung up must not end a run.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};
use terminal_size::{Height, Width, terminal_size_of};

use super::{Stderr, is_watched, stderr};

/// Frames a second.
const RATE: u8 = 20;
/// Columns and rows of a terminal that does not tell.
const SIZE: (u16, u16) = (80, 24);

/// Where progress is drawn; nowhere, if nobody watches.
pub(crate) fn progress_target() -> ProgressDrawTarget {
    if is_watched() {
        ProgressDrawTarget::term_like_with_hz(Box::new(Live::default()), RATE)
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// A terminal on standard error, written to a frame at a time. Writing to it does not fail.
#[derive(Debug, Default)]
struct Live {
    frame: Mutex<String>,
}

impl Live {
    fn add(&self, text: fmt::Arguments<'_>) -> io::Result<()> {
        // Half a frame that a panic left is as good as any other.
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        // A write to a String does not fail.
        fmt::Write::write_fmt(&mut *frame, text).ok();
        Ok(())
    }

    /// A control sequence with a number; none for 0, which terminals take for 1.
    fn control(&self, n: usize, letter: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.add(format_args!("\x1b[{n}{letter}")) }
    }

    fn size() -> (u16, u16) {
        terminal_size_of(stderr()).map_or(SIZE, |(Width(columns), Height(rows))| (columns, rows))
    }
}

impl TermLike for Live {
    fn width(&self) -> u16 {
        Self::size().0
    }

    fn height(&self) -> u16 {
        Self::size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.control(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.control(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.control(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.control(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(format_args!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(format_args!("{text}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add(format_args!("\r\x1b[2K"))
    }

    fn flush(&self) -> io::Result<()> {
        let frame = std::mem::take(&mut *self.frame.lock().unwrap_or_else(PoisonError::into_inner));
        Stderr.write_all(frame.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_what_a_terminal_reads() {
        let live = Live::default();
        live.move_cursor_up(2).unwrap();
        live.move_cursor_left(0).unwrap();
        live.clear_line().unwrap();
        live.write_line("boot").unwrap();
        live.write_str("run").unwrap();
        assert_eq!(*live.frame.lock().unwrap(), "\x1b[2A\r\x1b[2Kboot\nrun");
        live.flush().unwrap();
        assert_eq!(*live.frame.lock().unwrap(), "");
    }
}
