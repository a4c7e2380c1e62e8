// SPDX-License-Identifier: BSD-2-Clause
//! Differences summed up by kind, a line each.

use crate::golden::{Change, Kind};

/// Width to which a difference is shown beside its kind.
const WIDTH: usize = 60;

/// A kind in one line: `    184     1  < newlink freebsd caps size: 34 -> 35`.
pub(super) fn kind_line(kind: &Kind<'_>) -> String {
    let what = match kind.ways.as_slice() {
        [one] => match (&one.from, &one.to) {
            (Some(from), Some(to)) => format!("{} -> {}", cut(from, WIDTH), cut(to, WIDTH)),
            (Some(from), None) => format!("only in - {}", cut(from, WIDTH)),
            (None, to) => format!("only in + {}", cut(to.as_deref().unwrap_or_default(), WIDTH)),
        },
        several => {
            let count = |wanted: fn(&Change) -> bool| several.iter().filter(|change| wanted(change)).count();
            let parts = [
                (count(|change| change.from.is_some() && change.to.is_some()), "changed"),
                (count(|change| change.to.is_none()), "only in -"),
                (count(|change| change.from.is_none()), "only in +"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
        }
    };
    format!("{:>7} {:>5}  {}: {}", kind.vectors, kind.ways.len(), kind.place, what.trim_end())
}

/// A text, cut to a number of characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}

/// How many of those that were compared differ: `2 of 3 vectors differ`.
pub(super) fn differ(different: usize, compared: usize) -> String {
    let (plural, verb) = (if compared == 1 { "" } else { "s" }, if different == 1 { "s" } else { "" });
    format!("{different} of {compared} vector{plural} differ{verb}")
}

/// A number with what it counts: `1 golden`, `2 goldens`.
pub(super) fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{Differences, changes};

    #[test]
    fn one_is_not_many() {
        assert_eq!((many(1, "golden"), many(0, "golden")), ("1 golden".into(), "0 goldens".into()));
        assert_eq!(differ(1, 1), "1 of 1 vector differs");
        assert_eq!(
            (differ(2, 3), differ(0, 1)),
            ("2 of 3 vectors differ".into(), "0 of 1 vector differ".into())
        );
    }

    #[test]
    fn a_kind_with_one_way_shows_it() {
        let line = |from: &str, to: &str| {
            let mut differences = Differences::default();
            differences.add("v", changes(from, to));
            kind_line(&differences.kinds()[0])
        };
        let golden = "step 0\n  < newlink\n      mtu 1\n";
        assert_eq!(line(golden, &golden.replace("mtu 1", "mtu 2")), "      1     1  < newlink mtu: 1 -> 2");
        assert_eq!(line(golden, "step 0\n"), "      1     1  < newlink: only in - < newlink");
        let long = format!("step 0\n  < error text={}\n", "x".repeat(99));
        assert!(line("step 0\n", &long).ends_with("xxx..."));
    }
}
