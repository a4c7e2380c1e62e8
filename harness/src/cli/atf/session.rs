// SPDX-License-Identifier: BSD-2-Clause
//! The cases of a cell one after the other, in as many guests as that takes. What was run, and what the kernels complained
//! of meanwhile, is kept however it ends.

use std::collections::BTreeMap;
use std::time::Instant;

use super::script::Listed;
use crate::atf::{CaseRun, Complained, Failure, Needs, Outcome, Run, Selected, TestProgram};
use crate::targets::{Complaint, Finish, OnStage, TargetError};

/// Guests that a cell may lose before it is given up.
pub(super) const LOST: usize = 10;

/// Why a cell came to an early end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The user interrupted.
    Interrupted,
    /// This.
    Failed(Failure),
}

/// A guest that has the tests.
pub(super) trait Guest {
    /// Asks a program for its cases.
    fn list(&mut self, program: &TestProgram, needs: &Needs) -> Result<Listed, TargetError>;

    /// Runs a case: its outcome, and its last words if it ended badly.
    fn run(
        &mut self,
        program: &TestProgram,
        case: &str,
        needs: &Needs,
    ) -> Result<(Outcome, String), TargetError>;

    /// What its console says up to now. It asks nothing of the guest, which may be gone.
    fn overheard(&mut self) -> Finish;

    /// What it leaves behind at its end.
    fn finish(&mut self) -> Finish;
}

/// Where guests come from.
pub(super) trait Guests {
    /// Starts the guest of this number, and puts the tests into it. What is known of it goes into `run`.
    fn open(
        &mut self,
        number: usize,
        run: &mut Run,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Box<dyn Guest>, Stop>;
}

/// What one request of a guest came to.
enum Asked<T> {
    /// This.
    Answered(T),
    /// The guest was lost, in these words.
    Lost(String),
}

/// The run of a cell's tests.
pub(super) struct Session<'a> {
    guests: &'a mut dyn Guests,
    on_stage: &'a mut OnStage<'a>,
    guest: Option<Box<dyn Guest>>,
    lost: usize,
    /// What the guests left behind.
    finish: Finish,
    run: Run,
}

impl<'a> Session<'a> {
    /// A run of which only the cell is known yet.
    pub(super) fn new(run: Run, guests: &'a mut dyn Guests, on_stage: &'a mut OnStage<'a>) -> Self {
        Self { guests, on_stage, guest: None, lost: 0, finish: Finish::default(), run }
    }

    /// Runs these programs; each case is a stage of its own if somebody watches. The run, however it ended.
    pub(super) fn of(mut self, programs: &[Selected], watched: bool) -> Run {
        match self.all(programs, watched) {
            Ok(()) => {}
            Err(Stop::Interrupted) => self.run.interrupted = true,
            Err(Stop::Failed(failure)) => self.run.failure = Some(failure),
        }
        self.closed()
    }

    fn all(&mut self, programs: &[Selected], watched: bool) -> Result<(), Stop> {
        for (number, selected) in programs.iter().enumerate() {
            let place = format!("{}/{} {}", number + 1, programs.len(), selected.program.path);
            self.program(&place, selected, watched)?;
        }
        Ok(())
    }

    fn program(&mut self, place: &str, selected: &Selected, watched: bool) -> Result<(), Stop> {
        let program = &selected.program;
        (self.on_stage)(place, None);
        let needs = Needs::of(&program.metadata, &BTreeMap::new());
        let listed = match &needs.unmet {
            Some(reason) => Listed::Unknown(Outcome::NotRun(reason.clone())),
            None => match self.ask(|guest| guest.list(program, &needs))? {
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
            if watched {
                (self.on_stage)(&format!("{place}:{}", case.ident), None);
            }
            let began = Instant::now();
            let (outcome, said) = match &needs.unmet {
                Some(reason) => (Outcome::NotRun(reason.clone()), String::new()),
                None => match self.ask(|guest| guest.run(program, &case.ident, &needs))? {
                    Asked::Answered(answer) => answer,
                    Asked::Lost(how) => (Outcome::GuestLost(how), String::new()),
                },
            };
            self.keep(name, outcome, began, said);
        }
        Ok(())
    }

    fn keep(&mut self, name: String, outcome: Outcome, began: Instant, said: String) {
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.run.cases.push(CaseRun { name, outcome, duration_ms, said });
    }

    /// Asks the guest, which is started if there is none.
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut dyn Guest) -> Result<T, TargetError>,
    ) -> Result<Asked<T>, Stop> {
        let mut guest = match self.guest.take() {
            Some(guest) => guest,
            None => self.guests.open(self.lost + 1, &mut self.run, self.on_stage)?,
        };
        let error = match question(guest.as_mut()) {
            Ok(answer) => {
                self.guest = Some(guest);
                return Ok(Asked::Answered(answer));
            }
            Err(error) => error,
        };
        let how = match &error {
            TargetError::Interrupted => None,
            TargetError::Guest(loss) => Some(format!("{}: {}", loss.kind, loss.text)),
            error => Some(error.to_string()),
        };
        // Whatever earlier cases did to it would go with the guest.
        self.finish.join(without(guest.overheard(), how.as_deref().unwrap_or_default()));
        let how = how.ok_or(Stop::Interrupted)?;
        self.lost += 1;
        if self.lost > LOST {
            let failure = format!("{LOST} guests were lost; the last one: {how}");
            return Err(Stop::Failed(Failure::Guest(failure)));
        }
        Ok(Asked::Lost(how))
    }

    /// The run, with what its guests left behind.
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

/// What was overheard, without what the loss of the guest tells itself: a panic is the case's, and is told once.
fn without(overheard: Finish, loss: &str) -> Finish {
    // The console's own words stand behind who says them.
    let is_told = |text: &str| {
        let mut lines = loss.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.any(|line| text.ends_with(&format!(": {line}")))
    };
    let console = overheard.console.into_iter().filter(|one: &Complaint| !is_told(&one.text)).collect();
    let complaints = overheard.complaints.into_iter().filter(|text| !is_told(text)).collect();
    Finish { console, complaints, ..overheard }
}

#[cfg(test)]
mod session_tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::atf::{Interface, ListedCase};
    use crate::targets::Loss;

    /// Guests that do what the names of cases say, and write down what was asked.
    #[derive(Default)]
    struct Played {
        opened: Rc<RefCell<Vec<usize>>>,
        /// The guest of this number cannot be started.
        none: Option<usize>,
    }

    struct PlayedGuest {
        said: Vec<String>,
    }

    fn complaints(said: &[String]) -> Finish {
        let console = said
            .iter()
            .map(|text| Complaint { text: format!("the console says: {text}"), fingerprint: text.clone() });
        Finish { console: console.collect(), ..Finish::default() }
    }

    impl Guest for PlayedGuest {
        fn list(&mut self, program: &TestProgram, _: &Needs) -> Result<Listed, TargetError> {
            let idents = program.path.rsplit('/').next().unwrap().split('-');
            let case = |ident: &str| ListedCase { ident: ident.to_owned(), metadata: BTreeMap::new() };
            Ok(Listed::Cases(idents.map(case).collect()))
        }

        fn run(&mut self, _: &TestProgram, case: &str, _: &Needs) -> Result<(Outcome, String), TargetError> {
            match case {
                "reversal" => self.said.push("lock order reversal: a b".into()),
                "panic" => {
                    self.said.push("panic: oops".into());
                    let text = "the guest's kernel panicked\n  panic: oops\n".into();
                    let loss = Loss { kind: "panic".into(), fingerprint: "p".into(), calls: vec![], text };
                    return Err(TargetError::Guest(loss));
                }
                "interrupt" => return Err(TargetError::Interrupted),
                _ => {}
            }
            Ok((Outcome::Passed, String::new()))
        }

        fn overheard(&mut self) -> Finish {
            complaints(&self.said)
        }

        fn finish(&mut self) -> Finish {
            Finish { counters: BTreeMap::from([("requests".to_owned(), 7)]), ..complaints(&self.said) }
        }
    }

    impl Guests for Played {
        fn open(&mut self, number: usize, _: &mut Run, _: &mut OnStage<'_>) -> Result<Box<dyn Guest>, Stop> {
            self.opened.borrow_mut().push(number);
            match self.none == Some(number) {
                true => Err(Stop::Failed(Failure::Guest("no guest".into()))),
                false => Ok(Box::new(PlayedGuest { said: Vec::new() })),
            }
        }
    }

    fn play(guests: &mut Played, cases: &str) -> Run {
        let path = format!("sys/net/{cases}");
        let program = TestProgram { path, interface: Interface::Atf, metadata: BTreeMap::new() };
        let run = Run::new("freebsd/x/rust".into(), "x".into(), "rust".into());
        let (programs, mut on_stage) = ([Selected { program, cases: vec![] }], |_: &str, _| ());
        Session::new(run, guests, &mut on_stage).of(&programs, false)
    }

    fn told(run: &Run) -> (String, String) {
        let outcomes = run.cases.iter().map(|case| case.outcome.word()).collect::<Vec<_>>().join(" ");
        let complaints =
            run.complaints.iter().map(|one| one.fingerprint.as_str()).collect::<Vec<_>>().join("; ");
        (outcomes, complaints)
    }

    #[test]
    fn what_a_kernel_complained_of_before_it_died_is_told_and_its_death_once() {
        let mut guests = Played::default();
        let run = play(&mut guests, "a-reversal-panic-b");
        assert_eq!(told(&run), ("passed passed guest-lost passed".into(), "lock order reversal: a b".into()));
        assert_eq!(
            (guests.opened.borrow().as_slice(), run.asked, run.interrupted),
            (&[1, 2][..], Some(7), false)
        );
        // Nothing but the loss, which the case tells.
        let run = play(&mut Played::default(), "panic");
        assert_eq!(told(&run), ("guest-lost".into(), String::new()));
        assert!(run.cases[0].outcome.reason().contains("panic: oops"));
    }

    #[test]
    fn what_a_kernel_complained_of_before_the_user_interrupted_is_told() {
        let run = play(&mut Played::default(), "reversal-interrupt-a");
        assert_eq!(told(&run), ("passed".into(), "lock order reversal: a b".into()));
        assert!(run.interrupted && run.failure.is_none());
        assert_eq!(run.asked, None, "nobody waited for the module's counters");
        // One that comes to its end tells it too, once.
        assert_eq!(told(&play(&mut Played::default(), "reversal-a")).1, "lock order reversal: a b");
    }

    #[test]
    fn a_cell_that_loses_one_guest_after_the_other_is_given_up() {
        let mut guests = Played::default();
        let run = play(&mut guests, &["panic"; LOST + 2].join("-"));
        assert_eq!((run.cases.len(), guests.opened.borrow().len()), (LOST, LOST + 1));
        let Some(Failure::Guest(reason)) = &run.failure else { panic!("{:?}", run.failure) };
        assert!(reason.starts_with("10 guests were lost; the last one: panic: "), "{reason}");
        // What ran before a guest that cannot be started is kept.
        let run = play(&mut Played { none: Some(2), ..Played::default() }, "reversal-panic-a");
        assert_eq!(told(&run), ("passed guest-lost".into(), "lock order reversal: a b".into()));
        assert!(matches!(&run.failure, Some(Failure::Guest(reason)) if reason == "no guest"));
    }
}
