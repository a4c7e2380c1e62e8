// SPDX-License-Identifier: BSD-2-Clause
//! State of a running cell, fed by all of its guests.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::blame::told;
use super::cell::{Cell, ModuleKind, Soft, Stated};
use super::event::Event;
use super::judge::Judged;
use super::outcome::{CellResult, CellStatus, LostGuest, Outcome, VectorResult};
use super::raw::RawFile;
use super::vector_run::VectorRun;
use crate::file::FileError;
use crate::golden::{Origin, Standing};
use crate::targets::{BytesProgress, Fact, Finish, Loss, Target};
use crate::vector::Vector;

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Hears events.
pub(super) type Say<'a> = dyn Fn(&Event<'_>) + Sync + 'a;

/// A cell that runs. Each vector has a place: its index in what is to be run.
pub(super) struct RunningCell<'a> {
    /// The cell.
    pub(super) cell: &'a Cell,
    say: &'a Say<'a>,
    began: Instant,
    found: Mutex<Found>,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    vectors: Vec<(usize, VectorResult)>,
    facts: Vec<Fact>,
    fallbacks: u32,
    losses: Vec<LostGuest>,
    recorded: BTreeSet<Origin>,
    finish: Finish,
    /// Why nothing more is run, if so.
    end: Option<CellStatus>,
    raw: Option<RawFile>,
    /// The highest number of a guest in which a vector ran.
    guests: usize,
    guest_time: Duration,
}

impl<'a> RunningCell<'a> {
    /// Begins it.
    pub(super) fn begin(cell: &'a Cell, say: &'a Say<'a>) -> Self {
        say(&Event::CellStarted { cell });
        Self { cell, say, began: Instant::now(), found: Mutex::default() }
    }

    /// Says a stage.
    pub(super) fn stage(&self, stage: &str, bytes: Option<BytesProgress>) {
        (self.say)(&Event::Stage { cell: self.cell, stage, bytes });
    }

    /// Says a sentence.
    pub(super) fn note(&self, text: &str) {
        (self.say)(&Event::Note { cell: self.cell, text });
    }

    /// The first target is open: its facts are the cell's, and the raw trace begins in this directory, if anywhere.
    pub(super) fn opened_first(&self, target: &dyn Target, raw: Option<&Path>) {
        self.found().facts.clone_from(&target.facts().known);
        self.opened(target);
        match RawFile::create(raw, self.cell) {
            Ok(raw) => self.found().raw = Some(raw),
            Err(error) => self.raw_lost(&error),
        }
    }

    /// A further target is open.
    pub(super) fn opened(&self, target: &dyn Target) {
        self.found().fallbacks += target.facts().fallbacks;
        for fact in &target.facts().known {
            if let Fact::Unkept(why) = fact {
                self.unkept(why);
            }
        }
    }

    /// Reports a vector that did not run to its end.
    pub(super) fn leave_out(&self, place: usize, result: VectorResult) {
        (self.say)(&Event::VectorFinished { cell: self.cell, result: &result });
        self.found().vectors.push((place, result));
    }

    /// Reports a vector that has run: keeps its raw trace, then its result.
    pub(super) fn ended(&self, (place, vector_run): (usize, &VectorRun<'_>), judged: Judged) {
        (self.say)(&Event::VectorAnswered {
            cell: self.cell,
            id: &vector_run.vector.id,
            trace: &vector_run.trace,
        });
        let mut found = self.found();
        found.recorded.extend(judged.recorded);
        let error = found.raw.as_mut().and_then(|raw| raw.append(vector_run).err());
        let lost = error.and_then(|error| found.raw.take().map(|raw| (raw, error)));
        drop(found);
        if let Some((raw, error)) = lost {
            raw.discard();
            self.raw_lost(&error);
        }
        self.leave_out(place, judged.result);
    }

    /// The raw trace cannot be written. What the vectors say about the kernel is none the worse for it.
    fn raw_lost(&self, error: &FileError) {
        self.unkept(&format!("raw trace: {error}"));
    }

    /// Something cannot be kept beside the report.
    fn unkept(&self, why: &str) {
        self.note(&format!("not kept: {why}"));
        Fact::add_unkept(&mut self.found().facts, why);
    }

    /// Notes the outcome of kernel tracing in one guest.
    pub(super) fn followed(&self, about: &str) {
        Fact::add_kernel_trace(&mut self.found().facts, about);
    }

    /// A guest of that number takes vectors.
    pub(super) fn takes(&self, guest: usize) {
        let mut found = self.found();
        found.guests = found.guests.max(guest);
    }

    /// A guest was lost in a vector that states it.
    pub(super) fn lost_as_stated(&self, (place, vector): (usize, &Vector), stated: Stated<'_>, loss: Loss) {
        let (whose, text) = match stated.of {
            Some(release) => (
                format!(" of {release}"),
                format!("{}\n  stated of {release}, whose goldens hold for this kernel", loss.text),
            ),
            None => (String::new(), loss.text),
        };
        self.note(&format!("guest lost in {}, as stated{whose}: {}", vector.id, first_line(&text)));
        self.leave_out(place, VectorResult::without(&vector.id, Outcome::Lost(text)));
    }

    /// A guest was lost in a vector. How many were by now.
    pub(super) fn lost(&self, guest: usize, (place, vector): (usize, &Vector), loss: Loss) -> usize {
        let text = &loss.text;
        let name = if guest == 1 { "guest".to_owned() } else { format!("guest {guest}") };
        let article = if guest == 1 { "the " } else { "" };
        let otherwise: String = self
            .cell
            .losses(vector)
            .iter()
            .map(|stated| format!("; what the vector states is another loss: {stated}"))
            .collect();
        let reason = format!("{article}{name} was lost in it: {text}{otherwise}");
        self.leave_out(place, VectorResult::without(&vector.id, Outcome::Inconclusive(reason)));
        self.note(&format!("{name} lost in {}: {text}", vector.id));
        let mut found = self.found();
        found.losses.push(LostGuest { vector: vector.id.clone(), loss });
        found.losses.len()
    }

    /// Notes that a guest has run its share.
    pub(super) fn finished(&self, finish: Finish) {
        self.found().finish.join(finish);
    }

    /// Stops the cell for this reason; the first reason counts.
    pub(super) fn end(&self, status: CellStatus) {
        self.found().end.get_or_insert(status);
    }

    /// A worker leaves, whose guests took so long together.
    pub(super) fn leave(&self, guest_time: Duration) {
        self.found().guest_time += guest_time;
    }

    /// The result, when the last worker has left. `left` are the vectors that none ran.
    pub(super) fn result(
        &self,
        left: impl IntoIterator<Item = (usize, &'a Vector)>,
    ) -> Result<CellResult, FileError> {
        for (place, vector) in left {
            let reason = "the guest was lost before its turn".to_owned();
            self.leave_out(place, VectorResult::without(&vector.id, Outcome::NotRun(reason)));
        }
        let raw = self.found().raw.take();
        if let Some(Err(error)) = raw.map(RawFile::finish) {
            self.raw_lost(&error);
        }
        let mut found = self.found();
        let mut vectors = std::mem::take(&mut found.vectors);
        vectors.sort_by_key(|(place, _)| *place);
        let mut result = CellResult {
            cell: self.cell.clone(),
            status: CellStatus::Passed,
            fallbacks: found.fallbacks,
            losses: std::mem::take(&mut found.losses),
            complaints: found.finish.console.clone(),
            facts: std::mem::take(&mut found.facts),
            vectors: vectors.into_iter().map(|(_, result)| result).collect(),
            recorded: std::mem::take(&mut found.recorded).into_iter().collect(),
            duration: Duration::ZERO,
            guest_time: found.guest_time,
        };
        let this_kernel = |vector: &VectorResult| vector.standing == Some(Standing::ThisKernel);
        if result.cell.soft == Some(Soft::NeverObserved) && result.vectors.iter().any(this_kernel) {
            // It was, under another name.
            result.cell.soft = None;
        }
        if found.guests > 1 {
            result.facts.push(Fact::Guests(found.guests));
        }
        let finish = std::mem::take(&mut found.finish);
        result.status = match found.end.take() {
            Some(end) => end,
            None => self.all_ran(&finish, &mut result),
        };
        if let Some(about) = result.about_losses() {
            result.status = CellStatus::GuestFailed(match result.status.failure() {
                Some((_, reason)) if !reason.is_empty() => format!("{about}; then {reason}"),
                _ => about,
            });
        }
        result.duration = self.began.elapsed();
        Ok(result)
    }

    /// Adds the remaining facts when every vector has run.
    fn all_ran(&self, finish: &Finish, result: &mut CellResult) -> CellStatus {
        result.facts.extend(finish.report_facts());
        if let Some(text) = &finish.note() {
            self.note(text);
        }
        let complaints = finish.all_complaints();
        if complaints.is_empty() && !finish.console.is_empty() {
            // Whose they are is told when it is known what the stock code says.
            return CellStatus::GuestFailed(told(&finish.console));
        }
        if complaints.is_empty() {
            // What the lost ones lack is told with their guests.
            let lost = |vector: &VectorResult| result.losses.iter().any(|lost| lost.vector == vector.id);
            let others: Vec<_> = result.vectors.iter().filter(|vector| !lost(vector)).cloned().collect();
            return CellResult::status_of(&others);
        }
        let kernels = finish.console.iter().map(|complaint| complaint.text.clone());
        let complaints = complaints.into_iter().chain(kernels).collect::<Vec<_>>().join("; ");
        match self.cell.module {
            ModuleKind::Rust => CellStatus::ModuleFailed(complaints),
            ModuleKind::Stock => CellStatus::GuestFailed(complaints),
        }
    }

    /// Never held while somebody hears an event.
    fn found(&self) -> MutexGuard<'_, Found> {
        // A holder that panicked leaves what it guards as it was; the panic itself ends the run.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
