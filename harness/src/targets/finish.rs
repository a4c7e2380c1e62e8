// SPDX-License-Identifier: BSD-2-Clause
//! Facts that are known only when the programs have run.

use std::collections::BTreeMap;

use super::fact::Fact;
use super::kldstat::{LoadedFile, loaded_files};

/// Something that a kernel complained of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What it said, and where.
    pub text: String,
    /// Equal for the same complaint in two guests of one release.
    pub fingerprint: String,
}

/// Facts known after the last program of one target, or of several that ran the programs of one cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finish {
    /// The module's counters, by name.
    pub counters: BTreeMap<String, u64>,
    /// For people and reports, as [`Facts::lines`](super::Facts::lines).
    pub lines: Vec<(String, String)>,
    /// The module was loaded although verification rejected it.
    pub unverified: bool,
    /// Faults in one of them, whatever the vectors say.
    pub complaints: Vec<String>,
    /// Complaints of their kernels on the console, which need not be the module's.
    pub console: Vec<Complaint>,
}

impl Finish {
    /// Adds the facts of the next target of the same cell: counters are summed, and equal texts are kept once.
    pub fn join(&mut self, next: Self) {
        for (name, value) in next.counters {
            let sum = self.counters.entry(name).or_default();
            *sum = sum.saturating_add(value);
        }
        for line in next.lines {
            if !self.lines.contains(&line) {
                self.lines.push(line);
            }
        }
        self.unverified |= next.unverified;
        for complaint in next.complaints {
            if !self.complaints.contains(&complaint) {
                self.complaints.push(complaint);
            }
        }
        for complaint in next.console {
            if self.console.iter().all(|known| known.text != complaint.text) {
                self.console.push(complaint);
            }
        }
    }

    /// Every complaint in words, the kernel's too.
    pub fn in_words(&self) -> Vec<String> {
        let console = self.console.iter().map(|complaint| complaint.text.clone());
        self.complaints.iter().cloned().chain(console).collect()
    }

    /// Faults in one of the targets or in all of them together. Vectors that pass prove nothing about a module that
    /// nobody asked; one guest of several may have had vectors that ask nothing of it.
    pub fn all_complaints(&self) -> Vec<String> {
        let unasked = self.counters.get("requests") == Some(&0);
        let unasked = unasked.then(|| "the module answered no request".to_owned());
        self.complaints.iter().cloned().chain(unasked).collect()
    }

    /// Facts for reports.
    pub fn report_facts(&self) -> impl Iterator<Item = Fact> {
        let counters = (!self.counters.is_empty()).then(|| Fact::line("module counters", self.counted()));
        let lines = self.lines.iter().cloned().map(|(label, text)| Fact::Line(label, text));
        counters.into_iter().chain(lines)
    }

    /// One line for the terminal, if there is a module to tell about.
    pub fn note(&self) -> Option<String> {
        let kldstat = self.lines.iter().find(|(name, _)| name == "kldstat").map(|(_, text)| text)?;
        let module = if self.unverified { "UNVERIFIED module" } else { "module" };
        Some(format!("{module}: {}; {}", loaded(kldstat), self.counted()))
    }

    fn counted(&self) -> String {
        let shown: Vec<_> = self.counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
        shown.join(", ")
    }
}

/// A line of kldstat(8), in words.
fn loaded(kldstat: &str) -> String {
    match loaded_files(kldstat).next() {
        Some(LoadedFile { name, address, length }) => {
            format!("{name} was loaded, {} KiB at {address:#x}", length.div_ceil(1024))
        }
        None => format!("kldstat said {kldstat}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(requests: u64, complaint: &str) -> Finish {
        Finish {
            counters: BTreeMap::from([("requests".to_owned(), requests)]),
            lines: vec![("kldstat".into(), "7 1 0xffffffff82a00000 14000 nlproof_iface.ko".into())],
            unverified: false,
            complaints: vec![complaint.into()],
            console: vec![Complaint { text: "reversal".into(), fingerprint: "r".into() }],
        }
    }

    #[test]
    fn counters_of_two_guests_are_added_and_complaints_of_both_kept() {
        let mut joined = finish(2, "a");
        joined.join(finish(3, "b"));
        joined.join(finish(4, "b"));
        assert_eq!(joined.counters["requests"], 9);
        assert_eq!(joined.complaints, ["a", "b"]);
        assert_eq!(joined.in_words(), ["a", "b", "reversal"]);
        assert_eq!(joined.lines.len(), 1);
        assert_eq!(
            joined.note().unwrap(),
            "module: nlproof_iface.ko was loaded, 80 KiB at 0xffffffff82a00000; requests 9"
        );
    }

    #[test]
    fn a_module_that_no_guest_asked_is_complained_of() {
        let quiet = |requests| Finish { complaints: Vec::new(), ..finish(requests, "") };
        let mut joined = quiet(0);
        joined.join(quiet(0));
        assert_eq!(joined.all_complaints(), ["the module answered no request"]);
        joined.join(quiet(1));
        assert_eq!(joined.all_complaints(), [""; 0]);
        assert_eq!(Finish::default().all_complaints(), [""; 0]);
    }

    #[test]
    fn without_a_module_there_is_nothing_to_note() {
        assert_eq!(Finish::default().note(), None);
        assert_eq!(Finish::default().report_facts().count(), 0);
    }
}
