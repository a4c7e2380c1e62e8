// SPDX-License-Identifier: BSD-2-Clause
//! A vector from what was seen: datagrams by names where there is a name, raw where there is none.
//!
//! Nothing is lost: the vector compiles to the very bytes, but for the numbers that a run gives (`nlmsg_seq`, `nlmsg_pid`)
//! and indexes of interfaces whose names are known. Each of these is told as a [`Replaced`].

mod segment;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use nlproof_agent::{Privilege, Setting, SocketOptions, Step};
use nlproof_wire::Os;
use nlproof_wire::strict::{self, Options};

use self::segment::{Segment, segments};
use super::compile::compile;
use super::lint::malformation;
use super::load::{Vector, parse_vector};
use super::numbering::seqs_of;
use super::write::{exec_tree, wait_tree};
use crate::file::tree::{Entries, list, pair, text, texts, yaml};
use crate::file::{FileError, Value};

/// A vector that is to be, with datagrams as they were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Path below `vectors/` without `.yaml`.
    pub id: String,
    /// One sentence: what it shows.
    pub about: String,
    /// The system whose names and numbers hold, and for which the vector is.
    pub os: Os,
    /// Who sends; never outside.
    pub privilege: Privilege,
    /// Kernel modules that the guest must have loaded.
    pub modules: Vec<String>,
    /// Settings of the kernel while it runs.
    pub sysctl: Vec<Setting>,
    /// Multicast groups by name.
    pub groups: Vec<String>,
    /// Options of the request socket.
    pub socket: SocketOptions,
    /// What is done.
    pub steps: Vec<ReplicaStep>,
}

/// A step of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaStep {
    /// Sends these bytes as one datagram.
    Send {
        /// The bytes.
        data: Vec<u8>,
        /// Interfaces whose indexes are written by name, as they were when the datagram was sent.
        interfaces: BTreeMap<u32, String>,
    },
    /// Runs a command.
    Exec {
        /// The program and its arguments.
        argv: Vec<String>,
        /// The command is killed after this many milliseconds.
        limit_ms: u32,
    },
    /// Waits until no event has come for `quiet_ms`, at most `limit_ms`.
    Wait {
        /// Milliseconds without an event that end the step.
        quiet_ms: u32,
        /// The step ends after this many milliseconds whatever comes.
        limit_ms: u32,
    },
}

/// Bytes of a datagram that the vector does not send as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Index of the step.
    pub step: usize,
    /// Where the message begins in the datagram, in bytes.
    pub offset: usize,
    /// What was there, and what is sent.
    pub what: String,
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}, message at byte {}: {}", self.step, self.offset, self.what)
    }
}

impl Replica {
    /// A replica without steps, for root and without options.
    pub fn new(id: impl Into<String>, about: impl Into<String>, os: Os) -> Self {
        Self {
            id: id.into(),
            about: about.into(),
            os,
            privilege: Privilege::Root,
            modules: Vec::new(),
            sysctl: Vec::new(),
            groups: Vec::new(),
            socket: SocketOptions::default(),
            steps: Vec::new(),
        }
    }

    /// The vector, which is to stand in `path`, and what it sends otherwise than it was.
    ///
    /// # Errors
    /// An empty text or a name that no vector may have; or a datagram that no vector can send.
    pub fn vector(&self, path: &Path) -> Result<(Vector, Vec<Replaced>), FileError> {
        let forms: Vec<_> = self.steps.iter().map(|step| Form::of(self.os, step)).collect();
        let vector = self.parsed(path, &forms, &BTreeSet::new())?;
        let (forms, differs) = self.checked(&vector, forms)?;
        let vector = if differs { self.parsed(path, &forms, &BTreeSet::new())? } else { vector };
        let (forms, differs) = self.checked(&vector, forms)?;
        if differs {
            return Err(FileError::whole(path, "a datagram cannot be sent by a vector as it is"));
        }
        let steps = compile(&vector, self.os, 0)?.steps;
        let mut malformed = BTreeSet::new();
        for step in &steps {
            if let Step::Send(send) = step {
                strict::faults(self.os, &send.data, Options { unknown: true }, &mut |fault| {
                    malformed.insert(malformation(&fault).name());
                    ControlFlow::Continue(())
                });
            }
        }
        let vector = if malformed.is_empty() { vector } else { self.parsed(path, &forms, &malformed)? };
        let mut replaced = Vec::new();
        for (index, (form, step)) in forms.iter().zip(&self.steps).enumerate() {
            if let (Form::Datagram(segments), ReplicaStep::Send { interfaces, .. }) = (form, step) {
                let first = seqs_of(u32::try_from(index).unwrap_or(u32::MAX)).start;
                for (segment, seq) in segments.iter().zip(first..) {
                    let told = segment.replaced(seq, interfaces);
                    replaced.extend(told.into_iter().map(|what| Replaced {
                        step: index,
                        offset: segment.offset,
                        what,
                    }));
                }
            }
        }
        Ok((vector, replaced))
    }

    fn parsed(
        &self,
        path: &Path,
        forms: &[Form<'_>],
        malformed: &BTreeSet<&str>,
    ) -> Result<Vector, FileError> {
        let mut file = Entries::default();
        file.put("about", text(&self.about));
        file.put("needs", pair("os", texts([self.os.name()])));
        file.put_some("malformed", texts(malformed.iter().copied()));
        file.put("steps", list(forms.iter().map(Form::tree)));
        let mut vector = parse_vector(self.id.clone(), path, &yaml(&file.map()))?;
        vector.needs.privilege = self.privilege;
        vector.needs.modules.clone_from(&self.modules);
        vector.needs.sysctl.clone_from(&self.sysctl);
        vector.groups.clone_from(&self.groups);
        vector.socket = self.socket;
        // Read back, so that every place is one of the file that is written.
        parse_vector(self.id.clone(), path, &vector.to_yaml())
    }

    /// The forms of the datagrams that the vector sends as they were; those of the others are their bytes instead. Whether
    /// there were such.
    fn checked<'a>(
        &'a self,
        vector: &Vector,
        forms: Vec<Form<'a>>,
    ) -> Result<(Vec<Form<'a>>, bool), FileError> {
        let steps = compile(vector, self.os, 0)?.steps;
        let mut differs = false;
        let checked = forms.into_iter().zip(&steps).enumerate().map(|(index, (form, step))| {
            let (mut segments, send) = match (form, step) {
                (Form::Datagram(segments), Step::Send(send)) => (segments, send),
                (form, _) => return form,
            };
            let mut expected = Vec::new();
            let first = seqs_of(u32::try_from(index).unwrap_or(u32::MAX)).start;
            for (segment, seq) in segments.iter().zip(first..) {
                expected.extend(segment.numbered(seq));
            }
            for patch in &send.patches {
                let at = patch.offset as usize;
                if let Some(index) = expected.get_mut(at..at + 4) {
                    index.fill(0);
                }
            }
            if expected != send.data {
                differs = true;
                segments.iter_mut().for_each(Segment::make_raw);
            }
            Form::Datagram(segments)
        });
        let checked = checked.collect();
        Ok((checked, differs))
    }
}

/// What a step becomes.
enum Form<'a> {
    Datagram(Vec<Segment<'a>>),
    Other(Value),
}

impl<'a> Form<'a> {
    fn of(os: Os, step: &'a ReplicaStep) -> Self {
        match step {
            ReplicaStep::Send { data, interfaces } => Self::Datagram(segments(os, data, interfaces)),
            ReplicaStep::Exec { argv, limit_ms } => Self::Other(pair("exec", exec_tree(argv, *limit_ms))),
            ReplicaStep::Wait { quiet_ms, limit_ms } => {
                Self::Other(pair("wait", wait_tree(*quiet_ms, *limit_ms)))
            }
        }
    }

    fn tree(&self) -> Value {
        match self {
            Form::Datagram(segments) => match &segments[..] {
                [one] => pair("send", one.tree.clone()),
                many => pair("datagram", list(many.iter().map(|segment| segment.tree.clone()))),
            },
            Form::Other(tree) => tree.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
