// SPDX-License-Identifier: BSD-2-Clause
//! A fact about a target, typed where a decision depends on it. Reports show a label and a text.

/// A fact about a target or the cell that it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The kernel that answers, by the first line of its version.
    Kernel(String),
    /// The SHA-256 of the kernel's file, in hex.
    KernelSha256(String),
    /// `kern.osreldate`.
    Osreldate(String),
    /// The simulator, by what it plays.
    Simulator(String),
    /// The highest number of guests that ran side by side.
    Guests(usize),
    /// Results of following the kernel in all guests, each text once.
    KernelTrace(Vec<String>),
    /// Files that could not be kept in the report directory.
    Unkept(String),
    /// For people alone: a label and a text.
    Line(String, String),
}

const KERNEL: &str = "kernel";
const KERNEL_SHA256: &str = "kernel sha256";
const OSRELDATE: &str = "osreldate";
const SIMULATOR: &str = "simulator";
const GUESTS: &str = "guests";
const SIDE_BY_SIDE: &str = " side by side, at most";
const KERNEL_TRACE: &str = "kernel trace";
const THEN: &str = "; then ";
const UNKEPT: &str = "not kept";
/// Separator between the texts of one fact that differs between the slices of a cell.
const OR: &str = " | ";

impl Fact {
    /// A fact for people alone.
    pub fn line(label: &str, text: impl Into<String>) -> Self {
        Self::Line(label.to_owned(), text.into())
    }

    /// Parses the fact that a report shows with this label and text.
    pub fn read(label: &str, text: &str) -> Self {
        let guests = || text.strip_suffix(SIDE_BY_SIDE)?.parse().ok();
        match label {
            KERNEL => Self::Kernel(text.to_owned()),
            KERNEL_SHA256 => Self::KernelSha256(text.to_owned()),
            OSRELDATE => Self::Osreldate(text.to_owned()),
            SIMULATOR => Self::Simulator(text.to_owned()),
            GUESTS => guests().map_or_else(|| Self::line(label, text), Self::Guests),
            KERNEL_TRACE => Self::KernelTrace(text.split(THEN).map(str::to_owned).collect()),
            UNKEPT => Self::Unkept(text.to_owned()),
            _ => Self::line(label, text),
        }
    }

    /// The label.
    pub fn label(&self) -> &str {
        match self {
            Self::Kernel(_) => KERNEL,
            Self::KernelSha256(_) => KERNEL_SHA256,
            Self::Osreldate(_) => OSRELDATE,
            Self::Simulator(_) => SIMULATOR,
            Self::Guests(_) => GUESTS,
            Self::KernelTrace(_) => KERNEL_TRACE,
            Self::Unkept(_) => UNKEPT,
            Self::Line(label, _) => label,
        }
    }

    /// The text.
    pub fn text(&self) -> String {
        match self {
            Self::Guests(count) => format!("{count}{SIDE_BY_SIDE}"),
            Self::KernelTrace(texts) => texts.join(THEN),
            Self::Kernel(text)
            | Self::KernelSha256(text)
            | Self::Osreldate(text)
            | Self::Simulator(text)
            | Self::Unkept(text)
            | Self::Line(_, text) => text.clone(),
        }
    }

    /// The SHA-256 of the kernel that answered, among these facts.
    pub fn kernel_sha256(facts: &[Self]) -> Option<&str> {
        facts
            .iter()
            .find_map(|fact| if let Self::KernelSha256(sha256) = fact { Some(sha256.as_str()) } else { None })
    }

    /// Adds what became of following the kernel in one guest; a cell may take several.
    pub fn add_kernel_trace(facts: &mut Vec<Self>, about: &str) {
        let known = facts
            .iter_mut()
            .find_map(|fact| if let Self::KernelTrace(known) = fact { Some(known) } else { None });
        match known {
            Some(known) if known.iter().any(|known| known == about) => {}
            Some(known) => known.push(about.to_owned()),
            None => facts.push(Self::KernelTrace(vec![about.to_owned()])),
        }
    }

    /// Adds why something could not be kept.
    pub fn add_unkept(facts: &mut Vec<Self>, why: &str) {
        let known =
            facts.iter_mut().find_map(|fact| if let Self::Unkept(known) = fact { Some(known) } else { None });
        match known {
            Some(known) if known.contains(why) => {}
            Some(known) => {
                known.push_str("; ");
                known.push_str(why);
            }
            None => facts.push(Self::Unkept(why.to_owned())),
        }
    }

    /// Adds a fact of another slice of the same cell. Where the texts differ the fact has both.
    pub fn join(facts: &mut Vec<Self>, other: Self) {
        let Some(known) = facts.iter_mut().find(|known| known.label() == other.label()) else {
            facts.push(other);
            return;
        };
        let (text, more) = (known.text(), other.text());
        if !text.split(OR).any(|one| one == more) {
            *known = Self::read(other.label(), &format!("{text}{OR}{more}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_shows_is_read_as_what_it_was() {
        for fact in [
            Fact::Kernel("FreeBSD 14.0".into()),
            Fact::KernelSha256("ab".into()),
            Fact::Osreldate("1400097".into()),
            Fact::Simulator("profile 15".into()),
            Fact::Guests(2),
            Fact::KernelTrace(vec!["a".into(), "b".into()]),
            Fact::Unkept("raw trace: x".into()),
            Fact::line("boot time", "5 s"),
        ] {
            assert_eq!(Fact::read(fact.label(), &fact.text()), fact);
        }
        assert_eq!(Fact::Guests(2).text(), "2 side by side, at most");
        let joined = "2 side by side, at most | 3 side by side, at most";
        assert_eq!(Fact::read("guests", joined), Fact::line("guests", joined));
    }

    #[test]
    fn what_became_of_it_in_each_guest_is_told_once() {
        let mut facts = vec![Fact::Kernel("x".into())];
        for about in ["a", "a", "b"] {
            Fact::add_kernel_trace(&mut facts, about);
        }
        assert_eq!((facts[1].label(), facts[1].text()), ("kernel trace", "a; then b".into()));
        for why in ["raw trace: full", "raw trace: full", "console: full"] {
            Fact::add_unkept(&mut facts, why);
        }
        assert_eq!(
            (facts[2].label(), facts[2].text()),
            ("not kept", "raw trace: full; console: full".into())
        );
    }

    #[test]
    fn slices_that_differ_have_both_texts_and_the_same_one_once() {
        let mut facts = vec![Fact::Unkept("a".into())];
        for more in ["a", "b", "a", "b"] {
            Fact::join(&mut facts, Fact::Unkept(more.into()));
        }
        Fact::join(&mut facts, Fact::KernelSha256("aa".into()));
        assert_eq!(facts, [Fact::Unkept("a | b".into()), Fact::KernelSha256("aa".into())]);
        assert_eq!(Fact::kernel_sha256(&facts), Some("aa"));
    }
}
