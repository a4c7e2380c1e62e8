// SPDX-License-Identifier: BSD-2-Clause
//! Standard output. A reader that has seen enough (`| head`) must neither crash a command nor change its
//! exit code.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

/// Writes text to standard output. After the first error nothing more is written.
pub(super) fn write(text: fmt::Arguments<'_>) {
    if FAILED.load(Ordering::Relaxed) {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        FAILED.store(true, Ordering::Relaxed);
        if error.kind() != io::ErrorKind::BrokenPipe {
            eprintln!("error: cannot write to standard output: {error}");
        }
    }
}

/// `println!` for commands.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::out::write(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// `print!` for commands.
macro_rules! say_text {
    ($text:expr) => {
        $crate::cli::out::write(format_args!("{}", $text))
    };
}

pub(super) use {say, say_text};
