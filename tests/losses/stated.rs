// SPDX-License-Identifier: BSD-2-Clause
//! Vectors that state how they lose their guest: which outcomes are failures, and the cost of each. The simulator plays
//! the guests.

use std::path::Path;
use std::sync::{Arc, Mutex};

use nlproof::matrix::{Cell, CellResult, CellStatus, Outcome};
use nlproof::targets::{Facts, Loss, SimTarget, Target, TargetError};
use nlproof::vector::{Vector, load_vector};
use nlproof_agent::{Batch, Record};

use crate::engine::{cell, run_side_by_side, vectors};

/// What a guest runs that does not live through vectors whose name begins with `stated`.
struct Guest {
    sim: SimTarget,
    loss: Option<Loss>,
    /// The guest dies when such a vector is over, as its jail is removed.
    late: bool,
    /// The programs of each guest, in the order in which they were begun.
    ran: Arc<Mutex<Vec<Vec<String>>>>,
    number: usize,
}

impl Target for Guest {
    fn facts(&self) -> &Facts {
        self.sim.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let begun = self.ran.lock().unwrap()[self.number].last().cloned();
        if let Some(loss) = self.loss.as_ref().filter(|_| self.late && batch.programs.is_empty()) {
            assert!(begun.is_some_and(|name| name.contains("stated")));
            return Err(TargetError::Guest(loss.clone()));
        }
        for program in &batch.programs {
            self.ran.lock().unwrap()[self.number].push(program.name.clone());
            match &self.loss {
                Some(loss) if program.name.contains("stated") && !self.late => {
                    return Err(TargetError::Guest(loss.clone()));
                }
                _ => self.sim.run(&Batch { programs: vec![program.clone()] }, on_record)?,
            }
        }
        Ok(())
    }
}

/// Two vectors that state a loss, among some of a suite.
fn mixed(directory: &Path) -> Vec<Vector> {
    let mut all: Vec<_> = vectors("limits").into_iter().take(6).collect();
    for (place, name) in [(0, "stated-a"), (4, "stated-b")] {
        let path = directory.join(format!("{name}.yaml"));
        let text = "about: x\nloses:\n\
            - {kernels: [14.0-STABLE], module: stock, kind: panicked, says: page fault, calls: [rtnl_b, rtnl_c], because: y}\n\
            steps:\n- send: {message: getlink, flags: [request, dump]}\n";
        std::fs::write(&path, text).unwrap();
        all.insert(place, load_vector(directory, &path).unwrap());
    }
    all
}

/// One in these calls, `a < b`.
fn loss(kind: &str, says: &str, calls: &str) -> Loss {
    Loss {
        kind: kind.into(),
        fingerprint: format!("{says} | {calls}"),
        calls: calls.split(" < ").map(str::to_owned).collect(),
        text: "panic: page fault\n| db>".into(),
    }
}

/// What becomes of the cell, what was noted, and which programs each guest began.
fn run(cell: &Cell, loss: Option<&Loss>, jobs: usize) -> (CellResult, Vec<String>, Vec<Vec<String>>) {
    run_guests(cell, loss, false, jobs)
}

fn run_guests(
    cell: &Cell,
    loss: Option<&Loss>,
    late: bool,
    jobs: usize,
) -> (CellResult, Vec<String>, Vec<Vec<String>>) {
    let directory = tempfile::tempdir().unwrap();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (result, notes) = run_side_by_side(jobs, cell, &mixed(directory.path()), &|request, _| {
        let mut guests = ran.lock().unwrap();
        guests.push(Vec::new());
        let number = guests.len() - 1;
        let sim = SimTarget::new(request.cell.profile);
        Ok(Box::new(Guest { sim, loss: loss.cloned(), late, ran: Arc::clone(&ran), number }))
    });
    let ran = ran.lock().unwrap().clone();
    (result, notes, ran)
}

fn of<'r>(result: &'r CellResult, vector: &str) -> &'r Outcome {
    &result.vectors.iter().find(|result| result.id == vector).unwrap().outcome
}

const STOCK: &str = "freebsd/14.0-STABLE/stock";

#[test]
fn a_stated_loss_is_no_failure_and_takes_a_guest_of_its_own() {
    let died = loss("panicked", "page fault", "rtnl_a < rtnl_b < rtnl_c < nl_taskqueue_handler");
    let (result, notes, ran) = run(&cell(STOCK), Some(&died), 1);
    assert_eq!(result.status, CellStatus::Passed, "{result:?}");
    let counts = result.counts();
    assert_eq!((counts.passed, counts.lost, result.losses.len()), (6, 2, 0));
    assert_eq!(of(&result, "stated-a"), &Outcome::Lost("panic: page fault\n| db>".into()));
    assert!(notes.contains(&"guest lost in stated-b, as stated: panic: page fault".to_owned()), "{notes:?}");
    // Each of the two first, then the others together.
    assert_eq!(ran.len(), 3, "{ran:?}");
    assert_eq!(ran[..2], [["stated-a"], ["stated-b"]]);
    assert_eq!(ran[2].len(), 6, "{ran:?}");
    // The results stand in the order of the vectors.
    assert_eq!(result.vectors[0].id, "stated-a");
}

#[test]
fn a_loss_after_the_vectors_end_is_the_stated_one_too() {
    let died = loss("panicked", "page fault", "rtnl_b < rtnl_c");
    let (result, _, ran) = run_guests(&cell(STOCK), Some(&died), true, 1);
    assert_eq!(result.status, CellStatus::Passed, "{result:?}");
    assert_eq!((result.counts().lost, ran.len()), (2, 3));
}

#[test]
fn a_guest_that_lives_through_a_stated_loss_is_a_failure_and_goes_on_with_the_next() {
    let (result, _, ran) = run(&cell(STOCK), None, 1);
    assert_eq!(result.status, CellStatus::Failed);
    let Outcome::Survived(what) = of(&result, "stated-a") else { panic!("{result:?}") };
    assert!(
        what.starts_with("the guest was to be lost in it (panicked in rtnl_b < rtnl_c: y), and lives; "),
        "{what}"
    );
    assert!(what.contains("take the release out of `loses`"), "{what}");
    assert_eq!((result.counts().failed, result.counts().passed), (2, 6));
    // The others do not run in a guest in which that was tried.
    assert_eq!(ran[..1], [["stated-a", "stated-b"]]);
    assert_eq!((ran.len(), ran[1].len()), (2, 6), "{ran:?}");
}

#[test]
fn another_loss_than_the_stated_one_is_a_lost_guest() {
    for other in [
        loss("hung", "page fault", "rtnl_b < rtnl_c"),
        loss("panicked", "privileged instruction fault", "rtnl_b < rtnl_c"),
        loss("panicked", "page fault", "rtnl_c < rtnl_b"),
        loss("panicked", "page fault", "rtnl_b"),
    ] {
        let (result, _, _) = run(&cell(STOCK), Some(&other), 1);
        assert!(matches!(result.status, CellStatus::GuestFailed(_)), "{:?}", result.status);
        assert_eq!(result.losses.len(), 2);
        let Outcome::Inconclusive(reason) = of(&result, "stated-a") else { panic!("{result:?}") };
        let ends = "what the vector states is another loss: panicked in rtnl_b < rtnl_c: y";
        assert!(reason.ends_with(ends), "{reason}");
    }
}

#[test]
fn a_kernel_of_which_nothing_is_stated_is_lost_as_any_other() {
    let died = loss("panicked", "page fault", "rtnl_b < rtnl_c");
    for name in ["freebsd/14.0-STABLE/rust", "freebsd/15.1-RELEASE/stock"] {
        let (result, _, ran) = run(&cell(name), Some(&died), 1);
        assert!(matches!(result.status, CellStatus::GuestFailed(_)), "{:?}", result.status);
        assert_eq!((result.losses.len(), result.counts().inconclusive), (2, 2));
        // It may be lost there too: it is run apart.
        assert_eq!(ran[..2], [["stated-a"], ["stated-b"]]);
    }
}

#[test]
fn guests_side_by_side_leave_the_stated_losses_to_fresh_ones() {
    let died = loss("panicked", "page fault", "rtnl_b < rtnl_c");
    let (result, _, ran) = run(&cell(STOCK), Some(&died), 2);
    assert_eq!(result.status, CellStatus::Passed, "{result:?}");
    assert_eq!(result.counts().lost, 2);
    for guest in ran.iter().filter(|guest| guest.iter().any(|name| name.contains("stated"))) {
        assert_eq!(guest.len(), 1, "{ran:?}");
    }
}

#[test]
fn a_kernel_of_their_kin_may_be_lost_as_stated_and_need_not_be() {
    let kin = vec!["14.0-STABLE".parse().unwrap()];
    let own = Cell { release: Some("14.0-STABLE+mine".parse().unwrap()), kin, ..cell(STOCK) };
    let died = loss("panicked", "page fault", "rtnl_b < rtnl_c");
    let (result, notes, _) = run(&own, Some(&died), 1);
    assert_eq!(result.status, CellStatus::Passed, "{result:?}");
    assert_eq!((result.counts().lost, result.losses.len()), (2, 0));
    let told = "panic: page fault\n| db>\n  stated of 14.0-STABLE, whose goldens hold for this kernel";
    assert_eq!(of(&result, "stated-a"), &Outcome::Lost(told.into()));
    let noted = "guest lost in stated-b, as stated of 14.0-STABLE: panic: page fault";
    assert!(notes.contains(&noted.to_owned()), "{notes:?}");
    // A kernel that lives is held to the golden: there is none.
    let (result, _, _) = run(&own, None, 1);
    assert_eq!(of(&result, "stated-a"), &Outcome::NoGolden);
    // What is stated of the module's code does not hold for the stock code, nor the other way round.
    let rust =
        Cell { kin: own.kin.clone(), release: own.release.clone(), ..cell("freebsd/14.0-STABLE/rust") };
    let (result, _, _) = run(&rust, Some(&died), 1);
    assert!(matches!(result.status, CellStatus::GuestFailed(_)), "{:?}", result.status);
    let other = loss("panicked", "page fault", "rtnl_x");
    let (result, _, _) = run(&own, Some(&other), 1);
    let Outcome::Inconclusive(reason) = of(&result, "stated-a") else { panic!("{result:?}") };
    assert!(
        reason.contains("another loss: of 14.0-STABLE, whose goldens hold here: panicked in"),
        "{reason}"
    );
}
