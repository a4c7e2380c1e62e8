// SPDX-License-Identifier: BSD-2-Clause
//! Complaints about places in a vector's file.

use std::path::Path;

use nlproof_wire::schema::bare_name;
use serde_saphyr::Spanned;

use crate::file::{FileError, Node, Position, nearest};

/// Line and column of a value, from 1.
pub(super) fn place<T>(spanned: &Spanned<T>) -> Position {
    Position::from(spanned.referenced)
}

/// A vector's file, for making errors about it.
#[derive(Clone, Copy)]
pub(super) struct SourceFile<'a>(pub(super) &'a Path);

impl SourceFile<'_> {
    /// An error about a place.
    pub(super) fn error(self, place: Position, what: impl Into<String>) -> FileError {
        FileError::at(self.0, place, what)
    }

    /// A name that a table does not have, with the nearest that it has.
    pub(super) fn unknown<'n>(
        self,
        place: Position,
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> FileError {
        let known: Vec<_> = known.into_iter().collect();
        let error = self.error(place, format!("unknown {kind} `{name}`"));
        match nearest(bare_name(name), known.iter().copied()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("known: {}", known.join(", "))),
        }
    }

    /// A value of the wrong kind.
    pub(super) fn expected(self, node: &Node, expected: &str) -> FileError {
        self.error(node.place, format!("{expected} is expected, and this is {}", node.value.kind()))
    }
}
