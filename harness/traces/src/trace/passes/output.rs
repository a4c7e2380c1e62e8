// SPDX-License-Identifier: BSD-2-Clause
//! The pass for the output of commands: interface indexes after `link#`, `Link#` and `scopeid 0x` become `$if0`,
//! `$if1`, ..., link-level addresses after `ether ` and ` at ` become `$ether0`, `$ether1`, ..., each in the
//! order in which they appear; the same one keeps its name throughout the trace. Spaces that follow a renamed
//! value become one: how many a column has depends on the value's length.

use super::super::item::{Kind, Trace};

/// Texts before an interface index, each with the number's base.
const INDEXES: [(&str, u32); 3] = [("link#", 10), ("Link#", 10), ("scopeid 0x", 16)];
/// Texts before a link-level address (ifconfig(8), arp(8)).
const ADDRESSES: [&str; 2] = ["ether ", " at "];
/// `02:00:00:00:00:0a`.
const ADDRESS_LEN: usize = 17;

pub(super) fn rename(trace: &mut Trace) {
    let mut names = Names::default();
    for item in &mut trace.items {
        if let Kind::Exec { stdout, stderr, .. } = &mut item.kind {
            *stdout = names.renamed(stdout);
            *stderr = names.renamed(stderr);
        }
    }
}

#[derive(Default)]
struct Names {
    indexes: Vec<u32>,
    addresses: Vec<String>,
}

impl Names {
    fn renamed(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match self.index(rest).or_else(|| self.address(rest)) {
                Some((name, len)) => {
                    out.push_str(&name);
                    let after = &rest[len..];
                    // The bracket belongs to the column too: `<Link#12>`.
                    let (bracket, after) = after.strip_prefix('>').map_or(("", after), |rest| (">", rest));
                    out.push_str(bracket);
                    rest = after.trim_start_matches(' ');
                    if rest.len() < after.len() {
                        out.push(' ');
                    }
                }
                None => {
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }

    /// The text that takes the place of an index with what stands before it, and the length of both.
    fn index(&mut self, text: &str) -> Option<(String, usize)> {
        let (before, base) = INDEXES.into_iter().find(|(before, _)| text.starts_with(before))?;
        let digits: &str = &text[before.len()..];
        let digits = &digits[..digits.bytes().take_while(|byte| char::from(*byte).is_digit(base)).count()];
        let index = u32::from_str_radix(digits, base).ok().filter(|index| *index != 0)?;
        let name = format!("{}$if{}", before, position(&mut self.indexes, index));
        Some((name, before.len() + digits.len()))
    }

    /// The same for a link-level address that is neither all zero nor all ones.
    fn address(&mut self, text: &str) -> Option<(String, usize)> {
        let before = ADDRESSES.into_iter().find(|before| text.starts_with(before))?;
        let address = text.get(before.len()..before.len() + ADDRESS_LEN)?;
        let parts: Vec<_> =
            address.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect::<Option<_>>()?;
        if parts.len() != 6 || parts == [0; 6] || parts == [0xff; 6] {
            return None;
        }
        let name = format!("{before}$ether{}", position(&mut self.addresses, address.to_owned()));
        Some((name, before.len() + ADDRESS_LEN))
    }
}

fn position<T: PartialEq>(known: &mut Vec<T>, value: T) -> usize {
    known.iter().position(|other| *other == value).unwrap_or_else(|| {
        known.push(value);
        known.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_and_addresses_keep_their_identity() {
        let mut names = Names::default();
        assert_eq!(
            names.renamed("lo0*  16384 <Link#7>        lo0 \nlo10 <Link#12>  lo10\n"),
            "lo0*  16384 <Link#$if0> lo0 \nlo10 <Link#$if1> lo10\n"
        );
        assert_eq!(
            names.renamed("\tinet6 fe80::1%lo10 prefixlen 64 scopeid 0xc\n192.0.2.1   link#7    UH\n"),
            "\tinet6 fe80::1%lo10 prefixlen 64 scopeid 0x$if1\n192.0.2.1   link#$if0 UH\n"
        );
        assert_eq!(
            names.renamed("ether 02:fd:93:0e:50:0a\n? (192.0.2.1) at 02:fd:93:0e:50:0a on epair10a\n"),
            "ether $ether0\n? (192.0.2.1) at $ether0 on epair10a\n"
        );
    }

    #[test]
    fn what_has_another_shape_stays() {
        for text in [
            "link#0",
            "link#",
            "scopeid 0xg",
            "ether 02:fd:93",
            "ether 00:00:00:00:00:00",
            "look at me\n",
            "é",
        ] {
            assert_eq!(Names::default().renamed(text), text);
        }
    }
}
