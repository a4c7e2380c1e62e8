// SPDX-License-Identifier: BSD-2-Clause
//! `index.html`: a qualification as one page for deciding. It is read without scripts, and asks nobody for anything.

use minijinja::{Error, context};
use serde::Serialize;

use super::finding::{Class, Comparison, Difference, Module, Party, Qualification};
use super::inputs::Inputs;
use crate::report::{STYLE, plain_page};

const TEMPLATE: &str = include_str!("page.html");
const OWN_STYLE: &str = include_str!("page.css");

/// A comparison with its differences by what explains them.
#[derive(Serialize)]
struct Shown<'q> {
    /// A word for addresses in the page.
    id: &'static str,
    title: String,
    compared: usize,
    differing: usize,
    groups: Vec<Group<'q>>,
    not_compared: &'q [super::finding::NotCompared],
}

#[derive(Serialize)]
struct Group<'q> {
    word: &'static str,
    class: &'static str,
    about: &'static str,
    differences: Vec<&'q Difference>,
}

/// Facts of all parties beside each other.
#[derive(Serialize)]
struct FactRow<'q> {
    label: &'q str,
    texts: Vec<&'q str>,
}

fn shown<'q>(id: &'static str, title: String, comparison: &'q Comparison) -> Shown<'q> {
    let group = |class, css, about| Group {
        word: Class::word(class),
        class: css,
        about,
        differences: comparison.differences.iter().filter(|one| one.class == class).collect(),
    };
    let groups = vec![
        group(Class::Unexplained, "bad", "nothing explains these"),
        group(Class::Allowed, "doubt", "rows of divergences.yaml allow these"),
        group(Class::Declared, "good", "the two profiles, or the vectors, declare these"),
    ];
    Shown {
        id,
        title,
        compared: comparison.compared.len(),
        differing: comparison.differing.len(),
        groups,
        not_compared: &comparison.not_compared,
    }
}

fn parties(found: &Qualification) -> Vec<&Party> {
    let module = found.module.as_ref().map(|module| &module.party);
    [Some(&found.baseline), Some(&found.candidate), module].into_iter().flatten().collect()
}

fn facts<'q>(parties: &[&'q Party]) -> Vec<FactRow<'q>> {
    let mut labels: Vec<&str> = Vec::new();
    for fact in parties.iter().flat_map(|party| &party.facts) {
        if !labels.contains(&fact.label.as_str()) {
            labels.push(&fact.label);
        }
    }
    let text = |party: &&'q Party, label: &str| {
        let fact = party.facts.iter().find(|fact| fact.label == label);
        fact.map_or("", |fact| fact.text.as_str())
    };
    let row = |label| FactRow { label, texts: parties.iter().map(|party| text(party, label)).collect() };
    labels.into_iter().map(row).collect()
}

/// The page's text.
///
/// # Errors
/// The template does not fit the data: a bug.
pub(super) fn page(found: &Qualification, inputs: &Inputs) -> Result<String, Error> {
    let title = |one: &str, other: &str| format!("{one} beside {other}");
    let mut comparisons =
        vec![shown("wire", title(&found.candidate.cell, &found.baseline.cell), &found.wire)];
    if let Some(Module { party, wire, .. }) = &found.module {
        comparisons.push(shown("module", title(&party.cell, &found.candidate.cell), wire));
    }
    let parties = parties(found);
    let facts = facts(&parties);
    let verdict = if found.passed { "Passed" } else { "Not passed" };
    let data = context! {
        title => format!("{verdict}: {} against {}", found.candidate.cell, found.baseline.cell),
        found, comparisons, parties, facts, inputs,
        closing => found.closing(),
        unexplained => found.unexplained(),
        style => format!("{STYLE}{OWN_STYLE}"),
    };
    plain_page(TEMPLATE, data)
}
