// SPDX-License-Identifier: BSD-2-Clause
//! The text of an answer as far as two places have to agree on it.
//!
//! A golden is held against one conversation, in which all of this is fixed. A campaign asks two guests, each with a history
//! of its own.

use std::collections::BTreeMap;

/// What names a hardware address in a trace, with a number behind it.
const MAC: &str = "$mac";
/// What stands before the number of an interface in the kernel's texts.
const BEFORE_INDEX: [&str; 3] = ["index ", "#", "parent interface "];
/// What stands before the number of a pointer. The module shows none, because it is an address of the kernel.
const BEFORE_POINTER: [&str; 1] = ["Invalid attr p"];

/// How far a line of an echo is indented, at least.
const ECHOED: &str = "        ";

/// The text without what two places may say otherwise: numbers of interfaces and pointers in the kernel's own texts, bytes of a
/// request that an echo has where no attribute can be read, and the order in which hardware addresses were first heard on all
/// sockets together.
pub(super) fn comparable(text: &str) -> String {
    let mut macs = BTreeMap::new();
    let lines = text.lines().map(|line| {
        let line = renumbered(line, &mut macs);
        let is_words = line.trim_start().starts_with("msg \"");
        let mut line = without_echoed_bytes(&line) + "\n";
        for before in BEFORE_INDEX.iter().chain(&BEFORE_POINTER).filter(|_| is_words) {
            line = without_number(&line, before);
        }
        line
    });
    lines.collect()
}

/// The text without its events: their lines, which begin with a star, and what stands below each.
pub(super) fn without_events(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut event = None;
    let lines = text.lines().filter(|line| {
        match event {
            Some(depth) if indent(line) > depth => return false,
            _ => event = line.trim_start().starts_with('*').then(|| indent(line)),
        }
        event.is_none()
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The line with its hardware addresses numbered as they come in the text.
fn renumbered(line: &str, macs: &mut BTreeMap<String, usize>) -> String {
    let mut parts = line.split(MAC);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_at(digits(part));
        let next = macs.len() + 1;
        let place = *macs.entry(number.to_owned()).or_insert(next);
        all.push_str(&format!("{MAC}{place}{rest}"));
    }
    all
}

/// The line with an N for each number behind these words.
fn without_number(line: &str, before: &str) -> String {
    let mut parts = line.split(before);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.get(digits(part)..).unwrap_or_default();
        let number = if rest.len() < part.len() { "N" } else { "" };
        all.push_str(&format!("{before}{number}{rest}"));
    }
    all
}

/// The line with the number of its bytes instead of them, if it is of an echo and no attribute: the request may name an interface
/// there by its number.
fn without_echoed_bytes(line: &str) -> String {
    let bytes =
        line.strip_prefix(ECHOED).and_then(|rest| rest.trim_start().strip_prefix("not-an-attribute 0x"));
    let Some(bytes) = bytes else { return line.to_owned() };
    let (digits, cause) = bytes.split_once(' ').unwrap_or((bytes, ""));
    format!("{ECHOED}not-an-attribute of {} bytes {cause}", digits.len() / 2)
}

/// How many digits the text begins with.
fn digits(text: &str) -> usize {
    text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, two: &str) -> bool {
        comparable(one) == comparable(two)
    }

    #[test]
    fn numbers_of_interfaces_and_pointers_are_not_compared_in_texts() {
        let index =
            |number: u32| format!("  < error\n      msg \"Unable to find interface with index {number}\"\n");
        assert!(same(&index(298), &index(4)));
        let hash = |number: u32| format!("      msg \"unable to find interface #{number}\"\n");
        assert!(same(&hash(282), &hash(324)));
        let parent = |number: u32| format!("      msg \"unable to find parent interface {number}\"\n");
        assert!(same(&parent(304), &parent(103)));
        let pointer = |number, len| format!("      msg \"Invalid attr p{number} type 3 len: {len}\"\n");
        assert!(same(&pointer(0, 0), &pointer(1, 0)));
        assert!(!same(&pointer(0, 0), &pointer(0, 1)), "another length");
        assert!(!same(&index(1), &hash(1)), "another text");
        assert!(!same("      index 4\n", "      index 5\n"), "no text of the kernel");
    }

    #[test]
    fn bytes_that_an_echo_has_where_no_attribute_is_are_counted() {
        let echo = |bytes: &str| format!("          not-an-attribute 0x{bytes} cause=\"length 44\"\n");
        assert!(same(&echo("2c004701"), &echo("2c002d01")));
        assert!(!same(&echo("2c004701"), &echo("2c00")));
        let answer = |bytes: &str| format!("      not-an-attribute 0x{bytes} cause=\"length 44\"\n");
        assert!(!same(&answer("2c004701"), &answer("2c002d01")), "no echo: the kernel's own bytes");
    }

    #[test]
    fn events_go_with_all_that_stands_below_them() {
        let text = "step 0\n  < done\n  * link: newlink\n      mtu 5\n        deeper\n  * link: dellink\n  < error\n      x 1\n";
        assert_eq!(without_events(text), "step 0\n  < done\n  < error\n      x 1\n");
        assert_eq!(without_events("step 0\n"), "step 0\n");
    }

    #[test]
    fn hardware_addresses_are_numbered_as_they_come() {
        let one = "      address $mac3\n      orig $mac3\n      address $mac1\n";
        assert!(same(one, "      address $mac1\n      orig $mac1\n      address $mac2\n"));
        assert!(!same(one, "      address $mac1\n      orig $mac2\n      address $mac2\n"));
        assert_eq!(comparable("      address $mac10 $mac1\n"), "      address $mac1 $mac2\n");
    }
}
