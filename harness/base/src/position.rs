// SPDX-License-Identifier: BSD-2-Clause
//! A position in a text file.

use std::fmt;

/// A line and a column of a text file, both from 1. Displayed as `line:column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self::at_line(1);

    /// The first character of a line.
    #[must_use]
    pub const fn at_line(line: u64) -> Self {
        Self { line, column: 1 }
    }
}

#[cfg(feature = "yaml")]
impl From<serde_saphyr::Location> for Position {
    fn from(location: serde_saphyr::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
