// SPDX-License-Identifier: BSD-2-Clause
//! Source lines in the paths of findings.

use std::collections::BTreeSet;

use super::inlines::inlined;
use super::lines::sources;
use super::sections::DebugSections;
use crate::elf::Module;
use crate::report::Finding;

/// Gives every step of every path its source, as far as the module says. Returns why steps are without, if some are.
pub(crate) fn place_steps(module: &Module<'_>, findings: &mut [Finding]) -> Option<String> {
    let places: BTreeSet<(usize, u64)> =
        findings.iter().flat_map(|finding| &finding.path).filter_map(|step| step.place).collect();
    if places.is_empty() {
        return None;
    }
    let debug = match DebugSections::of_module(module) {
        Ok(debug) => debug,
        Err(why) => return Some(why),
    };
    if debug.get(".debug_line").is_empty() {
        return Some("the module has no .debug_line: compile with -g, and keep it".to_owned());
    }
    let wanted: BTreeSet<u64> =
        places.iter().filter_map(|(section, offset)| debug.address(*section, *offset)).collect();
    let (found, mut why) = sources(&debug, wanted.clone());
    let inlined = if debug.get(".debug_info").is_empty() {
        Default::default()
    } else {
        inlined(&debug, &wanted).unwrap_or_else(|error| {
            why.get_or_insert_with(|| error.to_string());
            Default::default()
        })
    };
    for step in findings.iter_mut().flat_map(|finding| &mut finding.path) {
        let address = step.place.and_then(|(section, offset)| debug.address(section, offset));
        let Some(address) = address else { continue };
        step.source = found.get(&address).cloned();
        if let Some(inlined) = inlined.get(&address) {
            step.inlined.clone_from(inlined);
        }
    }
    let without = wanted.len() - found.len();
    why.or_else(|| {
        (without > 0).then(|| format!(".debug_line has nothing for {without} of the places shown"))
    })
}
