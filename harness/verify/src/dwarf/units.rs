// SPDX-License-Identifier: BSD-2-Clause
//! `.debug_info`: units and their entries, each read once, with a budget for what they refer to.

use std::collections::BTreeMap;
use std::rc::Rc;

use gimli::{
    Abbreviations, Attribute, AttributeValue, DebugAbbrev, DebugAbbrevOffset, DebugAddr, DebugAddrBase,
    DebugInfo, DebugStrOffsets, DebugStrOffsetsBase, DwAt, DwTag, UnitHeader, UnitOffset, constants,
};

use super::error::DebugError;
use super::sections::{DebugSections, Reader};

/// A unit: what one compilation made.
pub(crate) struct Unit<'a> {
    pub(crate) header: UnitHeader<Reader<'a>>,
    abbreviations: Rc<Abbreviations>,
    /// Where the unit stands in `.debug_info`.
    pub(crate) start: usize,
    /// `DW_AT_name`: the source file.
    pub(crate) name: String,
    /// `DW_AT_language`.
    pub(crate) language: u64,
    /// Where its line program stands.
    pub(crate) lines: Option<usize>,
    pub(crate) low: u64,
    strings: DebugStrOffsetsBase,
    pub(crate) addresses: DebugAddrBase,
    pub(crate) ranges: usize,
}

/// An entry with its attributes.
#[derive(Debug, Clone)]
pub(crate) struct Die<'a> {
    pub(crate) tag: DwTag,
    /// Where it stands in its unit.
    pub(crate) at: usize,
    /// How many entries it is in; the unit's own is at 0.
    pub(crate) depth: isize,
    pub(crate) has_children: bool,
    attributes: Vec<Attribute<Reader<'a>>>,
}

impl<'a> Die<'a> {
    pub(crate) fn value(&self, name: DwAt) -> Option<AttributeValue<Reader<'a>>> {
        self.attributes.iter().find(|attribute| attribute.name() == name).map(Attribute::value)
    }

    pub(crate) fn number(&self, name: DwAt) -> Option<u64> {
        self.value(name)?.udata_value()
    }
}

/// All units of a file.
pub(crate) struct Units<'a> {
    pub(crate) debug: &'a DebugSections<'a>,
    pub(crate) list: Vec<Unit<'a>>,
    /// Attributes and ranges that may still be read: entries of one byte may have many attributes of none.
    budget: usize,
}

impl<'a> Units<'a> {
    /// Reads the headers of all units and the first entry of each.
    pub(crate) fn read(debug: &'a DebugSections<'a>) -> Result<Self, DebugError> {
        let info = debug.reader(".debug_info");
        let abbrev = debug.get(".debug_abbrev");
        let mut headers = Vec::new();
        let mut iter = DebugInfo::from(info).units();
        while let Some(header) = iter.next()? {
            headers.push(header);
        }
        // A table ends where the next one begins: each byte of abbreviations belongs to one table.
        let mut starts: Vec<usize> = headers.iter().map(|header| header.debug_abbrev_offset().0).collect();
        starts.sort_unstable();
        starts.dedup();
        let budget = info.len().saturating_mul(8).saturating_add(4096);
        let mut units = Self { debug, list: Vec::new(), budget };
        let mut tables: BTreeMap<usize, Rc<Abbreviations>> = BTreeMap::new();
        for header in headers {
            let start = header.debug_abbrev_offset().0;
            let next = starts.partition_point(|other| *other <= start);
            let end = starts.get(next).copied().unwrap_or(abbrev.len()).min(abbrev.len());
            let abbreviations = match tables.get(&start) {
                Some(table) => Rc::clone(table),
                None => {
                    let table = DebugAbbrev::new(abbrev.get(..end).unwrap_or_default(), gimli::LittleEndian);
                    let table = Rc::new(table.abbreviations(DebugAbbrevOffset(start))?);
                    tables.insert(start, Rc::clone(&table));
                    table
                }
            };
            let at = header.debug_info_offset().map_or(0, |offset| offset.0);
            let mut unit = Unit {
                header,
                abbreviations,
                start: at,
                name: String::new(),
                language: 0,
                lines: None,
                low: 0,
                strings: DebugStrOffsetsBase::default_for_encoding_and_file(
                    header.encoding(),
                    gimli::DwarfFileType::Main,
                ),
                addresses: DebugAddrBase(8),
                ranges: 0,
            };
            let root = units.entry_of(&unit, header.root_offset().0)?;
            if let Some(root) = root {
                unit.language = match root.value(constants::DW_AT_language) {
                    Some(AttributeValue::Language(language)) => u64::from(language.0),
                    _ => 0,
                };
                unit.lines = match root.value(constants::DW_AT_stmt_list) {
                    Some(AttributeValue::DebugLineRef(offset)) => Some(offset.0),
                    _ => None,
                };
                if let Some(AttributeValue::DebugStrOffsetsBase(base)) =
                    root.value(constants::DW_AT_str_offsets_base)
                {
                    unit.strings = base;
                }
                if let Some(AttributeValue::DebugAddrBase(base)) = root.value(constants::DW_AT_addr_base) {
                    unit.addresses = base;
                }
                if let Some(AttributeValue::DebugRngListsBase(base)) =
                    root.value(constants::DW_AT_rnglists_base)
                {
                    unit.ranges = base.0;
                }
                unit.low = units.address(&unit, root.value(constants::DW_AT_low_pc)).unwrap_or(0);
                unit.name = units.text(&unit, root.value(constants::DW_AT_name)).unwrap_or_default();
            }
            units.list.push(unit);
        }
        Ok(units)
    }

    pub(crate) fn spend(&mut self, amount: usize) -> Result<(), DebugError> {
        self.budget = self.budget.checked_sub(amount).ok_or(DebugError::Spent)?;
        Ok(())
    }

    fn entry_of(&mut self, unit: &Unit<'a>, at: usize) -> Result<Option<Die<'a>>, DebugError> {
        self.read_entry(unit.header, &Rc::clone(&unit.abbreviations), at)
    }

    /// The entry at an offset of a unit.
    pub(crate) fn entry(&mut self, unit: usize, at: usize) -> Result<Option<Die<'a>>, DebugError> {
        let Some(unit) = self.list.get(unit) else { return Ok(None) };
        let (header, abbreviations) = (unit.header, Rc::clone(&unit.abbreviations));
        self.read_entry(header, &abbreviations, at)
    }

    fn read_entry(
        &mut self,
        header: UnitHeader<Reader<'a>>,
        abbreviations: &Abbreviations,
        at: usize,
    ) -> Result<Option<Die<'a>>, DebugError> {
        let mut raw = header.entries_raw(abbreviations, Some(UnitOffset(at)))?;
        let Some(abbreviation) = raw.read_abbreviation()? else { return Ok(None) };
        self.spend(abbreviation.attributes().len().saturating_add(1))?;
        let mut attributes = Vec::new();
        raw.read_attributes(abbreviation.attributes(), &mut attributes)?;
        Ok(Some(Die {
            tag: abbreviation.tag(),
            at,
            depth: 0,
            has_children: abbreviation.has_children(),
            attributes,
        }))
    }

    /// Calls `each` with every entry of a unit that `wants` names: the one at `from` and those in it, or all.
    pub(crate) fn walk(
        &mut self,
        unit: usize,
        from: Option<usize>,
        wants: &dyn Fn(DwTag) -> bool,
        each: &mut dyn FnMut(&mut Self, Die<'a>) -> Result<(), DebugError>,
    ) -> Result<(), DebugError> {
        let Some(here) = self.list.get(unit) else { return Ok(()) };
        let (header, abbreviations) = (here.header, Rc::clone(&here.abbreviations));
        let mut raw = header.entries_raw(&abbreviations, from.map(UnitOffset))?;
        while !raw.is_empty() {
            let (at, depth) = (raw.next_offset().0, raw.next_depth());
            let Some(abbreviation) = raw.read_abbreviation()? else {
                // The end of the entry that it began with.
                if from.is_some() && raw.next_depth() <= 0 {
                    return Ok(());
                }
                continue;
            };
            self.spend(abbreviation.attributes().len().saturating_add(1))?;
            if wants(abbreviation.tag()) {
                let mut attributes = Vec::new();
                raw.read_attributes(abbreviation.attributes(), &mut attributes)?;
                let has_children = abbreviation.has_children();
                each(self, Die { tag: abbreviation.tag(), at, depth, has_children, attributes })?;
            } else {
                raw.skip_attributes(abbreviation.attributes())?;
            }
            if from.is_some() && raw.next_depth() <= 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Which entry a reference means: unit and offset in it.
    pub(crate) fn target(
        &self,
        unit: usize,
        value: Option<AttributeValue<Reader<'a>>>,
    ) -> Option<(usize, usize)> {
        match value? {
            AttributeValue::UnitRef(offset) => Some((unit, offset.0)),
            AttributeValue::DebugInfoRef(offset) => {
                let after = self.list.partition_point(|unit| unit.start <= offset.0);
                let unit = after.checked_sub(1)?;
                Some((unit, offset.0.checked_sub(self.list.get(unit)?.start)?))
            }
            _ => None,
        }
    }

    pub(crate) fn text(&self, unit: &Unit<'a>, value: Option<AttributeValue<Reader<'a>>>) -> Option<String> {
        let bytes = match value? {
            AttributeValue::String(text) => {
                text.slice().get(..crate::limits::LONGEST_NAME).unwrap_or(text.slice())
            }
            AttributeValue::DebugStrRef(offset) => self.debug.text(".debug_str", offset.0)?,
            AttributeValue::DebugLineStrRef(offset) => self.debug.text(".debug_line_str", offset.0)?,
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let offsets = DebugStrOffsets::from(self.debug.reader(".debug_str_offsets"));
                let offset = offsets.get_str_offset(unit.header.format(), unit.strings, index).ok()?;
                self.debug.text(".debug_str", offset.0)?
            }
            _ => return None,
        };
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// `DW_AT_name` of an entry.
    pub(crate) fn name(&self, unit: usize, die: &Die<'a>) -> Option<String> {
        self.text(self.list.get(unit)?, die.value(constants::DW_AT_name))
    }

    pub(crate) fn address(&self, unit: &Unit<'a>, value: Option<AttributeValue<Reader<'a>>>) -> Option<u64> {
        match value? {
            AttributeValue::Addr(address) => Some(address),
            AttributeValue::DebugAddrIndex(index) => {
                DebugAddr::from(self.debug.reader(".debug_addr")).get_address(8, unit.addresses, index).ok()
            }
            _ => None,
        }
    }
}
