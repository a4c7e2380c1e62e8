// SPDX-License-Identifier: BSD-2-Clause
//! Standard error as a reporter: live on a terminal, plain lines elsewhere and under CI.

use std::io::{self, IsTerminal as _};

use super::lines::Lines;
use super::terminal::Terminal;
use crate::matrix::Event;

/// The reporter for a person.
pub enum Screen {
    /// A terminal.
    Live(Terminal),
    /// A log or a pipe.
    Plain(Lines<io::Stderr>),
}

impl Screen {
    /// Live if standard error is a terminal and this is not a CI system's log (`ci`).
    pub fn new(ci: bool) -> Self {
        if io::stderr().is_terminal() && !ci {
            Screen::Live(Terminal::new())
        } else {
            Screen::Plain(Lines::new(io::stderr()))
        }
    }

    /// Consumes one event.
    pub fn consume(&mut self, event: &Event<'_>) {
        match self {
            Screen::Live(terminal) => terminal.consume(event),
            Screen::Plain(lines) => lines.consume(event),
        }
    }

    /// Leaves the screen in order.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Screen::Live(terminal) => {
                terminal.finish();
                Ok(())
            }
            Screen::Plain(lines) => lines.finish(),
        }
    }
}
