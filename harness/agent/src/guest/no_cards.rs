// SPDX-License-Identifier: BSD-2-Clause
//! Network cards of a program, on Linux: this machine's own cards are nothing for vectors.

use alloc::string::String;
use alloc::vec::Vec;

use nlproof_agent::{Act, Card, Program};

use crate::card_acts::Outcome;
use crate::isolate::Jail;
use crate::sys::Errno;
use crate::sys::clock::Deadline;

/// No value has this type.
enum Nothing {}

/// Never there.
pub(crate) struct Cards {
    pub(crate) cards: Vec<Card>,
    nothing: Nothing,
}

impl Cards {
    /// Why not, if the program has cards.
    pub(crate) fn begin(program: &Program, _jail: &Jail) -> Result<Option<Self>, (Errno, String)> {
        if program.cards.is_empty() {
            return Ok(None);
        }
        Err((Errno(0), String::from("network cards are for guests under QEMU")))
    }

    /// Not called.
    pub(crate) fn card(&self, _act: &Act) -> Option<&Card> {
        match self.nothing {}
    }

    /// Not called.
    pub(crate) fn start(&self, _act: &Act, _rest: bool) -> Result<(), Errno> {
        match self.nothing {}
    }

    /// Not called.
    pub(crate) fn outcome(&self, _act: &Act, _until: Deadline) -> Option<Outcome> {
        match self.nothing {}
    }
}
