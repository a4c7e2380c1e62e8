// SPDX-License-Identifier: BSD-2-Clause
//! Standard error as a reporter: live on a terminal, plain lines elsewhere and under CI.

use super::lines::Lines;
use super::terminal::Terminal;
use crate::matrix::Event;
use crate::out::{Stderr, is_watched};

/// The reporter for a person.
pub enum Screen {
    /// A terminal.
    Live(Terminal),
    /// A log or a pipe.
    Plain(Lines<Stderr>),
}

impl Screen {
    /// Live if standard error is a terminal and this is not a CI system's log (`ci`).
    pub fn new(ci: bool) -> Self {
        if is_watched() && !ci { Screen::Live(Terminal::new()) } else { Screen::Plain(Lines::new(Stderr)) }
    }

    /// Consumes one event.
    pub fn consume(&mut self, event: &Event<'_>) {
        match self {
            Screen::Live(terminal) => terminal.consume(event),
            Screen::Plain(lines) => lines.consume(event),
        }
    }

    /// Leaves the screen in order.
    pub fn finish(self) {
        match self {
            Screen::Live(terminal) => terminal.finish(),
            Screen::Plain(_) => {}
        }
    }
}
