// SPDX-License-Identifier: BSD-2-Clause
//! One cell whose answers are recorded. A guest that is lost costs the vector that it was lost in.

use super::disagreements::Disagreements;
use super::{Recorders, Tally};
use crate::cli::exit::CliError;
use crate::cli::out::say;
use crate::cli::targets::lost;
use crate::file::FileError;
use crate::golden::{Origin, Recorded};
use crate::ktrace::has_golden;
use crate::matrix::{Cell, LOSSES, ModuleKind, VectorRun, VectorRunError, run_vectors, stated};
use crate::targets::{Loss, Target, TargetError};
use crate::vector::Vector;

/// Opens a target of the cell.
type Open<'o> = dyn FnMut() -> Result<Box<dyn Target>, CliError> + 'o;

/// A cell whose answers are recorded.
pub(super) struct OneCell<'c, 'r> {
    cell: &'c Cell,
    pub(super) origin: Origin,
    recorders: &'c mut Recorders<'r>,
    tally: &'c mut Tally,
    pub(super) disagreements: Disagreements,
    /// The first golden that could not be read or written.
    pub(super) failed: Option<FileError>,
}

impl<'c, 'r> OneCell<'c, 'r> {
    pub(super) fn new(
        cell: &'c Cell,
        origin: Origin,
        recorders: &'c mut Recorders<'r>,
        tally: &'c mut Tally,
    ) -> Self {
        Self { cell, origin, recorders, tally, disagreements: Disagreements::default(), failed: None }
    }

    /// Records vectors in an open target: how many ended, and how it was lost, if it was.
    fn record_in(
        &mut self,
        target: &mut dyn Target,
        vectors: &[&Vector],
    ) -> Result<(usize, Option<Loss>), CliError> {
        let mut ended = 0;
        let run = run_vectors(target, vectors, &mut |vector_run| {
            ended += 1;
            self.record(&vector_run);
        });
        match run {
            Ok(()) => Ok((ended, None)),
            Err(VectorRunError::Vector(error)) => Err(error.into()),
            Err(VectorRunError::Target(TargetError::Guest(loss))) => Ok((ended, Some(loss))),
            Err(VectorRunError::Target(error)) => Err(lost(error)),
        }
    }

    /// Records vectors in one target after the other: one that is lost takes a single vector along.
    pub(super) fn record_together(
        &mut self,
        open: &mut Open<'_>,
        target: &mut Box<dyn Target>,
        vectors: &[&Vector],
    ) -> Result<(), CliError> {
        let mut left = vectors;
        for losses in 1.. {
            let (ended, loss) = self.record_in(target.as_mut(), left)?;
            let Some(loss) = loss else { break };
            let Some((vector, behind)) = left.get(ended..).and_then(<[_]>::split_first) else {
                // After the last of them.
                return Err(lost(TargetError::Guest(loss)));
            };
            self.refuse(vector, &loss);
            if losses == LOSSES || loss.is_the_hosts() {
                return Err(lost(TargetError::Guest(loss)));
            }
            left = behind;
            if left.is_empty() {
                break;
            }
            *target = open()?;
        }
        Ok(())
    }

    /// Records vectors in which some kernels are lost, each in a guest of its own: this kernel may be lost too.
    pub(super) fn record_apart(
        &mut self,
        open: &mut Open<'_>,
        target: &mut Box<dyn Target>,
        vectors: &[&Vector],
    ) -> Result<(), CliError> {
        for vector in vectors {
            if let Some(stated) = self.cell.losses(vector).iter().find(|stated| stated.of.is_none()) {
                say!("{}: {}: nothing to record: {stated}", self.cell.name(), vector.id);
                continue;
            }
            *target = open()?;
            let (_, loss) = self.record_in(target.as_mut(), &[*vector])?;
            match loss.as_ref().map(|loss| (loss, stated(self.cell, vector, loss))) {
                None => {}
                Some((_, Some(stated))) => {
                    say!("{}: {}: nothing to record: {stated}", self.cell.name(), vector.id);
                }
                Some((loss, None)) => self.refuse(vector, loss),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, vector: &Vector, loss: &Loss) {
        say!("{}: {}: not recorded: {}", self.cell.name(), vector.id, loss.text);
        self.tally.refused += 1;
    }

    fn record(&mut self, vector_run: &VectorRun<'_>) {
        let (id, name) = (&vector_run.vector.id, self.cell.name());
        // A trace with a hole in it is no knowledge about a kernel.
        if let Some((_, lossy)) = vector_run.trace.loss() {
            say!("{name}: {id}: rejected: {lossy}");
            self.tally.refused += 1;
            return;
        }
        let layers = self.cell.layers();
        // What is said comes from stock kernels; which way it takes only the module tells.
        let wire = (self.cell.module == ModuleKind::Stock)
            .then(|| self.recorders.wire.record(&layers, id, &self.origin, &vector_run.trace.to_text()));
        self.count(wire, id);
        let kernel = &vector_run.kernel;
        if !(kernel.present && has_golden(id)) {
            return;
        }
        if kernel.lost > 0 || !vector_run.violations.is_empty() {
            say!("{name}: {id}: rejected: the kernel trace is not whole or breaks a rule");
            self.tally.refused += 1;
            return;
        }
        let kernel = self.recorders.kernel.record(&layers, id, &self.origin, &kernel.to_text());
        self.count(Some(kernel), id);
    }

    fn count(&mut self, recorded: Option<Result<Recorded, FileError>>, id: &str) {
        match recorded {
            None => {}
            Some(Ok(Recorded::Unchanged)) => self.tally.unchanged += 1,
            Some(Ok(Recorded::Written(path))) => {
                say!("{}: {id}: {}", self.cell.name(), path.display());
                self.tally.written.insert(path);
            }
            Some(Ok(Recorded::Disagrees(disagreement))) => {
                self.disagreements.add(id, disagreement);
                self.tally.disagreeing += 1;
            }
            Some(Err(error)) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use nlproof_agent::{Batch, Record};

    use super::*;
    use crate::golden::{Recorder, Store};
    use crate::targets::{Facts, SimTarget, SimTrace};
    use crate::vector::load_vector;

    /// A simulator that is lost in a vector of this name.
    struct Frail {
        sim: SimTarget,
        lost_in: &'static str,
        kind: &'static str,
    }

    impl Target for Frail {
        fn facts(&self) -> &Facts {
            self.sim.facts()
        }

        fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
            let fatal = batch.programs.iter().position(|program| program.name == self.lost_in);
            let programs = batch.programs.iter().take(fatal.unwrap_or(usize::MAX)).cloned().collect();
            self.sim.run(&Batch { programs }, on_record)?;
            let loss = |_| {
                let (kind, text) = (self.kind.to_owned(), "the guest is gone".to_owned());
                TargetError::Guest(Loss { kind, fingerprint: String::new(), calls: Vec::new(), text })
            };
            fatal.map_or(Ok(()), |at| Err(loss(at)))
        }
    }

    /// Three vectors in guests that are lost like that in the second one: the tally, how many guests were opened anew, and the
    /// error.
    fn recorded(lost_in: &'static str, kind: &'static str) -> (Vec<String>, usize, usize, Option<String>) {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let load = |id: &str| {
            load_vector(&tests.join("vectors"), &tests.join(format!("vectors/{id}.yaml"))).unwrap()
        };
        let vectors = ["link/create-lo", "link/create-lo0", "link/getlink-by-index"].map(load);
        let cell = crate::matrix::load_matrix(&tests.join("matrix.yaml")).unwrap().cells.remove(0);
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let recorder = || Recorder::new(&store, BTreeMap::new());
        let (mut recorders, mut tally) =
            (Recorders { wire: recorder(), kernel: recorder() }, Tally::default());
        let profile = cell.profile;
        let target = || -> Box<dyn Target> {
            Box::new(Frail { sim: SimTarget::traced(profile, SimTrace::Off), lost_in, kind })
        };
        let mut opened = 0;
        let mut open = || {
            opened += 1;
            Ok(target())
        };
        let origin = Origin::Predicted { profile: profile.to_string(), revision: None };
        let mut one = OneCell::new(&cell, origin, &mut recorders, &mut tally);
        let result = one.record_together(&mut open, &mut target(), &vectors.each_ref().map(|vector| vector));
        let names = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let written = tally.written.iter().map(names).collect();
        (written, tally.refused, opened, result.err().map(|error| error.to_string()))
    }

    #[test]
    fn a_lost_guest_costs_one_vector() {
        let names = |names: &[&str]| names.iter().map(|name| format!("{name}.trace.new")).collect::<Vec<_>>();
        let all = names(&["create-lo", "create-lo0", "getlink-by-index"]);
        assert_eq!(recorded("none", "panicked"), (all, 0, 0, None));
        let (written, refused, opened, error) = recorded("link/create-lo0", "panicked");
        assert_eq!(
            (written, refused, opened, error),
            (names(&["create-lo", "getlink-by-index"]), 1, 1, None)
        );
        // Nobody is left for a new guest.
        let last = recorded("link/getlink-by-index", "panicked");
        assert_eq!(last, (names(&["create-lo", "create-lo0"]), 1, 0, None));
    }

    #[test]
    fn a_machine_without_room_loses_no_second_guest() {
        let (written, refused, opened, error) = recorded("link/create-lo0", "host-disk-full");
        assert_eq!((written.len(), refused, opened), (1, 1, 0));
        assert!(error.is_some());
    }
}
