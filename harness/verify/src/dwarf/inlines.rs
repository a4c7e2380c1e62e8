// SPDX-License-Identifier: BSD-2-Clause
//! Inlined functions: for an address, the functions around it from the innermost outwards.

use std::collections::{BTreeMap, BTreeSet};

use gimli::{AttributeValue, RangeLists, RangeListsOffset, constants};

use super::error::DebugError;
use super::lines;
use super::sections::DebugSections;
use super::units::{Die, Units};
use crate::policy::short_name;
use crate::report::{Inlined, Source};

/// Most functions that are shown for one address; the compiler inlines less deep.
const DEEPEST: usize = 16;

/// For each address that lies in an inlined function: that function and those around it, innermost first, each
/// with the place of its call in the next.
pub(crate) fn inlined(
    debug: &DebugSections<'_>,
    wanted: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Vec<Inlined>>, DebugError> {
    let mut found: BTreeMap<u64, Vec<Inlined>> = BTreeMap::new();
    let mut units = Units::read(debug)?;
    for unit in 0..units.list.len() {
        let header = units.list[unit].lines;
        let mut files: Option<Option<_>> = None;
        let wants = |tag| tag == constants::DW_TAG_inlined_subroutine;
        units.walk(unit, None, &wants, &mut |units, die| {
            let mut addresses = BTreeSet::new();
            for (low, high) in ranges(units, unit, &die)? {
                let inside: Vec<u64> = wanted.range(low..high.max(low)).copied().collect();
                units.spend(inside.len())?;
                addresses.extend(inside);
            }
            if addresses.is_empty() {
                return Ok(());
            }
            let function = function(units, unit, &die)?;
            let files = files.get_or_insert_with(|| header.and_then(|at| lines::header(debug, at)));
            let index = match die.value(constants::DW_AT_call_file) {
                Some(AttributeValue::FileIndex(index)) => Some(index),
                _ => die.number(constants::DW_AT_call_file),
            };
            let call = files.as_ref().zip(index).and_then(|(header, index)| {
                let line = die.number(constants::DW_AT_call_line).filter(|line| *line > 0)?;
                let column = die.number(constants::DW_AT_call_column).filter(|column| *column > 0);
                Some(Source { file: lines::file(debug, header, index)?, line, column })
            });
            for address in addresses {
                let list = found.entry(address).or_default();
                if list.len() < DEEPEST {
                    list.push(Inlined { function: function.clone(), call: call.clone() });
                }
            }
            Ok(())
        })?;
    }
    // Entries come from the outside in.
    found.values_mut().for_each(|list| list.reverse());
    Ok(found)
}

/// The name behind `DW_AT_abstract_origin`.
fn function<'a>(units: &mut Units<'a>, unit: usize, die: &Die<'a>) -> Result<String, DebugError> {
    let mut next = units.target(unit, die.value(constants::DW_AT_abstract_origin));
    for _ in 0..4 {
        let Some((unit, at)) = next else { break };
        let Some(origin) = units.entry(unit, at)? else { break };
        let text = |name| units.text(&units.list[unit], origin.value(name));
        // The linkage name has the path of a Rust function.
        if let Some(name) = text(constants::DW_AT_linkage_name).or_else(|| text(constants::DW_AT_name)) {
            return Ok(short_name(&name));
        }
        let value = origin.value(constants::DW_AT_specification);
        next = units.target(unit, value.or_else(|| origin.value(constants::DW_AT_abstract_origin)));
    }
    Ok("?".to_owned())
}

/// Addresses of an entry, from and to.
fn ranges<'a>(units: &mut Units<'a>, unit: usize, die: &Die<'a>) -> Result<Vec<(u64, u64)>, DebugError> {
    let here = &units.list[unit];
    if let Some(low) = units.address(here, die.value(constants::DW_AT_low_pc)) {
        let high = die.value(constants::DW_AT_high_pc);
        let high = match high.as_ref().and_then(AttributeValue::udata_value) {
            Some(length) => low.saturating_add(length),
            None => units.address(here, high).unwrap_or(low),
        };
        return Ok(vec![(low, high)]);
    }
    let lists = RangeLists::new(
        units.debug.reader(".debug_ranges").into(),
        units.debug.reader(".debug_rnglists").into(),
    );
    let encoding = here.header.encoding();
    let offset = match die.value(constants::DW_AT_ranges) {
        Some(AttributeValue::RangeListsRef(offset)) => RangeListsOffset(offset.0),
        Some(AttributeValue::DebugRngListsIndex(index)) => {
            lists.get_offset(encoding, gimli::DebugRngListsBase(here.ranges), index)?
        }
        _ => return Ok(Vec::new()),
    };
    let debug_addr = units.debug.reader(".debug_addr").into();
    let mut iter = lists.ranges(offset, encoding, here.low, &debug_addr, here.addresses)?;
    let mut found = Vec::new();
    loop {
        let next = iter.next()?;
        units.spend(1)?;
        match next {
            Some(range) => found.push((range.begin, range.end)),
            None => return Ok(found),
        }
    }
}
