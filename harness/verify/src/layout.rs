// SPDX-License-Identifier: BSD-2-Clause
//! Layouts of structures, from whatever describes types, and how two of them differ.

use nlproof_base::counted;

/// Descriptions that are followed for one structure; a type may hold others many times over.
const BUDGET: usize = 1 << 16;
/// How deep types are followed into each other.
const DEEPEST: usize = 32;

/// The layout of a structure: nested structures are taken apart, arrays and unions are one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// In bytes.
    pub(crate) size: u64,
    /// In bytes; `None` where a field stands closer than its type allows (a packed structure).
    pub(crate) align: Option<u64>,
    /// By offset.
    pub(crate) fields: Vec<Field>,
}

/// A field that is no structure itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Names from the outside in, with dots between.
    pub(crate) name: String,
    /// In bits, from the start of the whole structure.
    pub(crate) offset: u64,
    /// In bits.
    pub(crate) size: u64,
}

/// A type as a source of types describes it.
#[derive(Debug, Clone)]
pub(crate) enum Shape<I> {
    /// A number, a pointer, an enumeration, with its size in bytes.
    Scalar(u64),
    /// An array: a number of elements of another type.
    Array(I, u64),
    /// Another by a different name.
    Alias(I),
    /// A structure or union.
    Record {
        /// In bytes.
        size: u64,
        /// In bytes, if it is stated.
        align: Option<u64>,
        /// Members overlap.
        union: bool,
        members: Vec<Member<I>>,
    },
}

/// A member of a structure.
#[derive(Debug, Clone)]
pub(crate) struct Member<I> {
    /// Empty for one without a name.
    pub(crate) name: String,
    pub(crate) of: I,
    /// In bits.
    pub(crate) offset: u64,
    /// In bits, for a bit field.
    pub(crate) size: Option<u64>,
}

/// A source of types.
pub(crate) trait Types {
    /// Names a type.
    type Id: Copy;
    /// Type of the member; `None` if it is not known.
    fn shape(&mut self, id: Self::Id) -> Option<Shape<Self::Id>>;
}

/// The layout of a structure; `None` if it is none, or something in it is not known.
pub(crate) fn layout<T: Types>(types: &mut T, id: T::Id) -> Option<Layout> {
    let mut walk = Walk { types, left: BUDGET, fields: Vec::new() };
    let (size, align) = walk.record(id, "", 0, 0)?;
    let mut fields = walk.fields;
    fields.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    Some(Layout { size, align, fields })
}

struct Walk<'t, T: Types> {
    types: &'t mut T,
    left: usize,
    fields: Vec<Field>,
}

impl<T: Types> Walk<'_, T> {
    fn shape(&mut self, id: T::Id) -> Option<Shape<T::Id>> {
        self.left = self.left.checked_sub(1)?;
        self.types.shape(id)
    }

    /// The type behind all its other names.
    fn bare(&mut self, mut id: T::Id) -> Option<Shape<T::Id>> {
        for _ in 0..DEEPEST {
            match self.shape(id)? {
                Shape::Alias(of) => id = of,
                other => return Some(other),
            }
        }
        None
    }

    /// Takes a structure apart. Its size and alignment in bytes.
    fn record(&mut self, id: T::Id, prefix: &str, at: u64, depth: usize) -> Option<(u64, Option<u64>)> {
        let Shape::Record { size, align, union: false, members } = self.bare(id)? else { return None };
        let mut natural = Some(1);
        for member in members {
            let offset = at.checked_add(member.offset)?;
            let name = match (prefix.is_empty(), member.name.is_empty()) {
                (_, true) => prefix.to_owned(),
                (true, false) => member.name,
                (false, false) => format!("{prefix}.{}", member.name),
            };
            if name.len() > crate::limits::LONGEST_NAME || depth > DEEPEST {
                return None;
            }
            self.left = self.left.checked_sub(1)?;
            let inner = match self.bare(member.of)? {
                Shape::Record { union: false, .. } if member.size.is_none() => {
                    self.record(member.of, &name, offset, depth + 1)?
                }
                _ => {
                    let (size, align) = self.measure(member.of, depth + 1)?;
                    let bits = member.size.or_else(|| size.checked_mul(8))?;
                    self.fields.push(Field { name, offset, size: bits });
                    (size, align)
                }
            };
            natural = join(natural, inner.1, &member.size, member.offset);
        }
        Some((size, align.or(natural.filter(|natural| size.is_multiple_of(*natural)))))
    }

    /// Size and alignment of a type in bytes.
    fn measure(&mut self, id: T::Id, depth: usize) -> Option<(u64, Option<u64>)> {
        if depth > DEEPEST {
            return None;
        }
        match self.bare(id)? {
            Shape::Scalar(size) => Some((size, Some(size.next_power_of_two().clamp(1, 16)))),
            Shape::Array(of, count) => {
                let (size, align) = self.measure(of, depth + 1)?;
                Some((size.checked_mul(count)?, align))
            }
            Shape::Record { size, align: Some(align), .. } => Some((size, Some(align))),
            Shape::Record { size, members, .. } => {
                let mut natural = Some(1_u64);
                for member in members {
                    let (_, align) = self.measure(member.of, depth + 1)?;
                    natural = join(natural, align, &member.size, member.offset);
                }
                Some((size, natural.filter(|natural| size.is_multiple_of(*natural))))
            }
            Shape::Alias(_) => None,
        }
    }
}

/// The alignment of a structure with one more member; `None` if the member stands closer than its type allows. A
/// bit field lies anywhere in its unit.
fn join(natural: Option<u64>, align: Option<u64>, bit_field: &Option<u64>, offset: u64) -> Option<u64> {
    let align = align?;
    let placed = bit_field.is_some() || offset.is_multiple_of(align.checked_mul(8)?.max(1));
    placed.then_some(natural?.max(align))
}

/// The differences between two layouts, in words; `here` and `there` name the two sides.
pub(crate) fn differences(here: (&str, &Layout), there: (&str, &Layout)) -> Vec<String> {
    let ((one, a), (two, b)) = (here, there);
    let mut found = Vec::new();
    if a.size != b.size {
        found.push(format!("has {} in {one} and {} in {two}", counted(a.size, "byte"), b.size));
    }
    if let (Some(x), Some(y)) = (a.align, b.align)
        && x != y
    {
        found.push(format!("is aligned to {x} in {one} and to {y} in {two}"));
    }
    for (number, field) in a.fields.iter().enumerate() {
        let same = b.fields.get(number).filter(|other| other.name == field.name);
        match same.or_else(|| b.fields.iter().find(|other| other.name == field.name)) {
            Some(other) if other.offset != field.offset => found.push(format!(
                "has `{}` at {} in {one} and at {} in {two}",
                field.name,
                place(field.offset),
                place(other.offset)
            )),
            Some(other) if other.size != field.size => found.push(format!(
                "has `{}` of {} in {one} and of {} in {two}",
                field.name,
                extent(field.size),
                extent(other.size)
            )),
            Some(_) => {}
            None => found.push(format!("has `{}` at {} in {one} only", field.name, place(field.offset))),
        }
        // Both lists are as long as the budget allows; looking for each name in the other is not.
        if found.len() > 64 {
            return found;
        }
    }
    for field in
        b.fields.iter().filter(|field| !a.fields.iter().any(|other| other.name == field.name)).take(64)
    {
        found.push(format!("has `{}` at {} in {two} only", field.name, place(field.offset)));
    }
    found
}

/// An offset in bytes, and bits where there are some.
pub(crate) fn place(bits: u64) -> String {
    match bits % 8 {
        0 => (bits / 8).to_string(),
        rest => format!("{}, bit {rest}", bits / 8),
    }
}

fn extent(bits: u64) -> String {
    match bits % 8 {
        0 => counted(bits / 8, "byte").to_string(),
        _ => counted(bits, "bit").to_string(),
    }
}
