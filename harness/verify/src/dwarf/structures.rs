// SPDX-License-Identifier: BSD-2-Clause
//! Layouts of structures by name.

use std::collections::{BTreeMap, BTreeSet};

use gimli::{AttributeValue, constants};

use super::error::DebugError;
use super::sections::DebugSections;
use super::units::{Die, Units};
use crate::layout::{Layout, Member, Shape, Types, layout};

/// Whose structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    /// Any version of C.
    C,
    /// With the path of its modules before a name.
    Rust,
}

/// All definitions that are found of the structures in `wanted`, each layout once, with the unit that has it.
/// `None` stands for one that is there but cannot be followed.
pub(crate) type Found = BTreeMap<String, Vec<(String, Option<Layout>)>>;

/// Looks for structures.
pub(crate) fn structures(
    debug: &DebugSections<'_>,
    language: Language,
    wanted: &BTreeSet<String>,
) -> Result<Found, DebugError> {
    let mut units = Units::read(debug)?;
    let mut found = Found::new();
    for unit in 0..units.list.len() {
        if language_of(units.list[unit].language) != Some(language) {
            continue;
        }
        // Where the names of the modules around an entry end: depth and length of the path.
        let (mut path, mut around) = (String::new(), Vec::<(isize, usize)>::new());
        let wants = |tag| {
            matches!(
                tag,
                constants::DW_TAG_structure_type | constants::DW_TAG_typedef | constants::DW_TAG_namespace
            )
        };
        units.walk(unit, None, &wants, &mut |units, die| {
            while let Some((_, length)) = around.pop_if(|(depth, _)| *depth >= die.depth) {
                path.truncate(length);
            }
            match die.tag {
                constants::DW_TAG_namespace if language == Language::Rust && path.len() < 1024 => {
                    around.push((die.depth, path.len()));
                    path.push_str(&units.name(unit, &die).unwrap_or_default());
                    path.push_str("::");
                }
                constants::DW_TAG_structure_type | constants::DW_TAG_typedef
                    if die.value(constants::DW_AT_declaration).is_none() =>
                {
                    let Some(name) = units.name(unit, &die) else { return Ok(()) };
                    let name = format!("{path}{name}");
                    if !wanted.contains(&name) {
                        return Ok(());
                    }
                    let mut types = DwarfTypes { units, failed: None };
                    let layout = layout(&mut types, (unit, die.at));
                    if let Some(error) = types.failed {
                        return Err(error);
                    }
                    // A second name for something else, such as a number.
                    if die.tag == constants::DW_TAG_typedef && layout.is_none() {
                        return Ok(());
                    }
                    let list = found.entry(name).or_default();
                    if list.len() < 8 && !list.iter().any(|(_, other)| *other == layout) {
                        list.push((units.list[unit].name.clone(), layout));
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// `DW_LANG_*`.
fn language_of(language: u64) -> Option<Language> {
    match u16::try_from(language).map(gimli::DwLang) {
        Ok(constants::DW_LANG_Rust) => Some(Language::Rust),
        Ok(
            constants::DW_LANG_C89
            | constants::DW_LANG_C
            | constants::DW_LANG_C99
            | constants::DW_LANG_C11
            | constants::DW_LANG_C17,
        ) => Some(Language::C),
        _ => None,
    }
}

/// Names a type: unit and offset in it.
type TypeRef = (usize, usize);
type Members = Vec<Member<TypeRef>>;

struct DwarfTypes<'u, 'a> {
    units: &'u mut Units<'a>,
    failed: Option<DebugError>,
}

impl Types for DwarfTypes<'_, '_> {
    type Id = TypeRef;

    fn shape(&mut self, id: Self::Id) -> Option<Shape<Self::Id>> {
        match self.read(id) {
            Ok(shape) => shape,
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }
}

impl<'a> DwarfTypes<'_, 'a> {
    fn read(&mut self, id: TypeRef) -> Result<Option<Shape<TypeRef>>, DebugError> {
        let (unit, at) = id;
        let Some(die) = self.units.entry(unit, at)? else { return Ok(None) };
        let of = self.units.target(unit, die.value(constants::DW_AT_type));
        let size = die.number(constants::DW_AT_byte_size);
        Ok(match die.tag {
            constants::DW_TAG_base_type => size.map(Shape::Scalar),
            constants::DW_TAG_pointer_type | constants::DW_TAG_reference_type => {
                Some(Shape::Scalar(size.unwrap_or(8)))
            }
            constants::DW_TAG_enumeration_type => size.map(Shape::Scalar),
            constants::DW_TAG_typedef
            | constants::DW_TAG_const_type
            | constants::DW_TAG_volatile_type
            | constants::DW_TAG_restrict_type
            | constants::DW_TAG_atomic_type => of.map(Shape::Alias),
            constants::DW_TAG_array_type => {
                let count = self.count(unit, &die)?;
                of.zip(count).map(|(of, count)| Shape::Array(of, count))
            }
            constants::DW_TAG_structure_type | constants::DW_TAG_union_type => {
                if die.value(constants::DW_AT_declaration).is_some() {
                    return Ok(None);
                }
                let members = self.members(unit, &die)?;
                let union = die.tag == constants::DW_TAG_union_type;
                let align = die.number(constants::DW_AT_alignment);
                size.zip(members).map(|(size, members)| Shape::Record { size, align, union, members })
            }
            _ => None,
        })
    }

    /// How many elements an array has: the product of its dimensions; one without a bound has none.
    fn count(&mut self, unit: usize, die: &Die<'a>) -> Result<Option<u64>, DebugError> {
        let mut count = Some(1_u64);
        let at = die.at;
        self.units.walk(unit, Some(at), &|_| true, &mut |_, child| {
            if child.depth == 1 && child.tag == constants::DW_TAG_subrange_type {
                let bound = child.number(constants::DW_AT_count).or_else(|| {
                    let upper = child.value(constants::DW_AT_upper_bound)?.sdata_value()?;
                    u64::try_from(upper.checked_add(1)?).ok()
                });
                count = count.and_then(|count| count.checked_mul(bound.unwrap_or(0)));
            }
            Ok(())
        })?;
        Ok(count)
    }

    fn members(&mut self, unit: usize, die: &Die<'a>) -> Result<Option<Members>, DebugError> {
        let mut members = Some(Vec::new());
        if !die.has_children {
            return Ok(members);
        }
        let at = die.at;
        self.units.walk(unit, Some(at), &|_| true, &mut |units, child| {
            if child.depth != 1 {
                return Ok(());
            }
            match child.tag {
                constants::DW_TAG_member => {
                    let of = units.target(unit, child.value(constants::DW_AT_type));
                    let name = units.name(unit, &child).unwrap_or_default();
                    let size = child.number(constants::DW_AT_bit_size);
                    let offset = match child.number(constants::DW_AT_data_bit_offset) {
                        Some(bits) => Some(bits),
                        // Absent in a union, and in front.
                        None => match child.value(constants::DW_AT_data_member_location) {
                            None => Some(0),
                            Some(AttributeValue::Exprloc(_)) => None,
                            Some(value) => value.udata_value().and_then(|bytes| bytes.checked_mul(8)),
                        },
                    };
                    // DWARF 2 and 3 count the bits of a bit field from the other end.
                    let old = child.value(constants::DW_AT_bit_offset).is_some();
                    match (of, offset) {
                        (Some(of), Some(offset)) if !old => {
                            if let Some(list) = &mut members {
                                list.push(Member { name, of, offset, size });
                            }
                        }
                        _ => members = None,
                    }
                }
                // A Rust enumeration with data: which members there are depends on a value.
                constants::DW_TAG_variant_part => members = None,
                _ => {}
            }
            Ok(())
        })?;
        Ok(members)
    }
}
