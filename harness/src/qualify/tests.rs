// SPDX-License-Identifier: BSD-2-Clause
//! Qualifications of simulators: true ones, and what somebody might make of them.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use nlproof_guest::Tasks;
use ssh_key::LineEnding;

use super::bundle::pack;
use super::sign::tests::key;
use super::write::{FINDING, PAGE};
use super::*;
use crate::coverage::Inventory;
use crate::file::files_below;
use crate::golden::{Divergences, Store};
use crate::matrix::{
    Cell, CellStatus, Engine, Outcome, RunRequest, RunResult, Timings, VectorsOfRun, load_matrix,
};
use crate::report::{read_report, write_json};
use crate::targets::{SimTarget, SimTrace};
use crate::vector::{Vector, load_vector};

const VECTORS: [&str; 3] = ["link/create-lo", "link/create-epair", "link/modify-mtu-71"];

fn own_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// A place with some vectors, and a key.
struct Place {
    directory: tempfile::TempDir,
    vectors: Vec<Vector>,
    goldens: Store,
    inventory: Inventory,
    divergences: Divergences,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = key();
        key.write_openssh_file(&directory.path().join("key"), LineEnding::LF).unwrap();
        let signers = format!("me@x {}\n", key.public_key().to_openssh().unwrap());
        fs::write(directory.path().join("signers"), signers).unwrap();
        let root = own_tests().join("vectors");
        let vector = |id: &str| load_vector(&root, &root.join(format!("{id}.yaml"))).unwrap();
        Self {
            directory,
            vectors: VECTORS.map(vector).into(),
            goldens: Store::new(&own_tests().join("golden")),
            inventory: Inventory::load(&own_tests().join("inventory.yaml")).unwrap(),
            divergences: Divergences::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tests(&self) -> Tests<'_> {
        let Self { vectors, goldens, inventory, divergences, .. } = self;
        Tests { vectors, goldens, divergences, inventory }
    }

    /// Runs a cell of the simulator into a report directory.
    fn run(&self, cell: &str, into: &Path) {
        let matrix = load_matrix(&own_tests().join("matrix.yaml")).unwrap();
        let cells: Vec<Cell> = matrix.cells.into_iter().filter(|known| known.name() == cell).collect();
        fs::create_dir_all(into).unwrap();
        let engine = Engine {
            open: &|request, _| {
                let sim = SimTarget::traced(request.cell.profile, SimTrace::Counted);
                Ok(Box::new(match request.cell.plays {
                    Some(release) => sim.playing(release),
                    None => sim,
                }))
            },
            goldens: &self.goldens,
            divergences: &self.divergences,
            timings: &Timings::load(&self.path("none")),
            follow_stock: false,
            raw: Some(into.to_owned()),
            jobs: NonZeroUsize::MIN,
            tasks: &Tasks::start().unwrap(),
        };
        let request = RunRequest { cells: &cells, vectors: &self.vectors, about: VectorsOfRun::default() };
        let run = engine.run(&request, &mut |_| ()).unwrap();
        assert_eq!(run.cells.len(), 1, "{cell}");
        write_json(&into.join("report.json"), &run).unwrap();
    }

    /// The reports of two cells in a new directory.
    fn reports(&self, name: &str, baseline: &str, candidate: &str) -> PathBuf {
        let directory = self.path(name);
        self.run(baseline, &directory.join(BASELINE));
        self.run(candidate, &directory.join(CANDIDATE));
        directory
    }

    fn derived(&self, directory: &Path) -> Qualification {
        derive(&Reports::read(directory).unwrap().sources(self.tests())).unwrap()
    }

    fn inputs(&self) -> Inputs {
        Inputs::new(vec![Input::new("program", "nlproof", Some("00".into()))])
    }

    /// Writes and signs what is said of the reports in a directory. The bundle.
    fn sign(&self, directory: &Path, said: &Qualification) -> PathBuf {
        let archive = self.path("bundle.tar.zst");
        let signer = Signer::find(Some(&self.path("key")), None).unwrap();
        write(directory, &archive, said, &self.inputs(), &signer).unwrap();
        archive
    }

    fn check(&self, archive: &Path) -> Checked {
        let signers = Signers::read(&self.path("signers")).unwrap();
        let checker =
            Checker { tests: self.tests(), own: &[], signers: &signers, limits: BundleLimits::DEFAULT };
        checker.check(archive, tempfile::tempdir().unwrap().path()).unwrap()
    }

    fn problems(&self, archive: &Path) -> String {
        self.check(archive).problems.join("\n")
    }

    /// Packs the files of a directory as they are, without signing them again.
    fn repack(&self, directory: &Path) -> PathBuf {
        let archive = self.path("repacked.tar.zst");
        let files = files_below(directory).unwrap();
        let name = |path: &PathBuf| path.strip_prefix(directory).unwrap().display().to_string();
        pack(directory, &files.iter().map(name).collect::<Vec<_>>(), &archive).unwrap();
        archive
    }
}

#[test]
fn what_profiles_declare_is_explained_and_the_bundle_is_sound() {
    let place = Place::new();
    let directory = place.reports("q", "sim/14.0", "sim/15");
    let found = place.derived(&directory);
    assert!(found.passed, "{:?}", found.unexplained());
    assert_eq!(found.wire.compared.len(), VECTORS.len());
    assert!(!found.wire.differences.is_empty());
    assert!(found.wire.differences.iter().all(|one| one.class == Class::Declared));
    let by = |text: &str| found.wire.differences.iter().any(|one| one.because.contains(text));
    assert!(by("inventory.yaml: < newlink freebsd caps size 35") && by("profile 15 does so"));
    let checked = place.check(&place.sign(&directory, &found));
    assert_eq!(checked.problems, Vec::<String>::new());
    assert_eq!(checked.found.as_ref(), Some(&found));
    assert!(checked.right[0].contains("signed by me@x"), "{:?}", checked.right);
    let page = fs::read_to_string(directory.join(PAGE)).unwrap();
    assert!(page.contains("<h1>Passed: nothing is unexplained</h1>"));
    for fetched in ["<script", "src=", "@import", "url(", "http:", "https:"] {
        assert!(!page.contains(fetched), "the page asks somebody: {fetched}");
    }
}

#[test]
fn a_difference_within_a_profile_is_unexplained() {
    let place = Place::new();
    let directory = place.reports("q", "sim/15.0", "sim/15");
    let found = place.derived(&directory);
    assert!(!found.passed);
    let [one] = found.wire.differences.as_slice() else { panic!("{:?}", found.wire.differences) };
    assert_eq!(one.attributes, ["freebsd caps mask", "freebsd caps value"]);
    assert_eq!(one.vectors, ["link/create-epair"]);
    assert_eq!(found.unexplained(), [one.line()]);
    assert_eq!(place.problems(&place.sign(&directory, &found)), "");
    assert!(fs::read_to_string(directory.join(PAGE)).unwrap().contains("<h1>Not passed</h1>"));
    // What a command prints of it stands beside it, and is text.
    let mut printed = found.clone();
    let (attribute, from, to) = ("out".into(), "options=1<A>".into(), "options=3<A,B>".into());
    let vectors = vec!["clients/ifconfig-epair".into()];
    printed.wire.differences[0].consequences.push(finding::Consequence { attribute, from, to, vectors });
    let page = page::page(&printed, &place.inputs()).unwrap();
    let text = "1 of them by what a command prints: <code>options=1&lt;A&gt;</code>, then <code>options=3&lt;A,B&gt;";
    assert!(page.contains(text), "{page}");
}

/// Everything but the raw traces is made to fit, and signed by a key that is trusted.
#[test]
fn a_verdict_that_was_edited_is_found() {
    let place = Place::new();
    let directory = place.reports("q", "sim/15.0", "sim/15");
    let found = place.derived(&directory);
    let mut forged = found.clone();
    forged.passed = true;
    forged.wire.differences.clear();
    forged.wire.differing.clear();
    let told = place.problems(&place.sign(&directory, &forged));
    assert!(told.contains("the verdict is passed, and the raw traces give: not passed"), "{told}");
    assert!(told.contains("qualification.json is silent about: freebsd caps mask"), "{told}");
    // The verdict alone, which then contradicts what stands below it.
    let forged = Qualification { passed: true, ..found.clone() };
    assert!(place.problems(&place.sign(&directory, &forged)).contains("the verdict is passed, and"));
    // Explained away.
    let mut forged = found.clone();
    forged.passed = true;
    forged.wire.differences[0].class = Class::Declared;
    assert!(place.problems(&place.sign(&directory, &forged)).contains("is silent about: freebsd caps mask"));
    // Only the page.
    place.sign(&directory, &found);
    let page = fs::read_to_string(directory.join(PAGE)).unwrap().replace("Not passed", "Passed");
    fs::write(directory.join(PAGE), page).unwrap();
    let told = place.problems(&signed_again(&place, &directory, &found));
    assert_eq!(told, "index.html: is not what the raw traces make it");
}

/// Signs a directory again whose files were altered after they were written.
fn signed_again(place: &Place, directory: &Path, found: &Qualification) -> PathBuf {
    let listed: Vec<String> = files_below(directory)
        .unwrap()
        .iter()
        .map(|path| path.strip_prefix(directory).unwrap().display().to_string())
        .filter(|name| !super::bundle::UNLISTED.contains(&name.as_str()))
        .collect();
    let manifest = super::manifest::manifest(directory, &listed).unwrap();
    fs::write(directory.join(super::manifest::MANIFEST), manifest).unwrap();
    let digest = digest_of(&directory.join(super::manifest::MANIFEST)).unwrap();
    let statement = directory.join(super::statement::STATEMENT);
    fs::write(&statement, Statement::about(found, &place.inputs(), &digest).to_json().unwrap()).unwrap();
    let signer = Signer::find(Some(&place.path("key")), None).unwrap();
    fs::write(directory.join(super::sign::SIGNATURE), signer.sign(&statement).unwrap()).unwrap();
    place.repack(directory)
}

/// Forges the candidate's report, and makes everything else fit it.
fn forged(place: &Place, directory: &Path, forge: impl FnOnce(&mut RunResult)) -> String {
    let report = directory.join(CANDIDATE).join("report.json");
    let good = fs::read(&report).unwrap();
    let mut run = read_report(&report).unwrap();
    forge(&mut run);
    write_json(&report, &run).unwrap();
    let told = place.problems(&place.sign(directory, &place.derived(directory)));
    fs::write(report, good).unwrap();
    told
}

#[test]
fn a_report_that_was_edited_is_found_by_its_raw_trace() {
    let mut place = Place::new();
    // A golden that nothing answers: the vector fails.
    let goldens = place.path("golden");
    let layers = fs::read_dir(own_tests().join("golden")).unwrap().map(|entry| entry.unwrap().file_name());
    for layer in layers.map(|layer| layer.into_string().unwrap()) {
        for (id, kind) in VECTORS.iter().flat_map(|id| [(id, "trace"), (id, "ktrace")]) {
            let inside = format!("{layer}/{id}.{kind}");
            let Ok(text) = fs::read_to_string(own_tests().join("golden").join(&inside)) else { continue };
            let to = goldens.join(&inside);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, text.replace("error=EINVAL", "error=EPERM")).unwrap();
        }
    }
    place.goldens = Store::new(&goldens);
    let directory = place.reports("q", "sim/14.0", "sim/15");
    let at = |run: &RunResult| run.cells[0].vectors.iter().position(|one| one.id == VECTORS[2]).unwrap();
    let run = read_report(&directory.join(CANDIDATE)).unwrap();
    assert!(matches!(run.cells[0].vectors[at(&run)].outcome, Outcome::Failed(_)));
    assert_eq!(forged(&place, &directory, |_| ()), "");
    let told = forged(&place, &directory, |run| {
        let at = at(run);
        run.cells[0].vectors[at].outcome = Outcome::Passed;
        run.cells[0].status = CellStatus::Passed;
    });
    let vector = VECTORS[2];
    assert!(
        told.contains(&format!("sim/15: {vector}: the report says passed, and its raw trace gives failed")),
        "{told}"
    );
    assert!(told.contains("sim/15: the status in its report does not follow"), "{told}");
    let told = forged(&place, &directory, |run| {
        let at = at(run);
        run.cells[0].vectors[at].outcome = Outcome::NotRun("did not fit".into());
    });
    assert!(
        told.contains(&format!("{vector}: the report says not-run, and its raw trace gives failed")),
        "{told}"
    );
    let told = forged(&place, &directory, |run| run.cells[0].status = CellStatus::Passed);
    assert_eq!(told, "sim/15: the status in its report does not follow from its vectors");
}

#[test]
fn a_report_without_its_raw_trace_proves_nothing() {
    let place = Place::new();
    let directory = place.reports("q", "sim/14.0", "sim/15");
    for file in files_below(&directory.join(CANDIDATE)).unwrap() {
        if !file.ends_with("report.json") {
            fs::remove_file(file).unwrap();
        }
    }
    let found = place.derived(&directory);
    assert!(!found.passed && found.wire.compared.is_empty());
    assert!(found.unexplained().iter().any(|line| line.contains("its raw trace is missing")));
    let told = place.problems(&place.sign(&directory, &found));
    assert!(told.contains("the report says passed, and the raw trace has nothing of it"), "{told}");
}

/// Every file, at several places each.
#[test]
fn an_altered_byte_in_any_file_is_found() {
    let place = Place::new();
    let directory = place.reports("q", "sim/14.0", "sim/15");
    place.sign(&directory, &place.derived(&directory));
    assert_eq!(place.problems(&place.repack(&directory)), "");
    let files = files_below(&directory).unwrap();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let good = fs::read(&file).unwrap();
        for at in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut altered = good.clone();
            altered[at] ^= 1;
            fs::write(&file, &altered).unwrap();
            let told = place.problems(&place.repack(&directory));
            assert_ne!(told, "", "{} at {at}", file.display());
        }
        fs::write(&file, good).unwrap();
    }
    assert_eq!(place.problems(&place.repack(&directory)), "");
}

#[test]
fn one_file_more_and_one_less_are_found() {
    let place = Place::new();
    let directory = place.reports("q", "sim/14.0", "sim/15");
    place.sign(&directory, &place.derived(&directory));
    let more = directory.join("candidate/more.console");
    fs::write(&more, "").unwrap();
    let told = place.problems(&place.repack(&directory));
    assert_eq!(told, "candidate/more.console: is no file of this bundle: MANIFEST.sha256 does not list it");
    fs::remove_file(more).unwrap();
    for file in files_below(&directory).unwrap() {
        let good = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let name = file.strip_prefix(&directory).unwrap().display().to_string();
        let told = place.problems(&place.repack(&directory));
        assert!(told.contains(&format!("{name}: is missing")), "{name}: {told}");
        fs::write(&file, good).unwrap();
    }
}

#[test]
fn an_unknown_key_is_told_with_its_remedy() {
    let place = Place::new();
    let directory = place.reports("q", "sim/14.0", "sim/15");
    let archive = place.sign(&directory, &place.derived(&directory));
    let signers = place.path("signers");
    let line =
        fs::read_to_string(&signers).unwrap().replace("me@x", "NAME namespaces=\"qualification@nlproof\"");
    fs::write(&signers, "").unwrap();
    let told = place.problems(&archive);
    assert!(told.contains("by a key that you do not know: SHA256:"), "{told}");
    // What it proposes is what makes it known.
    assert!(told.contains(line.trim()), "{told}");
    fs::write(&signers, line).unwrap();
    assert_eq!(place.problems(&archive), "");
}

#[test]
fn another_schema_is_rejected() {
    let place = Place::new();
    let directory = place.reports("q", "sim/14.0", "sim/15");
    let found = place.derived(&directory);
    place.sign(&directory, &found);
    for (file, schema) in [(FINDING, 1), ("inputs.json", 1), ("candidate/report.json", 2)] {
        let path = directory.join(file);
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, good.replacen(&format!("\"schema\": {schema}"), "\"schema\": 9", 1)).unwrap();
        let told = place.problems(&signed_again(&place, &directory, &found));
        assert!(told.contains(&format!("{file}: is ")) && told.contains("of schema 9"), "{told}");
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn answers_of_a_second_run_are_held_against_the_first() {
    let place = Place::new();
    for (directory, cell) in [("a", "sim/15"), ("b", "sim/15"), ("c", "sim/15.0")] {
        place.run(cell, &place.path(directory));
    }
    let [one, two, other] = ["a", "b", "c"].map(|name| read_report(&place.path(name)).unwrap());
    let told = |run: &RunResult, directory: &str| {
        let [old, new] = [place.path("a"), place.path(directory)];
        let old = Told { result: &one.cells[0], directory: &old };
        answered_otherwise(old, Told { result: &run.cells[0], directory: &new }, &place.vectors).unwrap()
    };
    assert_eq!(told(&two, "b"), Vec::<String>::new());
    let differ = told(&other, "c");
    assert_eq!(differ.len(), 1, "{differ:?}");
    assert!(differ[0].starts_with("sim/15: link/create-epair: another answer: "), "{differ:?}");
}
