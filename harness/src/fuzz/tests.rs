// SPDX-License-Identifier: BSD-2-Clause
//! Campaigns against simulators with faults that are put into them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use iface_core::Profile;
use iface_sim::Fault;
use nlproof_wire::consts::{IFLA_IFALIAS, IFLA_MTU};
use tokio_util::sync::CancellationToken;

use super::faulty::{Faulty, Seeded};
use super::generate;
use super::mutate::mutate;
use super::rng::Rng;
use super::world::OS;
use super::*;
use crate::draft::{Draft, DraftStep};
use crate::targets::{SimTarget, SimTrace};
use crate::vector::{LossCode, LossKind, StatedLoss, compile};

/// Requests of a round: enough for what is looked for, and few enough to be quick.
const ROUND_OF_TESTS: usize = 24;

const PROFILE: Profile = Profile::R14_0;

fn side(name: &str, code: Code) -> Side {
    Side {
        name: name.into(),
        release: "r".into(),
        profile: PROFILE,
        layer: None,
        code,
        several_processors: false,
    }
}

fn lane(place: usize, name: &str, seeded: Seeded) -> Lane<'static> {
    let history = Arc::new(AtomicUsize::new(0));
    let open = move || {
        let sim = SimTarget::traced(PROFILE, SimTrace::Counted);
        let sim = match seeded {
            Seeded::Reference => sim.inject(Fault::ReferenceNotReleased),
            _ => sim,
        };
        Ok(Opened { target: Box::new(Faulty { sim, seeded, history: Arc::clone(&history) }), watch: None })
    };
    Lane::new(place, name, Arc::new(open))
}

fn setup(seeds: Vec<(String, Draft)>) -> Setup {
    Setup {
        seed: 7,
        sides: vec![side("stock", Code::Kernel(LossCode::Stock)), side("rust", Code::Kernel(LossCode::Rust))],
        seeds,
        bugs: vec![],
        known: Known::default(),
        round: ROUND_OF_TESTS,
    }
}

/// A campaign with a fault in the module, from an empty corpus.
fn campaign(
    directory: &Path,
    seeded: Seeded,
    jobs: usize,
    resume: bool,
) -> Result<Campaign<'static>, StateError> {
    let lanes = vec![lane(0, "stock", Seeded::Nothing), lane(1, "rust", seeded)];
    Campaign::new(setup(vec![]), Crew::new(lanes, jobs), FindingsDir::new(directory), resume)
}

fn run(campaign: &mut Campaign<'_>, rounds: u64) -> usize {
    let mut told = 0;
    let limits = Limits { time: None, rounds: Some(rounds) };
    campaign
        .run(limits, &CancellationToken::new(), &mut |progress| {
            told += usize::from(matches!(progress, Progress::Round { .. }))
        })
        .unwrap();
    told
}

/// The findings of a campaign of so many rounds.
fn found(seeded: Seeded, rounds: u64, jobs: usize) -> (Vec<Finding>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut campaign = campaign(directory.path(), seeded, jobs, false).unwrap();
    run(&mut campaign, rounds);
    (campaign.findings().to_vec(), directory)
}

#[test]
fn a_kernel_without_a_fault_has_no_findings() {
    let (findings, directory) = found(Seeded::Nothing, 2, 1);
    assert_eq!(findings, []);
    assert!(std::fs::read_dir(directory.path().join("corpus")).unwrap().count() > 20);
}

#[test]
fn a_lost_reference_is_found_and_reduced() {
    let (findings, _directory) = found(Seeded::Reference, 1, 1);
    let rule = findings.iter().find(|finding| finding.oracle == Oracle::Rule).unwrap();
    assert!(rule.key.starts_with("a reference was taken and not released"), "{}", rule.key);
    assert!(rule.is_new() && rule.whole && rule.messages == 1, "{rule:?}");
    assert_eq!(rule.cells, ["rust"]);
}

#[test]
fn a_wrong_errno_behind_two_attributes_is_found_and_reduced() {
    let (findings, directory) = found(Seeded::Errno, 24, 1);
    let differs: Vec<_> = findings.iter().filter(|finding| finding.oracle == Oracle::Module).collect();
    assert!(!differs.is_empty(), "{findings:?}");
    assert!(differs.iter().all(|finding| finding.is_new() && finding.messages <= 3), "{differs:?}");
    let text = std::fs::read_to_string(directory.path().join("findings").join(&differs[0].vector)).unwrap();
    assert!(text.contains("ifalias") && text.contains("mtu"), "{text}");
    assert!(text.contains("# Stock code and module differ"), "{text}");
}

#[test]
fn history_in_an_answer_is_found_and_reduced() {
    let (findings, _directory) = found(Seeded::History, 1, 1);
    let unstable = findings.iter().find(|finding| finding.oracle == Oracle::Unstable).unwrap();
    assert!(unstable.is_new() && unstable.messages <= 3, "{unstable:?}");
    assert!(unstable.key.contains("mtu"), "{}", unstable.key);
}

#[test]
fn a_death_is_told_once_and_known_by_its_vector() {
    let (findings, directory) = found(Seeded::Death, 2, 1);
    let lost: Vec<_> = findings.iter().filter(|finding| finding.oracle == Oracle::Lost).collect();
    assert!(lost.len() == 1 && lost[0].is_new() && lost[0].met > 1 && lost[0].messages == 1, "{lost:?}");
    // What kills is not changed further.
    let kept = std::fs::read_dir(directory.path().join("corpus")).unwrap();
    let kept = kept.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    assert!(kept.into_iter().all(|text| !text.contains("- ifalias")));
    let stated = StatedLoss {
        kernels: vec!["r".into()],
        code: Some(LossCode::Rust),
        kind: LossKind::Panicked,
        says: None,
        calls: vec!["set_alias".into()],
        because: "it is".into(),
    };
    let known =
        Known { losses: vec![KnownLoss { vector: "limits/alias".into(), stated }], ..Known::default() };
    let again = tempfile::tempdir().unwrap();
    let lanes = vec![lane(0, "stock", Seeded::Nothing), lane(1, "rust", Seeded::Death)];
    let setup = Setup { known, ..setup(vec![]) };
    let mut campaign =
        Campaign::new(setup, Crew::new(lanes, 1), FindingsDir::new(again.path()), false).unwrap();
    run(&mut campaign, 1);
    assert_eq!(campaign.findings()[0].status, Status::Known("limits/alias".into()));
}

#[test]
fn what_does_not_come_again_is_kept_and_said_so() {
    let (findings, _directory) = found(Seeded::Once, 1, 1);
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| finding.status == Status::NotReproduced), "{findings:?}");
}

#[test]
fn findings_are_run_again() {
    let (findings, directory) = found(Seeded::History, 1, 1);
    let dir = FindingsDir::new(directory.path());
    let replay = |seeded| {
        let lanes = vec![lane(0, "stock", Seeded::Nothing), lane(1, "rust", seeded)];
        let crew = Crew::new(lanes, 1);
        let replayed = Campaign::replay(setup(vec![]), crew, &dir, &mut |_| ()).unwrap();
        assert_eq!(replayed.len(), findings.len());
        replayed.iter().filter(|replayed| !replayed.cells.is_empty()).count()
    };
    assert!(replay(Seeded::History) > 0);
    assert_eq!(replay(Seeded::Nothing), 0);
}

/// What differs between two campaigns that do the same is how long they took, and addresses in memory.
fn timeless(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().map(|finding| Finding { seconds: 0, text: String::new(), ..finding.clone() }).collect()
}

fn corpus(directory: &Path) -> Vec<String> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory.join("corpus")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_seed_does_the_same_whoever_does_the_work_and_whenever_it_is_interrupted() {
    let (at_once, directory) = found(Seeded::Reference, 3, 1);
    assert!(!at_once.is_empty());
    let (side_by_side, beside) = found(Seeded::Reference, 3, 3);
    assert_eq!(timeless(&at_once), timeless(&side_by_side));
    assert_eq!(corpus(directory.path()), corpus(beside.path()));
    let parts = tempfile::tempdir().unwrap();
    run(&mut campaign(parts.path(), Seeded::Reference, 1, false).unwrap(), 1);
    // Interrupted before it begins: nothing is lost, and nothing is done.
    let mut interrupted = campaign(parts.path(), Seeded::Reference, 1, true).unwrap();
    let limits = Limits { time: None, rounds: Some(3) };
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    interrupted.run(limits, &cancelled, &mut |_| ()).unwrap();
    let mut rest = campaign(parts.path(), Seeded::Reference, 1, true).unwrap();
    assert_eq!(run(&mut rest, 3), 2);
    assert_eq!(timeless(rest.findings()), timeless(&at_once));
    assert_eq!(corpus(parts.path()), corpus(directory.path()));
}

#[test]
fn a_directory_is_gone_on_with_only_as_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let open = |resume| campaign(directory.path(), Seeded::Nothing, 1, resume);
    assert!(matches!(open(true), Err(StateError::Unused(_))));
    run(&mut open(false).unwrap(), 1);
    assert!(matches!(open(false), Err(StateError::Used(_))));
    let other = |change: fn(&mut Setup)| {
        let mut setup = setup(vec![]);
        change(&mut setup);
        let crew = Crew::new(vec![lane(0, "stock", Seeded::Nothing)], 1);
        Campaign::new(setup, crew, FindingsDir::new(directory.path()), true).unwrap_err().to_string()
    };
    assert!(other(|setup| setup.seed = 8).contains("another seed: 7"));
    assert!(other(|setup| drop(setup.sides.pop())).contains("other cells: stock, rust"));
    std::fs::write(directory.path().join("state.json"), "{}").unwrap();
    assert!(matches!(open(true), Err(StateError::File(_))));
}

#[test]
fn a_race_is_the_last_step_and_everything_in_it_is_answered() {
    let drafts = (0..400).map(|round| {
        let mut rng = Rng::of_round(5, round);
        let (one, other) = (generate::draft(&mut rng), generate::draft(&mut rng));
        if round % 2 == 0 { one } else { mutate(&mut rng, &one, &other) }
    });
    let races: Vec<_> = drafts.filter(|draft| draft.steps.iter().any(is_race)).collect();
    assert!(races.len() > 20, "{}", races.len());
    for draft in races {
        let last = draft.steps.len() - 1;
        assert!(draft.steps.iter().enumerate().all(|(at, step)| is_race(step) == (at == last)), "{draft:?}");
        let vector = draft.vector(OS, "fuzz/race").unwrap();
        if compile(&vector, OS, 0).is_ok() {
            assert_eq!(Draft::of(&vector, OS).map(|draft| draft.steps.len()), Some(last + 1));
            let again = Draft::of(&vector, OS).unwrap().vector(OS, "fuzz/race").unwrap();
            assert_eq!(Draft::of(&again, OS), Draft::of(&vector, OS));
        }
    }
}

fn is_race(step: &DraftStep) -> bool {
    matches!(step, DraftStep::Race(_))
}

#[test]
fn seeds_are_run_first() {
    let directory = tempfile::tempdir().unwrap();
    let seeds =
        (0..3).map(|round| (format!("s{round}"), generate::draft(&mut Rng::of_round(round, 0)))).collect();
    let crew = Crew::new(vec![lane(0, "stock", Seeded::Nothing), lane(1, "rust", Seeded::Nothing)], 1);
    let mut campaign = Campaign::new(setup(seeds), crew, FindingsDir::new(directory.path()), false).unwrap();
    assert_eq!(run(&mut campaign, 1), 2, "a round of seeds and one of requests");
}

#[test]
fn drafts_are_the_same_for_a_seed_and_nearly_all_of_them_can_be_sent() {
    let mut sendable = 0;
    for round in 0..200 {
        let draw = || {
            let mut rng = Rng::of_round(3, round);
            let (one, other) = (generate::draft(&mut rng), generate::draft(&mut rng));
            let changed = mutate(&mut rng, &one, &other);
            (one, other, changed)
        };
        let (one, other, changed) = draw();
        assert_eq!(draw(), (one.clone(), other.clone(), changed.clone()));
        for draft in [one, other, changed] {
            let vector = draft.vector(OS, "fuzz/a");
            sendable += usize::from(vector.is_ok_and(|vector| compile(&vector, OS, 0).is_ok()));
        }
    }
    assert!(sendable > 590, "{sendable} of 600");
}

/// What is wrong behind two attributes is found by messages that have both.
#[test]
fn attributes_that_change_an_interface_are_joined_in_every_round() {
    let both = |draft: &Draft| {
        let has =
            |kind: u16| move |attrs: &[crate::draft::DraftAttr]| attrs.iter().any(|attr| attr.kind == kind);
        draft.messages().any(|message| has(IFLA_MTU)(&message.attrs) && has(IFLA_IFALIAS)(&message.attrs))
    };
    for (seed, round) in [(1, 0), (1, 1), (2, 0), (3, 0)] {
        let mut rng = Rng::of_round(seed, round);
        let drafts: Vec<Draft> = (0..64).map(|_| generate::draft(&mut rng)).collect();
        let count = drafts.iter().filter(|draft| both(draft)).count();
        assert!(count >= 3, "seed {seed}, round {round}: {count} of 64");
    }
}
