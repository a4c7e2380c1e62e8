// SPDX-License-Identifier: BSD-2-Clause
//! One change of an interface's capabilities in its two forms: the bits that a message has, and the line that ifconfig(8)
//! prints of the same word.

use std::collections::BTreeSet;

use nlproof_wire::schema::capability_names;

/// The word of capabilities before a change and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapabilityChange {
    /// Before.
    pub from: u64,
    /// After.
    pub to: u64,
}

/// The form in which a change was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapabilityForm {
    /// Bits of a message.
    Message,
    /// A line of a command's output, which follows from the word that the kernel has.
    Output,
}

impl CapabilityChange {
    /// The change of capabilities that an attribute's two values are, if they are one. In output, the names that came and
    /// went must be those of the bits that came and went, and nothing else of the line may differ.
    pub fn of(attr: &str, from: &str, to: &str) -> Option<(Self, CapabilityForm)> {
        let change = |from, to, form| (from != to).then_some((Self { from, to }, form));
        if matches!(attr.rsplit(' ').next(), Some("mask" | "value")) {
            return change(bits(from)?, bits(to)?, CapabilityForm::Message);
        }
        if attr != "out" {
            return None;
        }
        let (old, new) = (Options::read(from)?, Options::read(to)?);
        let names = |word: u64| {
            let (names, nameless) = capability_names(word);
            let names: BTreeSet<String> = names.map(str::to_ascii_uppercase).collect();
            (nameless == 0).then_some(names)
        };
        let only = |one: &Options<'_>, other: &Options<'_>| -> BTreeSet<String> {
            one.names.difference(&other.names).map(|name| (*name).to_owned()).collect()
        };
        let fits = old.label == new.label
            && names(old.word & !new.word)? == only(&old, &new)
            && names(new.word & !old.word)? == only(&new, &old);
        if fits { change(old.word, new.word, CapabilityForm::Output) } else { None }
    }
}

/// A bit set of a trace: `0x1b00600000000000`, the bytes as they came.
fn bits(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok().map(u64::swap_bytes)
}

/// A line of ifconfig(8) as a trace has it: `"\toptions=60001b<RXCSUM,TXCSUM>"`.
struct Options<'t> {
    /// `options` or `capabilities`.
    label: &'t str,
    word: u64,
    names: BTreeSet<&'t str>,
}

impl<'t> Options<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let line = text.strip_prefix("\"\\t")?.strip_suffix("\"")?;
        let (label, rest) = line.split_once('=')?;
        let (digits, names) = rest.strip_suffix('>')?.split_once('<')?;
        let word = u64::from_str_radix(digits, 16).ok()?;
        let is_label = matches!(label, "options" | "capabilities");
        is_label.then(|| Self {
            label,
            word,
            names: names.split(',').filter(|name| !name.is_empty()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#""\toptions=60000b<RXCSUM,TXCSUM,VLAN_MTU,RXCSUM_IPV6,TXCSUM_IPV6>""#;
    const NEW: &str = r#""\toptions=60001b<RXCSUM,TXCSUM,VLAN_MTU,VLAN_HWTAGGING,RXCSUM_IPV6,TXCSUM_IPV6>""#;

    #[test]
    fn bits_and_the_line_of_the_same_word_are_one_change() {
        let word = CapabilityChange { from: 0x60_000b, to: 0x60_001b };
        let of = CapabilityChange::of;
        let (from, to) = ("0x0b00600000000000", "0x1b00600000000000");
        for attr in ["freebsd caps value", "freebsd caps mask"] {
            assert_eq!(of(attr, from, to), Some((word, CapabilityForm::Message)));
        }
        assert_eq!(of("out", OLD, NEW), Some((word, CapabilityForm::Output)));
        let back = CapabilityChange { from: word.to, to: word.from };
        assert_eq!(of("out", NEW, OLD), Some((back, CapabilityForm::Output)));
    }

    #[test]
    fn a_line_that_says_anything_else_is_none() {
        let of = |from: &str, to: &str| CapabilityChange::of("out", from, to);
        for (wrong, why) in [
            (NEW.replace("60001b", "60003b"), "a bit without its name"),
            (NEW.replace("VLAN_HWTAGGING", "VLAN_HWFILTER"), "another name"),
            (NEW.replace("RXCSUM,", ""), "a name less"),
            (NEW.replace("options", "capabilities"), "another line"),
            (NEW.replace("\\toptions", "\\tnd6 options"), "options of something else"),
            (NEW.replace(">\"", "> mtu 1500\""), "more on the line"),
            (OLD.to_owned(), "nothing changed"),
        ] {
            assert_eq!(of(OLD, &wrong), None, "{why}: {wrong}");
        }
        assert_eq!(CapabilityChange::of("mtu", "0x0b00600000000000", "0x1b00600000000000"), None);
        assert_eq!(CapabilityChange::of("freebsd caps value", "0x0b", "0x1b"), None);
        assert_eq!(CapabilityChange::of("ifname", OLD, NEW), None);
    }
}
