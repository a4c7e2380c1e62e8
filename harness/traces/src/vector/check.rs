// SPDX-License-Identifier: BSD-2-Clause
//! The checks of the lint, by name.

use std::fmt;

use nlproof_verify::Rule;
use serde::Serialize;

/// A check of vectors. The order is the order of the report's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VectorCheck {
    /// The file is a vector: YAML, known keys, one thing a step.
    File,
    /// Names, values and references make a program.
    Program,
    /// Deviations from well-formedness are declared.
    Form,
    /// What is declared is there.
    Declared,
    /// What the vector needs can be asked for.
    Needs,
    /// Goldens belong to vectors.
    Golden,
}

impl VectorCheck {
    /// The check of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|check| check.name() == name)
    }
}

impl Rule for VectorCheck {
    const ALL: &'static [Self] =
        &[Self::File, Self::Program, Self::Form, Self::Declared, Self::Needs, Self::Golden];

    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Program => "program",
            Self::Form => "form",
            Self::Declared => "declared",
            Self::Needs => "needs",
            Self::Golden => "golden",
        }
    }

    fn explain(self) -> &'static str {
        match self {
            Self::File => {
                "A vector is a YAML file below vectors/ with known keys only, a sentence under `about`, and steps of which\n\
                 each is exactly one thing. A word that is misspelt must not silently mean nothing.\n\
                 Fix: the place and the nearest known word are in the message."
            }
            Self::Program => {
                "For each system that a vector is for, its steps must become bytes: names of messages, attributes, flags and\n\
                 groups are the kernel's, values fit their types, interfaces and variables are known where they are used,\n\
                 and every wait has a limit.\n\
                 Fix: the message names the place; `needs.os` says which systems a vector is for."
            }
            Self::Form => {
                "A datagram that deviates from netlink's form (lengths, alignment, sizes of attributes, unknown types) must be\n\
                 meant so: a vector with a slip would test the kernel's answer to the slip.\n\
                 Fix: mend the datagram, or declare the deviation under `malformed`."
            }
            Self::Declared => {
                "A deviation that is declared under `malformed` and that no datagram has: the vector does not test what it\n\
                 says, for instance because the tables have learnt the attribute meanwhile.\n\
                 Fix: take the word out, or make the datagram so."
            }
            Self::Needs => {
                "What a vector needs of a guest is asked for by name: kernel modules are letters, digits and underscores,\n\
                 and the project's guests have them: `modules` in matrix.yaml.\n\
                 Fix: the module's name as kldload takes it, without .ko, such as if_epair; one that no guest has is\n\
                 listed in matrix.yaml first."
            }
            Self::Golden => {
                "A golden whose vector was renamed or removed, or that stands in a layer where no cell looks, is compared\n\
                 with nothing, and what it holds is no knowledge any more.\n\
                 Fix: move it to its vector's name and record it anew, or remove it."
            }
        }
    }
}

impl fmt::Display for VectorCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
