// SPDX-License-Identifier: BSD-2-Clause
//! Vectors as programs that need nothing of nlproof: for the tracker of whoever mends the kernel.

mod bytes;
mod c;
mod expected;
mod sh;

pub use c::c_program;
pub use sh::shell_script;

use nlproof_agent::Step;

use crate::vector::Vector;

/// Why a vector cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Something of the whole vector.
    #[error("{0}")]
    Whole(&'static str),
    /// Something of one step.
    #[error("step {index}: {why}")]
    Step {
        /// The step, from 0.
        index: usize,
        /// Why not.
        why: &'static str,
    },
}

impl ExportError {
    fn whole(why: &'static str) -> ExportError {
        ExportError::Whole(why)
    }

    fn step(index: usize, why: &'static str) -> ExportError {
        ExportError::Step { index, why }
    }

    /// The error for a step that neither a C program nor a script can take.
    fn for_none(index: usize, step: &Step) -> ExportError {
        let why = match step {
            Step::Count(_) => "it counts requests for a benchmark",
            Step::Watch(_) => "a program is watched in it",
            _ => "it does something with a network card, which QEMU does",
        };
        ExportError::step(index, why)
    }
}

/// What stands above a program: what it shows, what it needs, how it runs.
fn head(vector: &Vector, run: &str, exit: &str) -> String {
    let mut text = format!("{}: {}\n\n", vector.id, vector.about.replace('\n', " "));
    text.push_str("As root, in a network stack of its own:\n");
    for module in &vector.needs.modules {
        text.push_str(&format!("    kldload {module}\n"));
    }
    text.push_str(&format!("    {run}\n{exit}\n"));
    text
}

#[cfg(test)]
mod tests;
