// SPDX-License-Identifier: BSD-2-Clause
//! Long runs of messages that differ only in numbers that count up, as one message:
//!
//! ```text
//!   = 1000 messages that count:
//!   < newlink multi seq=+0 index=$lo{10..1009}
//!       ifname "lo{10..1009}"
//! ```
//! Nothing is lost: message number i has in the place of `{a..b}` the number a + i, and everywhere else what stands
//! there. A message of the run that is absent, doubled, out of order or otherwise different breaks the run, and
//! the text differs.

use std::fmt::Write as _;

/// Length from which a run is folded; shorter ones are easy to read.
const SHORTEST: usize = 64;

/// A text in pieces: what stands between its decimal numbers, and the numbers.
#[derive(Debug, PartialEq, Eq)]
struct Pieces<'a> {
    literals: Vec<&'a str>,
    numbers: Vec<u64>,
}

impl<'a> Pieces<'a> {
    /// Only numbers whose digits follow from their value are taken out: without leading zeroes, below 10^18.
    fn of(text: &'a str) -> Self {
        let (mut literals, mut numbers) = (Vec::new(), Vec::new());
        let (mut begin, mut from) = (0, 0);
        while let Some(start) = text[from..].find(|c: char| c.is_ascii_digit()).map(|at| from + at) {
            let digits = text[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - start);
            let end = start + digits;
            let digits = &text[start..end];
            if (!digits.starts_with('0') || digits == "0")
                && digits.len() <= 18
                && let Ok(number) = digits.parse()
            {
                literals.push(&text[begin..start]);
                numbers.push(number);
                begin = end;
            }
            from = end;
        }
        literals.push(&text[begin..]);
        Self { literals, numbers }
    }

    /// Which numbers are one higher in `next`; `None` if the two differ in anything else.
    fn counts(&self, next: &Self) -> Option<Vec<bool>> {
        if self.literals != next.literals {
            return None;
        }
        self.numbers
            .iter()
            .zip(&next.numbers)
            .map(|(own, next)| next.checked_sub(*own).filter(|step| *step <= 1).map(|step| step == 1))
            .collect()
    }
}

/// Appends the texts of messages, long runs folded.
pub(super) fn fold(texts: &[String], out: &mut String) {
    if texts.len() < SHORTEST {
        out.extend(texts.iter().map(String::as_str));
        return;
    }
    let pieces: Vec<_> = texts.iter().map(|text| Pieces::of(text)).collect();
    let mut index = 0;
    while let (Some(text), Some(first)) = (texts.get(index), pieces.get(index)) {
        let length = run(&pieces[index..]);
        // A brace of the message's own would look like one of these.
        if length < SHORTEST || text.contains('{') {
            out.push_str(text);
            index += 1;
            continue;
        }
        let last = &pieces[index + length - 1];
        // Writing to a String cannot fail.
        writeln!(out, "  = {length} messages that count:").unwrap_or_default();
        for (place, literal) in first.literals.iter().enumerate() {
            out.push_str(literal);
            match (first.numbers.get(place), last.numbers.get(place)) {
                (Some(from), Some(to)) if from == to => write!(out, "{from}").unwrap_or_default(),
                (Some(from), Some(to)) => write!(out, "{{{from}..{to}}}").unwrap_or_default(),
                _ => {}
            }
        }
        index += length;
    }
}

/// How many texts from the first on count in the same way.
fn run(pieces: &[Pieces<'_>]) -> usize {
    let mut pairs = pieces.windows(2).map(|pair| pair[0].counts(&pair[1]));
    match pairs.next() {
        Some(Some(how)) => 2 + pairs.take_while(|next| next.as_ref() == Some(&how)).count(),
        _ => pieces.len().min(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(count: u32) -> Vec<String> {
        (10..10 + count)
            .map(|n| format!("  < newlink seq=+0 index=$lo{n}\n      mask 0x0{n}\n      ifname \"lo{n}\"\n"))
            .collect()
    }

    fn folded(texts: &[String]) -> String {
        let mut out = String::new();
        fold(texts, &mut out);
        out
    }

    /// Only the mask of [`texts`] cannot be counted; here it stands still.
    fn counting() -> Vec<String> {
        texts(150)
            .iter()
            .map(|text| {
                text.lines().filter(|line| !line.contains("mask")).map(|line| format!("{line}\n")).collect()
            })
            .collect()
    }

    #[test]
    fn a_long_run_is_one_message() {
        assert_eq!(
            folded(&counting()),
            "  = 150 messages that count:\n  < newlink seq=+0 index=$lo{10..159}\n      ifname \"lo{10..159}\"\n"
        );
        let equal = vec!["  < a 7\n".to_owned(); SHORTEST];
        assert_eq!(folded(&equal), "  = 64 messages that count:\n  < a 7\n");
    }

    #[test]
    fn what_cannot_be_restored_is_not_folded() {
        let short = counting()[..SHORTEST - 1].to_vec();
        assert_eq!(folded(&short), short.concat());
        assert_eq!(folded(&texts(150)), texts(150).concat());
        let braces: Vec<_> = counting().iter().map(|text| text.replace("seq", "{1..2}")).collect();
        assert_eq!(folded(&braces), braces.concat());
    }

    #[test]
    fn every_change_of_a_message_is_a_change_of_the_text() {
        let whole = folded(&counting());
        for place in 0..150 {
            for change in 0..5 {
                let mut texts = counting();
                match change {
                    0 => drop(texts.remove(place)),
                    1 => texts.insert(place, texts[place].clone()),
                    2 => texts.swap(place, (place + 1) % 150),
                    3 => texts[place] = texts[place].replace("+0", "+1"),
                    _ => texts[place] = texts[place].replace("ifname", "ifname x"),
                }
                assert_ne!(folded(&texts), whole, "place {place}, change {change}");
            }
        }
    }
}
