// SPDX-License-Identifier: BSD-2-Clause
//! `bench guest --phases`: where the time of restores and of vectors goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Phase};
use serde_json::{Value, json};

use super::guest::{load, measured, some_of};
use crate::cli::args::{GuestBenchArgs, ProjectArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::say;
use crate::cli::project::Project;
use crate::cli::run_times::{ms, number, numbers};
use crate::cli::targets::{Targets, lost, open_error};
use crate::matrix::{Cell, ModuleKind, TargetKind, mismatch};
use crate::stress::{Spent, Timed, middle_parts};
use crate::targets::{StartPart, Target};
use crate::vector::{Vector, compile};

/// Number of vectors that a guest is asked at a time where no network stacks wait in it.
const AT_ONCE: usize = 100;

/// What was measured.
#[derive(Default)]
struct Measured {
    /// Each start: its time, and the parts that are told apart.
    starts: Vec<(Duration, Vec<StartPart>)>,
    /// How many vectors of each suite ran, and their time.
    suites: BTreeMap<String, (u32, Spent)>,
}

pub(super) fn main(project: &ProjectArgs, args: &GuestBenchArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.kernel, std::slice::from_ref(&args.release))?;
    let release = project.subject(&args.release);
    let targets = Targets::new(&args.guest, &project)?;
    let vectors = some_of(measured(&project)?, usize::try_from(args.vectors).unwrap_or(usize::MAX));
    let name = format!("freebsd/{release}/{}", ModuleKind::Stock);
    let cell = project.cell_named(&name)?;
    let cell = cell.filter(|cell| cell.target == TargetKind::Freebsd);
    let cell = cell.ok_or_else(|| CliError::Usage(format!("there is no cell {name}")))?;
    // An image, a saved state and the accelerator are made once and are no part of this.
    drop(targets.open(&cell, &mut |_, _| ()).map_err(open_error)?);
    let mut measured = Measured::default();
    let mut left = vectors.as_slice();
    while !left.is_empty() {
        left = measured.run(&targets, &cell, left)?;
    }
    while measured.starts.len() < usize::try_from(args.restores).unwrap_or(usize::MAX) {
        drop(measured.open(&targets, &cell)?);
    }
    if args.json {
        say!("{}", measured.json(&cell.name()));
    } else {
        measured.show();
    }
    Ok(ExitCode::OK)
}

impl Measured {
    fn open(&mut self, targets: &Targets, cell: &Cell) -> Result<Box<dyn Target>, CliError> {
        let began = Instant::now();
        let target = targets.open(cell, &mut |_, _| ()).map_err(open_error)?;
        self.starts.push((began.elapsed(), target.start_parts().to_vec()));
        Ok(target)
    }

    /// Runs as many vectors as one guest takes; the others.
    fn run<'v>(
        &mut self,
        targets: &Targets,
        cell: &Cell,
        vectors: &'v [Vector],
    ) -> Result<&'v [Vector], CliError> {
        let mut target = self.open(targets, cell)?;
        let count = target.facts().stacks.unwrap_or(AT_ONCE).clamp(1, vectors.len());
        let (now, left) = vectors.split_at(count);
        let mut programs = Vec::new();
        for (id, vector) in (0..).zip(now.iter().filter(|vector| mismatch(vector, target.facts()).is_none()))
        {
            programs.push(compile(vector, target.facts().os, id)?);
        }
        let mut timed = Timed::new(target.as_mut());
        timed.run(&Batch { programs }, &mut |_| ()).map_err(lost)?;
        for spent in timed.spent() {
            self.add(spent);
        }
        Ok(left)
    }

    fn add(&mut self, spent: &Spent) {
        let suite = spent.name.split('/').next().unwrap_or_default();
        let (count, sum) = self.suites.entry(suite.to_owned()).or_default();
        *count += 1;
        sum.add(spent);
    }

    fn all(&self) -> (u32, Spent) {
        let mut all = (0, Spent::default());
        for (count, spent) in self.suites.values() {
            all.0 += count;
            all.1.add(spent);
        }
        all
    }

    /// The middle of all starts: as a whole, of each part, and what is in no part.
    fn middle_start(&self) -> (Duration, Vec<StartPart>) {
        let with_rest = |(all, parts): &(Duration, Vec<StartPart>)| {
            let told: Duration = parts.iter().map(|(_, time)| *time).sum();
            let mut parts = parts.clone();
            parts.push(("questions", all.saturating_sub(told)));
            parts.push(("all", *all));
            parts
        };
        let starts: Vec<_> = self.starts.iter().map(with_rest).collect();
        let mut parts = middle_parts(&starts);
        let all = parts.pop().map_or(Duration::ZERO, |(_, all)| all);
        (all, parts)
    }

    fn show(&self) {
        let (all, parts) = self.middle_start();
        say!("restore, middle of {}: {} ms", self.starts.len(), ms(all));
        for (name, time) in parts {
            say!("  {name:<14} {:>9}", ms(time));
        }
        let heads: String = Phase::ALL.iter().map(|phase| format!(" {:>8}", phase.name())).collect();
        say!("{:<12} {:>7} {:>8}{heads} {:>8}", "ms a vector", "vectors", "all", "transfer");
        for (suite, (count, spent)) in &self.suites {
            say!("{}", row(suite, *count, spent));
        }
        let (count, spent) = self.all();
        say!("{}", row("all", count, &spent));
        say!("load of this machine: {}", load());
    }

    fn json(&self, cell: &str) -> Value {
        let (all, parts) = self.middle_start();
        let suite = |(count, spent): &(u32, Spent)| json!({ "vectors": count, "ms": number(spent.all), "parts": numbers(&spent.parts()) });
        let suites: serde_json::Map<_, _> =
            self.suites.iter().map(|(name, it)| (name.clone(), suite(it))).collect();
        json!({
            "v": 1,
            "cell": cell,
            "restore": { "starts": self.starts.len(), "ms": number(all), "parts": numbers(&parts) },
            "suites": suites,
            "all": suite(&self.all()),
            "load": load(),
        })
    }
}

/// One line of the table: milliseconds for each vector.
fn row(name: &str, count: u32, spent: &Spent) -> String {
    let each = |time: Duration| ms(time / count.max(1));
    let parts: String = spent.parts().iter().map(|(_, time)| format!(" {:>8}", each(*time))).collect();
    format!("{name:<12} {count:>7} {:>8}{parts}", each(spent.all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn spent(name: &str, all: Duration) -> Spent {
        Spent { name: name.into(), all, ..Spent::default() }
    }

    #[test]
    fn suites_are_added_up_and_the_table_shows_one_vector() {
        let mut measured = Measured::default();
        for (name, ms) in [("link/a", 4), ("link/b", 8), ("event/a", 30)] {
            measured.add(&spent(name, MS * ms));
        }
        let (count, link) = &measured.suites["link"];
        assert_eq!(row("link", *count, link).split_whitespace().collect::<Vec<_>>(), ["link", "2", "6.00"]);
        let json = measured.json("c");
        assert_eq!((&json["all"]["vectors"], &json["all"]["ms"]), (&json!(3), &json!(42.0)));
        assert_eq!(json["suites"]["event"]["vectors"], 1);
    }

    #[test]
    fn what_is_in_no_part_of_a_start_is_shown_by_itself() {
        let starts = vec![(10 * MS, vec![("state", 7 * MS)]), (12 * MS, vec![("state", 8 * MS)])];
        let measured = Measured { starts, ..Measured::default() };
        let middle = (12 * MS, vec![("state", 8 * MS), ("questions", 4 * MS)]);
        assert_eq!(measured.middle_start(), middle);
    }
}
