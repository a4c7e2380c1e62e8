// SPDX-License-Identifier: BSD-2-Clause
//! One vector's trace, step by step.

use nlproof_agent::ConsoleLine;

use super::console::Console;
use super::node::Node;

/// A decoded trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The items, in the order in which they were seen.
    pub items: Vec<Item>,
    /// Port id of the request socket.
    pub pid: u32,
    /// Events are in an order that matters (the vector says `ordered`).
    pub ordered: bool,
    /// What the kernel printed meanwhile.
    pub console: Console,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Index of the step; `None` outside any step.
    pub step: Option<u32>,
    /// Guest CLOCK_MONOTONIC in nanoseconds.
    pub t_ns: u64,
    /// What it is.
    pub kind: Kind,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A request message as it was sent.
    Sent(Node),
    /// A message on the request socket.
    Reply(Node),
    /// A message on the socket of this group (its name).
    Event(String, Node),
    /// An interface's name and index, as the guest says; not part of the text.
    Resolved(String, u32),
    /// A command's exit status and output.
    Exec {
        /// Exit status, or 128 + signal.
        status: i32,
        /// Standard output.
        stdout: String,
        /// Standard error.
        stderr: String,
    },
    /// A line that the kernel printed.
    Console(ConsoleLine),
    /// A note about the run itself: an error of a system call, a rejected program.
    Note(String),
    /// Something is missing from the trace: it cannot be compared.
    Lossy(Lossy),
}

/// Why a trace cannot be trusted to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lossy {
    /// The kernel dropped messages on this socket.
    Dropped(String),
    /// A reply did not come within its limit.
    Timeout,
    /// The program did not run to its end.
    Died(i32),
    /// A socket could not be opened, bound, or joined to its group.
    NoSocket {
        /// The error number's name.
        error: String,
        /// What was done, in the agent's or the simulator's words.
        text: String,
    },
    /// The kernel did not notice what was done with a network card: what, and within which time.
    Unnoticed(String),
    /// The program could not be run at all.
    NotRun(String),
}

impl std::fmt::Display for Lossy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lossy::Dropped(socket) => write!(f, "the kernel dropped messages on the {socket} socket"),
            Lossy::Timeout => f.write_str("a reply did not come within its limit"),
            Lossy::Died(status) => write!(f, "the agent's child died with status {status}"),
            Lossy::NoSocket { error, text } => write!(f, "could not be run: {text} ({error})"),
            Lossy::Unnoticed(text) => f.write_str(text),
            Lossy::NotRun(text) => write!(f, "could not be run: {text}"),
        }
    }
}

impl Trace {
    /// Messages that the kernel dropped are an observation: the program made its buffers small on purpose.
    pub fn expect_drops(&mut self) {
        for item in &mut self.items {
            if let Kind::Lossy(lossy @ Lossy::Dropped(_)) = &item.kind {
                item.kind = Kind::Note(lossy.to_string());
            }
        }
    }

    /// A kernel that has no sockets of this family for the program's jail is an observation: the program entered that jail
    /// on purpose. Any other failure to open one stays what it is.
    pub fn expect_no_socket(&mut self) {
        for item in &mut self.items {
            if let Kind::Lossy(Lossy::NoSocket { error, .. }) = &item.kind
                && error == "EPROTONOSUPPORT"
            {
                item.kind = Kind::Note(format!("no socket: {error}"));
            }
        }
    }

    /// Adds a note to a step.
    pub fn note(&mut self, step: u32, text: String) {
        let before = |item: &Item| item.step.is_some_and(|other| other <= step);
        let place = self.items.iter().rposition(before).map_or(0, |last| last + 1);
        let t_ns = place.checked_sub(1).and_then(|last| self.items.get(last)).map_or(0, |item| item.t_ns);
        self.items.insert(place, Item { step: Some(step), t_ns, kind: Kind::Note(text) });
    }

    /// Why the trace cannot be compared, if so: the first loss with its step.
    pub fn loss(&self) -> Option<(Option<u32>, &Lossy)> {
        self.items.iter().find_map(|item| match &item.kind {
            Kind::Lossy(lossy) => Some((item.step, lossy)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_family_that_a_jail_lacks_can_be_expected() {
        for (error, expected) in [("EPROTONOSUPPORT", true), ("ENOBUFS", false), ("EPERM", false)] {
            let lossy = Lossy::NoSocket { error: error.into(), text: "opening the request socket".into() };
            let items = vec![Item { step: None, t_ns: 0, kind: Kind::Lossy(lossy) }];
            let mut trace = Trace { items, ..Trace::default() };
            trace.expect_no_socket();
            assert_eq!(trace.loss().is_none(), expected, "{error}");
            assert_eq!(trace.to_text() == "  ! no socket: EPROTONOSUPPORT\n", expected, "{error}");
        }
    }

    #[test]
    fn only_drops_can_be_expected() {
        for (lossy, expected) in [(Lossy::Dropped("link".into()), true), (Lossy::Timeout, false)] {
            let items = vec![Item { step: Some(1), t_ns: 0, kind: Kind::Lossy(lossy.clone()) }];
            let mut trace = Trace { items, ..Trace::default() };
            assert_eq!(trace.loss(), Some((Some(1), &lossy)));
            trace.expect_drops();
            assert_eq!(trace.loss().is_none(), expected);
        }
    }
}
