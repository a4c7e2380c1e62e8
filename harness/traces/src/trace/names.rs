// SPDX-License-Identifier: BSD-2-Clause
//! Values of a trace as people read them. Goldens hold capabilities as the bytes that came; what is shown has their names.

use nlproof_wire::schema::capability_names;

/// A text of a trace, or of a difference between two, with the names of capabilities in the place of their bits.
pub fn with_names(text: &str) -> String {
    text.split_inclusive('\n').map(|line| named(line).unwrap_or_else(|| line.to_owned())).collect()
}

/// A line of a bit set (`value 0x1b00600000000000`), which only capabilities are.
fn named(line: &str) -> Option<String> {
    let start = line.find("0x")?;
    let (before, digits) = (line.get(..start)?, line.get(start + 2..)?.trim_end());
    let word = before.trim_end().rsplit([' ', '+', '-']).next()?;
    if !matches!(word, "mask" | "value") || digits.len() != 16 {
        return None;
    }
    let word = u64::from_str_radix(digits, 16).ok()?.swap_bytes();
    Some(format!("{before}{}{}", names(word), line.get(start + 2 + digits.len()..)?))
}

/// The capabilities of a word: their names, and the bits without a name as a number; `-` if there are none.
fn names(word: u64) -> String {
    let (names, rest) = capability_names(word);
    let mut parts: Vec<String> = names.map(str::to_owned).collect();
    if rest != 0 {
        parts.push(format!("{rest:#x}"));
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join("|") }
}

#[cfg(test)]
mod tests {
    use nlproof_wire::schema::capability;
    use proptest::prelude::*;

    use super::*;

    /// The word that these names make; `None`: one of them names nothing.
    fn capability_word(text: &str) -> Option<u64> {
        let bit = |part: &str| match part.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => capability(part),
        };
        text.split('|').filter(|part| *part != "-").try_fold(0, |word, part| Some(word | bit(part)?))
    }

    #[test]
    fn capabilities_are_named_and_nothing_else_is_touched() {
        let text = "  < newlink seq=+0\n          size 35\n          mask 0x0300680000000000\n+          value \
                    0x0000000000000000\n          value 0x1b00600000000080\n      address 0x0300680000000000\n      out \
                    \"value 0x0300680000000000\"\n          mask 0x03006800\n          value";
        let shown = "  < newlink seq=+0\n          size 35\n          mask \
                     rxcsum|txcsum|linkstate|rxcsum_ipv6|txcsum_ipv6\n+          value -\n          value \
                     rxcsum|txcsum|vlan_mtu|vlan_hwtagging|rxcsum_ipv6|txcsum_ipv6|0x8000000000000000\n      address \
                     0x0300680000000000\n      out \"value 0x0300680000000000\"\n          mask 0x03006800\n          value";
        assert_eq!(with_names(text), shown);
    }

    #[test]
    fn what_names_nothing_is_no_word() {
        assert_eq!(capability_word("rxcsum|no_such"), None);
        assert_eq!(capability_word("-"), Some(0));
    }

    proptest! {
        #[test]
        fn names_and_number_are_the_same_word(word: u64) {
            prop_assert_eq!(capability_word(&names(word)), Some(word));
            let line = format!("  value 0x{:016x}\n", word.swap_bytes());
            prop_assert_eq!(with_names(&line), format!("  value {}\n", names(word)));
        }
    }
}
