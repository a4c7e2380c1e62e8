// SPDX-License-Identifier: BSD-2-Clause
//! What the page shows, before it is markup.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::blocks::Blocks;
use super::conversation::{Conversation, Outcomes, about_kernel, conversations};
use super::facets::Facets;
use super::own_tests::OwnTests;
use super::sides::{Row, sides};
use super::since::{Since, since};
use super::timeline::Timeline;
use super::{Follows, HtmlReport};
use crate::file::FileError;
use crate::matrix::{CellResult, CellStatus, ModuleKind, Outcome, VectorResult};
use crate::report::problems::{Problem, is_trouble, problems, troubled};
use crate::report::seen::{Seen, seen};
use crate::report::summary::{goldens, numbers};
use crate::trace::with_names;
use crate::vector::Vector;

/// The page.
#[derive(Serialize)]
pub(super) struct Page<'r> {
    nlproof: &'static str,
    passed: bool,
    follows: Option<Follows>,
    closing: &'r str,
    missing: &'r [String],
    suites: Vec<&'r str>,
    cells: Vec<CellShown<'r>>,
    since: Option<Since>,
    problems: Vec<ProblemShown<'r>>,
    vectors: Vec<VectorShown<'r>>,
    blocks: Option<Blocks>,
    own_tests: Option<OwnTests>,
    /// What could not be read for it, and is left out.
    pub(super) notes: Vec<String>,
}

#[derive(Serialize)]
struct CellShown<'r> {
    name: String,
    status: &'static str,
    class: &'static str,
    counts: String,
    goldens: Option<String>,
    seconds: String,
    reason: Option<&'r str>,
    remedy: Option<&'r str>,
    facts: Vec<(&'r str, String)>,
    complaints: Vec<&'r str>,
    losses: Vec<LossShown<'r>>,
    squares: Vec<Square<'r>>,
}

#[derive(Serialize)]
struct LossShown<'r> {
    vector: &'r str,
    kind: &'r str,
    text: &'r str,
}

/// A suite in a cell, for the heat map.
#[derive(Serialize)]
struct Square<'r> {
    suite: &'r str,
    class: &'static str,
    text: String,
    title: String,
}

#[derive(Serialize)]
struct ProblemShown<'r> {
    text: String,
    shown: Vec<(usize, String, &'r str)>,
}

#[derive(Serialize)]
struct VectorShown<'r> {
    id: &'r str,
    suite: &'r str,
    about: &'r str,
    /// One letter a cell, in the order of the cells: the first letter of its outcome, `-` if it has none.
    letters: String,
    /// The worst outcome first, with the cells that came to it.
    outcomes: Vec<OutcomeShown>,
    facets: Facets,
    troubles: Vec<TroubleShown>,
    conversations: Vec<Conversation>,
    timeline: Option<(String, Timeline)>,
}

#[derive(Serialize)]
struct OutcomeShown {
    word: &'static str,
    class: &'static str,
    reason: Option<String>,
    cells: Vec<String>,
}

/// A vector that did not pass in a cell.
#[derive(Serialize)]
struct TroubleShown {
    number: usize,
    cell: String,
    word: &'static str,
    /// What it says of itself.
    text: String,
    /// `kernel trace` or `conversation`.
    what: &'static str,
    /// Golden and seen beside each other; empty: one of the two is not here.
    rows: Vec<Row>,
    /// What was seen, where there is no golden to hold it against.
    alone: Option<String>,
    console: Vec<String>,
    timeline: Option<Timeline>,
}

fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "good",
        Outcome::Lost(_) => "stated",
        Outcome::NotRun(_) => "idle",
        Outcome::Inconclusive(_) | Outcome::NoGolden => "doubt",
        Outcome::Failed(_) | Outcome::Violated(_) | Outcome::Survived(_) => "bad",
    }
}

/// Letters that the page's filter knows outcomes by.
fn letter(outcome: &Outcome) -> char {
    match outcome {
        Outcome::Passed => 'p',
        Outcome::Failed(_) => 'f',
        Outcome::Violated(_) => 'v',
        Outcome::Inconclusive(_) => 'i',
        Outcome::Lost(_) => 'l',
        Outcome::Survived(_) => 's',
        Outcome::NoGolden => 'g',
        Outcome::NotRun(_) => 'n',
    }
}

fn suite_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(suite, _)| suite)
}

impl<'r> Page<'r> {
    /// Gathers what the page shows. What cannot be read of the raw traces is noted, and left out.
    pub(super) fn of(report: &HtmlReport<'r>) -> Result<Page<'r>, FileError> {
        let run = report.run;
        let by_id: BTreeMap<&str, &'r Vector> =
            report.vectors.iter().map(|vector| (vector.id.as_str(), vector)).collect();
        let mut notes = Vec::new();
        let mut ids: Vec<&'r str> = Vec::new();
        let mut known = BTreeSet::new();
        for vector in run.cells.iter().flat_map(|cell| &cell.vectors) {
            if known.insert(vector.id.as_str()) {
                ids.push(&vector.id);
            }
        }
        let mut suites: Vec<&'r str> = ids.iter().map(|id| suite_of(id)).collect();
        suites.sort_unstable();
        suites.dedup();
        let drawn = drawn(report);
        let mut timelines: BTreeMap<String, Timeline> = BTreeMap::new();
        let mut troubles: BTreeMap<&'r str, Vec<TroubleShown>> = BTreeMap::new();
        let mut number = 0;
        for (place, cell) in run.cells.iter().enumerate() {
            let all = drawn == Some(place);
            let wanted = (cell.vectors.iter())
                .filter(|vector| all || is_trouble(&vector.outcome))
                .filter_map(|vector| by_id.get_key_value(vector.id.as_str()))
                .map(|(id, vector)| (*id, *vector))
                .collect();
            let mut seen = report
                .directory
                .map_or(Ok(BTreeMap::new()), |directory| seen(directory, &cell.cell, &wanted))
                .unwrap_or_else(|error| {
                    notes.push(format!("{}: {error}", cell.cell.name()));
                    BTreeMap::new()
                });
            for vector in troubled(cell) {
                number += 1;
                let shown = trouble(report, cell, vector, number, seen.get(&vector.id))?;
                troubles.entry(&vector.id).or_default().push(shown);
            }
            if all {
                seen.retain(|_, seen| seen.run.kernel.present);
                timelines = seen
                    .iter()
                    .filter_map(|(id, seen)| Some((id.clone(), Timeline::of(&seen.run)?)))
                    .collect();
            }
        }
        let drawn = drawn.and_then(|place| run.cells.get(place)).map(|cell| cell.cell.name());
        let outcomes: Vec<Outcomes<'_>> = run
            .cells
            .iter()
            .map(|cell| cell.vectors.iter().map(|vector| (vector.id.as_str(), vector)).collect())
            .collect();
        let blocks = match &report.blocks {
            Some(files) => Blocks::of(files, report.directory, run, &known, &mut notes)?,
            None => None,
        };
        let mut vectors = Vec::new();
        for id in ids {
            let (conversations, facets) = conversations(report.run, report.goldens, &outcomes, id)?;
            let timeline = timelines.remove(id);
            vectors.push(VectorShown {
                id,
                suite: suite_of(id),
                about: by_id.get(id).map_or("", |vector| vector.about.as_str()),
                letters: outcomes
                    .iter()
                    .map(|of_cell| of_cell.get(id).map_or('-', |vector| letter(&vector.outcome)))
                    .collect(),
                outcomes: outcomes_of(report, &outcomes, id),
                facets,
                troubles: troubles.remove(id).unwrap_or_default(),
                conversations,
                timeline: drawn.clone().zip(timeline),
            });
        }
        Ok(Page {
            nlproof: env!("CARGO_PKG_VERSION"),
            passed: report.passed,
            follows: report.follows,
            closing: report.closing,
            missing: &run.missing,
            cells: run.cells.iter().map(|cell| cell_shown(cell, &suites)).collect(),
            suites,
            since: report.baseline.map(|(name, baseline)| since(name, baseline, run)),
            problems: problems(run).iter().map(problem).collect(),
            vectors,
            blocks,
            own_tests: OwnTests::of(&run.atf),
            notes,
        })
    }
}

/// The cell whose kernel traces are drawn: a guest with the module before the simulator, because it is real.
fn drawn(report: &HtmlReport<'_>) -> Option<usize> {
    report.directory?;
    let ran = |cell: &&(usize, &CellResult)| cell.1.counts().passed > 0;
    let cells = || report.run.cells.iter().enumerate();
    let is = |module| {
        move |cell: &&(usize, &CellResult)| cell.1.cell.module == module && cell.1.cell.release.is_some()
    };
    let mut rust = cells().filter(|cell| is(ModuleKind::Rust)(&cell) && ran(&cell));
    rust.next()
        .or_else(|| cells().find(|cell| cell.1.cell.release.is_none() && ran(&cell)))
        .map(|(place, _)| place)
}

fn cell_shown<'r>(result: &'r CellResult, suites: &[&'r str]) -> CellShown<'r> {
    let (status, class, reason, remedy) = match &result.status {
        CellStatus::Passed => ("passed", "good", None, None),
        CellStatus::NotRun { reason, remedy } => {
            ("not run", "idle", Some(reason.as_str()), Some(remedy.as_str()))
        }
        CellStatus::Failed => ("failed", "bad", None, None),
        broken => (
            broken.failure().map_or("failed", |(word, _)| word),
            "bad",
            broken.failure().map(|(_, reason)| reason),
            None,
        ),
    };
    CellShown {
        name: result.cell.name(),
        status,
        class: if result.forgiven().is_some() { "doubt" } else { class },
        counts: numbers(&result.counts()),
        goldens: goldens(result),
        seconds: format!("{:.1} s", result.duration.as_secs_f64()),
        reason,
        remedy,
        facts: result.facts.iter().map(|fact| (fact.label(), fact.text())).collect(),
        complaints: result.complaints.iter().map(|complaint| complaint.text.as_str()).collect(),
        losses: (result.losses.iter())
            .map(|lost| LossShown { vector: &lost.vector, kind: &lost.loss.kind, text: &lost.loss.text })
            .collect(),
        squares: suites.iter().map(|suite| square(result, suite)).collect(),
    }
}

fn square<'r>(result: &CellResult, suite: &'r str) -> Square<'r> {
    let of_suite = || result.vectors.iter().filter(|vector| suite_of(&vector.id) == suite);
    let count = |wanted: &str| of_suite().filter(|vector| class(&vector.outcome) == wanted).count();
    let (good, stated, idle, doubt, bad) =
        (count("good"), count("stated"), count("idle"), count("doubt"), count("bad"));
    let ran = good + stated + doubt + bad;
    let class = match () {
        () if bad > 0 => "bad",
        () if doubt > 0 => "doubt",
        () if ran > 0 => "good",
        () => "idle",
    };
    let words = [
        (good, "passed"),
        (bad, "failed"),
        (doubt, "in doubt"),
        (stated, "lost as stated"),
        (idle, "not run"),
    ];
    let title =
        words.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
    Square {
        suite,
        class,
        text: match (ran, bad + doubt) {
            (0, _) => "–".into(),
            (_, 0) => ran.to_string(),
            (_, trouble) => format!("{trouble}/{ran}"),
        },
        title: format!("{}, {suite}: {}", result.cell.name(), title.collect::<Vec<_>>().join(", ")),
    }
}

fn problem<'r>(problem: &Problem<'r>) -> ProblemShown<'r> {
    ProblemShown { text: problem.told(), shown: problem.shown().collect() }
}

/// What a vector came to, the worst first.
fn outcomes_of(report: &HtmlReport<'_>, outcomes: &[Outcomes<'_>], id: &str) -> Vec<OutcomeShown> {
    let mut shown: Vec<OutcomeShown> = Vec::new();
    for (cell, of_cell) in report.run.cells.iter().zip(outcomes) {
        let Some(vector) = of_cell.get(id) else { continue };
        let reason = match &vector.outcome {
            Outcome::NotRun(reason) | Outcome::Lost(reason) => Some(reason.clone()),
            _ => None,
        };
        let word = vector.outcome.word();
        match shown.iter_mut().find(|one| one.word == word && one.reason == reason) {
            Some(one) => one.cells.push(cell.cell.name()),
            None => {
                let class = class(&vector.outcome);
                shown.push(OutcomeShown { word, class, reason, cells: vec![cell.cell.name()] });
            }
        }
    }
    const WORST_FIRST: [&str; 5] = ["bad", "doubt", "stated", "good", "idle"];
    shown.sort_by_key(|one| WORST_FIRST.iter().position(|class| *class == one.class));
    shown
}

fn trouble(
    report: &HtmlReport<'_>,
    cell: &CellResult,
    vector: &VectorResult,
    number: usize,
    seen: Option<&Seen<'_>>,
) -> Result<TroubleShown, FileError> {
    let kernel = about_kernel(vector);
    let text = match &vector.outcome {
        Outcome::Failed(divergence) => divergence.to_string(),
        Outcome::Violated(what) | Outcome::Survived(what) | Outcome::Inconclusive(what) => what.clone(),
        _ => String::new(),
    };
    let mut shown = TroubleShown {
        number,
        cell: cell.cell.name(),
        word: vector.outcome.word(),
        text,
        what: if kernel { "kernel trace" } else { "conversation" },
        rows: Vec::new(),
        alone: None,
        console: seen.map(|seen| seen.console.clone()).unwrap_or_default(),
        timeline: seen.and_then(|seen| Timeline::of(&seen.run)),
    };
    let Some(seen) = seen else { return Ok(shown) };
    let goldens = if kernel { report.goldens.kernel() } else { report.goldens.clone() };
    let golden = match &vector.golden_layer {
        Some(layer) => goldens.read(layer, &vector.id)?,
        None => None,
    };
    let (said, told) = (with_names(&seen.run.trace.to_text()), seen.run.kernel.to_text());
    match (&vector.outcome, golden) {
        // Stock code passes a part of the probes only; the difference of that part is in the text.
        (Outcome::Failed(_), Some(_))
            if kernel && cell.cell.module == ModuleKind::Stock && cell.cell.release.is_some() => {}
        (Outcome::Failed(_), Some(golden)) => {
            shown.rows =
                if kernel { sides(&golden.body, &told) } else { sides(&with_names(&golden.body), &said) }
        }
        (Outcome::Violated(_), _) => shown.alone = Some(told),
        _ => shown.alone = Some(said),
    }
    Ok(shown)
}
