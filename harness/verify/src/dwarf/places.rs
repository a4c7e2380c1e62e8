// SPDX-License-Identifier: BSD-2-Clause
//! Source lines in the paths of findings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::error::DebugError;
use super::inlines::inlined;
use super::lines::sources;
use super::sections::DebugSections;
use crate::elf::{Member, Module};
use crate::report::{Finding, Inlined, Source};

/// Gives every step of every path its source, as far as the module says. Returns why steps are without, if some are.
pub(crate) fn place_steps(module: &Module<'_>, findings: &mut [Finding]) -> Option<String> {
    let places: BTreeSet<(usize, u64)> =
        findings.iter().flat_map(|finding| &finding.path).filter_map(|step| step.place).collect();
    let mut known: BTreeMap<(usize, u64), Known> = BTreeMap::new();
    let mut why = None;
    for member in &module.members {
        let Range { start, end } = member.sections;
        let here: Vec<_> = places.range((start, 0)..(end, 0)).copied().collect();
        if here.is_empty() {
            continue;
        }
        if let Some(reason) = of_member(module, member, &here, &mut known) {
            let of = if member.name.is_empty() { String::new() } else { format!("{}: ", member.name) };
            why.get_or_insert(format!("{of}{reason}"));
        }
    }
    for step in findings.iter_mut().flat_map(|finding| &mut finding.path) {
        if let Some(known) = step.place.and_then(|place| known.get(&place)) {
            step.source.clone_from(&known.source);
            step.inlined.clone_from(&known.inlined);
        }
    }
    why
}

/// Source of a place.
struct Known {
    source: Option<Source>,
    inlined: Vec<Inlined>,
}

/// Looks the places of one member up. Returns why some are not found.
fn of_member(
    module: &Module<'_>,
    member: &Member,
    places: &[(usize, u64)],
    known: &mut BTreeMap<(usize, u64), Known>,
) -> Option<String> {
    let debug = match DebugSections::of_member(module, member) {
        Ok(debug) => debug,
        Err(why) => return Some(why.to_string()),
    };
    if debug.get(".debug_line").is_empty() {
        return Some(DebugError::NoLines.to_string());
    }
    let address = |place: &(usize, u64)| debug.address(place.0, place.1);
    let wanted: BTreeSet<u64> = places.iter().filter_map(address).collect();
    let (found, mut why) = sources(&debug, wanted.clone());
    let inlined = if debug.get(".debug_info").is_empty() {
        BTreeMap::new()
    } else {
        inlined(&debug, &wanted).unwrap_or_else(|error| {
            why.get_or_insert(error);
            BTreeMap::new()
        })
    };
    for place in places {
        let Some(address) = address(place) else { continue };
        let inlined = inlined.get(&address).cloned().unwrap_or_default();
        known.insert(*place, Known { source: found.get(&address).cloned(), inlined });
    }
    let without = wanted.len().saturating_sub(found.len());
    why.map(|error| error.to_string()).or_else(|| {
        (without > 0).then(|| format!(".debug_line has nothing for {without} of the places shown"))
    })
}
