// SPDX-License-Identifier: BSD-2-Clause
//! A place where requests run, one after the other: guests of one cell, each restored when the one before is used up or lost.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use iface_core::Profile;
use nlproof_agent::Batch;

use super::answer::Answer;
use crate::blocks::{Loaded, LogError, TranslationLogReader};
use crate::matrix::{VectorRunError, mismatch, run_vectors_within};
use crate::targets::{Loss, OpenError, Target, TargetError};
use crate::vector::{LossCode, Vector};

/// An answer that has not come after this is not coming, in milliseconds. Jails that are being removed keep a kernel busy for
/// a while.
const REPLY_LIMIT_MS: u32 = 15_000;
/// Offsets of the module's blocks have this bit, which no address of a kernel lacks and no offset has.
const MODULE: u64 = 1 << 40;

/// Whose code answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A kernel's own, or the module's.
    Kernel(LossCode),
    /// The simulator's.
    Sim,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The cell's name.
    pub name: String,
    /// The release, as its directory is called; the simulator plays one.
    pub release: String,
    /// The branch's behaviour.
    pub profile: Profile,
    /// The layer of goldens that it has of its own: what answers otherwise than its branch is compared with its like.
    pub layer: Option<String>,
    /// Whose code.
    pub code: Code,
    /// Whether the kernel runs on several processors: what an event tells may be a later change, and which comes first is chance.
    pub several_processors: bool,
}

/// A target, and how what it runs is watched.
pub struct Opened {
    /// The target.
    pub target: Box<dyn Target + Send>,
    /// QEMU's log of blocks; `None`: nobody sees them.
    pub watch: Option<BlockWatch>,
}

/// Reads from a guest's log which blocks ran.
pub struct BlockWatch {
    /// The log.
    pub reader: TranslationLogReader,
    /// Where the module lies.
    pub module: Option<Loaded>,
    /// Where blocks begin: addresses of the kernel's.
    pub kernel: Arc<BTreeSet<u64>>,
    /// Where blocks of the module begin, from its start.
    pub offsets: Arc<BTreeSet<u64>>,
}

impl BlockWatch {
    fn new_blocks(&mut self) -> Result<Vec<u64>, LogError> {
        let addresses = match self.reader.read_new() {
            // QEMU makes the file with the first block.
            Err(LogError::None(_)) => return Ok(Vec::new()),
            read => read?,
        };
        let block = |address: u64| {
            if self.kernel.contains(&address) {
                return Some(address);
            }
            let Loaded { base, length } = self.module?;
            let offset = address.checked_sub(base).filter(|offset| *offset < length)?;
            self.offsets.contains(&offset).then_some(offset | MODULE)
        };
        Ok(addresses.into_iter().filter_map(block).collect())
    }
}

/// Opens the next target of a lane.
pub type Open<'a> = dyn Fn() -> Result<Opened, OpenError> + Send + Sync + 'a;

/// Why a lane cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// No target can be opened.
    #[error("{name}: {error}")]
    Open {
        /// The side's name.
        name: String,
        /// Why.
        #[source]
        error: OpenError,
    },
    /// This machine is to blame for a lost guest: the next one would be lost too.
    #[error("{name}: {text}")]
    Host {
        /// The side's name.
        name: String,
        /// What happened.
        text: String,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// A place where requests run.
pub struct Lane<'a> {
    /// Which side this is, as its place among the sides.
    pub(super) side: usize,
    name: String,
    open: Arc<Open<'a>>,
    opened: Option<Opened>,
    /// Network stacks left in the guest.
    room: usize,
    /// How many targets were opened.
    pub(super) guests: usize,
    /// What is to be told and belongs to no request.
    pub(super) notes: Vec<String>,
    /// A request ends when its network stack has gone.
    settles: bool,
}

impl fmt::Debug for Lane<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("name", &self.name).field("guests", &self.guests).finish_non_exhaustive()
    }
}

impl<'a> Lane<'a> {
    /// A lane of this side, whose targets are opened by `open`.
    pub fn new(side: usize, name: &str, open: Arc<Open<'a>>) -> Lane<'a> {
        Lane {
            side,
            name: name.to_owned(),
            open,
            opened: None,
            room: 0,
            guests: 0,
            notes: Vec::new(),
            settles: false,
        }
    }

    /// The same lane, but a request ends when its network stack has gone: what a kernel dies of then belongs to it.
    #[must_use]
    pub fn settling(self) -> Lane<'a> {
        Lane { settles: true, ..self }
    }

    /// Runs requests in order, an answer each.
    pub(super) fn run(&mut self, vectors: &[&Vector]) -> Result<Vec<Answer>, LaneError> {
        vectors.iter().map(|vector| self.one(vector)).collect()
    }

    fn one(&mut self, vector: &Vector) -> Result<Answer, LaneError> {
        let settles = self.settles;
        let opened = self.guest()?;
        if let Some(why) = mismatch(vector, opened.target.facts()) {
            return Ok(Answer::without(why));
        }
        let mut answer = None;
        let mut run = run_vectors_within(&mut *opened.target, &[vector], REPLY_LIMIT_MS, &mut |run| {
            answer = Some(Answer::of(&run));
        });
        if run.is_ok() && settles {
            run =
                opened.target.run(&Batch { programs: Vec::new() }, &mut |_| ()).map_err(VectorRunError::from);
        }
        let blocks = opened.watch.as_mut().map(BlockWatch::new_blocks).transpose();
        self.room = self.room.saturating_sub(1);
        let mut answer = match run {
            Ok(()) => answer.unwrap_or_else(|| Answer::without("the agent said nothing of it".into())),
            Err(VectorRunError::Vector(error)) => Answer::without(error.to_string()),
            Err(VectorRunError::Target(error)) => self.lost(error)?,
        };
        match blocks {
            Ok(blocks) => answer.blocks = blocks.unwrap_or_default(),
            Err(error) => self.note(error.to_string()),
        }
        Ok(answer)
    }

    fn lost(&mut self, error: TargetError) -> Result<Answer, LaneError> {
        self.opened = None;
        let loss = match error {
            TargetError::Interrupted => return Err(LaneError::Interrupted),
            TargetError::Guest(loss) => loss,
            other => Loss {
                kind: "lost".into(),
                fingerprint: other.to_string().lines().next().unwrap_or_default().to_owned(),
                calls: vec![],
                text: other.to_string(),
            },
        };
        if loss.is_the_hosts() {
            return Err(LaneError::Host { name: self.name.clone(), text: loss.text });
        }
        Ok(Answer::lost(loss))
    }

    fn guest(&mut self) -> Result<&mut Opened, LaneError> {
        if self.room == 0 {
            self.retire();
        }
        if self.opened.is_none() {
            let opened = (self.open)().map_err(|error| match error {
                OpenError::Interrupted => LaneError::Interrupted,
                error => LaneError::Open { name: self.name.clone(), error },
            })?;
            self.room = opened.target.facts().stacks.map_or(usize::MAX, |stacks| stacks.max(1));
            self.guests += 1;
            self.opened = Some(opened);
        }
        match &mut self.opened {
            Some(opened) => Ok(opened),
            // It has just been put there.
            None => Err(LaneError::Interrupted),
        }
    }

    /// Ends the guest that runs, and notes what its module left behind.
    pub(super) fn retire(&mut self) {
        if let Some(mut opened) = self.opened.take() {
            // What the kernel complained of stands with the request during which it did.
            opened.target.finish().complaints.into_iter().for_each(|complaint| self.note(complaint));
        }
        self.room = 0;
    }

    fn note(&mut self, text: String) {
        let note = format!("{}: {text}", self.name);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
