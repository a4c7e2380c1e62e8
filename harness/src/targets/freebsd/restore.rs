// SPDX-License-Identifier: BSD-2-Clause
//! A guest that goes on from a saved state.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant};

use nlproof_agent::Batch;

use super::connection::Link;
use super::late::patiently;
use super::not_started::NotRestored;
use super::options::machine;
use super::snapshot::{Saved, Snapshot};
use super::starter::{StartRequest, Started, Starter, agent, launch_parts};
use crate::targets::OnStage;
use crate::vm::{DiskWrites, Patience, Seed, Wait, restore};

/// Limit from a loaded state to the agent's answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The wait for the agent in a guest that goes on from its state.
pub(super) fn answer() -> Wait {
    Wait::new("the restored agent", ANSWER_LIMIT)
}

impl Starter<'_> {
    /// Restores the guest, and once more with more time if that took too long.
    pub(super) async fn restore_patiently(
        &self,
        snapshot: &Snapshot,
        saved: &Saved,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Started, NotRestored> {
        let began = Instant::now();
        let mut told = (on_stage, String::new());
        let on_late = |(on_stage, late): &mut (&mut OnStage<'_>, String), reason: &NotRestored| {
            let reason = reason.first_line();
            on_stage(&format!("the restore took too long: {reason}; once more, with more time"), None);
            *late = format!(" after one that took too long: {reason}");
        };
        let started = patiently(&mut told, &self.patience, on_late, async |(on_stage, _), patience| {
            self.restore(snapshot, saved, patience, on_stage).await
        });
        let started = started.await?;
        let how = format!("warm ({:.1} s{})", began.elapsed().as_secs_f64(), told.1);
        Ok(Started { how, ..started })
    }

    async fn restore(
        &self,
        snapshot: &Snapshot,
        saved: &Saved,
        patience: &Patience,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Started, NotRestored> {
        let StartRequest { image, options, tools, .. } = self.request;
        on_stage(&format!("restore under {}", self.accelerator.kind), None);
        let mut config = machine(options);
        config.overlay_disk(snapshot.overlay(), DiskWrites::Discard).memory_file(snapshot.memory(), false);
        config.kernel_disk(image.kernel_disk()).seed(Seed::File(snapshot.seed()));
        if let Some(console) = &options.console {
            // The kept log begins with the boot that the state comes from.
            let boot = fs::read(snapshot.console()).map_err(NotRestored::Console)?;
            let append = || OpenOptions::new().create(true).append(true).open(console)?.write_all(&boot);
            // No fault of the snapshot, which would go.
            if let Err(error) = append() {
                let path = console.display();
                on_stage(&format!("the log of the boot is not kept in {path}: {error}"), None);
            }
        }
        let mut vm = restore(&config, self.accelerator.kind, tools, patience, &snapshot.state()).await?;
        let loaded = Instant::now();
        let mut link = Link::new(&vm, &saved.keys, agent(), patience)?;
        link.use_direct(&vm, saved.token)?;
        // Its greeting sets the guest's clock, which stands where it stood when the state was saved.
        link.run(&Batch { programs: Vec::new() }, &answer(), &mut vm, &mut |_| ()).await?;
        let mut parts = launch_parts(&vm);
        parts.push(("first answer", loaded.elapsed()));
        let Saved { kernel, keys, module, models, .. } = saved.clone();
        let stacks = usize::try_from(options.stacks).ok().filter(|stacks| *stacks > 0);
        Ok(Started {
            vm,
            link,
            keys,
            how: String::new(),
            fell_back: false,
            stacks,
            kernel,
            module,
            models,
            parts,
        })
    }
}
