// SPDX-License-Identifier: BSD-2-Clause
//! The kernel's types in `.SUNW_ctf`: version 3 of FreeBSD 14 and later, version 2 before (`sys/ctf.h`, ctf(5)).

use std::collections::{BTreeMap, BTreeSet};

use miniz_oxide::inflate::TINFLStatus;
use object::LittleEndian as Le;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, SectionHeader as _};

use crate::layout::{Layout, Member, Shape, Types, layout};

const MAGIC: u16 = 0xcff1;
/// Bit of the header: what follows is compressed by zlib.
const COMPRESSED: u8 = 1;
const HEADER: usize = 36;
/// Longest data that is unpacked, in bytes; GENERIC has about 4 MiB.
const LARGEST: usize = 64 << 20;

const INTEGER: u32 = 1;
const FLOAT: u32 = 2;
const POINTER: u32 = 3;
const ARRAY: u32 = 4;
const FUNCTION: u32 = 5;
const STRUCT: u32 = 6;
const UNION: u32 = 7;
const ENUM: u32 = 8;
const TYPEDEF: u32 = 10;
const VOLATILE: u32 = 11;
const CONST: u32 = 12;
const RESTRICT: u32 = 13;

/// Why a kernel's types cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CtfError {
    /// Not ELF, or damaged.
    #[error(transparent)]
    Elf(#[from] object::Error),
    /// The section is not in the file.
    #[error(".SUNW_ctf lies outside the file")]
    Outside,
    /// Not CTF.
    #[error(".SUNW_ctf does not begin as CTF does")]
    NotCtf,
    /// A version of another FreeBSD.
    #[error(".SUNW_ctf is of version {0}; 2 and 3 are known")]
    Version(u8),
    /// The packed part is damaged, or longer than any kernel's.
    #[error(".SUNW_ctf cannot be unpacked: {0:?}")]
    Packed(TINFLStatus),
    /// The header names bytes that are not there.
    #[error(".SUNW_ctf has tables outside of its contents")]
    Tables,
    /// A type whose rest is missing, by its place in bytes.
    #[error(".SUNW_ctf has a type at {0:#x} that is cut")]
    Cut(usize),
}

/// Types, unpacked.
#[derive(Debug)]
pub(crate) struct Ctf {
    version: u8,
    /// Everything behind the header.
    body: Vec<u8>,
    /// Where each type stands in `body`: type 1 first.
    places: Vec<usize>,
    strings: (usize, usize),
}

/// The types of a linked file; `None` if it has none.
///
/// # Errors
/// No ELF file, or types that cannot be read.
pub(crate) fn of_elf(bytes: &[u8]) -> Result<Option<Ctf>, CtfError> {
    let header = FileHeader64::<Le>::parse(bytes)?;
    let sections = header.sections(Le, bytes)?;
    let Some((_, section)) = sections.section_by_name(Le, b".SUNW_ctf") else { return Ok(None) };
    let data = section.data(Le, bytes).map_err(|_| CtfError::Outside)?;
    if data.is_empty() {
        return Ok(None);
    }
    Ctf::parse(data).map(Some)
}

/// The layouts of the structures in `wanted`; `None` stands for one that cannot be followed.
pub(crate) fn structures(ctf: &Ctf, wanted: &BTreeSet<String>) -> BTreeMap<String, Vec<Option<Layout>>> {
    let mut found: BTreeMap<String, Vec<Option<Layout>>> = BTreeMap::new();
    for id in 1..=ctf.places.len() {
        let Some(entry) = ctf.entry(id) else { continue };
        if entry.kind != STRUCT && entry.kind != TYPEDEF {
            continue;
        }
        let name = ctf.text(entry.name);
        if !wanted.contains(&*name) {
            continue;
        }
        let mut types = ctf;
        // CTF does not state alignment, and `__aligned` may raise it: what follows from the members is no more than a
        // lower bound.
        let layout = layout(&mut types, id).map(|layout| Layout { align: None, ..layout });
        // A second name for something else.
        if entry.kind == TYPEDEF && layout.is_none() {
            continue;
        }
        let list = found.entry(name.into_owned()).or_default();
        if list.len() < 8 && !list.contains(&layout) {
            list.push(layout);
        }
    }
    found
}

/// A type's fixed part.
struct Entry {
    name: u32,
    kind: u32,
    /// Members, values or arguments.
    count: usize,
    /// Size in bytes, or another type.
    size: u64,
    /// Where what follows begins.
    rest: usize,
}

impl Ctf {
    fn parse(data: &[u8]) -> Result<Self, CtfError> {
        if data.len() < HEADER || u16::from_le_bytes([data[0], data[1]]) != MAGIC {
            return Err(CtfError::NotCtf);
        }
        let (version, flags) = (data[2], data[3]);
        if version != 2 && version != 3 {
            return Err(CtfError::Version(version));
        }
        let body = if flags & COMPRESSED != 0 {
            miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&data[HEADER..], LARGEST)
                .map_err(|error| CtfError::Packed(error.status))?
        } else {
            data[HEADER..].to_vec()
        };
        let word = |at: usize| word(data, at).map(|word| word as usize).unwrap_or(usize::MAX);
        let (types, strings, length) = (word(24), word(28), word(32));
        let end = strings.checked_add(length).filter(|end| *end <= body.len() && types <= strings);
        let Some(end) = end else { return Err(CtfError::Tables) };
        let mut ctf = Self { version, body, places: Vec::new(), strings: (strings, end) };
        let mut at = types;
        while at < strings {
            let Some(next) =
                ctf.entry_at(at).and_then(|entry| ctf.end_of(&entry)).filter(|next| *next <= strings)
            else {
                return Err(CtfError::Cut(at));
            };
            ctf.places.push(at);
            at = next;
        }
        Ok(ctf)
    }

    fn entry(&self, id: usize) -> Option<Entry> {
        self.entry_at(*self.places.get(id.checked_sub(1)?)?)
    }

    fn entry_at(&self, at: usize) -> Option<Entry> {
        let name = word(&self.body, at)?;
        let (kind, count, small, mut rest) = if self.version == 3 {
            let (info, small) = (word(&self.body, at + 4)?, word(&self.body, at + 8)?);
            (info >> 26, info & 0x00ff_ffff, small, at + 12)
        } else {
            let (info, small) = (u32::from(half(&self.body, at + 4)?), half(&self.body, at + 6)?);
            let small = if small == 0xffff { u32::MAX } else { u32::from(small) };
            ((info & 0xf800) >> 11, info & 0x03ff, small, at + 8)
        };
        let mut size = u64::from(small);
        if small == u32::MAX {
            size = u64::from(word(&self.body, rest)?) << 32 | u64::from(word(&self.body, rest + 4)?);
            rest += 8;
        }
        Some(Entry { name, kind, count: count as usize, size, rest })
    }

    /// Bytes of a member, and whether it is of the long form.
    fn member(&self, entry: &Entry) -> (usize, bool) {
        match (self.version, entry.size) {
            (3, size) if size < 1 << 29 => (12, false),
            (3, _) => (16, true),
            (_, size) if size < 1 << 13 => (8, false),
            _ => (16, true),
        }
    }

    fn end_of(&self, entry: &Entry) -> Option<usize> {
        let id = if self.version == 3 { 4 } else { 2 };
        let length = match entry.kind {
            INTEGER | FLOAT => 4,
            ARRAY => 2 * id + 4,
            // Version 2 rounds its half words up to whole words; version 3 has whole words anyway, and no more
            // (observed in the kernels of 14.0 and 15.1).
            FUNCTION if self.version == 3 => entry.count.checked_mul(id)?,
            FUNCTION => (entry.count.checked_add(entry.count & 1)?).checked_mul(id)?,
            STRUCT | UNION => entry.count.checked_mul(self.member(entry).0)?,
            ENUM => entry.count.checked_mul(8)?,
            _ => 0,
        };
        entry.rest.checked_add(length)
    }

    fn text(&self, offset: u32) -> std::borrow::Cow<'_, str> {
        let (start, end) = self.strings;
        let offset = (offset & 0x7fff_ffff) as usize;
        let rest = start.checked_add(offset).and_then(|at| self.body.get(at..end)).unwrap_or_default();
        let rest = &rest[..rest.len().min(crate::limits::LONGEST_NAME)];
        String::from_utf8_lossy(rest.split(|&byte| byte == 0).next().unwrap_or_default())
    }

    fn id(&self, at: usize) -> Option<usize> {
        if self.version == 3 {
            word(&self.body, at).map(|id| id as usize)
        } else {
            half(&self.body, at).map(usize::from)
        }
    }

    fn members(&self, entry: &Entry) -> Option<Vec<Member<usize>>> {
        let (length, long) = self.member(entry);
        let mut members = Vec::new();
        for number in 0..entry.count {
            let at = entry.rest + number * length;
            let name = self.text(word(&self.body, at)?).into_owned();
            let of = self.id(at + 4)?;
            let offset = match (self.version, long) {
                (3, false) => u64::from(word(&self.body, at + 8)?),
                (_, true) => {
                    u64::from(word(&self.body, at + 8)?) << 32 | u64::from(word(&self.body, at + 12)?)
                }
                _ => u64::from(half(&self.body, at + 6)?),
            };
            // An integer of its own width: how CTF describes bit fields.
            let bits = self.entry(of).filter(|entry| entry.kind == INTEGER).and_then(|entry| {
                let bits = u64::from(word(&self.body, entry.rest)? & 0xffff);
                (bits != entry.size * 8).then_some(bits)
            });
            members.push(Member { name, of, offset, size: bits });
        }
        Some(members)
    }
}

impl Types for &Ctf {
    type Id = usize;

    fn shape(&mut self, id: usize) -> Option<Shape<usize>> {
        let entry = self.entry(id)?;
        match entry.kind {
            INTEGER | FLOAT | ENUM => Some(Shape::Scalar(entry.size)),
            POINTER => Some(Shape::Scalar(8)),
            ARRAY => {
                let id = if self.version == 3 { 4 } else { 2 };
                let count = word(&self.body, entry.rest + 2 * id)?;
                Some(Shape::Array(self.id(entry.rest)?, u64::from(count)))
            }
            STRUCT | UNION => Some(Shape::Record {
                size: entry.size,
                align: None,
                union: entry.kind == UNION,
                members: self.members(&entry)?,
            }),
            TYPEDEF | VOLATILE | CONST | RESTRICT => Some(Shape::Alias(usize::try_from(entry.size).ok()?)),
            _ => None,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
