// SPDX-License-Identifier: BSD-2-Clause
//! A number with its noun.

use core::fmt;

/// A number with its noun, as [`counted`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    number: u64,
    noun: &'a str,
    /// Stands behind the noun, with a space in between.
    verb: Option<&'a str>,
}

/// A number with its noun in the singular: `counted(1, "vector")` reads `1 vector`, `counted(2, "vector")` reads `2 vectors`.
/// Of a noun of several words the last one changes.
///
/// A number that does not fit 64 bits is shown as the greatest that does.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> Counted<'_> {
    Counted { number: number.try_into().unwrap_or(u64::MAX), noun, verb: None }
}

impl<'a> Counted<'a> {
    /// Adds the form of a verb that goes with the number: `counted(1, "cell").verb("was", "were")` reads `1 cell was`.
    #[must_use]
    pub fn verb(self, one: &'a str, many: &'a str) -> Self {
        Self { verb: Some(if self.number == 1 { one } else { many }), ..self }
    }
}

impl fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, noun, verb } = *self;
        let before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
        match before_y {
            _ if number == 1 => write!(f, "1 {noun}")?,
            Some(stem) => write!(f, "{number} {stem}ies")?,
            None if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => {
                write!(f, "{number} {noun}es")?
            }
            None => write!(f, "{number} {noun}s")?,
        }
        verb.map_or(Ok(()), |verb| write!(f, " {verb}"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn one_is_singular_and_nothing_else_is() {
        for (number, noun, expected) in [
            (0, "vector", "0 vectors"),
            (1, "vector", "1 vector"),
            (2, "vector", "2 vectors"),
            (1, "entry", "1 entry"),
            (2, "entry", "2 entries"),
            (2, "reply", "2 replies"),
            (2, "delay", "2 delays"),
            (3, "process", "3 processes"),
            (3, "jump table", "3 jump tables"),
            (2, "way", "2 ways"),
        ] {
            assert_eq!(counted(number, noun).to_string(), expected);
        }
        assert_eq!(counted(u64::MAX, "byte").to_string(), "18446744073709551615 bytes");
        assert_eq!(counted(1usize, "byte").to_string(), "1 byte");
    }

    #[test]
    fn the_verb_goes_with_the_number() {
        assert_eq!(counted(1, "cell").verb("was", "were").to_string(), "1 cell was");
        assert_eq!(counted(0, "cell").verb("was", "were").to_string(), "0 cells were");
    }
}
