// SPDX-License-Identifier: BSD-2-Clause
//! A vector that states losses, alone in its guest.

use nlproof_agent::Batch;

use super::engine::Engine;
use super::interruption::{Interruption, NoFurther, loss_of};
use super::judge::{Answerer, judge, stated_hang};
use super::running::RunningCell;
use super::vector_run::{VectorRunError, run_vectors};
use crate::file::FileError;
use crate::targets::Target;
use crate::vector::Vector;

impl Engine<'_> {
    /// Runs the vector, given with its place. How the target was lost, if it was.
    ///
    /// dtrace(1) does not follow: what it hears it tells at its end, and that would be lost with the guest.
    pub(super) fn run_apart(
        &self,
        running: &RunningCell<'_>,
        target: &mut dyn Target,
        (place, vector): (usize, &Vector),
    ) -> Result<Option<Interruption>, FileError> {
        let (golden, kernel) = self.goldens_of(running, vector)?;
        let hang = stated_hang(running.cell, vector);
        let mut held = None;
        if let Some(hang) = hang {
            target.expect_hang(&hang.calls);
        }
        let mut run = run_vectors(target, &[vector], &mut |vector_run| held = Some(vector_run));
        if run.is_ok() {
            if let Some(hang) = hang {
                target.expect_hang(&hang.calls);
            }
            // The removal of its jail may be what takes the guest along. One that lives answers to nothing at all.
            run = target.run(&Batch { programs: Vec::new() }, &mut |_| ()).map_err(VectorRunError::from);
        }
        let loss = match (run, held) {
            (Ok(()), Some(vector_run)) => {
                let sha256 = target.facts().kernel.as_ref().map(|kernel| kernel.sha256.as_str());
                let answerer = Answerer { cell: running.cell, kernel: sha256, stock: None };
                let judged = judge(&answerer, &vector_run, golden, kernel);
                running.ended((place, &vector_run), judged);
                return Ok(None);
            }
            (Ok(()), None) => Err(NoFurther::Silent),
            (Err(VectorRunError::Vector(error)), _) => return Err(error),
            (Err(VectorRunError::Target(error)), _) => loss_of(error),
        };
        Ok(Some(Interruption { left: vec![place], loss }))
    }
}
