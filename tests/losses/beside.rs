// SPDX-License-Identifier: BSD-2-Clause
//! Two real guests of one cell side by side, one of which is killed. Skipped by name where they cannot run.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nlproof::matrix::{CellStatus, Outcome};
use nlproof::targets::{Facts, Finish, FreebsdTarget, Start, Target, TargetError};
use nlproof_agent::{Batch, Body, Record};

use crate::engine::{cell, run_side_by_side, vectors};
use crate::real::options;

/// For the second guest to be there; only a broken engine takes that long.
const LIMIT: Duration = Duration::from_secs(120);

/// A guest that runs nothing before both have something to run; the second one is killed then.
struct Guest {
    target: FreebsdTarget,
    killed: bool,
    begun: Arc<AtomicBool>,
}

impl Target for Guest {
    fn facts(&self) -> &Facts {
        self.target.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        self.begun.fetch_or(self.killed, Ordering::SeqCst);
        let began = Instant::now();
        while !self.begun.load(Ordering::SeqCst) {
            assert!(began.elapsed() < LIMIT, "no second guest");
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = self.target.vm().pid().unwrap();
        let mut ended = 0;
        self.target.run(batch, &mut |record| {
            ended += usize::from(matches!(record.body, Body::End { .. }));
            if self.killed && ended == 3 {
                self.killed = false;
                let sent = Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
                assert!(sent.success());
            }
            on_record(record);
        })
    }

    fn finish(&mut self) -> Finish {
        self.target.finish()
    }
}

#[test]
fn a_guest_that_is_killed_beside_another_costs_one_vector() {
    let test = "a_guest_that_is_killed_beside_another_costs_one_vector";
    let directory = tempfile::tempdir().unwrap();
    let Some(options) = options(test, "14.0-STABLE", directory.path()) else { return };
    let (opened, begun) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let cell = cell("freebsd/14.0-STABLE/stock");
    let (result, notes) = run_side_by_side(2, &cell, &vectors("link"), &|request, on_stage| {
        let mut options = options.clone();
        options.console = Some(directory.path().join(format!("{}.console", request.file_name())));
        if request.restore_only {
            options.start = Start::Saved;
        }
        let killed = opened.fetch_add(1, Ordering::SeqCst) == 1;
        let target = FreebsdTarget::open(request.cell.release.as_ref().unwrap(), &options, None, on_stage)?;
        Ok(Box::new(Guest { target, killed, begun: Arc::clone(&begun) }))
    });
    let [lost] = result.losses.as_slice() else { panic!("{:?} {notes:?}", result.losses) };
    assert_eq!((lost.loss.kind.as_str(), result.fallbacks), ("qemu-failed", 0), "{}", lost.loss.text);
    assert!(matches!(result.status, CellStatus::GuestFailed(_)), "{:?}", result.status);
    for vector in &result.vectors {
        match &vector.outcome {
            Outcome::Passed => assert_ne!(vector.id, lost.vector),
            Outcome::Inconclusive(reason) => {
                assert_eq!(vector.id, lost.vector);
                assert!(reason.starts_with("guest 2 was lost in it: "), "{reason}");
            }
            other => panic!("{}: {other:?}", vector.id),
        }
    }
    for name in ["freebsd-14.0-STABLE-stock.console", "freebsd-14.0-STABLE-stock.guest2.console"] {
        let console = std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(console.contains("nlproof: ready"), "{name}: {console}");
    }
}
