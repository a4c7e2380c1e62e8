// SPDX-License-Identifier: BSD-2-Clause
//! Reductions in simulators, and in targets that die or differ as they are told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use iface_core::Profile;
use nlproof_agent::{Batch, Record, Step};
use nlproof_wire::Os;

use super::*;
use crate::draft::Draft;
use crate::fuzz::{Crew, Lane, LaneError, Open, Opened};
use crate::targets::{Facts, Loss, SimTarget, SimTrace, Target, TargetError};
use crate::vector::parse_vector;

/// What a target does of a datagram that has these letters somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// Nothing: the simulator answers.
    Plain,
    /// The kernel panics; every other one of its panics is in another place.
    Panics(&'static str),
    /// The kernel panics the second time, and every second time after that.
    PanicsSometimes(&'static str),
    /// The guest is lost without a word.
    Vanishes(&'static str),
    /// The user interrupts at the request of this number.
    Interrupted(usize),
}

/// A simulator that follows a script.
struct Scripted {
    sim: SimTarget,
    script: Script,
    asked: Arc<AtomicUsize>,
}

impl Target for Scripted {
    fn facts(&self) -> &Facts {
        self.sim.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let sent = batch.programs.iter().flat_map(|program| &program.steps);
        let data: Vec<u8> = sent
            .flat_map(|step| match step {
                Step::Send(send) => send.data.clone(),
                _ => Vec::new(),
            })
            .collect();
        let has = |text: &str| data.windows(text.len()).any(|part| part == text.as_bytes());
        let lost = |kind: &str, fingerprint: &str| {
            Err(TargetError::Guest(Loss {
                kind: kind.into(),
                fingerprint: fingerprint.into(),
                calls: vec![],
                text: format!("{kind}: {fingerprint}"),
            }))
        };
        let count = self.asked.fetch_add(1, Ordering::SeqCst);
        match self.script {
            Script::Panics(text) if has(text) && has("elsewhere") => lost("panicked", "another place"),
            Script::Panics(text) if has(text) => lost("panicked", "page fault | set_alias"),
            Script::PanicsSometimes(text) if has(text) && count % 2 == 1 => lost("panicked", "a race"),
            Script::Vanishes(text) if has(text) => lost("lost", "gone"),
            Script::Interrupted(last) if count >= last => Err(TargetError::Interrupted),
            _ => self.sim.run(batch, on_record),
        }
    }
}

fn crew(scripts: &[(Profile, Script)], jobs: usize) -> (Crew<'static>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut lanes = Vec::new();
    for (side, (profile, script)) in scripts.iter().copied().enumerate() {
        let count = Arc::clone(&asked);
        let open: Arc<Open<'static>> = Arc::new(move || {
            let sim = SimTarget::traced(profile, SimTrace::Counted);
            Ok(Opened { target: Box::new(Scripted { sim, script, asked: Arc::clone(&count) }), watch: None })
        });
        lanes.extend((0..jobs).map(|_| Lane::new(side, "scripted", Arc::clone(&open))));
    }
    (Crew::new(lanes, jobs), asked)
}

/// A dozen messages, one of which sets an MTU that the interface rejects, and one of which has an alias.
fn long() -> Draft {
    let mut text = "about: long\nneeds: {os: [freebsd]}\nsocket: {ext-ack: true}\nsteps:\n".to_owned();
    for number in 0..10 {
        text.push_str(&format!(
            "- send: {{message: newlink, flags: [request, ack, create], attrs: [{{ifname: lo{number}7}}, {{linkinfo: [{{kind: lo}}]}}]}}\n"
        ));
    }
    text.push_str(
        "- send: {message: newlink, flags: [request, ack], header: {index: $lo57}, attrs: [{mtu: 71}, {ifalias: bad}]}\n\
         - send: {message: getlink, flags: [request, dump]}\n",
    );
    Draft::of(&parse_vector("x/y", Path::new("y.yaml"), &text).unwrap(), Os::FreeBsd).unwrap()
}

const LIMITS: Limits = Limits { tries: 2000, time: None, attempts: 1, jobs: 1 };

fn reduced(
    scripts: &[(Profile, Script)],
    keep: &str,
    limits: Limits,
    journal: &Path,
) -> Result<Outcome, ReductionError> {
    let keep: Keep = keep.parse().unwrap();
    let draft = long();
    let cells = scripts.iter().map(|_| "scripted".to_owned()).collect();
    let journal = Journal::open(journal, &draft, cells, &keep.to_string())?;
    let (crew, _) = crew(scripts, limits.jobs);
    Reduction::new(crew, scripts.len(), keep, journal).run(&draft, limits, &mut |_| ())
}

fn fresh(scripts: &[(Profile, Script)], keep: &str, limits: Limits) -> Result<Outcome, ReductionError> {
    let directory = tempfile::tempdir().unwrap();
    reduced(scripts, keep, limits, &directory.path().join("journal"))
}

fn kinds(draft: &Draft) -> Vec<u16> {
    draft.messages().map(|message| message.kind).collect()
}

#[test]
fn a_panic_is_reduced_to_the_message_that_does_it() {
    for jobs in [1, 3] {
        let limits = Limits { jobs, ..LIMITS };
        let outcome = fresh(&[(Profile::R14_0, Script::Panics("bad"))], "panics", limits).unwrap();
        assert!(outcome.whole && outcome.again && outcome.unclear == 0, "{outcome:?}");
        assert_eq!(
            (kinds(&outcome.draft), outcome.draft.messages().next().unwrap().attrs.len()),
            (vec![16], 1)
        );
        assert_eq!(outcome.name.as_deref(), Some("page fault | set_alias"));
        assert_eq!(outcome.conversation, "panicked: page fault | set_alias");
    }
}

#[test]
fn what_differs_between_two_kernels_is_reduced() {
    let sides = [(Profile::R15, Script::Plain), (Profile::R14_0, Script::Plain)];
    let outcome = fresh(&sides, "differs", LIMITS).unwrap();
    assert!(outcome.whole && outcome.again, "{outcome:?}");
    assert!(outcome.draft.messages().count() <= 2 && outcome.tries < 400, "{outcome:?}");
    assert!(outcome.conversation.contains("step 0"), "{}", outcome.conversation);
}

#[test]
fn a_text_of_the_conversation_is_kept() {
    let sides = [(Profile::R15, Script::Plain)];
    let outcome = fresh(&sides, "Failed to set mtu", LIMITS).unwrap();
    assert!(outcome.whole && outcome.conversation.contains("Failed to set mtu"), "{outcome:?}");
    let messages: Vec<_> = outcome.draft.messages().collect();
    // An interface that is there anyway has a shorter name than the one that the vector makes.
    assert_eq!((messages.len(), messages[0].index.as_deref()), (1, Some("lo0")), "{:?}", outcome.draft);
}

#[test]
fn what_the_first_run_does_not_show_is_not_reduced() {
    for keep in ["panics", "violated", "malformed", "complains", "no such text"] {
        let error = fresh(&[(Profile::R15, Script::Plain)], keep, LIMITS).unwrap_err();
        assert!(
            matches!(&error, ReductionError::NotShown(said) if said.contains("newlink")),
            "{keep}: {error:?}"
        );
    }
    let same = [(Profile::R15, Script::Plain), (Profile::R15, Script::Plain)];
    assert!(matches!(fresh(&same, "differs", LIMITS), Err(ReductionError::NotShown(_))));
}

#[test]
fn what_cannot_be_judged_is_neither_kept_nor_hidden() {
    let vanishes = [(Profile::R15, Script::Vanishes("bad"))];
    for keep in ["panics", "violated", "Failed to set mtu"] {
        let error = fresh(&vanishes, keep, LIMITS).unwrap_err();
        assert!(matches!(&error, ReductionError::Unclear(why) if why.contains("lost")), "{keep}: {error:?}");
    }
    let outcome = fresh(&vanishes, "lost", LIMITS).unwrap();
    assert_eq!(outcome.draft.messages().count(), 1);
}

#[test]
fn what_comes_every_other_time_is_asked_as_often_as_it_takes() {
    let sometimes = [(Profile::R14_0, Script::PanicsSometimes("bad"))];
    let outcome = fresh(&sometimes, "panics", Limits { attempts: 2, ..LIMITS }).unwrap();
    assert!(outcome.whole && outcome.again, "{outcome:?}");
    assert_eq!(kinds(&outcome.draft), [16]);
}

#[test]
fn a_search_ends_with_its_tries_and_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let kernel = (Profile::R15, Script::Plain);
    let run = |tries| reduced(&[kernel], "Failed to set mtu", Limits { tries, ..LIMITS }, &path);
    let part = run(5).unwrap();
    assert_eq!((part.tries, part.whole), (5, false));
    let whole = run(2000).unwrap();
    let alone = fresh(&[kernel], "Failed to set mtu", LIMITS).unwrap();
    assert_eq!((whole.draft, whole.tries), (alone.draft, alone.tries));
    let other = reduced(&[kernel], "panics", LIMITS, &path).unwrap_err();
    assert!(matches!(other, ReductionError::Journal(JournalError::Other(_))), "{other:?}");
}

#[test]
fn an_interrupted_search_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let error =
        reduced(&[(Profile::R15, Script::Interrupted(9))], "Failed to set mtu", LIMITS, &path).unwrap_err();
    assert!(matches!(error, ReductionError::Lane(LaneError::Interrupted)), "{error:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 9, "a line about it, and eight tries: {text}");
    // What was being written when it ended is asked again.
    std::fs::write(&path, format!("{text}{{\"draft\":\"12")).unwrap();
    let kernel = (Profile::R15, Script::Plain);
    let whole = reduced(&[kernel], "Failed to set mtu", LIMITS, &path).unwrap();
    assert_eq!(whole.draft, fresh(&[kernel], "Failed to set mtu", LIMITS).unwrap().draft);
}

#[test]
fn words_are_words_and_all_else_is_a_text() {
    for (word, keep) in Keep::WORDS {
        assert_eq!(word.parse(), Ok(keep.clone()));
        assert_eq!(keep.to_string(), word);
    }
    assert_eq!("Panics".parse(), Ok(Keep::Text("Panics".into())));
}
