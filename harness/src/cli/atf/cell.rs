// SPDX-License-Identifier: BSD-2-Clause
//! The tests in the guests of one cell.

use super::guest::{copy_of, install, list, run as run_case};
use super::script::Listed;
use super::session::{Guest, Guests, Session, Stop};
use super::tests::{Suite, Tests};
use crate::atf::{AbsentDirectory, CaseRun, Failure, Needs, Outcome, Run, TestProgram};
use crate::cli::targets::Targets;
use crate::guest::CopyIn;
use crate::matrix::{Cell, Event, GuestRequest};
use crate::report::Screen;
use crate::targets::{Fact, Finish, FreebsdTarget, OnStage, OpenError, Target as _, TargetError};

/// Runs the tests of a cell.
pub(super) fn run(targets: &Targets, cell: &Cell, suite: &Suite, factor: f64) -> Run {
    let empty = Run::new(cell.name(), cell.release_or_profile(), cell.module.to_string());
    let tests = match suite {
        Suite::There(tests) => tests,
        Suite::Missing { reason, remedy } => {
            return Run { failure: Some(not_run(reason, remedy)), ..empty };
        }
    };
    let cases = tests.selection.absent.iter().map(unknown).collect();
    let run = Run { tests_sha256: tests.sha256.clone(), cases, ..empty };
    let mut screen = Screen::new(crate::cli::test_matrix::is_ci());
    let watched = matches!(screen, Screen::Live(_));
    let mut guests = CellGuests { targets, cell, tests, factor, copy: None };
    let mut on_stage = |stage: &str, bytes| screen.consume(&Event::Stage { cell, stage, bytes });
    let run = Session::new(run, &mut guests, &mut on_stage).of(&tests.selection.programs, watched);
    screen.finish();
    run
}

/// What becomes of a directory that is included and of which the archive says nothing: nobody knows its cases.
fn unknown(directory: &AbsentDirectory) -> CaseRun {
    let outcome = Outcome::NotRun(directory.reason());
    CaseRun { name: directory.path.clone(), outcome, duration_ms: 0, said: String::new() }
}

fn not_run(reason: &str, remedy: &str) -> Failure {
    Failure::NotRun(format!("not run: {reason}\nto run it: {remedy}"))
}

/// The guests of a cell.
struct CellGuests<'a> {
    targets: &'a Targets,
    cell: &'a Cell,
    tests: &'a Tests,
    factor: f64,
    copy: Option<CopyIn>,
}

impl Guests for CellGuests<'_> {
    fn open(
        &mut self,
        number: usize,
        run: &mut Run,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Box<dyn Guest>, Stop> {
        let targets = self.targets.clone().with_room_for(self.tests.bytes * 2);
        let request = GuestRequest { number, ..GuestRequest::first(self.cell) };
        let mut target = targets.open_freebsd(request, on_stage).map_err(|error| match error {
            OpenError::Interrupted => Stop::Interrupted,
            OpenError::Unavailable { reason, remedy } => Stop::Failed(not_run(&reason, &remedy)),
            OpenError::Build(cause) => Stop::Failed(Failure::Build(cause.to_string())),
            OpenError::Refused(cause) => Stop::Failed(Failure::Verification(cause.to_string())),
            error @ (OpenError::Load(_) | OpenError::Guest(_)) => {
                Stop::Failed(Failure::Guest(error.to_string()))
            }
        })?;
        run.kernel_sha256 = Fact::kernel_sha256(&target.facts().known).map(str::to_owned);
        on_stage("unpack tests.txz", None);
        let tests = self.tests;
        let installed = self.copy().and_then(|copy| install(&mut target, tests, copy));
        match installed {
            Ok(()) => Ok(Box::new(CellGuest { target, factor: self.factor })),
            Err(TargetError::Interrupted) => Err(Stop::Interrupted),
            Err(error) => Err(Stop::Failed(Failure::Guest(error.to_string()))),
        }
    }
}

impl CellGuests<'_> {
    /// The copy of the archive, which is read once.
    fn copy(&mut self) -> Result<&CopyIn, TargetError> {
        let copy = match self.copy.take() {
            Some(copy) => copy,
            None => copy_of(self.tests)?,
        };
        Ok(self.copy.insert(copy))
    }
}

/// A guest with the tests.
struct CellGuest {
    target: FreebsdTarget,
    factor: f64,
}

impl Guest for CellGuest {
    fn list(&mut self, program: &TestProgram, needs: &Needs) -> Result<Listed, TargetError> {
        list(&mut self.target, program, needs)
    }

    fn run(
        &mut self,
        program: &TestProgram,
        case: &str,
        needs: &Needs,
    ) -> Result<(Outcome, String), TargetError> {
        run_case(&mut self.target, program, case, needs, self.factor)
    }

    fn overheard(&mut self) -> Finish {
        self.target.overheard()
    }

    fn finish(&mut self) -> Finish {
        self.target.finish()
    }
}
