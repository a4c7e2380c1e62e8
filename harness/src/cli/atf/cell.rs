// SPDX-License-Identifier: BSD-2-Clause
//! The tests in one cell. What was run is kept, however it ends.

use std::time::Instant;

use super::guest::{copy_of, install, list, run as run_case};
use super::script::Listed;
use super::tests::{Suite, Tests};
use crate::atf::{CaseRun, Complained, Failure, Needs, Outcome, Run, Selected};
use crate::cli::targets::Targets;
use crate::guest::CopyIn;
use crate::matrix::{Cell, Event, GuestRequest};
use crate::report::Screen;
use crate::targets::{Fact, Finish, FreebsdTarget, OpenError, Target as _, TargetError};

/// Guests that a cell may lose before it is given up.
const LOST: usize = 10;

/// Runs the tests of a cell.
pub(super) fn run(targets: &Targets, cell: &Cell, suite: &Suite, factor: f64) -> Run {
    let empty = Run::new(cell.name(), cell.release_or_profile(), cell.module.to_string());
    let tests = match suite {
        Suite::There(tests) => tests,
        Suite::Missing { reason, remedy } => {
            return Run { failure: Some(not_run(reason, remedy)), ..empty };
        }
    };
    let run = Run { tests_sha256: tests.sha256.clone(), ..empty };
    let mut screen = Screen::new(crate::cli::test_matrix::is_ci());
    let mut session = Session {
        targets,
        cell,
        tests,
        factor,
        screen: &mut screen,
        guest: None,
        copy: None,
        lost: 0,
        finish: Finish::default(),
        run,
    };
    match session.all() {
        Ok(()) => {}
        Err(Stop::Interrupted) => session.run.interrupted = true,
        Err(Stop::Failed(failure)) => session.run.failure = Some(failure),
    }
    let run = session.closed();
    screen.finish();
    run
}

fn not_run(reason: &str, remedy: &str) -> Failure {
    Failure::NotRun(format!("not run: {reason}\nto run it: {remedy}"))
}

/// Why a cell came to an early end.
enum Stop {
    Interrupted,
    Failed(Failure),
}

/// What one request of a guest came to.
enum Asked<T> {
    /// This.
    Answered(T),
    /// The guest was lost, in these words.
    Lost(String),
}

struct Session<'a> {
    targets: &'a Targets,
    cell: &'a Cell,
    tests: &'a Tests,
    factor: f64,
    screen: &'a mut Screen,
    guest: Option<FreebsdTarget>,
    copy: Option<CopyIn>,
    lost: usize,
    /// What the guests that came to their end left behind.
    finish: Finish,
    run: Run,
}

impl Session<'_> {
    fn all(&mut self) -> Result<(), Stop> {
        for (number, selected) in self.tests.programs.iter().enumerate() {
            let place = format!("{}/{} {}", number + 1, self.tests.programs.len(), selected.program.path);
            self.program(&place, selected)?;
        }
        Ok(())
    }

    fn program(&mut self, place: &str, selected: &Selected) -> Result<(), Stop> {
        let program = &selected.program;
        self.stage(place);
        let none = std::collections::BTreeMap::new();
        let needs = Needs::of(&program.metadata, &none);
        let listed = match &needs.unmet {
            Some(reason) => Listed::Unknown(Outcome::NotRun(reason.clone())),
            None => match self.ask(|guest| list(guest, program, &needs))? {
                Asked::Answered(listed) => listed,
                Asked::Lost(how) => Listed::Unknown(Outcome::GuestLost(how)),
            },
        };
        let cases = match listed {
            Listed::Cases(cases) => cases,
            Listed::Unknown(outcome) => {
                self.keep(program.path.clone(), outcome, Instant::now(), String::new());
                return Ok(());
            }
        };
        for wanted in &selected.cases {
            if cases.iter().all(|case| case.ident != *wanted) {
                let outcome = Outcome::NotRun("the program has no such case".into());
                self.keep(format!("{}:{wanted}", program.path), outcome, Instant::now(), String::new());
            }
        }
        for case in cases {
            if !selected.cases.is_empty() && !selected.cases.contains(&case.ident) {
                continue;
            }
            let name = format!("{}:{}", program.path, case.ident);
            let needs = Needs::of(&program.metadata, &case.metadata);
            if let Screen::Live(_) = self.screen {
                self.stage(&format!("{place}:{}", case.ident));
            }
            let began = Instant::now();
            let (outcome, said) = match &needs.unmet {
                Some(reason) => (Outcome::NotRun(reason.clone()), String::new()),
                None => {
                    let factor = self.factor;
                    match self.ask(|guest| run_case(guest, program, &case.ident, &needs, factor))? {
                        Asked::Answered(answer) => answer,
                        Asked::Lost(how) => (Outcome::GuestLost(how), String::new()),
                    }
                }
            };
            self.keep(name, outcome, began, said);
        }
        Ok(())
    }

    fn stage(&mut self, stage: &str) {
        self.screen.consume(&Event::Stage { cell: self.cell, stage, bytes: None });
    }

    fn keep(&mut self, name: String, outcome: Outcome, began: Instant, said: String) {
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.run.cases.push(CaseRun { name, outcome, duration_ms, said });
    }

    /// Asks the guest, which is started if there is none.
    fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut FreebsdTarget) -> Result<T, TargetError>,
    ) -> Result<Asked<T>, Stop> {
        let mut guest = match self.guest.take() {
            Some(guest) => guest,
            None => self.open()?,
        };
        match question(&mut guest) {
            Ok(answer) => {
                self.guest = Some(guest);
                Ok(Asked::Answered(answer))
            }
            Err(TargetError::Interrupted) => Err(Stop::Interrupted),
            Err(error) => {
                let how = match &error {
                    TargetError::Guest(loss) => format!("{}: {}", loss.kind, loss.text),
                    error => error.to_string(),
                };
                self.lost += 1;
                if self.lost > LOST {
                    let failure = format!("{LOST} guests were lost; the last one: {how}");
                    return Err(Stop::Failed(Failure::Guest(failure)));
                }
                Ok(Asked::Lost(how))
            }
        }
    }

    fn open(&mut self) -> Result<FreebsdTarget, Stop> {
        let (cell, screen) = (self.cell, &mut *self.screen);
        let targets = self.targets.clone().with_room_for(self.tests.bytes * 2);
        let request = GuestRequest { number: self.lost + 1, ..GuestRequest::first(cell) };
        let opened = targets
            .open_freebsd(request, &mut |stage, bytes| screen.consume(&Event::Stage { cell, stage, bytes }));
        let mut guest = opened.map_err(|error| match error {
            OpenError::Interrupted => Stop::Interrupted,
            OpenError::Unavailable { reason, remedy } => Stop::Failed(not_run(&reason, &remedy)),
            OpenError::Build(cause) => Stop::Failed(Failure::Build(cause.to_string())),
            OpenError::Refused(cause) => Stop::Failed(Failure::Verification(cause.to_string())),
            error @ (OpenError::Load(_) | OpenError::Guest(_)) => {
                Stop::Failed(Failure::Guest(error.to_string()))
            }
        })?;
        self.run.kernel_sha256 = Fact::kernel_sha256(&guest.facts().known).map(str::to_owned);
        self.stage("unpack tests.txz");
        let copy = match self.copy.take() {
            Some(copy) => Ok(copy),
            None => copy_of(self.tests),
        };
        let installed = copy.and_then(|copy| {
            install(&mut guest, self.tests, &copy)?;
            Ok(copy)
        });
        match installed {
            Ok(copy) => {
                self.copy = Some(copy);
                Ok(guest)
            }
            Err(TargetError::Interrupted) => Err(Stop::Interrupted),
            Err(error) => Err(Stop::Failed(Failure::Guest(error.to_string()))),
        }
    }

    /// The run, with what its last guest left behind.
    fn closed(mut self) -> Run {
        if let Some(mut guest) = self.guest.take() {
            self.finish.join(guest.finish());
        }
        let Finish { counters, complaints, console, .. } = self.finish;
        self.run.asked = counters.get("requests").copied();
        self.run.complaints = console
            .into_iter()
            .map(|one| Complained { text: one.text, fingerprint: one.fingerprint })
            .chain(complaints.into_iter().map(|text| Complained { fingerprint: text.clone(), text }))
            .collect();
        self.run
    }
}
